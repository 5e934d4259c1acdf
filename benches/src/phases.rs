//! What is measured, one after the other.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use crate::client::{MakeRequest, closed_loop, open_loop, post};
use crate::hookyard::Server;
use crate::latency::{now_ns, percentile_ms};
use crate::receiver::{Receiver, STAMP};

/// Events of one throughput measurement: a few seconds' worth.
const EVENTS: u64 = 100_000;

pub(crate) const CONNECTIONS: usize = 64;

/// How many values the key of lanes has: as many as a shop has customers in a busy minute.
const KEYS: u64 = 1_000;

/// How many bundles are in flight at once where it is not one.
const BUNDLES: u32 = 8;

const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// The type that endpoints are made for, and one that nobody wants. Neither needs https.
pub(crate) const WANTED: &str = "item_update";
pub(crate) const UNWANTED: &str = "item_create";

/// Runs everything and prints a table.
pub(crate) async fn run(binary: PathBuf) -> Result<()> {
    println!("| what | per second | CPU ms per 1,000 | p50 ms | p99 ms |");
    println!("| --- | --- | --- | --- | --- |");
    bare().await?;
    let server = Arc::new(Server::hookyard(&binary, &[]).await?);
    let receiver = Receiver::start().await?;
    publish_only("published, nobody subscribed", &server).await?;
    receive(&server).await?;
    for (name, endpoints, maximum_events) in [
        ("delivered to 1 endpoint, bundles of up to 100", 1, 100),
        ("delivered to 1 endpoint, one by one", 1, 1),
        ("delivered to 10 endpoints, bundles of up to 100", 10, 100),
        ("delivered to 10 endpoints, one by one", 10, 1),
    ] {
        deliver(&server, &receiver, name, endpoints, maximum_events, false).await?;
    }
    lanes(&server, &receiver).await?;
    let name = "published 100 a request, delivered to 1 endpoint, bundled";
    deliver(&server, &receiver, name, 1, 100, true).await?;
    for rate in [100, 1_000] {
        latency(&server, &receiver, rate).await?;
    }
    println!("\ndata directory: {} MB", server.disk_bytes()? >> 20);
    Ok(())
}

/// Prints a row.
fn report(name: &str, per_second: f64, cpu_ms_per_1000: f64, samples: &mut [u64]) {
    let (p50, p99) = (percentile_ms(samples, 50), percentile_ms(samples, 99));
    println!("| {name} | {per_second:.0} | {cpu_ms_per_1000:.1} | {p50:.2} | {p99:.2} |");
}

/// A CloudEvent of about 0.9 KB.
pub(crate) fn event(id: u64, kind: &str) -> String {
    let filler = "abcdefghij".repeat(60);
    let (published, shelf) = (now_ns(), id % KEYS);
    format!(
        r#"{{"specversion":"1.0","id":"{published}-{id}","source":"/bench","type":"{kind}","data":{{{STAMP}{published},"shelf":{shelf},"merchant_item_oid":{id},"merchant_id":"DEMO","description":"{filler}","last_modified_dts":"2026-11-21T10:00:00+00:00","active":true,"quantity":12.5}}}}"#
    )
}

/// Requests that publish so many events each.
pub(crate) fn publishing(server: &Arc<Server>, kind: &'static str, batch: u64) -> MakeRequest {
    let server = Arc::clone(server);
    Arc::new(move |number| {
        if batch == 1 {
            return server.publish(ONE, &event(number, kind));
        }
        let events: Vec<_> = (0..batch).map(|n| event(number * batch + n, kind)).collect();
        server.publish(BATCH, &format!("[{}]", events.join(",")))
    })
}

/// Runs a closed loop and reports it.
async fn throughput(name: &str, server: &Server, make: MakeRequest) -> Result<()> {
    let (cpu, start) = (server.cpu_seconds()?, now_ns());
    let mut took = closed_loop(&server.addresses, CONNECTIONS, EVENTS, make).await?;
    let seconds = (now_ns() - start) as f64 / 1e9;
    let cpu = (server.cpu_seconds()? - cpu) * 1e6 / EVENTS as f64;
    report(name, EVENTS as f64 / seconds, cpu, &mut took);
    Ok(())
}

async fn bare() -> Result<()> {
    let server = Server::bare().await?;
    let make: MakeRequest = Arc::new(|number| post("/", "", &event(number, UNWANTED)));
    throughput("bare axum server, body read", &server, make).await
}

/// Publishes events that nobody wants.
pub(crate) async fn publish_only(name: &str, server: &Arc<Server>) -> Result<()> {
    throughput(name, server, publishing(server, UNWANTED, 1)).await
}

async fn receive(server: &Arc<Server>) -> Result<()> {
    for mode in ["combine", "replace"] {
        let path = server.source(mode).await?;
        let headers = "content-type: application/json\r\n";
        let make: MakeRequest =
            Arc::new(move |number| post(&path, headers, &event(number, UNWANTED)));
        throughput(&format!("received, {mode}"), server, make).await?;
    }
    Ok(())
}

/// Publishes and waits until everything is delivered; a delivery is one event at one endpoint.
async fn deliver(
    server: &Arc<Server>,
    receiver: &Receiver,
    name: &str,
    endpoints: u64,
    maximum_events: u32,
    batched: bool,
) -> Result<()> {
    let url = format!("http://{}/", receiver.address);
    let mut made = Vec::new();
    for _ in 0..endpoints {
        made.push(server.endpoint(&url, WANTED, maximum_events).await?);
    }
    deliver_to(server, receiver, name, &made, batched).await
}

/// The same to an endpoint that gets its events one by one, several at a time.
async fn lanes(server: &Arc<Server>, receiver: &Receiver) -> Result<()> {
    let url = format!("http://{}/", receiver.address);
    let made = server.lanes(&url, WANTED, BUNDLES, "shelf").await?;
    let name = format!("delivered to 1 endpoint, one by one, {BUNDLES} at a time by key");
    deliver_to(server, receiver, &name, &[made], false).await
}

async fn deliver_to(
    server: &Arc<Server>,
    receiver: &Receiver,
    name: &str,
    made: &[i64],
    batched: bool,
) -> Result<()> {
    receiver.reset();
    let endpoints = made.len() as u64;
    let events = if endpoints == 1 { EVENTS } else { EVENTS / 4 };
    let (cpu, start) = (server.cpu_seconds()?, now_ns());
    let batch = if batched { 100 } else { 1 };
    let make = publishing(server, WANTED, batch);
    closed_loop(&server.addresses, CONNECTIONS, events / batch, make).await?;
    let published = (now_ns() - start) as f64 / 1e9;
    let deliveries = events * endpoints;
    let (last, requests) = receiver.wait(deliveries).await;
    let seconds = (last - start) as f64 / 1e9;
    let cpu = (server.cpu_seconds()? - cpu) * 1e6 / deliveries as f64;
    let name = format!(
        "{name} ({requests} requests; publishing took {:.0} % of the time)",
        100.0 * published / seconds
    );
    report(&name, deliveries as f64 / seconds, cpu, &mut receiver.ages());
    for id in made {
        server.remove(*id).await?;
    }
    Ok(())
}

async fn latency(server: &Arc<Server>, receiver: &Receiver, rate: u32) -> Result<()> {
    const SECONDS: u64 = 10;
    let url = format!("http://{}/", receiver.address);
    let endpoint = server.endpoint(&url, WANTED, 100).await?;
    receiver.reset();
    let count = u64::from(rate) * SECONDS;
    let (cpu, start) = (server.cpu_seconds()?, now_ns());
    open_loop(server.addresses[0], rate, count, publishing(server, WANTED, 1)).await?;
    let (last, _) = receiver.wait(count).await;
    let cpu = (server.cpu_seconds()? - cpu) * 1e6 / count as f64;
    let per_second = count as f64 / ((last - start) as f64 / 1e9);
    let name = format!("publish to receive at {rate} a second");
    report(&name, per_second, cpu, &mut receiver.ages());
    server.remove(endpoint).await
}
