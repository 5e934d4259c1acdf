use hookyard_core::id::{EndpointId, ReplayId, WorkspaceId};
use hookyard_core::model::Replay;
use hookyard_store::{Entity, ReplayChange};

use crate::{Engine, Error};

impl Engine {
    /// An endpoint's replays, newest first: those that are not done, and the last ones that are.
    pub async fn list_replays(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
    ) -> Result<Vec<Replay>, Error> {
        Ok(self.store.replays(workspace, endpoint).await?)
    }

    /// One replay. [`Error::NotFound`] when the endpoint has none with this number.
    pub async fn replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
    ) -> Result<Replay, Error> {
        let all = self.store.replays(workspace, endpoint).await?;
        all.into_iter().find(|replay| replay.id == id).ok_or(Error::NotFound(Entity::Replay))
    }

    /// Queues nothing more of a replay until it is resumed; what is queued is delivered, at most a
    /// slice. [`Error::Conflict`] when it was cancelled or all its events are queued.
    pub async fn pause_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
    ) -> Result<Replay, Error> {
        Ok(self.store.change_replay(workspace, endpoint, id, ReplayChange::Pause).await?)
    }

    /// Goes on with a replay. [`Error::Conflict`] when it was cancelled or all its events are queued.
    pub async fn resume_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
    ) -> Result<Replay, Error> {
        Ok(self.store.change_replay(workspace, endpoint, id, ReplayChange::Resume).await?)
    }

    /// Queues nothing more of a replay, ever; what is queued is delivered, at most a slice.
    /// [`Error::Conflict`] when all its events are queued.
    pub async fn cancel_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
    ) -> Result<Replay, Error> {
        Ok(self.store.change_replay(workspace, endpoint, id, ReplayChange::Cancel).await?)
    }
}
