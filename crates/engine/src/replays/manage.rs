use hookyard_core::id::{EndpointId, ReplayId, WorkspaceId};
use hookyard_core::model::Replay;
use hookyard_store::{Entity, ReplayChange};

use crate::{Engine, Error};

impl Engine {
    /// An endpoint's replays, newest first: all unfinished replays, and the last finished replays.
    pub async fn list_replays(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
    ) -> Result<Vec<Replay>, Error> {
        Ok(self.store.replays(workspace, endpoint).await?)
    }

    /// A replay. [`Error::NotFound`] when the endpoint has no replay with the number.
    pub async fn replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
    ) -> Result<Replay, Error> {
        let all = self.store.replays(workspace, endpoint).await?;
        all.into_iter().find(|replay| replay.id == id).ok_or(Error::NotFound(Entity::Replay))
    }

    /// Queues nothing more of a replay until the replay is resumed; queued events are delivered, at
    /// most a slice. [`Error::Conflict`] for a cancelled replay, or when all events are queued.
    pub async fn pause_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
    ) -> Result<Replay, Error> {
        Ok(self.store.change_replay(workspace, endpoint, id, ReplayChange::Pause).await?)
    }

    /// Goes on with a replay. [`Error::Conflict`] for a cancelled replay, or when all events are
    /// queued.
    pub async fn resume_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
    ) -> Result<Replay, Error> {
        Ok(self.store.change_replay(workspace, endpoint, id, ReplayChange::Resume).await?)
    }

    /// Queues nothing more of a replay, ever; queued events are delivered, at most a slice.
    /// [`Error::Conflict`] when all events are queued.
    pub async fn cancel_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
    ) -> Result<Replay, Error> {
        Ok(self.store.change_replay(workspace, endpoint, id, ReplayChange::Cancel).await?)
    }
}
