//! Authentication: credentials, and checks of credentials.
//!
//! Only hashes are compared and kept. A found credential is cached for some seconds; changes by
//! this process take effect at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_core::model::{Credential, CredentialKind, Scopes};
use hookyard_store::{Actor, Seen, SharedStore, StoredCredential};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Error;
use crate::limits::{Exceeded, Failures, Limiter};

mod manage;
mod secrets;
mod seen;
#[cfg(test)]
mod tests;
mod upkeep;

pub use manage::{
    ALLOWED_IPS_MAX, CredentialSpec, OVERLAP_DEFAULT, OVERLAP_MAX, OVERLAP_OF_ITSELF_MIN, create,
    parse_net, rotate,
};
pub use secrets::Secrets;
pub use upkeep::Upkeep;

/// How long a found credential is trusted without asking the store again. Short, since another
/// process may revoke the credential.
const CACHE_FOR: Duration = Duration::from_secs(5);

/// The most credentials kept: far more than an installation has, and about two megabytes.
/// Workspaces have no shares: only good credentials are kept, each for seconds, and a dropped
/// credential costs the caller a single read by an index.
const CACHE_ENTRIES_MAX: usize = 10_000;

/// The precision of a credential's last use. A use after a shorter time is not noted, so that a
/// busy credential costs a write a minute.
const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// The most wrong credentials from an address at once. Generous: keys have 190 bits and more, so
/// nobody guesses a key, and many programs may share an address. The bound limits the work and the
/// log lines that a guesser can cause.
const FAILURES_MAX: u32 = 300;

/// The time until a failure is forgotten: a failure a second may go on for ever.
const FAILURE_FORGOTTEN_AFTER: Duration = Duration::from_secs(1);

/// The credential presented by a caller.
#[derive(Debug, Clone, Copy)]
pub enum Presented<'a> {
    /// A simple key.
    Simple(&'a str),
    /// A key with its secret.
    Pair {
        /// The key.
        key: &'a str,
        /// The secret.
        secret: &'a str,
    },
    /// A bearer token.
    Token(&'a str),
}

/// Why a caller may not come in. The texts are for the caller.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such credential, the secret is wrong, or the credential was revoked.
    #[error("the credential is not valid")]
    Unknown,
    /// The credential has expired.
    #[error("the credential expired at {0}")]
    Expired(Timestamp),
    /// The credential may not be used from the caller's address.
    #[error("the credential may not be used from {0}")]
    Address(String),
    /// The credential or the credential's application is disabled.
    #[error("the credential is disabled, or the application that it belongs to")]
    Disabled,
    /// The credential came more often than allowed.
    #[error(transparent)]
    TooMany(#[from] Exceeded),
    /// The credential is not valid, after too many invalid credentials from the same address; the
    /// seconds to wait.
    #[error(
        "the credential is not valid, and too many others from this address were not: try again in \
         {0} seconds"
    )]
    Failures(u64),
    /// Nobody can say now.
    #[error(transparent)]
    Failed(#[from] Error),
}

type CacheKey = (&'static str, [u8; 32]);

/// Finds and checks callers' credentials.
pub struct Access {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    limiter: Arc<Limiter>,
    known: Mutex<Known>,
    failures: Failures,
    seen: Mutex<HashMap<(CredentialId, Seen), Duration>>,
    /// Uses still to be noted in the store.
    used: Mutex<HashMap<CredentialId, Timestamp>>,
}

#[derive(Default)]
struct Known {
    credentials: HashMap<CacheKey, (StoredCredential, Duration)>,
    /// The number of times the cache forgot entries: a read begun before is not cached afterwards.
    forgotten: u64,
    /// The store's last count of changes by others.
    changed: u64,
}

impl Known {
    /// Forgets everything when others changed something since the last question.
    fn follow(&mut self, changed: u64) {
        if self.changed != changed {
            self.changed = changed;
            self.forgotten += 1;
            self.credentials.clear();
        }
    }
}

impl Access {
    pub(crate) fn new(store: SharedStore, clock: Arc<dyn Clock>, limiter: Arc<Limiter>) -> Self {
        Self {
            store,
            clock,
            limiter,
            known: Mutex::default(),
            failures: Failures::new(FAILURES_MAX, FAILURE_FORGOTTEN_AFTER),
            seen: Mutex::default(),
            used: Mutex::default(),
        }
    }

    /// The credential of an admitted caller, from the address of the [`Actor`] at work. The request
    /// counts against the credential's limits.
    pub async fn admit(&self, presented: Presented<'_>) -> Result<Credential, Refusal> {
        let credential = self.recognise(presented).await?;
        self.limiter.count_credential(&credential).await?;
        Ok(credential)
    }

    /// Like [`Access::admit`], for a request with separate limits.
    pub async fn recognise(&self, presented: Presented<'_>) -> Result<Credential, Refusal> {
        self.examine(presented).await.map_err(|refusal| self.refused(refusal))
    }

    /// Logs a refused credential and the caller. A wrong credential counts against the address;
    /// after too many, further wrong credentials from the address are told to wait. A good
    /// credential is admitted all the same: many callers share an address.
    fn refused(&self, refusal: Refusal) -> Refusal {
        if matches!(refusal, Refusal::TooMany(_) | Refusal::Failed(_)) {
            return refusal;
        }
        let now = self.clock.monotonic();
        if matches!(refusal, Refusal::Unknown) {
            if let Err(seconds) = self.failures.check(now) {
                return Refusal::Failures(seconds);
            }
            self.failures.count(now);
        }
        if let Some(actor) = Actor::current() {
            let address = actor.address.map(tracing::field::display);
            let request_id = actor.request_id.as_deref();
            let credential = actor.credential().map(|(id, _)| id.0);
            tracing::info!(address, request_id, credential, reason = %refusal, "a credential was refused");
        }
        refusal
    }

    async fn examine(&self, presented: Presented<'_>) -> Result<Credential, Refusal> {
        let (kind, text, secret) = match presented {
            Presented::Simple(key) => (CredentialKind::Simple, key, None),
            Presented::Pair { key, secret } => (CredentialKind::Pair, key, Some(secret)),
            Presented::Token(token) => (CredentialKind::Token, token, None),
        };
        let found = self.find(kind, text).await?.ok_or(Refusal::Unknown)?;
        if let Some(secret) = secret {
            let known = found.secret.unwrap_or_default();
            if found.secret.is_none() || !bool::from(known.ct_eq(&hash(secret))) {
                return Err(Refusal::Unknown);
            }
        }
        let mut credential = found.credential;
        if credential.project.is_some() {
            // Whatever scopes were given: everything outside a project is closed to a project's
            // credential.
            credential.scopes = credential.scopes.within(Scopes::of_a_project());
        }
        let (actor, now) = (Actor::current(), self.clock.now());
        if let Some(actor) = &actor {
            // Also for a refused credential: log lines of the request name the owner.
            actor.identify(&credential);
        }
        check(&credential, actor.as_ref().and_then(|actor| actor.address), now)?;
        self.note_use(&credential, now);
        Ok(credential)
    }

    /// Drops a changed credential from the cache.
    pub fn forget(&self, id: CredentialId) {
        self.forget_where(|credential| credential.id == id);
    }

    /// Drops the credentials of a changed application from the cache.
    pub fn forget_application(&self, id: ApplicationId) {
        self.forget_where(|credential| credential.application == Some(id));
    }

    fn forget_where(&self, is_meant: impl Fn(&Credential) -> bool) {
        let mut known = lock(&self.known);
        known.forgotten += 1;
        known.credentials.retain(|_, (stored, _)| !is_meant(&stored.credential));
    }

    async fn find(
        &self,
        kind: CredentialKind,
        text: &str,
    ) -> Result<Option<StoredCredential>, Error> {
        let key = (kind.as_str(), hash(text));
        let now = self.clock.monotonic();
        let forgotten = {
            let mut known = lock(&self.known);
            known.follow(self.store.credentials_changed());
            if let Some((found, at)) = known.credentials.get(&key)
                && now.saturating_sub(*at) < CACHE_FOR
            {
                return Ok(Some(found.clone()));
            }
            known.forgotten
        };
        let found = self.store.credential(kind, key.1).await?;
        if let Some(found) = &found {
            let mut known = lock(&self.known);
            known.follow(self.store.credentials_changed());
            if known.credentials.len() >= CACHE_ENTRIES_MAX {
                known.credentials.retain(|_, (_, at)| now.saturating_sub(*at) < CACHE_FOR);
            }
            if known.credentials.len() >= CACHE_ENTRIES_MAX {
                known.credentials.clear();
            }
            if known.forgotten == forgotten {
                known.credentials.insert(key, (found.clone(), now));
            }
        }
        Ok(found)
    }

    fn note_use(&self, credential: &Credential, now: Timestamp) {
        let is_noted = |at: Timestamp| now.duration_since(at) < USE_NOTED_EVERY;
        if credential.last_used_at.is_some_and(is_noted) {
            return;
        }
        let mut used = lock(&self.used);
        // Beyond the most credentials, only the time of a use is lost.
        if used.len() < CACHE_ENTRIES_MAX || used.contains_key(&credential.id) {
            used.insert(credential.id, now);
        }
    }
}

fn check(credential: &Credential, address: Option<IpAddr>, now: Timestamp) -> Result<(), Refusal> {
    if credential.revoked_at.is_some() {
        return Err(Refusal::Unknown);
    }
    if let Some(at) = credential.expires_at.filter(|at| *at <= now) {
        return Err(Refusal::Expired(at));
    }
    if !credential.may_come_from(address) {
        let address = address.map(|address| address.to_canonical().to_string());
        let unknown = || "an address that is not known".to_owned();
        return Err(Refusal::Address(address.unwrap_or_else(unknown)));
    }
    if credential.disabled {
        return Err(Refusal::Disabled);
    }
    Ok(())
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A poisoned lock is taken all the same: the guarded data changes by single assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
