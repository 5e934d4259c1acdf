//! Receiving next to publishing: what each setting of a source costs, and what a row takes on disk.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::{MakeRequest, closed_loop, post};
use crate::hookyard::Server;
use crate::latency::{now_ns, percentile_ms};
use crate::phases::publish_only;

/// Small deliveries of one measurement: a few seconds' worth.
const SMALL: u64 = 100_000;

/// Large ones: 1 GiB in all.
const LARGE: u64 = 100;

const CONNECTIONS: usize = 64;

/// Connections that send large deliveries.
const LARGE_CONNECTIONS: usize = 4;

/// Bytes of a large delivery: just below what is taken.
const LARGE_BYTES: usize = (10 << 20) - 1024;

/// Runs everything and prints a table.
pub(crate) async fn run(binary: &Path) -> Result<()> {
    println!("| what | per second | CPU ms per 1,000 | p50 ms | p99 ms |");
    println!("| --- | --- | --- | --- | --- |");
    let server = Arc::new(Server::hookyard(binary, &[]).await?);
    publish_only("published, nobody subscribed", &server).await?;
    println!(
        "\n| received | per second | CPU ms per 1,000 | p50 ms | p99 ms | bytes on disk each |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let publishing = json!({"event_type": "item_create"});
    for (name, settings, named) in [
        ("combine, nothing kept", json!({"mode": "combine", "inspection_seconds": 0}), false),
        ("combine", json!({"mode": "combine"}), false),
        ("combine, each with an id", json!({"mode": "combine"}), true),
        ("combine, published too", json!({"mode": "combine", "republish": publishing}), false),
        ("replace", json!({"mode": "replace"}), false),
    ] {
        small(binary, name, settings, named).await?;
    }
    large(binary, json!({"mode": "combine"})).await
}

/// A delivery of about 0.9 KB.
fn body(number: u64) -> String {
    let filler = "abcdefghij".repeat(60);
    format!(
        r#"{{"id":"{number}","merchant_item_oid":{number},"merchant_id":"DEMO","description":"{filler}","last_modified_dts":"2026-11-21T10:00:00+00:00","active":true,"quantity":12.5}}"#
    )
}

async fn small(binary: &Path, name: &str, settings: Value, named: bool) -> Result<()> {
    let server = Server::hookyard(binary, &[]).await?;
    let path = server.source_with(&settings).await?;
    let make: MakeRequest = Arc::new(move |number| {
        let id = if named { format!("webhook-id: msg_{number}\r\n") } else { String::new() };
        let headers = format!("content-type: application/json\r\nuser-agent: bench/1\r\n{id}");
        post(&path, &headers, &body(number))
    });
    measure(&server, name, CONNECTIONS, SMALL, make).await
}

async fn large(binary: &Path, settings: Value) -> Result<()> {
    let server = Server::hookyard(binary, &[]).await?;
    let path = server.source_with(&settings).await?;
    let items = LARGE_BYTES / (body(0).len() + 10);
    let items: Vec<_> = (0..items as u64).map(body).collect();
    let request =
        post(&path, "content-type: application/json\r\n", &format!("[{}]", items.join(",")));
    let make: MakeRequest = Arc::new(move |_| request.clone());
    measure(&server, "combine, 10 MiB each", LARGE_CONNECTIONS, LARGE, make).await?;
    println!("\nmemory at its peak with 10 MiB each: {} MB", server.peak_bytes()? >> 20);
    Ok(())
}

async fn measure(
    server: &Server,
    name: &str,
    connections: usize,
    count: u64,
    make: MakeRequest,
) -> Result<()> {
    let (disk, cpu, start) = (server.disk_bytes()?, server.cpu_seconds()?, now_ns());
    let mut took = closed_loop(&server.addresses, connections, count, make).await?;
    let per_second = count as f64 * 1e9 / (now_ns() - start) as f64;
    let cpu = (server.cpu_seconds()? - cpu) * 1e6 / count as f64;
    // The write-ahead log is a few megabytes of this; of as many rows that is little.
    let disk = server.disk_bytes()?.saturating_sub(disk) / count;
    let (p50, p99) = (percentile_ms(&mut took, 50), percentile_ms(&mut took, 99));
    println!("| {name} | {per_second:.0} | {cpu:.1} | {p50:.2} | {p99:.2} | {disk} |");
    Ok(())
}
