//! Drives the real `hookyard` binary, and next to it a bare server that only reads bodies, with the
//! same load from the same machine, and prints what both did. Figures are for comparing within one
//! run; docs/explanation/performance.md has some with their machine.
//!
//! ```text
//! cargo build --release && cargo run --release -p hookyard-bench [-- target/release/hookyard]
//! cargo run --release -p hookyard-bench -- retention [target/release/hookyard]
//! cargo run --release -p hookyard-bench -- receiving [target/release/hookyard]
//! cargo run --release -p hookyard-bench -- stores [target/release/hookyard] [--events N] \
//!     [--database-url postgres://...]
//! cargo run --release -p hookyard-bench -- tables [target/release/hookyard]
//! ```
#![expect(clippy::print_stdout, reason = "the report is the program's output")]

use std::path::PathBuf;

use anyhow::Result;

mod bare;
mod client;
mod hookyard;
mod latency;
mod phases;
mod postgres;
mod process;
mod receiver;
mod receiving;
mod retention;
mod stores;
mod tables;

/// The binary under measurement when none is named.
const BINARY: &str = "target/release/hookyard";

/// The first argument that measures publishing while old events are deleted.
const RETENTION: &str = "retention";

/// The first argument that measures receiving.
const RECEIVING: &str = "receiving";

/// The first argument that compares the embedded store with PostgreSQL.
const STORES: &str = "stores";

/// The first argument that measures reading datasets as tables.
const TABLES: &str = "tables";

/// The first argument that makes this program the bare server.
const BARE: &str = "bare-server";

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1) {
        Some(word) if word == BARE => bare::serve().await,
        Some(word) if word == RETENTION => {
            let binary = std::env::args().nth(2).map_or(BINARY.into(), PathBuf::from);
            retention::run(&binary).await
        }
        Some(word) if word == RECEIVING => {
            let binary = std::env::args().nth(2).map_or(BINARY.into(), PathBuf::from);
            receiving::run(&binary).await
        }
        Some(word) if word == STORES => {
            stores::run(stores::Options::read(std::env::args().skip(2))?).await
        }
        Some(word) if word == TABLES => {
            let binary = std::env::args().nth(2).map_or(BINARY.into(), PathBuf::from);
            tables::run(&binary).await
        }
        binary => phases::run(binary.map_or(BINARY.into(), PathBuf::from)).await,
    }
}
