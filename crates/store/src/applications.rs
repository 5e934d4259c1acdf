use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, GrantId, WorkspaceId};
use hookyard_core::model::{Application, ApplicationChange, Grant, NewApplication};
use jiff::Timestamp;

use crate::StoreError;

/// The most applications of a workspace. People register applications by hand; far fewer are in use.
pub const APPLICATIONS_MAX: usize = 200;

/// The most grants of an application; a further grant ends the grant that was longest without a new token. A
/// program that asks for access at each start never gives old grants back.
pub const GRANTS_MAX: usize = 200;

/// Applications and the grants of people to applications. A process beside the serving one may call all
/// methods; each call sees the changes of other processes.
#[async_trait]
pub trait ApplicationStore: Send + Sync {
    /// Registers an application. [`StoreError::Conflict`] when the client id is taken or the workspace has
    /// [`APPLICATIONS_MAX`].
    async fn create_application(
        &self,
        workspace: WorkspaceId,
        new: NewApplication,
        now: Timestamp,
    ) -> Result<Application, StoreError>;

    /// A workspace's applications with higher numbers than `after`, ascending, at most `limit`.
    async fn applications(
        &self,
        workspace: WorkspaceId,
        after: Option<ApplicationId>,
        limit: usize,
    ) -> Result<Vec<Application>, StoreError>;

    /// An application; `None` when the workspace has no such application.
    async fn application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError>;

    /// The application with this client id, of any workspace: an application's requests carry the id in place
    /// of a credential.
    async fn application_of_client(
        &self,
        client_id: &str,
    ) -> Result<Option<Application>, StoreError>;

    /// Changes an application, wholly or not at all. [`StoreError::NotFound`] when there is none.
    async fn update_application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
        change: ApplicationChange,
    ) -> Result<Application, StoreError>;

    /// Removes an application with all grants, tokens and codes. `false` when the application is absent.
    async fn delete_application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
    ) -> Result<bool, StoreError>;

    /// An application's grants with higher numbers than `after`, ascending, at most `limit`.
    /// [`StoreError::NotFound`] when there is no such application.
    async fn grants(
        &self,
        workspace: WorkspaceId,
        application: ApplicationId,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Grant>, StoreError>;

    /// Ends a grant: the grant's access and refresh tokens open nothing any more. `false` when the grant is
    /// absent. [`StoreError::NotFound`] when the application is absent.
    async fn revoke_grant(
        &self,
        workspace: WorkspaceId,
        application: ApplicationId,
        grant: GrantId,
    ) -> Result<bool, StoreError>;
}
