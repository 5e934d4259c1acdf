//! What is sealed, and to which place.
//!
//! A sealed value opens at its own place only, so that it cannot be put into another row. A move to
//! another backend takes values as they are, so the places are the same on all.

use hookyard_core::id::{EndpointId, SourceId};

/// A column of sealed values.
pub(crate) struct Sealed {
    /// The table that has it.
    pub(crate) table: &'static str,
    /// Its name.
    pub(crate) column: &'static str,
    /// The place of a row's value, by the row's number.
    pub(crate) place: fn(i32) -> String,
}

/// All columns that are sealed anew with another key. The requests that were not taken are not among
/// them: they are let go. A migration that adds one says so beside the column, and tests compare.
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

/// The name of what a source's secret and key were before.
pub(crate) const PREVIOUS: &str = "previous";

/// The place of an endpoint's secrets.
pub(crate) fn endpoint(id: EndpointId) -> String {
    format!("endpoint {id}")
}

/// The place of one of a source's secrets.
pub(crate) fn source(id: SourceId, name: &str) -> String {
    format!("source {id} {name}")
}

/// The place of the request of a line in a log of rejections.
pub(crate) fn rejection(id: i64) -> String {
    format!("rejection {id}")
}
