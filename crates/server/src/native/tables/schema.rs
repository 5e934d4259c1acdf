//! `GET /v1/datasets/{id}/schema`: the columns of a dataset's rows.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::DatasetId;
use hookyard_core::table;
use hookyard_core::table::{Kind, Seen, Stamp};
use hookyard_tables::Schema;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::native::call::{Call, Data, Read};
use crate::native::paths;
use crate::problem::Problem;

/// The columns of a dataset's flattened rows.
#[derive(Serialize, ToSchema)]
#[schema(as = DatasetSchema)]
struct Body<'a> {
    /// The dataset's number.
    dataset: i32,
    /// The dataset's name.
    name: &'a str,
    /// Rows behind the columns: all rows visible to readers.
    rows: u64,
    /// Rows with values beyond the 500 columns; the column `_rest` holds these values.
    rest_rows: u64,
    /// The first row; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    first: Option<Place>,
    /// The last row; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last: Option<Place>,
    /// The columns, by first appearance.
    columns: Vec<Column<'a>>,
}

/// A column.
#[derive(Serialize, ToSchema)]
#[schema(as = DatasetColumn)]
struct Column<'a> {
    /// The path of keys to the value, joined by dots; a dot or backslash in a key has a backslash
    /// before it.
    name: &'a str,
    /// The narrowest type for the values of all rows.
    r#type: ColumnType,
    /// Rows with a value in the column.
    rows: u64,
    /// Rows with null in the column.
    nulls: u64,
    /// Rows without the column.
    absent: u64,
    /// The first row with the column.
    first: Place,
    /// The last row with the column.
    last: Place,
    /// Rows where the column's type became wider.
    changes: Vec<Change>,
}

/// A row's place.
#[derive(Serialize, ToSchema)]
#[schema(as = RowPlace)]
struct Place {
    /// The row's batch.
    batch: u64,
    /// When the batch was accepted.
    received_at: Timestamp,
}

/// A row that made a column's type wider.
#[derive(Serialize, ToSchema)]
#[schema(as = ColumnChange)]
struct Change {
    /// The batch of the row.
    batch: u64,
    /// When the row's batch was accepted.
    received_at: Timestamp,
    /// The column's type in all earlier rows.
    from: ColumnType,
    /// The column's type with this row.
    to: ColumnType,
}

/// The type of a column. `decimal` stands for numbers with more digits than a double keeps; `json` for
/// arrays, empty or deep objects, and mixtures with such values.
#[derive(Serialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum ColumnType {
    Null,
    Boolean,
    Integer,
    Number,
    Decimal,
    Date,
    Timestamp,
    String,
    Json,
}

/// Get the columns of a dataset
///
/// The rows are flattened: each leaf of an object is a column, named by its path. The types are
/// inferred from all rows that readers see; where a column's type changed, `changes` says when.
#[utoipa::path(
    get,
    path = paths::DATASET_SCHEMA,
    tag = "tables",
    responses(
        (status = 200, description = "The columns", body = Body),
        (status = 409, description = "The rows changed too much while they were read"),
    ),
)]
pub(super) async fn get_schema(call: Call<Read<Data>, DatasetId>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: id, .. } = call;
    let schema = app.tables.schema(workspace, id).await?;
    Ok(Json(Body::from(&*schema)).into_response())
}

impl<'a> From<&'a Schema> for Body<'a> {
    fn from(schema: &'a Schema) -> Self {
        let Schema { dataset, inference, .. } = schema;
        let column = |column| Column::new(column, inference.rows());
        Self {
            dataset: dataset.id.0,
            name: &dataset.name,
            rows: inference.rows(),
            rest_rows: inference.rest(),
            first: inference.seen().map(|seen| seen.first.into()),
            last: inference.seen().map(|seen| seen.last.into()),
            columns: inference.columns().iter().map(column).collect(),
        }
    }
}

impl<'a> Column<'a> {
    fn new(column: &'a table::Column, all: u64) -> Self {
        let table::Column { name, kind, rows, nulls, seen: Seen { first, last }, changes } = column;
        Self {
            name,
            r#type: (*kind).into(),
            rows: *rows,
            nulls: *nulls,
            absent: all.saturating_sub(rows + nulls),
            first: (*first).into(),
            last: (*last).into(),
            changes: changes.iter().map(Change::from).collect(),
        }
    }
}

impl From<Stamp> for Place {
    fn from(stamp: Stamp) -> Self {
        Self { batch: stamp.batch.0, received_at: stamp.received_at }
    }
}

impl From<&table::Change> for Change {
    fn from(change: &table::Change) -> Self {
        let table::Change { at, from, to } = change;
        let Stamp { batch, received_at } = *at;
        Self { batch: batch.0, received_at, from: (*from).into(), to: (*to).into() }
    }
}

impl From<Kind> for ColumnType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Null => Self::Null,
            Kind::Boolean => Self::Boolean,
            Kind::Integer | Kind::Long => Self::Integer,
            Kind::Number => Self::Number,
            Kind::Decimal => Self::Decimal,
            Kind::Date => Self::Date,
            Kind::Timestamp => Self::Timestamp,
            Kind::String => Self::String,
            Kind::Json => Self::Json,
        }
    }
}
