//! Where the data is: in a directory, or in a database that several servers share.

use std::sync::Arc;

use anyhow::{Context, Result};
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::model::Secret;
use hookyard_store::postgres::{LEASE_DEFAULT, Options, PostgresStore};
use hookyard_store::{ApplicationStore, AuditStore, CredentialStore, SharedStore, TenantStore};

use crate::config::Common;
use crate::data::{DataDir, Lock};

/// Opens the store for a process that serves from it or makes it. A directory is locked as long as the
/// second part lives.
pub(crate) async fn open(common: &Common) -> Result<(SharedStore, Option<Lock>)> {
    if let Some(url) = &common.database {
        return Ok((Arc::new(open_database(url, common.key.read()?).await?), None));
    }
    let data = DataDir::create(&common.data)?;
    let lock = data.lock()?;
    let key = data.key(&common.key, &SystemEntropy)?;
    Ok((Arc::new(data.open_store(key)?), Some(lock)))
}

/// Opens all of what is there; whoever calls it holds the [`lock`] as long.
pub(crate) async fn open_existing(common: &Common) -> Result<SharedStore> {
    if let Some(url) = &common.database {
        return Ok(Arc::new(open_database(url, common.key.read()?).await?));
    }
    let data = DataDir::existing(&common.data)?;
    let key = data.key(&common.key, &SystemEntropy)?;
    Ok(Arc::new(data.open_store(key)?))
}

/// What is said of the place in messages.
pub(crate) fn name(common: &Common) -> String {
    match common.database {
        Some(_) => "the database".to_owned(),
        None => common.data.display().to_string(),
    }
}

/// What few people change, beside a server that may be running.
pub(crate) trait Managed:
    TenantStore + CredentialStore + ApplicationStore + AuditStore
{
}

impl<S: TenantStore + CredentialStore + ApplicationStore + AuditStore> Managed for S {}

/// Opens what is there for a command that changes little of it.
pub(crate) async fn open_managed(common: &Common) -> Result<Box<dyn Managed>> {
    if let Some(url) = &common.database {
        return Ok(Box::new(open_database(url, common.key.read()?).await?));
    }
    Ok(Box::new(DataDir::existing(&common.data)?.open_credentials()?))
}

/// Keeps servers from a directory. Those of a database know what the others do, and so need no keeping.
pub(crate) fn lock(common: &Common) -> Result<Option<Lock>> {
    match common.database {
        Some(_) => Ok(None),
        None => DataDir::existing(&common.data)?.lock().map(Some),
    }
}

async fn open_database(url: &Secret, key: [u8; 32]) -> Result<PostgresStore> {
    let entropy = Arc::new(SystemEntropy);
    let options = Options { url: url.clone(), key, entropy, lease: LEASE_DEFAULT };
    PostgresStore::open(options).await.context("cannot open the database")
}
