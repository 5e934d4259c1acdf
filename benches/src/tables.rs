//! Reading a dataset as a table: learning its columns, exports and queries.
//!
//! What each costs is the reading of every cell's text, so rows a second are told with the bytes of
//! the cells; and with the processor's time, which is what other work on the machine does not have.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::json;

use crate::client::{Connection, MakeRequest, closed_loop, post};
use crate::hookyard::Server;
use crate::latency::now_ns;

/// Rows of the dataset: so many that a query of all of them takes a good part of a second.
const ROWS: u64 = 200_000;

/// Connections that fill it.
const CONNECTIONS: usize = 64;

/// How often each is asked. The middle one counts, so one disturbed by something else does not.
const ROUNDS: usize = 5;

const QUERIES: [(&str, &str); 7] = [
    ("count of all", "SELECT count(*) FROM t"),
    ("sum of one column", "SELECT sum(quantity) FROM t"),
    ("filter by two columns", "SELECT count(*) FROM t WHERE quantity > 90 AND active"),
    ("filter by a pattern", "SELECT count(*) FROM t WHERE description LIKE '%item 77777 %'"),
    ("group by 50 kinds", "SELECT kind, count(*), avg(quantity) FROM t GROUP BY kind"),
    ("group by each row", "SELECT count(*) FROM (SELECT merchant_item_oid FROM t GROUP BY 1)"),
    ("the ten greatest", "SELECT merchant_item_oid, quantity FROM t ORDER BY 2 DESC, 1 LIMIT 10"),
];

/// Fills a dataset and prints a table.
pub(crate) async fn run(binary: &Path) -> Result<()> {
    let server = Server::hookyard(binary, &[]).await?;
    let (path, dataset) =
        server.source_and_dataset(&json!({"mode": "combine", "name": "t"})).await?;
    let make: MakeRequest =
        Arc::new(move |number| post(&path, "content-type: application/json\r\n", &cell(number)));
    closed_loop(&server.addresses, CONNECTIONS, ROWS, make).await?;
    let bytes: u64 = (0..ROWS).map(|number| cell(number).len() as u64).sum();
    println!("{ROWS} rows of {} bytes\n", bytes / ROWS);
    println!(
        "| what | rows a second | MB of cells a second | CPU ms per 1,000 rows | MB written |"
    );
    println!("| --- | --- | --- | --- | --- |");
    let measured = Measured { server: &server, bytes };
    let get = |path: String| server.get(&path);
    measured.once("columns learnt", &get(format!("/v1/datasets/{dataset}/schema"))).await?;
    for (name, form) in [
        ("export, NDJSON", "ndjson"),
        ("export, CSV", "csv"),
        ("export, CSV of whole cells", "csv&flatten=false"),
        ("export, Parquet", "parquet"),
    ] {
        let request = get(format!("/v1/datasets/{dataset}/export?format={form}"));
        measured.often(name, &request).await?;
    }
    for (name, text) in QUERIES {
        measured.often(name, &server.ask(&json!({"query": text}))).await?;
    }
    println!("\nmemory at its peak: {} MB", server.peak_bytes()? >> 20);
    Ok(())
}

/// A row of about 0.9 KB.
fn cell(number: u64) -> String {
    let filler = "abcdefghij".repeat(60);
    let (kind, active) = (number * 7 % 50, number.is_multiple_of(3));
    let quantity = (number * 31 % 1_000) as f64 / 10.0;
    format!(
        r#"{{"id":"{number}","merchant_item_oid":{number},"kind":"kind {kind}","description":"item {number} {filler}","last_modified_dts":"2026-11-21T10:00:00+00:00","active":{active},"quantity":{quantity:.1}}}"#
    )
}

struct Measured<'a> {
    server: &'a Server,
    bytes: u64,
}

/// What one request took, and the bytes of its answer.
struct Took {
    seconds: f64,
    cpu: f64,
    written: usize,
}

impl Measured<'_> {
    async fn once(&self, name: &str, request: &[u8]) -> Result<()> {
        if let Some(took) = self.take(request).await? {
            self.print(name, &took);
        }
        Ok(())
    }

    async fn often(&self, name: &str, request: &[u8]) -> Result<()> {
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            match self.take(request).await? {
                Some(took) => all.push(took),
                None => {
                    println!("| {name} | not in this build | | | |");
                    return Ok(());
                }
            }
        }
        all.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        self.print(name, &all[ROUNDS / 2]);
        Ok(())
    }

    /// `None` when the build has no such thing.
    async fn take(&self, request: &[u8]) -> Result<Option<Took>> {
        let connection = Connection::open(self.server.addresses[0]).await?;
        let (cpu, start) = (self.server.cpu_seconds()?, now_ns());
        let (status, written) = connection.drain(request).await?;
        let seconds = (now_ns() - start) as f64 / 1e9;
        match status {
            200 => Ok(Some(Took { seconds, cpu: self.server.cpu_seconds()? - cpu, written })),
            404 => Ok(None),
            status => bail!("answered {status}"),
        }
    }

    fn print(&self, name: &str, took: &Took) {
        let rows = ROWS as f64 / took.seconds;
        let megabytes = self.bytes as f64 / 1e6 / took.seconds;
        let cpu = took.cpu * 1e6 / ROWS as f64;
        let written = took.written as f64 / 1e6;
        println!("| {name} | {rows:.0} | {megabytes:.0} | {cpu:.2} | {written:.1} |");
    }
}
