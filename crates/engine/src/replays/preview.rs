use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_store::{Slice, SpanLimit};

use super::filter;
use super::start::ReplaySpec;
use crate::work::Share;
use crate::{Engine, Error};

/// How many events a dry run names.
pub const SAMPLE_EVENTS: usize = 10;

/// The most events examined by a dry run for a rule: some seconds of reading.
pub const EXAMINED_MAX: u64 = 200_000;

/// Events in a single read of a dry run, so that no read holds a connection for long.
const PAGE: usize = 2_000;

/// The effect of a replay, without the replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Events of the replay's types and times.
    pub total: u64,
    /// The number of examined events: all, unless there is a rule and `total` is above
    /// [`EXAMINED_MAX`].
    pub examined: u64,
    /// The number of examined events to send.
    pub matched: u64,
    /// The ids of the first events to send, as given by the publishers.
    pub sample: Vec<String>,
}

impl Engine {
    /// The effect of [`start_replay`](Self::start_replay); nothing is changed.
    pub async fn preview_replay(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        spec: ReplaySpec,
    ) -> Result<Preview, Error> {
        let (endpoint, scope) = self.replay_scope(workspace, id, spec).await?;
        let compile = || filter::filter(&endpoint, &scope);
        let share = Share::Calls(workspace);
        let only = self.work().run(share, filter::weight(&endpoint, &scope), compile).await?;
        let only = only.map_err(|reason| Error::invalid("rule", reason))?;
        let span = self.store.replay_span(workspace, id, &scope).await?;
        let mut preview = Preview { total: span.total, ..Preview::default() };
        let mut first = Vec::new();
        let mut rest = span;
        while rest.after < span.last && preview.examined < EXAMINED_MAX {
            let limit = SpanLimit { wanted: usize::MAX, examined: PAGE };
            let page = self.store.examine(workspace, id, &scope, rest, only.clone(), limit).await?;
            let Slice { after: _, position, examined, wanted } = page;
            rest.after = position;
            preview.examined += examined;
            preview.matched += wanted.len() as u64;
            first.extend(wanted.into_iter().take(SAMPLE_EVENTS - first.len()));
            if only.is_none() && first.len() == SAMPLE_EVENTS {
                // Without a rule, all counted events would be sent.
                (preview.examined, preview.matched) = (span.total, span.total);
                break;
            }
        }
        let events = self.store.events_by_seq(workspace, &first).await?;
        preview.sample = events.iter().map(|event| event.id.clone()).collect();
        Ok(preview)
    }
}
