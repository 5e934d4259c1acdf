//! The standing of a caller's limits, for the headers of the answer.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookyard_core::model::Quota;

use super::Subject;

tokio::task_local! {
    static REPORTS: Reports;
}

/// The rest of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The subject of the limit.
    pub subject: Subject,
    /// The whole quota.
    pub quota: Quota,
    /// Requests that may follow now. With several nodes the number is an estimate: other nodes may
    /// have let requests through since the last answer of the store.
    pub remaining: u32,
    /// How long until all of the quota is there again if no request follows.
    pub reset: Duration,
}

/// The limits counted for a request.
#[derive(Debug, Clone, Default)]
pub struct Reports(Arc<Mutex<Vec<Standing>>>);

impl Reports {
    /// Does work, with the counting noted here.
    pub fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        REPORTS.scope(self.clone(), work)
    }

    /// The noted standings.
    pub fn take(&self) -> Vec<Standing> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Notes how limits stand, if somebody wants to know.
pub(super) fn note(standings: Vec<Standing>) {
    let _ = REPORTS.try_with(|reports| {
        reports.0.lock().unwrap_or_else(PoisonError::into_inner).extend(standings);
    });
}
