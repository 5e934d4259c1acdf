//! The columns of a dataset: the cell, what was added about the batches, and at the end a hash.

use hookyard_core::model::{BatchColumn, Columns, Dataset, Row};
use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The id of the column with the cells.
pub(super) const CELL_ID: &str = "column_1";

/// The column's name for people, unless renamed.
const CELL_NAME: &str = "JSON";

/// The id of the last column.
const HASH: &str = "hash";

/// All columns about batches.
const BATCH_COLUMNS: [BatchColumn; 5] = [
    BatchColumn::Id,
    BatchColumn::RowCount,
    BatchColumn::Date,
    BatchColumn::Source,
    BatchColumn::Name,
];

/// A selectable column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Cell,
    Batch(BatchColumn),
}

/// The columns of a dataset except the hash.
pub(super) fn all(columns: &Columns) -> Vec<Column> {
    std::iter::once(Column::Cell).chain(columns.batch.iter().copied().map(Column::Batch)).collect()
}

impl Column {
    /// The column's name in rows and requests.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Cell => CELL_ID,
            Self::Batch(column) => names(column).0,
        }
    }

    /// The column in `data_schema`.
    pub(super) fn schema(self, columns: &Columns) -> Value {
        let (name, kind) = match self {
            Self::Cell => (columns.name.as_deref().unwrap_or(CELL_NAME), "text"),
            Self::Batch(column) => (names(column).1, names(column).2),
        };
        json!({"c_id": self.id(), "c_name": name, "c_type": kind})
    }
}

/// The value of a column about batches in a row.
fn value(column: BatchColumn, row: &Row) -> Value {
    match column {
        BatchColumn::Id => json!(row.batch),
        BatchColumn::RowCount => json!(1),
        BatchColumn::Date => json!(row.received_at),
        BatchColumn::Source => json!("webhook"),
        BatchColumn::Name => json!(format!("Batch {}", row.batch)),
    }
}

/// The id, the name and the type of a column about batches.
fn names(column: BatchColumn) -> (&'static str, &'static str, &'static str) {
    match column {
        BatchColumn::Id => ("batch_table_col_id", "batch_ID", "numeric"),
        BatchColumn::RowCount => ("batch_table_col_row_count", "batch_RowCount", "numeric"),
        BatchColumn::Date => ("batch_table_col_date", "batch_Date", "date"),
        BatchColumn::Source => ("batch_table_col_source", "batch_Source", "text"),
        BatchColumn::Name => ("batch_table_col_name", "batch_Name", "text"),
    }
}

/// Reads the id or the name of a column about batches.
pub(super) fn batch_column(text: &str) -> Option<BatchColumn> {
    let named = |column: &BatchColumn| names(*column).0 == text || names(*column).1 == text;
    BATCH_COLUMNS.into_iter().find(named)
}

/// The ids of all columns about batches, for a refusal.
pub(super) fn batch_column_ids() -> String {
    BATCH_COLUMNS.map(|column| names(column).0).join(", ")
}

/// Chooses columns by ids or names; `Err` with the first column missing in the dataset. The hash is always
/// there.
pub(super) fn choose(dataset: &Dataset, wanted: &[String]) -> Result<Vec<Column>, String> {
    let all = all(&dataset.columns);
    let mut chosen = Vec::new();
    for text in wanted.iter().map(|text| text.trim()).filter(|text| *text != HASH) {
        let named = |column: &&Column| {
            column.id() == text || column.schema(&dataset.columns)["c_name"] == text
        };
        let column = *all.iter().find(named).ok_or_else(|| text.to_owned())?;
        if !chosen.contains(&column) {
            chosen.push(column);
        }
    }
    Ok(chosen)
}

/// The header of rows with these columns.
pub(super) fn headers(columns: &[Column]) -> Vec<&'static str> {
    columns.iter().map(|column| column.id()).chain([HASH]).collect()
}

/// A row with these columns.
#[derive(Debug)]
pub(super) struct Values<'a> {
    pub(super) columns: &'a [Column],
    pub(super) row: &'a Row,
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { columns, row } = self;
        let mut values = serializer.serialize_seq(Some(columns.len() + 1))?;
        for column in *columns {
            match column {
                Column::Cell => values.serialize_element(&*String::from_utf8_lossy(&row.cell))?,
                Column::Batch(column) => values.serialize_element(&value(*column, row))?,
            }
        }
        values.serialize_element(&hash(&row.cell))?;
        values.end()
    }
}

/// A number that is equal for equal cells, always and everywhere.
fn hash(cell: &[u8]) -> String {
    let digest = Sha256::digest(cell);
    let head = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    head.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_stable() {
        // The first eight bytes of SHA-256 of nothing, e3b0c44298fc1c14, in decimal.
        assert_eq!(hash(b""), "16406829232824261652");
    }

    #[test]
    fn columns_about_batches_have_an_id_and_a_name() {
        assert_eq!(batch_column("batch_table_col_id"), Some(BatchColumn::Id));
        assert_eq!(batch_column("batch_RowCount"), Some(BatchColumn::RowCount));
        assert_eq!(batch_column("batch_id"), None);
        assert!(batch_column_ids().ends_with("batch_table_col_source, batch_table_col_name"));
    }
}
