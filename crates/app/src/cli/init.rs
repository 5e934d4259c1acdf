//! `init`.

use std::sync::Arc;

use anyhow::{Result, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_store::postgres::LEASE_DEFAULT;

use super::output;
use crate::config::Init;
use crate::{first, storage};

/// Makes a data directory, or fills a database, with its first workspace and prints the credentials.
pub(crate) async fn run(command: Init) -> Result<()> {
    let Init { common, first, json } = command;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (store, _lock) = storage::open(&common, &clock, LEASE_DEFAULT).await?;
    if first::exists(store.as_ref()).await? {
        bail!(
            "{} is initialised already: run `hookyard serve` to use it, or `hookyard credential \
             create` for another credential",
            storage::name(&common),
        );
    }
    let made = first::make(store.as_ref(), first, &SystemEntropy, clock.now()).await?;
    store.close().await?;
    output::line(&if json { made.as_json() } else { made.as_exports(None) })?;
    Ok(())
}
