//! Datasets as tables: their columns, exports and SQL.

mod export;
mod schema;
mod sql;

use hookyard_core::id::DatasetId;
use hookyard_tables::Error;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::input;
use crate::App;
use crate::problem::{Code, Problem};

/// Examples of the schemas of this folder, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    sql::samples()
}

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(schema::get_schema))
        .routes(routes!(export::export_dataset))
        .routes(routes!(sql::run_sql))
}

/// The dataset that a path names. What is no number names none.
fn dataset_id(text: &str) -> Result<DatasetId, Problem> {
    let id = input::number(text).map(DatasetId);
    id.ok_or_else(|| Problem::new(Code::NotFound, "no such dataset"))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, message } => Self::of_field(Code::InvalidValue, field, message),
            Error::Limit(message) => Self::new(Code::LimitExceeded, message),
            error @ Error::Busy(_) => Self::new(Code::Unavailable, error.to_string()),
            error @ Error::NotBuilt(_) => Self::new(Code::NotBuilt, error.to_string()),
            error @ Error::Changed => Self::new(Code::Conflict, error.to_string()),
            Error::Store(error) => hookyard_engine::Error::from(error).into(),
            Error::Internal(error) => {
                tracing::error!(%error, "request failed");
                Self::new(Code::Internal, "the server failed; its log says why")
            }
        }
    }
}
