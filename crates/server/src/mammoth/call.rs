//! The parts of a request for every operation: the path, the caller and the caller's rights.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OriginalUri, RawPathParams};
use hookyard_core::id::{DatasetId, ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, Scope};
use hookyard_core::signature::shared_secret;
use hookyard_engine::access::{Presented, Refusal};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::error::{ApiError, Problem};
use super::query::Query;
use crate::App;

/// A request without the body, with the path's ids read.
pub(crate) struct Call {
    pub(crate) app: App,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    ids: Vec<(String, i64)>,
    word: Option<String>,
}

/// The only part of a path that is no id.
const WORD: &str = "resource_type";

/// The place of an operation, open to the caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) workspace: WorkspaceId,
    pub(crate) project: ProjectId,
    /// Whether the caller may change data in the place, and so may see the senders' secrets.
    pub(crate) shows_secrets: bool,
}

impl FromRequestParts<App> for Call {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, app).await;
        let params = params.map_err(|_| ApiError::not_found())?;
        let ids: Option<Vec<_>> = params
            .iter()
            .filter(|(name, _)| *name != WORD)
            .map(|(name, text)| Some((name.to_owned(), path_id(name, text)?)))
            .collect();
        let word = params.iter().find(|(name, _)| *name == WORD).map(|(_, text)| text.to_owned());
        let uri: Result<_, Infallible> = OriginalUri::from_request_parts(parts, app).await;
        Ok(Self {
            app: app.clone(),
            method: parts.method.clone(),
            uri: uri.map_or_else(|_| parts.uri.clone(), |uri| uri.0),
            headers: parts.headers.clone(),
            ids: ids.ok_or_else(ApiError::not_found)?,
            word,
        })
    }
}

/// An id in a path. What is no integer, or larger than an id can be, is no route.
fn path_id(name: &str, text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let largest = if name == "batch_id" { i64::MAX } else { i64::from(i32::MAX) };
    let id: i64 = text.parse().ok()?;
    (integer && id <= largest).then_some(id)
}

impl Call {
    /// The credential of the caller.
    pub(crate) async fn credential(&self) -> Result<Credential, ApiError> {
        let presented = presented(&self.headers).ok_or(Refusal::Unknown)?;
        Ok(self.app.engine.access().admit(presented).await?)
    }

    /// The caller's credential, if of the path's workspace and with the scope.
    pub(crate) async fn of_workspace(&self, scope: Scope) -> Result<Credential, ApiError> {
        let credential = self.credential().await?;
        let workspace = WorkspaceId(self.id("workspace_id", 1)?);
        self.ids_at_least([
            ("project_id", 1),
            ("webhook_id", 0),
            ("dataset_id", 0),
            ("batch_id", 0),
            ("folder_id", 0),
            ("object_id", 0),
        ])?;
        if credential.workspace != workspace {
            return Err(ApiError::forbidden());
        }
        require(&credential, scope)?;
        Ok(credential)
    }

    /// The same for an operation on the workspace as a whole. A credential of one project and an
    /// application's token are refused, as by the native API.
    pub(crate) async fn whole_workspace(&self, scope: Scope) -> Result<Credential, ApiError> {
        let credential = self.of_workspace(scope).await?;
        match (credential.project, credential.application) {
            (None, None) => Ok(credential),
            _ => Err(ApiError::forbidden()),
        }
    }

    /// The workspace and the project of the path, if the caller may do what the scope says there.
    pub(crate) async fn place(&self, scope: Scope) -> Result<Place, ApiError> {
        let credential = self.of_workspace(scope).await?;
        let workspace = credential.workspace;
        let project = ProjectId(self.id("project_id", 1)?);
        // Upstream answers 403 and not 404 for a project out of reach
        // (docs/spec/mammoth.md#errors).
        if !credential.opens(project) {
            return Err(ApiError::forbidden());
        }
        if !self.app.engine.of(workspace).has_project(project).await? {
            return Err(ApiError::forbidden());
        }
        let shows_secrets = credential.scopes.has(Scope::DataWrite);
        Ok(Place { workspace, project, shows_secrets })
    }

    /// An `i32` id of the path.
    pub(crate) fn id(&self, name: &'static str, least: i64) -> Result<i32, ApiError> {
        i32::try_from(self.long_id(name, least)?).map_err(|_| ApiError::not_found())
    }

    /// The dataset of the path.
    pub(crate) fn dataset(&self) -> Result<DatasetId, ApiError> {
        self.id("dataset_id", 0).map(DatasetId)
    }

    /// The word in the path.
    pub(crate) fn word(&self) -> Result<&str, ApiError> {
        self.word.as_deref().ok_or_else(ApiError::not_found)
    }

    /// An id of the path, of any size.
    pub(crate) fn long_id(&self, name: &'static str, least: i64) -> Result<i64, ApiError> {
        let found = self.ids.iter().find(|(key, _)| key == name).map(|(_, id)| *id);
        let id = found.ok_or_else(ApiError::not_found)?;
        if id < least {
            let message = format!("Expected `int` >= {least}");
            return Err(self.invalid(vec![Problem {
                message,
                key: name.to_owned(),
                source: "path",
            }]));
        }
        Ok(id)
    }

    fn ids_at_least<const N: usize>(
        &self,
        bounds: [(&'static str, i64); N],
    ) -> Result<(), ApiError> {
        let present = |name: &str| self.ids.iter().any(|(key, _)| key == name);
        let mut bounds = bounds.into_iter().filter(|(name, _)| present(name));
        bounds.try_for_each(|(name, least)| self.long_id(name, least).map(drop))
    }

    /// The path, as the caller wrote it.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The query.
    pub(crate) fn query(&self) -> Query {
        Query::parse(self.uri.query().unwrap_or_default())
    }

    /// The answer when the query has unusable values.
    pub(crate) fn checked(&self, query: Query) -> Result<(), ApiError> {
        let problems = query.into_problems();
        if problems.is_empty() { Ok(()) } else { Err(self.invalid(problems)) }
    }

    /// Refuses values of the request.
    pub(crate) fn invalid(&self, problems: Vec<Problem>) -> ApiError {
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        ApiError::validation(&format!("{} {target}", self.method), problems)
    }

    /// Refuses a value of the body.
    pub(crate) fn invalid_body(
        &self,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> ApiError {
        let (key, message) = (key.into(), message.into());
        self.invalid(vec![Problem { message, key, source: "body" }])
    }

    /// Maps an engine's refusal, a value of the body included.
    pub(crate) fn refuse(&self, error: hookyard_engine::Error) -> ApiError {
        match error {
            hookyard_engine::Error::Invalid { field, message } => self.invalid_body(field, message),
            error => error.into(),
        }
    }

    /// Path and query of the page at `offset`: the caller's own, with every parameter kept.
    pub(crate) fn page_at(&self, offset: u64) -> String {
        let query = self.uri.query().unwrap_or_default();
        let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "offset");
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("offset", &offset.to_string())
            .finish();
        format!("{}?{query}", self.uri.path())
    }
}

/// The credential in the headers: a key pair, or else a bearer token.
pub(crate) fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("x-api-key"), text("x-api-secret")) {
        (Some(key), Some(secret)) => Some(Presented::Pair { key, secret }),
        _ => shared_secret::bearer(headers).map(Presented::Token),
    }
}

/// Requires a scope of a credential.
pub(crate) fn require(credential: &Credential, scope: Scope) -> Result<(), ApiError> {
    if credential.scopes.has(scope) {
        return Ok(());
    }
    let detail = format!("Forbidden: the credential does not have the scope {}", scope.as_str());
    Err(ApiError::new(StatusCode::FORBIDDEN, detail))
}
