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

/// Deliveries of middle size: 400 MB in all.
const MIDDLE: u64 = 400 << 20;

/// Large ones: 1 GiB in all.
const LARGE: u64 = 100;

const CONNECTIONS: usize = 64;

/// Connections that send large deliveries.
const LARGE_CONNECTIONS: usize = 4;

/// Bytes of a large delivery: just below what is taken.
const LARGE_BYTES: usize = (10 << 20) - 1024;

/// Different bodies that take turns: too many for anything to know them again.
const DISTINCT: u64 = 1_000;

/// What texts are made of.
const WORDS: [&str; 24] = [
    "order", "customer", "shipping", "blue", "shirt", "large", "paid", "pending", "street", "main",
    "north", "john", "smith", "please", "deliver", "before", "noon", "fragile", "express",
    "standard", "invoice", "berlin", "tokyo", "lisbon",
];

/// Runs everything and prints a table.
pub(crate) async fn run(binary: &Path) -> Result<()> {
    println!("| what | per second | CPU ms per 1,000 | p50 ms | p99 ms |");
    println!("| --- | --- | --- | --- | --- |");
    let server = Arc::new(Server::hookyard(binary, &[]).await?);
    publish_only("published, nobody subscribed", &server).await?;
    println!(
        "\n| received | bytes each | per second | CPU ms per 1,000 | p50 ms | p99 ms | \
         bytes on disk each |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let nothing = json!({"mode": "combine", "inspection_seconds": 0});
    let combine = json!({"mode": "combine"});
    let publishing = json!({"mode": "combine", "republish": {"event_type": "item_create"}});
    let replace = json!({"mode": "replace"});
    for (name, settings, named) in [
        ("combine, nothing kept", &nothing, false),
        ("combine", &combine, false),
        ("combine, each with an id", &combine, true),
        ("combine, published too", &publishing, false),
        ("replace", &replace, false),
    ] {
        small(binary, name, settings, named).await?;
    }
    for bytes in [2_000, 4_096, 16_384, 65_536] {
        for (mode, settings) in [("combine", &combine), ("replace", &replace)] {
            middle(binary, mode, settings, bytes).await?;
        }
    }
    large(binary, &combine).await
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << by } else { self.0 >> by };
        }
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn words(&mut self, count: u64) -> String {
        let words = WORDS.len() as u64;
        let picked = (0..count).map(|_| {
            let at = usize::try_from(self.below(words)).unwrap_or_default();
            WORDS.into_iter().nth(at)
        });
        picked.flatten().collect::<Vec<_>>().join(" ")
    }
}

/// A line of an order, some 250 bytes.
fn line(numbers: &mut Numbers) -> String {
    format!(
        r#"{{"id":"{:016x}","sku":"SKU-{}","title":"{}","quantity":{},"price":"{}.{:02}","currency":"USD","taxable":{},"created_at":"2026-11-{:02}T{:02}:{:02}:00Z","note":"{}"}}"#,
        numbers.next(),
        numbers.below(100_000),
        numbers.words(3),
        numbers.below(9),
        numbers.below(900),
        numbers.below(100),
        numbers.below(2) == 0,
        numbers.below(28) + 1,
        numbers.below(24),
        numbers.below(60),
        numbers.words(6),
    )
}

/// An order of about so many bytes, as a shop sends it: names and words again and again, and numbers
/// that nobody can guess. How well it compresses is what counts here.
fn order(number: u64, bytes: usize) -> String {
    let mut numbers = Numbers((number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut order = format!(
        r#"{{"id":{number},"token":"{:016x}{:016x}","email":"{}@example.com","address":"{} {}","line_items":["#,
        numbers.next(),
        numbers.next(),
        numbers.words(1),
        numbers.below(999),
        numbers.words(2),
    );
    loop {
        order.push_str(&line(&mut numbers));
        if order.len() + 200 > bytes {
            order.push_str("]}");
            return order;
        }
        order.push(',');
    }
}

async fn small(binary: &Path, name: &str, settings: &Value, named: bool) -> Result<()> {
    let server = Server::hookyard(binary, &[]).await?;
    let path = server.source_with(settings).await?;
    let bodies: Vec<_> = (0..DISTINCT).map(|number| order(number, 900)).collect();
    let bytes = bodies.iter().map(String::len).sum::<usize>() / bodies.len();
    let make: MakeRequest = Arc::new(move |number| {
        let id = if named { format!("webhook-id: msg_{number}\r\n") } else { String::new() };
        let headers = format!("content-type: application/json\r\nuser-agent: bench/1\r\n{id}");
        post(&path, &headers, &bodies[(number % DISTINCT) as usize])
    });
    measure(&server, name, (CONNECTIONS, SMALL, bytes), make).await
}

async fn middle(binary: &Path, mode: &str, settings: &Value, bytes: usize) -> Result<()> {
    let server = Server::hookyard(binary, &[]).await?;
    let path = server.source_with(settings).await?;
    let bodies: Vec<_> = (0..DISTINCT / 10).map(|number| order(number, bytes)).collect();
    let bytes = bodies.iter().map(String::len).sum::<usize>() / bodies.len();
    let make: MakeRequest = Arc::new(move |number| {
        let turn = usize::try_from(number).unwrap_or_default() % bodies.len();
        let body = &bodies[turn];
        post(&path, "content-type: application/json\r\n", body)
    });
    let count = SMALL.min(MIDDLE / bytes as u64);
    measure(&server, mode, (CONNECTIONS, count, bytes), make).await
}

async fn large(binary: &Path, settings: &Value) -> Result<()> {
    let server = Server::hookyard(binary, &[]).await?;
    let path = server.source_with(settings).await?;
    let body = order(0, LARGE_BYTES);
    let request = post(&path, "content-type: application/json\r\n", &body);
    let make: MakeRequest = Arc::new(move |_| request.clone());
    measure(&server, "combine", (LARGE_CONNECTIONS, LARGE, body.len()), make).await?;
    println!("\nmemory at its peak with 10 MiB each: {} MB", server.peak_bytes()? >> 20);
    Ok(())
}

async fn measure(
    server: &Server,
    name: &str,
    (connections, count, bytes): (usize, u64, usize),
    make: MakeRequest,
) -> Result<()> {
    let (disk, cpu, start) = (server.disk_bytes()?, server.cpu_seconds()?, now_ns());
    let mut took = closed_loop(&server.addresses, connections, count, make).await?;
    let per_second = count as f64 * 1e9 / (now_ns() - start) as f64;
    let cpu = (server.cpu_seconds()? - cpu) * 1e6 / count as f64;
    // The write-ahead log is a few megabytes of this; of as many rows that is little.
    let disk = server.disk_bytes()?.saturating_sub(disk) / count;
    let (p50, p99) = (percentile_ms(&mut took, 50), percentile_ms(&mut took, 99));
    println!("| {name} | {bytes} | {per_second:.0} | {cpu:.1} | {p50:.2} | {p99:.2} | {disk} |");
    Ok(())
}
