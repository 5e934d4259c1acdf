use std::collections::HashMap;
use std::sync::Arc;

use hookyard_core::id::{EndpointId, RequestId, WorkspaceId};
use hookyard_core::model::{Attempt, Catalogue, Endpoint};
use hookyard_store::{AttemptQuery, Entity, Page};

use super::request::{SentRequest, contains, cut};
use crate::work::{DEFLATE_RATIO_MAX, Share};
use crate::{Engine, Error};

/// The most attempts whose requests a search makes again, unless the caller sets a lower limit. A
/// request has up to 900,000 bytes, so the worst case already takes seconds.
pub const ATTEMPTS_SEARCHED_MAX: usize = 2_000;

/// How many attempts a search reads at a time.
const SEARCH_PAGE: usize = 100;

/// Which attempts to list. All conditions must hold.
#[derive(Debug, Clone)]
pub struct LogQuery {
    /// The conditions for the store, with the page wanted. The search sets `event_type` from
    /// `event`.
    pub attempts: AttemptQuery,
    /// The exact request id.
    pub request_id: Option<String>,
    /// The name of the type of an event in the request.
    pub event: Option<String>,
    /// A text in the request's body.
    pub request: Option<String>,
    /// The caller's name of `request`, for the error that asks for a narrower range.
    pub request_field: &'static str,
    /// The most requests to search.
    pub searched_max: usize,
}

/// A page of an endpoint's attempts, newest first.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// Whether older attempts match too.
    pub more: bool,
}

/// An attempt with its request.
#[derive(Debug, Clone)]
pub struct AttemptDetail {
    /// The attempt.
    pub attempt: Attempt,
    /// The request's body; `None` when a part of its origin is gone.
    pub request: Option<SentRequest>,
}

impl Engine {
    /// A page of an endpoint's log. [`Error::NotFound`] when there is no such endpoint,
    /// [`Error::Invalid`] when a search for a text would read too much.
    pub async fn attempt_log(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        mut query: LogQuery,
    ) -> Result<LogPage, Error> {
        let endpoint = self.store.endpoint(workspace, id).await?;
        let endpoint = endpoint.ok_or(Error::NotFound(Entity::Endpoint))?;
        let catalogue = self.store.catalogue(workspace).await?;
        if let Some(name) = &query.event {
            let Some((_, kind)) = catalogue.by_name(name) else { return Ok(LogPage::default()) };
            query.attempts.event_type = Some(kind.id);
        }
        let mut search = Search::new(self, endpoint, catalogue, query.request.clone());
        if let Some(request_id) = &query.request_id {
            let found = self.one_attempt(workspace, id, request_id).await?;
            let found = found.filter(|attempt| satisfies(attempt, &query.attempts));
            let Some(attempt) = found else { return Ok(LogPage::default()) };
            let wanted = query.attempts.offset == 0 && search.accepts(&attempt).await?;
            let attempts = wanted.then_some(attempt).into_iter().collect();
            return Ok(LogPage { attempts, more: false });
        }
        if query.request.is_some() {
            return search.page(query).await;
        }
        self.listed(workspace, id, query.attempts).await
    }

    /// A page of the log, from as many pages of the store as needed: a caller who counts skipped
    /// attempts needs the whole page.
    async fn listed(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        query: AttemptQuery,
    ) -> Result<LogPage, Error> {
        let mut read = AttemptQuery { brief: true, ..query };
        let mut page = LogPage::default();
        loop {
            let Page { entries, more } = self.store.attempts(workspace, id, read.clone()).await?;
            read.offset = read.offset.saturating_add(entries.len());
            read.limit = read.limit.saturating_sub(entries.len());
            page.attempts.extend(entries);
            page.more = more;
            if !more || read.limit == 0 {
                return Ok(page);
            }
        }
    }

    /// An attempt with its request; `None` when the endpoint has no attempt with the id.
    /// [`Error::NotFound`] when there is no such endpoint.
    pub async fn attempt_detail(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        request_id: &str,
    ) -> Result<Option<AttemptDetail>, Error> {
        let endpoint = self.store.endpoint(workspace, id).await?;
        let endpoint = endpoint.ok_or(Error::NotFound(Entity::Endpoint))?;
        let Some(attempt) = self.one_attempt(workspace, id, request_id).await? else {
            return Ok(None);
        };
        let catalogue = self.store.catalogue(workspace).await?;
        let request = match self.sender(&endpoint, attempt.record.revision).await? {
            Some(sender) => self.sent_body(&catalogue, &sender, &attempt).await?,
            None => None,
        };
        let cut = |sent: SentRequest| SentRequest { text: cut(sent.text), ..sent };
        Ok(Some(AttemptDetail { attempt, request: request.map(cut) }))
    }

    async fn one_attempt(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        request_id: &str,
    ) -> Result<Option<Attempt>, Error> {
        let Some(request_id) = RequestId::parse(request_id) else { return Ok(None) };
        Ok(self.store.attempt(workspace, id, &request_id).await?)
    }
}

/// Whether an attempt found by id meets the other conditions.
fn satisfies(attempt: &Attempt, query: &AttemptQuery) -> bool {
    let AttemptQuery {
        from,
        until,
        status,
        success,
        event_type,
        order_id,
        duration_min,
        offset: _,
        limit: _,
        brief: _,
    } = query;
    let record = &attempt.record;
    from.is_none_or(|from| record.started_at >= from)
        && until.is_none_or(|until| record.started_at <= until)
        && status.is_none_or(|status| record.outcome.status == Some(status))
        && success.is_none_or(|success| attempt.success == success)
        && event_type.is_none_or(|kind| record.event_types.contains(&kind))
        && order_id.as_ref().is_none_or(|order| record.order_ids.contains(order))
        && duration_min.is_none_or(|least| record.duration >= least)
}

/// A search for a text in the requests of an endpoint.
struct Search<'a> {
    engine: &'a Engine,
    endpoint: Arc<Endpoint>,
    catalogue: Arc<Catalogue>,
    text: Option<String>,
    /// The revisions met so far: neighbouring attempts share theirs.
    senders: HashMap<u32, Option<Arc<Endpoint>>>,
}

impl<'a> Search<'a> {
    fn new(
        engine: &'a Engine,
        endpoint: Arc<Endpoint>,
        catalogue: Arc<Catalogue>,
        text: Option<String>,
    ) -> Self {
        Self { engine, endpoint, catalogue, text, senders: HashMap::new() }
    }

    /// The query's page of the attempts with the text in the request.
    async fn page(&mut self, query: LogQuery) -> Result<LogPage, Error> {
        let AttemptQuery { mut offset, limit, .. } = query.attempts;
        let mut read =
            AttemptQuery { offset: 0, limit: SEARCH_PAGE, brief: true, ..query.attempts };
        // Attempts logged during the search would shift the pages.
        let now = self.engine.clock.now();
        read.until = Some(read.until.map_or(now, |until| until.min(now)));
        let mut page = LogPage::default();
        let searched_max = query.searched_max;
        let (workspace, id) = (self.endpoint.workspace, self.endpoint.id);
        while read.offset < searched_max {
            read.limit = SEARCH_PAGE.min(searched_max - read.offset);
            let read_now = self.engine.store.attempts(workspace, id, read.clone()).await?;
            let last = !read_now.more;
            read.offset += read_now.entries.len();
            for attempt in read_now.entries {
                if !self.accepts(&attempt).await? {
                    continue;
                }
                if offset > 0 {
                    offset -= 1;
                } else if page.attempts.len() == limit {
                    page.more = true;
                    return Ok(page);
                } else {
                    page.attempts.push(attempt);
                }
            }
            if last {
                return Ok(page);
            }
        }
        Err(Error::invalid(
            query.request_field,
            format!(
                "at most {searched_max} requests are searched for a text, and more are in \
                 range: narrow it by date, event or another filter"
            ),
        ))
    }

    /// Whether the request of an attempt has the text.
    async fn accepts(&mut self, attempt: &Attempt) -> Result<bool, Error> {
        let Some(text) = &self.text else { return Ok(true) };
        let revision = attempt.record.revision;
        if !self.senders.contains_key(&revision) {
            let sender = self.engine.sender(&self.endpoint, revision).await?;
            self.senders.insert(revision, sender);
        }
        let Some(Some(sender)) = self.senders.get(&revision) else { return Ok(false) };
        let body = self.engine.sent_body(&self.catalogue, sender, attempt).await?;
        let Some(body) = body else { return Ok(false) };
        let compressed = sender.settings.compress_events;
        let share = Share::Calls(self.endpoint.workspace);
        let ratio = if compressed { DEFLATE_RATIO_MAX } else { 1 };
        let bytes = body.text.len().saturating_mul(ratio);
        let look = || contains(&body.text, compressed, text);
        self.engine.work().run(share, bytes, look).await
    }
}
