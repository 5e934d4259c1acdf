//! The logs of requests that sources did not take.
//!
//! Such a request costs no transaction, or whoever knows a URL could make the disk work: lines wait
//! in memory and are written together, every few seconds and before a log is read. The first few of a
//! cause have lines of their own; further ones are counted in the last of these, so what waits does
//! not grow with how many come. A crash loses what waited: this is a help, not a record.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookyard_core::id::{RejectionId, SourceId, WorkspaceId};
use hookyard_core::model::{Cause, NewRejection, Rejection, Source};
use hookyard_store::Newest;
use http::Method;

use crate::{Engine, Error};

/// Lines of their own that the requests of one source and cause get between two writes. Enough to see
/// whether they are alike.
const LINES_EACH: usize = 10;

/// The most lines that wait: about 3 MB. Beyond, causes that have none yet go unlogged.
const LINES_MAX: usize = 10_000;

/// The longest detail, in bytes.
const DETAIL_BYTES_MAX: usize = 500;

/// Lines that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<NewRejection>,
    /// For each source and cause, how many lines there are and where the last is.
    last: HashMap<(SourceId, Cause), (usize, usize)>,
}

impl Rejections {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: NewRejection) {
        let waiting = &mut *self.lock();
        let (count, place) = waiting.last.entry((line.source, line.cause)).or_default();
        let full = waiting.lines.len() >= LINES_MAX;
        if *count >= LINES_EACH || (full && *count > 0) {
            let last = &mut waiting.lines[*place];
            last.count += 1;
            last.last_at = line.last_at;
        } else if !full {
            (*count, *place) = (*count + 1, waiting.lines.len());
            waiting.lines.push(line);
        }
    }

    fn take(&self) -> Vec<NewRejection> {
        std::mem::take(&mut *self.lock()).lines
    }
}

impl Engine {
    /// Notes in a source's log that it did not do with a request what the sender wanted.
    pub fn note_rejection(
        &self,
        source: &Source,
        cause: Cause,
        detail: &str,
        method: &Method,
        address: Option<IpAddr>,
    ) {
        let now = self.clock().now();
        let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
        self.receiving.rejections.add(NewRejection {
            source: source.id,
            first_at: now,
            last_at: now,
            count: 1,
            cause,
            detail: detail[..end].to_owned(),
            method: method.as_str().to_owned(),
            address,
        });
    }

    /// Writes the lines that wait.
    pub async fn write_rejections(&self) -> Result<(), Error> {
        let lines = self.receiving.rejections.take();
        if lines.is_empty() {
            return Ok(());
        }
        Ok(self.store().log_rejections(lines).await?)
    }

    /// A page of a source's log. [`Error::NotFound`] when the workspace has no such source.
    pub async fn rejections(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<RejectionId>,
    ) -> Result<Vec<Rejection>, Error> {
        self.source(workspace, source).await?;
        self.write_rejections().await?;
        Ok(self.store().rejections(workspace, source, page).await?)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn line(source: i32, cause: Cause, second: i64) -> NewRejection {
        let at = Timestamp::from_second(second).unwrap();
        NewRejection {
            source: SourceId(source),
            first_at: at,
            last_at: at,
            count: 1,
            cause,
            detail: String::new(),
            method: "POST".to_owned(),
            address: None,
        }
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let log = Rejections::default();
        for second in 0..100_000 {
            log.add(line(1, Cause::Proof, second));
        }
        log.add(line(1, Cause::Origin, 7));
        log.add(line(2, Cause::Proof, 8));
        let lines = log.take();
        assert_eq!(lines.len(), LINES_EACH + 2);
        let (flood, others) = lines.split_at(LINES_EACH);
        assert_eq!(flood.iter().map(|line| line.count).sum::<u64>(), 100_000);
        assert_eq!(flood.last().unwrap().last_at, Timestamp::from_second(99_999).unwrap());
        assert!(others.iter().all(|line| line.count == 1));
        assert!(log.take().is_empty());
    }

    #[test]
    fn what_waits_is_bounded_however_many_sources_there_are() {
        let log = Rejections::default();
        for source in 0..20_000 {
            log.add(line(source, Cause::Proof, 0));
            log.add(line(0, Cause::Proof, 1));
        }
        let lines = log.take();
        assert_eq!(lines.len(), LINES_MAX);
        let of_first = lines.iter().filter(|line| line.source == SourceId(0));
        assert_eq!(of_first.map(|line| line.count).sum::<u64>(), 20_001);
    }
}
