//! The logs of requests not taken by sources.
//!
//! Such a request costs no transaction, or anybody with a URL could make the disk work: lines wait
//! in memory and are written together, every few seconds and before a log is read. The first few
//! requests of a cause have separate lines; further requests are counted in the last such line, so
//! the waiting lines do not grow with the number of requests. A crash loses the waiting lines: the
//! log is a help, not a record.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookyard_core::id::{RejectionId, SourceId, WorkspaceId};
use hookyard_core::model::{
    Cause, LoggedRejection, NewRejection, RefusedRequest, Rejection, Source,
};
use hookyard_store::Newest;
use http::Method;

use crate::{Engine, Error};

/// The most separate lines between two writes for the requests of a source and cause. Enough to see
/// whether the requests are alike.
const LINES_EACH: usize = 10;

/// The most waiting lines, of all workspaces together: about 3 MB. A workspace gets more lines as
/// long as its lines are no more than the free lines, so a flood in a workspace leaves room for
/// every other. Beyond, causes without a line go unlogged.
const LINES_MAX: usize = 10_000;

/// Requests of a source and cause kept for the doctor between two writes, the first to come: a
/// refused sender is usually refused for a single reason.
const REQUESTS_EACH: usize = 3;

/// The most bytes of waiting kept requests, of all workspaces together, with the same shares as for
/// lines. Beyond, lines have no request.
const REQUESTS_BYTES_MAX: usize = 16 << 20;

/// The longest detail, in bytes.
const DETAIL_BYTES_MAX: usize = 500;

/// Lines waiting to be written.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<LoggedRejection>,
    /// The approximate bytes of the lines' requests.
    request_bytes: usize,
    /// For each source and cause, how many lines there are and where the last is.
    last: HashMap<(SourceId, Cause), (usize, usize)>,
    /// Each workspace's share.
    shares: HashMap<WorkspaceId, Share>,
}

#[derive(Debug, Default)]
struct Share {
    lines: usize,
    request_bytes: usize,
}

impl Rejections {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(
        &self,
        workspace: WorkspaceId,
        line: NewRejection,
        request: impl FnOnce() -> Option<RefusedRequest>,
    ) {
        let waiting = &mut *self.lock();
        let (count, place) = waiting.last.entry((line.source, line.cause)).or_default();
        let share = waiting.shares.entry(workspace).or_default();
        let full = share.lines >= LINES_MAX.saturating_sub(waiting.lines.len());
        if *count >= LINES_EACH || (full && *count > 0) {
            let last = &mut waiting.lines[*place].line;
            last.count += 1;
            last.last_at = line.last_at;
        } else if !full {
            let free = REQUESTS_BYTES_MAX.saturating_sub(waiting.request_bytes);
            let wanted = *count < REQUESTS_EACH && share.request_bytes < free;
            let request = if wanted { request() } else { None };
            let bytes = request.as_ref().map_or(0, weight);
            waiting.request_bytes += bytes;
            share.request_bytes += bytes;
            share.lines += 1;
            (*count, *place) = (*count + 1, waiting.lines.len());
            waiting.lines.push(LoggedRejection { line, request });
        }
    }

    fn take(&self) -> Vec<LoggedRejection> {
        std::mem::take(&mut *self.lock()).lines
    }
}

fn weight(request: &RefusedRequest) -> usize {
    let headers: usize = request.headers.iter().map(|it| it.name.len() + it.value.len()).sum();
    headers + request.target.len() + request.body.as_ref().map_or(0, bytes::Bytes::len)
}

impl Engine {
    /// Notes in a source's log that the source did not do the sender's bidding. `request` makes the
    /// request kept for the doctor, called for the first few.
    pub fn note_rejection(
        &self,
        source: &Source,
        cause: Cause,
        detail: &str,
        method: &Method,
        address: Option<IpAddr>,
        request: impl FnOnce() -> Option<RefusedRequest>,
    ) {
        let now = self.clock().now();
        let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
        let line = NewRejection {
            source: source.id,
            first_at: now,
            last_at: now,
            count: 1,
            cause,
            detail: detail[..end].to_owned(),
            method: method.as_str().to_owned(),
            address,
        };
        self.receiving.rejections.add(source.spec.workspace, line, request);
    }

    /// Writes the waiting lines.
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

    const ONE: WorkspaceId = WorkspaceId(1);

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

    fn request(bytes: usize) -> RefusedRequest {
        let body = Some(vec![b'1'; bytes].into());
        let bytes = Some(bytes as u64);
        RefusedRequest { target: "/".to_owned(), headers: Vec::new(), bytes, body }
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let log = Rejections::default();
        for second in 0..100_000 {
            log.add(ONE, line(1, Cause::Proof, second), || Some(request(1_000)));
        }
        log.add(ONE, line(1, Cause::Origin, 7), || None);
        log.add(ONE, line(2, Cause::Proof, 8), || None);
        let lines = log.take();
        assert_eq!(lines.len(), LINES_EACH + 2);
        let (flood, others) = lines.split_at(LINES_EACH);
        assert_eq!(flood.iter().map(|it| it.line.count).sum::<u64>(), 100_000);
        assert_eq!(flood.last().unwrap().line.last_at, Timestamp::from_second(99_999).unwrap());
        assert!(others.iter().all(|it| it.line.count == 1));
        assert_eq!(flood.iter().filter(|it| it.request.is_some()).count(), REQUESTS_EACH);
        assert!(log.take().is_empty());
    }

    #[test]
    fn what_waits_is_bounded_however_many_sources_there_are() {
        let log = Rejections::default();
        for source in 0..20_000 {
            log.add(WorkspaceId(source % 100), line(source, Cause::Proof, 0), || {
                Some(request(200_000))
            });
            log.add(WorkspaceId(0), line(0, Cause::Proof, 1), || None);
        }
        let lines = log.take();
        assert!((LINES_MAX * 9 / 10..=LINES_MAX).contains(&lines.len()), "{}", lines.len());
        let of_first = lines.iter().filter(|it| it.line.source == SourceId(0));
        assert_eq!(of_first.map(|it| it.line.count).sum::<u64>(), 20_001);
        let kept = lines.iter().filter_map(|it| it.request.as_ref()).map(weight).sum::<usize>();
        let wanted = REQUESTS_BYTES_MAX * 9 / 10..REQUESTS_BYTES_MAX + 300_000;
        assert!(wanted.contains(&kept), "{kept}");
    }

    #[test]
    fn the_flood_of_one_workspace_leaves_room_for_the_others() {
        let log = Rejections::default();
        for source in 0..20_000 {
            log.add(ONE, line(source, Cause::Proof, 0), || Some(request(200_000)));
        }
        for source in 20_000..20_100 {
            let other = WorkspaceId(source);
            log.add(other, line(source, Cause::Proof, 0), || Some(request(20_000)));
        }
        let lines = log.take();
        let others = lines.iter().filter(|it| it.line.source.0 >= 20_000);
        assert_eq!(others.clone().count(), 100);
        assert!(others.clone().all(|it| it.request.is_some()));
        assert_eq!(lines.len(), LINES_MAX / 2 + 100, "one alone has half");
        log.add(ONE, line(1, Cause::Proof, 1), || Some(request(1)));
        assert!(log.take()[0].request.is_some(), "all begins anew once it is written");
    }
}
