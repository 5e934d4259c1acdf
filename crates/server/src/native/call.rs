//! The demands of every operation on a request: the caller, the path, the query, the body.
//!
//! An operation is a function of one [`Call`]. The types of the call say which checks precede the
//! function, and the same types describe the operation in the OpenAPI document (see
//! [`super::operation`]). So a check cannot be forgotten, and the description cannot differ from it.

use std::future::Future;
use std::marker::PhantomData;

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::Scope;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::caller::{self, Reach};
use super::input::{self, Nothing};
use super::sent::Sent;
use super::target::{Target, Texts};
use crate::App;
use crate::problem::Problem;

/// A request whose caller has the access `A`, with `T` named by the path, the query `Q` and the body `B`.
/// The checks run in this order, and the first refusal is the answer.
pub(super) struct Call<A: Access, T = (), Q = Nothing, B = ()> {
    pub(super) app: App,
    /// The caller, and the reachable part of the workspace.
    pub(super) caller: A::Caller,
    /// The thing named by the path.
    pub(super) target: T,
    pub(super) query: Q,
    pub(super) headers: HeaderMap,
    pub(super) body: B,
}

/// The demand of an operation on its caller.
pub(super) trait Access: Send + 'static {
    /// The part of the caller that the operation sees.
    type Caller: Send + Sync;

    /// The scope that the caller's credential must have; `None` where no credential is asked for.
    const SCOPE: Option<Scope>;

    /// The caller, once the credential is known to have the access.
    fn admit(
        app: &App,
        headers: &HeaderMap,
    ) -> impl Future<Output = Result<Self::Caller, Problem>> + Send;
}

/// A scope as a type.
pub(super) trait Scoped: Send + 'static {
    const SCOPE: Scope;
}

/// The subject of scopes.
pub(super) trait Subject: Send + 'static {
    const READ: Scope;
    const WRITE: Scope;
}

/// Endpoints with their subscriptions, queues and logs.
pub(super) struct Webhooks;

impl Subject for Webhooks {
    const READ: Scope = Scope::WebhookRead;
    const WRITE: Scope = Scope::WebhookWrite;
}

/// The journal.
pub(super) struct Events;

impl Subject for Events {
    const READ: Scope = Scope::EventRead;
    const WRITE: Scope = Scope::EventWrite;
}

/// Sources, datasets and folders.
pub(super) struct Data;

impl Subject for Data {
    const READ: Scope = Scope::DataRead;
    const WRITE: Scope = Scope::DataWrite;
}

/// Callers with the right to read the subject, in the whole workspace.
pub(super) struct Read<S>(PhantomData<S>);

impl<S: Subject> Scoped for Read<S> {
    const SCOPE: Scope = S::READ;
}

/// Callers with the right to change the subject, in the whole workspace.
pub(super) struct Write<S>(PhantomData<S>);

impl<S: Subject> Scoped for Write<S> {
    const SCOPE: Scope = S::WRITE;
}

/// Whoever manages the whole workspace.
pub(super) struct Admin;

impl Scoped for Admin {
    const SCOPE: Scope = Scope::Admin;
}

impl<S: Scoped> Access for S {
    type Caller = WorkspaceId;

    const SCOPE: Option<Scope> = Some(S::SCOPE);

    async fn admit(app: &App, headers: &HeaderMap) -> Result<WorkspaceId, Problem> {
        caller::workspace(app, headers, S::SCOPE).await
    }
}

/// Callers with the access, in the workspace or in one project alone. The operation must keep to the
/// caller's [`Reach`].
pub(super) struct Within<S>(PhantomData<S>);

impl<S: Scoped> Access for Within<S> {
    type Caller = Reach;

    const SCOPE: Option<Scope> = Some(S::SCOPE);

    async fn admit(app: &App, headers: &HeaderMap) -> Result<Reach, Problem> {
        caller::reach(app, headers, S::SCOPE).await
    }
}

/// A person who manages the whole workspace. No application has this access, whatever its scopes.
pub(super) struct Person;

impl Access for Person {
    type Caller = WorkspaceId;

    const SCOPE: Option<Scope> = Some(Scope::Admin);

    async fn admit(app: &App, headers: &HeaderMap) -> Result<WorkspaceId, Problem> {
        caller::person(app, headers).await
    }
}

/// Anyone, with or without a credential.
pub(super) struct Anyone;

impl Access for Anyone {
    type Caller = ();

    const SCOPE: Option<Scope> = None;

    async fn admit(_app: &App, _headers: &HeaderMap) -> Result<(), Problem> {
        Ok(())
    }
}

impl<A, T, Q, B> FromRequest<App> for Call<A, T, Q, B>
where
    A: Access,
    T: Target<A::Caller>,
    Q: DeserializeOwned + IntoParams + Send,
    B: Sent,
{
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let texts = Texts::of(&mut parts, app).await?;
        let caller = A::admit(app, &parts.headers).await?;
        let target = T::find(app, &caller, &texts).await?;
        let query = input::query(parts.uri.query())?;
        let body = B::take(&parts.headers, body).await?;
        Ok(Self { app: app.clone(), caller, target, query, headers: parts.headers, body })
    }
}
