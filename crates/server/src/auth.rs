//! Who is calling.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::model::{Credential, CredentialKind};
use hookyard_engine::{Engine, Error};
use hookyard_store::{SharedStore, StoredCredential};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How long a credential that was found is believed without asking the store again. Short, since
/// another process may take it away.
const CACHE_FOR: Duration = Duration::from_secs(5);

/// The most credentials kept: far more than an installation has, and about a megabyte.
const CACHE_ENTRIES_MAX: usize = 10_000;

type CacheKey = (&'static str, [u8; 32]);

/// Finds the credential that a caller presents. Only hashes are compared; a secret is never kept.
pub(crate) struct Authenticator {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    cache: Mutex<HashMap<CacheKey, (StoredCredential, Duration)>>,
}

impl Authenticator {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self {
            store: Arc::clone(engine.store()),
            clock: Arc::clone(engine.clock()),
            cache: Mutex::default(),
        }
    }

    /// The credential of a simple key.
    pub(crate) async fn simple(&self, key: &str) -> Result<Option<Credential>, Error> {
        Ok(self.find(CredentialKind::Simple, key).await?.map(|found| found.credential))
    }

    /// The credential of a bearer token.
    pub(crate) async fn token(&self, token: &str) -> Result<Option<Credential>, Error> {
        Ok(self.find(CredentialKind::Token, token).await?.map(|found| found.credential))
    }

    /// The credential of a key pair.
    pub(crate) async fn pair(&self, key: &str, secret: &str) -> Result<Option<Credential>, Error> {
        let Some(found) = self.find(CredentialKind::Pair, key).await? else { return Ok(None) };
        let known = found.secret.unwrap_or_default();
        let proven = found.secret.is_some() && bool::from(known.ct_eq(&hash(secret)));
        Ok(proven.then_some(found.credential))
    }

    async fn find(
        &self,
        kind: CredentialKind,
        text: &str,
    ) -> Result<Option<StoredCredential>, Error> {
        let key = (kind.as_str(), hash(text));
        let now = self.clock.monotonic();
        if let Some(found) = self.cached(&key, now) {
            return Ok(Some(found));
        }
        let found = self.store.credential(kind, key.1).await?;
        if let Some(found) = &found {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if cache.len() >= CACHE_ENTRIES_MAX {
                cache.clear();
            }
            cache.insert(key, (found.clone(), now));
        }
        Ok(found)
    }

    fn cached(&self, key: &CacheKey, now: Duration) -> Option<StoredCredential> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, at) = cache.get(key)?;
        (now.saturating_sub(*at) < CACHE_FOR).then(|| found.clone())
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
