//! Datasets as tables: columns, exports and SQL.

mod export;
mod schema;
mod sql;

use hookyard_tables::Error;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;

use super::operation::operations;
use crate::App;
use crate::problem::{Code, Problem};

/// Examples of the folder's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    sql::samples()
}

pub(super) fn router() -> OpenApiRouter<App> {
    operations![schema::get_schema, export::export_dataset, sql::run_sql,]
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
