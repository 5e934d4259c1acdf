use std::sync::Arc;

use hookyard_core::id::{EndpointId, Seq, WorkspaceId};
use hookyard_core::model::{Attempt, Event};
use hookyard_store::{DeadLetter, DeadLetterQuery, DeadLetters, Entity};

use crate::{Engine, Error};

/// A dead letter with the attempt that was its last.
#[derive(Debug, Clone)]
pub struct DeadLetterDetail {
    /// The dead letter.
    pub letter: DeadLetter,
    /// Its event; `None` when the journal does not have it any more.
    pub event: Option<Arc<Event>>,
    /// The attempt; `None` when the log does not have it any more.
    pub last_attempt: Option<Attempt>,
}

impl Engine {
    /// A page of an endpoint's dead letters, event numbers ascending. How many there are in all is in
    /// the endpoint's queue state.
    pub async fn dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        query: DeadLetterQuery,
    ) -> Result<Vec<DeadLetter>, Error> {
        Ok(self.store.dead_letters(workspace, endpoint, query).await?)
    }

    /// The dead letter of one event. [`Error::NotFound`] when there is none, or no such endpoint.
    pub async fn dead_letter(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        seq: Seq,
    ) -> Result<DeadLetterDetail, Error> {
        let after = seq.0.checked_sub(1).map(Seq);
        let query = DeadLetterQuery { after, limit: 1 };
        let found = self.store.dead_letters(workspace, endpoint, query).await?;
        let letter = found.into_iter().find(|letter| letter.seq == seq);
        let letter = letter.ok_or(Error::NotFound(Entity::DeadLetter))?;
        let event = self.store.events_by_seq(workspace, &[seq]).await?.pop();
        let last_attempt = self.store.attempt(workspace, endpoint, &letter.request_id).await?;
        Ok(DeadLetterDetail { letter, event, last_attempt })
    }

    /// Queues dead letters again, behind everything else that is queued; how many. One that is named
    /// and not there is [`Error::NotFound`].
    pub async fn redeliver_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, Error> {
        let count = self.store.redeliver_dead_letters(workspace, endpoint, which).await?;
        found(which, count)
    }

    /// Forgets dead letters; how many. One that is named and not there is [`Error::NotFound`].
    pub async fn drop_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, Error> {
        let count = self.store.drop_dead_letters(workspace, endpoint, which).await?;
        found(which, count)
    }
}

fn found(which: DeadLetters, count: u64) -> Result<u64, Error> {
    match (which, count) {
        (DeadLetters::One(_), 0) => Err(Error::NotFound(Entity::DeadLetter)),
        (_, count) => Ok(count),
    }
}
