//! From a handler to a route with its description.

use std::future::Future;

use hookyard_core::model::Scope;
use utoipa::IntoParams;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{PathItem, Paths, RefOr};
use utoipa_axum::router::UtoipaMethodRouter;

use super::call::{Access, Call};
use super::sent::Sent;
use super::target::Target;
use crate::App;

/// A router of operations, each a function of one [`Call`] under `#[utoipa::path]`.
macro_rules! operations {
    ($($handler:path),+ $(,)?) => {
        utoipa_axum::router::OpenApiRouter::new()$(
            .routes($crate::native::operation::described(utoipa_axum::routes!($handler), &$handler))
        )+
    };
}

pub(super) use operations;

/// The route of a handler, described by the types of its call: the scope, the parts of the path, the query
/// and the body. Headers described by the attribute stay.
pub(super) fn described<H, F, A, T, Q, B>(
    (mut schemas, mut paths, route): UtoipaMethodRouter<App>,
    _handler: &H,
) -> UtoipaMethodRouter<App>
where
    H: Fn(Call<A, T, Q, B>) -> F,
    F: Future,
    A: Access,
    T: Target<A::Caller>,
    Q: IntoParams,
    B: Sent,
{
    let body = B::described();
    for operation in operations_of(&mut paths) {
        let path = T::parts().into_iter().map(|part| RefOr::T(part.parameter()));
        let headers = operation.parameters.take().unwrap_or_default();
        let query = Q::into_params(|| Some(ParameterIn::Query)).into_iter().map(RefOr::T);
        let all: Vec<_> = path.chain(headers).chain(query).collect();
        operation.parameters = Some(all).filter(|all| !all.is_empty());
        let security =
            |scope: Scope| vec![SecurityRequirement::new("simple_key", [scope.as_str()])];
        operation.security = A::SCOPE.map(security);
        if let Some(described) = &body {
            operation.request_body = Some(RefOr::T(described.body.clone()));
        }
    }
    schemas.extend(body.into_iter().flat_map(|described| described.schemas));
    (schemas, paths, route)
}

fn operations_of(paths: &mut Paths) -> impl Iterator<Item = &mut Operation> {
    paths.paths.values_mut().flat_map(|item| {
        let PathItem { get, put, post, patch, delete, .. } = item;
        [get, put, post, patch, delete].into_iter().flatten()
    })
}
