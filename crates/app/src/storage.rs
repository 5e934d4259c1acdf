//! The place of the data: a directory, or a database shared by several servers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::model::Secret;
use hookyard_store::postgres::{LEASE_DEFAULT, Options, PostgresStore};
use hookyard_store::{ApplicationStore, AuditStore, CredentialStore, SharedStore, TenantStore};

use crate::config::{Common, read_or_make};
use crate::data::{self, DataDir, Lock};

const CANNOT_OPEN: &str = "cannot open the database";

/// Opens the store for a process that serves from the store or makes the store. A directory is locked for
/// the life of the second part. Where servers share a database, the lease is the time for which this server
/// owns its endpoints without a renewal.
pub(crate) async fn open(
    common: &Common,
    clock: &Arc<dyn Clock>,
    lease: Duration,
) -> Result<(SharedStore, Option<Lock>)> {
    if let Some(url) = &common.database {
        let options = Options { lease, ..options(common, url, clock)? };
        let store = PostgresStore::open(options).await.context(CANNOT_OPEN)?;
        return Ok((Arc::new(store), None));
    }
    let data = DataDir::create(&common.data)?;
    let lock = data.lock()?;
    data.tighten()?;
    let key = data.key(&common.key, &SystemEntropy)?;
    let store = data.open_store(key)?;
    common.key.settle()?;
    Ok((Arc::new(store), Some(lock)))
}

/// Refuses a directory without data, which would be made anew.
pub(crate) fn refuse_new(common: &Common) -> Result<()> {
    if common.database.is_none() {
        DataDir::existing(&common.data).context("--require-init is set")?;
    }
    Ok(())
}

/// Opens the whole existing store; the caller holds the [`lock`] for the life of the store.
pub(crate) async fn open_existing(common: &Common) -> Result<SharedStore> {
    if let Some(url) = &common.database {
        return Ok(Arc::new(beside(common, url).await?));
    }
    let data = DataDir::existing(&common.data)?;
    let key = data.key(&common.key, &SystemEntropy)?;
    Ok(Arc::new(data.open_store(key)?))
}

/// The name of the place in messages.
pub(crate) fn name(common: &Common) -> String {
    match common.database {
        Some(_) => "the database".to_owned(),
        None => data::absolute(&common.data),
    }
}

/// The parts of a store that a command may change beside a running server.
pub(crate) trait Managed:
    TenantStore + CredentialStore + ApplicationStore + AuditStore
{
}

impl<S: TenantStore + CredentialStore + ApplicationStore + AuditStore> Managed for S {}

/// Opens the existing store for a command with small changes.
pub(crate) async fn open_managed(common: &Common) -> Result<Box<dyn Managed>> {
    if let Some(url) = &common.database {
        return Ok(Box::new(beside(common, url).await?));
    }
    Ok(Box::new(DataDir::existing(&common.data)?.open_credentials()?))
}

/// Keeps servers from a directory. Servers of a shared database know of each other, and need no lock.
pub(crate) fn lock(common: &Common) -> Result<Option<Lock>> {
    match common.database {
        Some(_) => Ok(None),
        None => DataDir::existing(&common.data)?.lock().map(Some),
    }
}

/// Seals every secret of a database with the key in a file. A missing file is made. Answers the number of
/// secrets.
pub(crate) async fn rotate_key(common: &Common, url: &Secret, new: Option<&Path>) -> Result<usize> {
    let Some(new) = new else {
        bail!("name a file for the new key with --new-encryption-key-file: every server needs it");
    };
    let (old, next) = (common.key.read()?, read_or_make(new, &SystemEntropy)?);
    if next == old {
        bail!("{} holds the present key: name another file", new.display());
    }
    let count = PostgresStore::rotate_key(url, &old, &next, &SystemEntropy).await;
    count.context("cannot seal the database's secrets anew")
}

async fn beside(common: &Common, url: &Secret) -> Result<PostgresStore> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    PostgresStore::beside(options(common, url, &clock)?).await.context(CANNOT_OPEN)
}

fn options(common: &Common, url: &Secret, clock: &Arc<dyn Clock>) -> Result<Options> {
    Ok(Options {
        url: url.clone(),
        key: common.key.read()?,
        entropy: Arc::new(SystemEntropy),
        clock: Arc::clone(clock),
        lease: LEASE_DEFAULT,
    })
}
