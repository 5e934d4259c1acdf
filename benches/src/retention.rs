//! Publishing while old events are deleted, next to publishing while all are kept.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use crate::hookyard::Server;
use crate::phases::publish_only;

/// Rounds of each server. One takes some seconds and the server looks for old events every minute, so
/// this many see several sweeps.
const ROUNDS: usize = 16;

/// What the sweeping server keeps: far less than a round publishes, so that each sweep deletes all that
/// was published since the last one.
const KEPT: &str = "16MiB";

/// Measures rounds in turns and prints a table; rows of one server are to be compared with those of the
/// other.
pub(crate) async fn run(binary: &Path) -> Result<()> {
    let keeping = Arc::new(Server::hookyard(binary, &[]).await?);
    let sweeping = Arc::new(Server::hookyard(binary, &["--journal-bytes", KEPT]).await?);
    println!("| what | per second | CPU ms per 1,000 | p50 ms | p99 ms |");
    println!("| --- | --- | --- | --- | --- |");
    for _ in 0..ROUNDS {
        publish_only("published, all kept", &keeping).await?;
        publish_only("published, old ones deleted", &sweeping).await?;
    }
    for (name, server) in [("all kept", keeping), ("old ones deleted", sweeping)] {
        println!("\ndata directory, {name}: {} MB", server.disk_bytes()? >> 20);
    }
    Ok(())
}
