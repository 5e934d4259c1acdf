//! The same load on each store: the embedded one, and PostgreSQL with one node and with two.
//!
//! Throughput and processor time are measured on a direct way to the database. Round trips are counted
//! afterwards, on fewer events, by way of something that stands in between and costs time of its own.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::BINARY;
use crate::client::{MakeRequest, closed_loop, post};
use crate::hookyard::Server;
use crate::latency::{now_ns, percentile_ms};
use crate::phases::{CONNECTIONS, UNWANTED, WANTED, event, publishing};
use crate::postgres::{Postgres, Wire};
use crate::receiver::Receiver;

/// Events of one measurement unless said otherwise: a few seconds' worth.
const EVENTS: u64 = 100_000;

/// One event in so many is enough to count round trips.
const COUNTED: u64 = 10;

/// Endpoints where there are several.
const MANY: u64 = 10;

/// Events of one request where there are several.
const BATCH: u64 = 100;

/// What is asked for on the command line.
pub(crate) struct Options {
    binary: PathBuf,
    database: Option<String>,
    events: u64,
}

impl Options {
    /// Reads the arguments after `stores`.
    pub(crate) fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { binary: BINARY.into(), database: None, events: EVENTS };
        while let Some(word) = args.next() {
            let mut value = || args.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--database-url" => options.database = Some(value()?),
                "--events" => options.events = value()?.parse().context("--events")?,
                other if other.starts_with("--") => bail!("{other} is not known"),
                _ => options.binary = word.into(),
            }
        }
        // A whole request of the largest, also where round trips are counted.
        options.events = options.events.max(COUNTED * BATCH);
        Ok(options)
    }
}

/// What is done, and how an event or a delivery of it is counted.
#[derive(Clone, Copy)]
enum Load {
    Publish,
    Receive(&'static str),
    Deliver { endpoints: u64, maximum_events: u32, batch: u64 },
}

/// What is measured, with one event in how many: what takes long is done less often.
const LOADS: [(&str, Load, u64); 7] = [
    ("published, nobody subscribed", Load::Publish, 1),
    ("received, combine", Load::Receive("combine"), 1),
    ("received, replace", Load::Receive("replace"), 1),
    (
        "delivered to 1 endpoint, bundles of up to 100",
        Load::Deliver { endpoints: 1, maximum_events: 100, batch: 1 },
        1,
    ),
    (
        "delivered to 1 endpoint, one by one",
        Load::Deliver { endpoints: 1, maximum_events: 1, batch: 1 },
        5,
    ),
    (
        "delivered to 10 endpoints, bundles of up to 100",
        Load::Deliver { endpoints: MANY, maximum_events: 100, batch: 1 },
        5,
    ),
    (
        "published 100 a request, delivered to 1 endpoint, bundled",
        Load::Deliver { endpoints: 1, maximum_events: 100, batch: BATCH },
        1,
    ),
];

/// What came of one measurement.
struct Outcome {
    /// Events, or deliveries of events.
    count: u64,
    seconds: f64,
    /// Of requests, or from publish to receive; nanoseconds.
    took: Vec<u64>,
}

/// Runs everything and prints a table.
pub(crate) async fn run(options: Options) -> Result<()> {
    println!(
        "| store | what | per second | CPU ms per 1,000: hookyard | PostgreSQL | round trips each | \
         p50 ms | p99 ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let receiver = Receiver::start().await?;
    let server = Arc::new(Server::hookyard(&options.binary, &[]).await?);
    for (name, load, part) in LOADS {
        let cpu = server.cpu_seconds()?;
        let outcome = load.run(&server, &receiver, options.events / part).await?;
        let cpu = server.cpu_seconds()? - cpu;
        report("embedded", name, outcome, cpu, None, None);
    }
    drop(server);
    let mut known = None;
    for nodes in [1, 2] {
        let init = shared(&options, nodes, &receiver, known.take()).await?;
        // A database that is given is made one's own once.
        known = options.database.is_some().then_some(init);
    }
    Ok(())
}

/// Measures so many nodes on a database: a fresh one, unless one is given. What it is to be used with
/// again.
async fn shared(
    options: &Options,
    nodes: usize,
    receiver: &Receiver,
    known: Option<Value>,
) -> Result<Value> {
    let postgres = match &options.database {
        Some(url) => Postgres::given(url),
        None => Postgres::start().await?,
    };
    let init = match known {
        Some(init) => init,
        None => Server::initialise_database(&options.binary, postgres.url()).await?,
    };
    let on = async |url: &str| {
        Server::on_database(&options.binary, url, nodes, &init).await.map(Arc::new)
    };
    let mut measured = Vec::new();
    let server = on(postgres.url()).await?;
    for (_, load, part) in LOADS {
        let (cpu, database) = (server.cpu_seconds()?, postgres.cpu_seconds()?);
        let outcome = load.run(&server, receiver, options.events / part).await?;
        let cpu = server.cpu_seconds()? - cpu;
        let database = postgres.cpu_seconds()?.zip(database).map(|(after, before)| after - before);
        measured.push((outcome, cpu, database));
    }
    stop(server).await?;
    let wire = Wire::start(postgres.url()).await?;
    let server = on(&wire.url).await?;
    let store = format!("PostgreSQL, {nodes} node{}", if nodes == 1 { "" } else { "s" });
    for ((name, load, part), (outcome, cpu, database)) in LOADS.into_iter().zip(measured) {
        let trips = wire.trips();
        let counted = load.run(&server, receiver, options.events / part / COUNTED).await?;
        let trips = (wire.trips() - trips) as f64 / counted.count as f64;
        report(&store, name, outcome, cpu, database, Some(trips));
    }
    stop(server).await?;
    Ok(init)
}

async fn stop(server: Arc<Server>) -> Result<()> {
    Arc::into_inner(server).context("the server is still in use")?.stop().await
}

impl Load {
    async fn run(self, server: &Arc<Server>, receiver: &Receiver, events: u64) -> Result<Outcome> {
        match self {
            Self::Publish => requests(server, events, publishing(server, UNWANTED, 1)).await,
            Self::Receive(mode) => {
                let path = server.source(mode).await?;
                let headers = "content-type: application/json\r\n";
                let make: MakeRequest =
                    Arc::new(move |number| post(&path, headers, &event(number, UNWANTED)));
                requests(server, events, make).await
            }
            Self::Deliver { endpoints, maximum_events, batch } => {
                let url = format!("http://{}/", receiver.address);
                let mut made = Vec::new();
                for _ in 0..endpoints {
                    made.push(server.endpoint(&url, WANTED, maximum_events).await?);
                }
                receiver.reset();
                let start = now_ns();
                let make = publishing(server, WANTED, batch);
                closed_loop(&server.addresses, CONNECTIONS, events / batch, make).await?;
                let count = events / batch * batch * endpoints;
                let (last, _) = receiver.wait(count).await;
                for id in made {
                    server.remove(id).await?;
                }
                Ok(Outcome { count, seconds: seconds(start, last), took: receiver.ages() })
            }
        }
    }
}

async fn requests(server: &Server, count: u64, make: MakeRequest) -> Result<Outcome> {
    let start = now_ns();
    let took = closed_loop(&server.addresses, CONNECTIONS, count, make).await?;
    Ok(Outcome { count, seconds: seconds(start, now_ns()), took })
}

fn seconds(from_ns: u64, until_ns: u64) -> f64 {
    until_ns.saturating_sub(from_ns) as f64 / 1e9
}

/// Prints a row.
fn report(
    store: &str,
    name: &str,
    mut outcome: Outcome,
    cpu: f64,
    database: Option<f64>,
    trips: Option<f64>,
) {
    let per_second = outcome.count as f64 / outcome.seconds;
    let per_1000 = |seconds: f64| seconds * 1e6 / outcome.count as f64;
    let database = database.map_or(String::new(), |cpu| format!("{:.1}", per_1000(cpu)));
    let trips = trips.map_or(String::new(), |trips| format!("{trips:.3}"));
    let cpu = per_1000(cpu);
    let took = &mut outcome.took;
    let (p50, p99) = (percentile_ms(took, 50), percentile_ms(took, 99));
    println!(
        "| {store} | {name} | {per_second:.0} | {cpu:.1} | {database} | {trips} | {p50:.2} | \
         {p99:.2} |"
    );
}
