//! The bodies of requests: how each body is read and described.

use std::future::Future;
use std::marker::PhantomData;

use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{Ref, Schema};
use utoipa::openapi::{ContentBuilder, RefOr, Required};

use super::input;
use crate::problem::Problem;

/// A body of an operation.
pub(super) trait Sent: Sized + Send {
    /// The body of a request.
    fn take(headers: &HeaderMap, body: Body) -> impl Future<Output = Result<Self, Problem>> + Send;

    /// The OpenAPI description of the body; `None` where the operation describes the body, or takes no
    /// body.
    fn described() -> Option<DescribedBody>;
}

/// A body in the OpenAPI document.
pub(super) struct DescribedBody {
    pub(super) body: RequestBody,
    /// The schemas named by the body, by name.
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

impl DescribedBody {
    /// One structure, in any of the given media types.
    fn of<T: ToSchema>(kinds: &[&str]) -> Self {
        let mut schemas = Vec::new();
        T::schemas(&mut schemas);
        schemas.push((T::name().into_owned(), T::schema()));
        let reference = Ref::from_schema_name(T::name());
        let content = ContentBuilder::new().schema(Some(reference)).build();
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        let body = kinds.iter().fold(body, |body, kind| body.content(*kind, content.clone()));
        Self { body: body.build(), schemas }
    }
}

/// No body: a body sent all the same is not read.
impl Sent for () {
    async fn take(_headers: &HeaderMap, _body: Body) -> Result<Self, Problem> {
        Ok(())
    }

    fn described() -> Option<DescribedBody> {
        None
    }
}

/// A JSON object.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned + ToSchema + Send> Sent for JsonBody<T> {
    async fn take(headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        input::json(headers, body, &[input::JSON]).await.map(Self)
    }

    fn described() -> Option<DescribedBody> {
        Some(DescribedBody::of::<T>(&[input::JSON]))
    }
}

/// The media types of a change: a merge patch, also accepted as plain JSON.
const CHANGES: [&str; 2] = [input::MERGE_PATCH, input::JSON];

/// A JSON merge patch (RFC 7396).
pub(super) struct PatchBody<T>(pub(super) T);

impl<T: DeserializeOwned + ToSchema + Send> Sent for PatchBody<T> {
    async fn take(headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        input::json(headers, body, &CHANGES).await.map(Self)
    }

    fn described() -> Option<DescribedBody> {
        Some(DescribedBody::of::<T>(&CHANGES))
    }
}

/// A JSON object larger than most: the operation reads the bytes within its own bound, and parses the bytes
/// where parsing does not hold up other requests.
pub(super) struct LargeBody<T> {
    body: Body,
    form: PhantomData<fn() -> T>,
}

impl<T> LargeBody<T> {
    /// The bytes; at most `bytes_max`.
    pub(super) async fn bytes(self, bytes_max: usize) -> Result<Bytes, Problem> {
        input::whole(self.body, bytes_max).await
    }
}

impl<T: ToSchema + 'static> Sent for LargeBody<T> {
    async fn take(headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        input::check_kind(headers, &[input::JSON])?;
        Ok(Self { body, form: PhantomData })
    }

    fn described() -> Option<DescribedBody> {
        Some(DescribedBody::of::<T>(&[input::JSON]))
    }
}

/// A body in the operation's own form: the operation reads and describes the body.
pub(super) struct UnreadBody(pub(super) Body);

impl Sent for UnreadBody {
    async fn take(_headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        Ok(Self(body))
    }

    fn described() -> Option<DescribedBody> {
        None
    }
}
