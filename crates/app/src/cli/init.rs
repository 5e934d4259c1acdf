//! `init`.

use anyhow::{Result, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_store::Store;

use super::output;
use crate::config::Init;
use crate::data::DataDir;
use crate::first;

/// Makes a data directory with its first workspace and prints the credentials.
pub(crate) async fn run(command: Init) -> Result<()> {
    let Init { common, first, json } = command;
    let data = DataDir::create(&common.data)?;
    let _lock = data.lock()?;
    let key = data.key(&common.key, &SystemEntropy)?;
    let store = data.open_store(key)?;
    if first::exists(&store).await? {
        bail!(
            "{} is initialised already: run `hookyard serve` to use it, or `hookyard credential \
             create` for another credential",
            common.data.display(),
        );
    }
    let made = first::make(&store, first, &SystemEntropy, SystemClock::new().now()).await?;
    store.close().await?;
    output::line(&if json { made.as_json() } else { made.as_exports(None) })?;
    Ok(())
}
