//! The caller of the native API: a simple key, a key pair or a bearer token.

use axum::http::{HeaderMap, header};
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, Scope};
use hookyard_engine::access::Presented;

use crate::App;
use crate::problem::{Code, Problem};

/// The part of a workspace within a caller's reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) workspace: WorkspaceId,
    /// The only project; `None` for all.
    project: Option<ProjectId>,
}

impl Reach {
    /// Whether something of the project is within reach.
    pub(crate) fn has(&self, project: ProjectId) -> bool {
        self.project.is_none_or(|own| own == project)
    }

    /// The project of a request, within reach. A request without a project is about the only project
    /// within reach, or about all.
    pub(crate) fn narrow(&self, named: Option<ProjectId>) -> Result<Option<ProjectId>, Problem> {
        match (self.project, named) {
            (Some(own), Some(named)) if own != named => Err(beyond(own)),
            (own, named) => Ok(named.or(own)),
        }
    }

    /// Refuses a request with an effect beyond one project.
    pub(crate) fn must_be_whole(&self) -> Result<(), Problem> {
        self.project.map_or(Ok(()), |own| Err(beyond(own)))
    }
}

fn beyond(own: ProjectId) -> Problem {
    let detail = format!("the credential is for project {own} alone");
    Problem::new(Code::MissingScope, detail)
}

/// The caller's reach in the workspace; the caller must have the scope. For sources, datasets and
/// folders; anything outside of projects needs [`workspace`].
pub(crate) async fn reach(app: &App, headers: &HeaderMap, scope: Scope) -> Result<Reach, Problem> {
    let Credential { workspace, project, .. } = credential(app, headers, scope).await?;
    Ok(Reach { workspace, project })
}

/// The caller's workspace; the caller must have the scope and reach the whole workspace.
pub(crate) async fn workspace(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<WorkspaceId, Problem> {
    let reach = reach(app, headers, scope).await?;
    reach.must_be_whole()?;
    Ok(reach.workspace)
}

/// The caller's credential; the credential must have the scope.
async fn credential(app: &App, headers: &HeaderMap, scope: Scope) -> Result<Credential, Problem> {
    let Some(presented) = presented(headers) else {
        let detail = "send a credential: `x-ultracart-simple-key`, `x-api-key` with \
                      `x-api-secret`, or `authorization: Bearer`";
        return Err(Problem::new(Code::Unauthenticated, detail));
    };
    let credential = app.engine.access().admit(presented).await?;
    if !credential.scopes.has(scope) {
        let detail = format!("the credential lacks the scope `{}`", scope.as_str());
        return Err(Problem::new(Code::MissingScope, detail));
    }
    Ok(credential)
}

/// The workspace of a caller who manages the workspace and is no application: an application let in by
/// OAuth2 may neither let others in nor change the text of the consent page. Every operation that
/// creates, changes or ends credentials, applications, grants, projects or the workspace uses this check.
pub(crate) async fn person(app: &App, headers: &HeaderMap) -> Result<WorkspaceId, Problem> {
    let credential = credential(app, headers, Scope::Admin).await?;
    if credential.application.is_some() {
        let detail = "an application may not change who is let in, whatever its scopes: credentials, \
                      applications, grants, projects and the workspace are for credentials of people";
        return Err(Problem::new(Code::MissingScope, detail));
    }
    Ok(credential.workspace)
}

fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = text("x-ultracart-simple-key") {
        return Some(Presented::Simple(key.trim()));
    }
    if let (Some(key), Some(secret)) = (text("x-api-key"), text("x-api-secret")) {
        return Some(Presented::Pair { key, secret });
    }
    let (scheme, token) = text(header::AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Presented::Token(token.trim()))
}
