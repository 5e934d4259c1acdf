//! `key rotate`.

use anyhow::Result;
use hookyard_core::entropy::SystemEntropy;

use super::output;
use crate::config::KeyRotate;
use crate::data::DataDir;
use crate::storage;

/// Seals every secret with a new key.
pub(crate) async fn rotate(command: KeyRotate) -> Result<()> {
    let KeyRotate { common, new } = command;
    let count = match &common.database {
        Some(url) => storage::rotate_key(&common, url, new.as_deref()).await?,
        None => {
            let data = DataDir::existing(&common.data)?;
            let _lock = data.lock()?;
            data.rotate_key(&common.key, new.as_deref(), &SystemEntropy)?
        }
    };
    output::line(&format!("{count} secrets are sealed with the new key"))?;
    if let Some(new) = new {
        let new = new.display();
        output::line(&format!("from now on, start hookyard with --encryption-key-file {new}"))?;
    }
    output::line("backups made before need the old key")?;
    Ok(())
}
