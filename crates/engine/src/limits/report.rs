//! How the limits of a request's caller stand, for the headers of its answer.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookyard_core::model::Quota;

use super::Subject;

tokio::task_local! {
    static REPORTS: Reports;
}

/// What is left of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the limit is on.
    pub subject: Subject,
    /// The whole quota.
    pub quota: Quota,
    /// Requests that may follow now. With more than one node it is an estimate: others may have let
    /// some through since this one asked.
    pub remaining: u32,
    /// How long until all of the quota is there again if no request follows.
    pub reset: Duration,
}

/// The limits that a request was counted against.
#[derive(Debug, Clone, Default)]
pub struct Reports(Arc<Mutex<Vec<Standing>>>);

impl Reports {
    /// Does work whose counting is noted here.
    pub fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        REPORTS.scope(self.clone(), work)
    }

    /// What was noted.
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
