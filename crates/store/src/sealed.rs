//! Sealed columns, and the place of each sealed value.
//!
//! A sealed value opens at its own place only, so a value copied into another row does not open. A move to
//! another backend copies sealed values unchanged, so the places are the same on all backends.

use hookyard_core::id::{EndpointId, SourceId};

/// A column of sealed values.
pub(crate) struct Sealed {
    /// The column's table.
    pub(crate) table: &'static str,
    /// The column's name.
    pub(crate) column: &'static str,
    /// The place of a row's value, by the row's number.
    pub(crate) place: fn(i32) -> String,
}

/// All columns to seal anew for another key. The requests of refused deliveries are not among the columns: a
/// change of the key drops them. A migration with a new sealed column says so beside the column, and tests
/// compare.
pub(crate) const SEALED: [Sealed; 5] = [
    Sealed { table: "endpoints", column: "secrets", place: |id| endpoint(EndpointId(id)) },
    Sealed { table: "sources", column: "secret", place: |id| source(SourceId(id), SECRET) },
    Sealed { table: "sources", column: "key", place: |id| source(SourceId(id), KEY) },
    Sealed {
        table: "sources",
        column: "verification_secrets",
        place: |id| source(SourceId(id), VERIFICATION),
    },
    Sealed { table: "sources", column: "previous", place: |id| source(SourceId(id), PREVIOUS) },
];

/// The name of a source's secret.
pub(crate) const SECRET: &str = "secret";

/// The name of a source's key.
pub(crate) const KEY: &str = "key";

/// The name of the secrets of a source's verification.
pub(crate) const VERIFICATION: &str = "verification";

/// The name for a source's earlier secret and key.
pub(crate) const PREVIOUS: &str = "previous";

/// The place of an endpoint's secrets.
pub(crate) fn endpoint(id: EndpointId) -> String {
    format!("endpoint {id}")
}

/// The place of a source's secret.
pub(crate) fn source(id: SourceId, name: &str) -> String {
    format!("source {id} {name}")
}

/// The place of the request of a line in a log of rejections.
pub(crate) fn rejection(id: i64) -> String {
    format!("rejection {id}")
}
