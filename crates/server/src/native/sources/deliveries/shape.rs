//! `/v1/sources/{id}/deliveries`: received requests, for inspection.

use hookyard_core::model::{Delivery as CoreDelivery, Header};
use hookyard_store::Newest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::input;
use crate::native::page::{Limit, PageSize};
use crate::problem::Problem;

/// How many entries of a page. Headers have at most 32 KiB, and rarely more than two.
const PAGE: PageSize = PageSize { default: 50, max: 100 };

/// The page to list.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::native::sources) struct Params {
    /// Entries behind the entry with this number only, in the order of the list.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    before: Option<u64>,
    /// The most entries of the page; 50 unless said.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

impl Params {
    /// The limit, and the page for the store.
    pub(in crate::native::sources) fn page<Id>(
        &self,
        id: impl Fn(u64) -> Id,
    ) -> Result<(Limit, Newest<Id>), Problem> {
        let limit = PAGE.limit(self.limit)?;
        let before = input::at_most("before", self.before, i64::MAX.unsigned_abs())?;
        Ok((limit, Newest { before: before.map(id), limit: limit.get() }))
    }

    /// The query of the page behind a line.
    pub(in crate::native::sources) fn behind(last: u64, limit: Limit) -> Self {
        Self { before: Some(last), limit: Some(limit.get()) }
    }
}

/// An accepted request to a source.
#[derive(Serialize, ToSchema)]
pub(super) struct Delivery<'a> {
    /// The delivery's number.
    id: u64,
    /// When the delivery was accepted.
    received_at: Timestamp,
    /// The delivery's batch; absent when the delivery stored nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<u64>,
    /// The journal number of the event published from the delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<u64>,
    method: &'a str,
    /// The query without the question mark. Secrets are masked.
    query: &'a str,
    /// The headers in order. Secrets are masked.
    #[schema(value_type = Vec<DeliveryHeader>)]
    headers: &'a [Header],
    /// The sender's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The bytes of the body as received.
    bytes: u64,
}

/// A header as received.
#[derive(Serialize, ToSchema)]
pub(in crate::native::sources) struct DeliveryHeader {
    name: String,
    value: String,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(delivery: &'a CoreDelivery) -> Self {
        let CoreDelivery { id, received_at, batch, event, method, query, headers, address, bytes } =
            delivery;
        Self {
            id: id.0,
            received_at: *received_at,
            batch: batch.map(|batch| batch.0),
            event: event.map(|seq| seq.0),
            method,
            query,
            headers,
            address: address.map(|address| address.to_string()),
            bytes: *bytes,
        }
    }
}
