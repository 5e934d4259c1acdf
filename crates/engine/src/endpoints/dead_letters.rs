use std::sync::Arc;

use hookyard_core::id::{EndpointId, Seq, WorkspaceId};
use hookyard_core::model::{Attempt, Event};
use hookyard_store::{DeadLetter, DeadLetterQuery, DeadLetters, Entity};

use crate::{Engine, Error};

/// A dead letter with its last attempt.
#[derive(Debug, Clone)]
pub struct DeadLetterDetail {
    /// The dead letter.
    pub letter: DeadLetter,
    /// The dead letter's event; `None` once the journal has removed the event.
    pub event: Option<Arc<Event>>,
    /// The last attempt; `None` once the log has removed the attempt.
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

    /// The dead letter of an event. [`Error::NotFound`] when there is none, or no such endpoint.
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

    /// Queues dead letters again, behind the rest of the queue. Returns the number of dead letters;
    /// [`Error::NotFound`] for a named dead letter that is not there.
    pub async fn redeliver_dead_letters(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        which: DeadLetters,
    ) -> Result<u64, Error> {
        let count = self.store.redeliver_dead_letters(workspace, endpoint, which).await?;
        found(which, count)
    }

    /// Forgets dead letters. Returns their number; [`Error::NotFound`] for a named dead letter that
    /// is not there.
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
