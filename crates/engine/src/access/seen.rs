//! Audit entries for reads: secrets, and much data at once.

use std::time::Duration;

use hookyard_core::id::WorkspaceId;
use hookyard_store::{Actor, Seen};

use super::{CACHE_ENTRIES_MAX, lock};
use crate::{Engine, Error};

/// How often the audit log notes that a credential lists the same secrets, or reads the same rows
/// or events page by page: programs do so again and again, and an entry an hour is enough.
const LISTED_EVERY: Duration = Duration::from_secs(3_600);

impl Engine {
    /// Notes in the audit log that the caller sees a secret or an export. On an error, the caller
    /// must not show the secret or export.
    pub async fn note_seen(&self, workspace: WorkspaceId, seen: Seen) -> Result<(), Error> {
        Ok(self.store.note_seen(workspace, seen).await?)
    }

    /// Notes lists with secrets and pages of exportable data, once an hour for each credential and
    /// thing. A list is shown even without a note, as programs depend on lists; the failure is
    /// logged.
    pub async fn note_listed(&self, workspace: WorkspaceId, seen: Seen) {
        let credential = Actor::current().and_then(|actor| Some(actor.credential()?.0));
        let Some(credential) = credential else { return };
        let now = self.clock.monotonic();
        {
            let mut listed = lock(&self.access.seen);
            let key = (credential, seen);
            if listed.get(&key).is_some_and(|at| now.saturating_sub(*at) < LISTED_EVERY) {
                return;
            }
            if listed.len() >= CACHE_ENTRIES_MAX {
                listed.retain(|_, at| now.saturating_sub(*at) < LISTED_EVERY);
            }
            if listed.len() >= CACHE_ENTRIES_MAX {
                // Reads are noted more often then.
                listed.clear();
            }
            listed.insert(key, now);
        }
        if let Err(error) = self.store.note_seen(workspace, seen).await {
            tracing::warn!(%error, "that a list was read could not be noted");
        }
    }
}
