//! Rows as record batches of Arrow.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch,
    RecordBatchOptions, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use hookyard_core::model::Row;
use hookyard_core::table::{self, Flattener, Inference, Kind, Leaves, Value};

use crate::Error;

/// The zone of moments. As an offset, it needs no database of zones.
const UTC: &str = "+00:00";

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The row's batch.
    Batch,
    /// When the row was accepted.
    ReceivedAt,
    /// One that was inferred, by its number.
    Inferred(usize),
    /// What has no column of its own.
    Rest,
    /// The row's whole text.
    Cell,
}

/// All columns of a table, our own first; the whole text last, where it is wanted.
pub(crate) fn places(inference: &Inference, cell: bool) -> Vec<Place> {
    let inferred = (0..inference.columns().len()).map(Place::Inferred);
    let mut places: Vec<_> =
        [Place::Batch, Place::ReceivedAt].into_iter().chain(inferred).collect();
    places.extend((inference.rest() > 0).then_some(Place::Rest));
    places.extend(cell.then_some(Place::Cell));
    places
}

/// Which columns to make of rows, and how.
#[derive(Debug)]
pub(crate) struct Layout {
    schema: SchemaRef,
    /// Each column, its kind, and where the flattener has it.
    columns: Vec<(Place, Kind, usize)>,
    flattener: Option<Flattener>,
    /// Whether a row with something beyond the columns is refused.
    strict: bool,
}

impl Layout {
    /// The layout of all columns of an export.
    pub(crate) fn whole(inference: &Inference, cell: bool) -> Self {
        let places = places(inference, cell);
        let strict = !places.contains(&Place::Rest);
        Self { strict, ..Self::with(inference, &places, Flattener::whole(inference)) }
    }

    /// The layout of whole cells.
    pub(crate) fn cells() -> Self {
        Self::of(&Inference::default(), &[Place::Batch, Place::ReceivedAt, Place::Cell])
    }

    /// The layout of some columns; nothing else is looked at.
    pub(crate) fn of(inference: &Inference, places: &[Place]) -> Self {
        if places.contains(&Place::Rest) {
            return Self::with(inference, places, Flattener::whole(inference));
        }
        let inferred = |place: &Place| match place {
            Place::Inferred(number) => Some(*number),
            _ => None,
        };
        let wanted: Vec<_> = places.iter().filter_map(inferred).collect();
        let mut layout = Self::with(inference, places, Flattener::of(inference, &wanted));
        for (place, _, at) in &mut layout.columns {
            let own = wanted.iter().position(|number| *place == Place::Inferred(*number));
            *at = own.unwrap_or_default();
        }
        if wanted.is_empty() {
            layout.flattener = None;
        }
        layout
    }

    fn with(inference: &Inference, places: &[Place], flattener: Flattener) -> Self {
        let column = |place: &Place| match place {
            Place::Inferred(number) => (*place, inference.columns()[*number].kind, *number),
            Place::Batch => (*place, Kind::Long, 0),
            Place::ReceivedAt => (*place, Kind::Timestamp, 0),
            Place::Rest | Place::Cell => (*place, Kind::Json, 0),
        };
        let columns: Vec<_> = places.iter().map(column).collect();
        let field = |(place, kind, _): &(Place, Kind, usize)| {
            let own = matches!(place, Place::Batch | Place::ReceivedAt | Place::Cell);
            Field::new(name(inference, *place), data_type(*kind), !own)
        };
        let fields: Vec<_> = columns.iter().map(field).collect();
        let schema = Arc::new(ArrowSchema::new(fields));
        Self { schema, columns, flattener: Some(flattener), strict: false }
    }

    /// What batches look like.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows as a batch.
    pub(crate) fn batch(&self, rows: &[Row]) -> Result<RecordBatch, Error> {
        let builder = |(_, kind, _): &(Place, Kind, usize)| Builder::new(*kind, rows.len());
        let mut builders: Vec<_> = self.columns.iter().map(builder).collect();
        let mut leaves = Leaves::default();
        for row in rows {
            if let Some(flattener) = &self.flattener {
                flattener.flatten(&row.cell, &mut leaves)?;
            }
            if self.strict && leaves.rest().is_some() {
                return Err(Error::Changed);
            }
            for ((place, kind, at), builder) in self.columns.iter().zip(&mut builders) {
                let value = match place {
                    Place::Batch => Value::Integer(row.batch.0.cast_signed()),
                    Place::ReceivedAt => Value::Timestamp(row.received_at.as_microsecond()),
                    Place::Inferred(_) => Value::read(*kind, leaves.value(*at))?,
                    Place::Rest => Value::read(*kind, leaves.rest())?,
                    Place::Cell => Value::Text(table::text(Kind::Json, &row.cell)),
                };
                builder.push(&value);
            }
        }
        let arrays = builders.into_iter().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| Error::Internal(error.to_string()))
    }
}

/// The name of a column.
pub(crate) fn name(inference: &Inference, place: Place) -> &str {
    match place {
        Place::Batch => table::BATCH,
        Place::ReceivedAt => table::RECEIVED_AT,
        Place::Cell => table::CELL,
        Place::Rest => table::REST,
        Place::Inferred(number) => &inference.columns()[number].name,
    }
}

/// What holds the values of a kind exactly. A decimal's digits fit no number, so they are text.
fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Integer | Kind::Long => DataType::Int64,
        Kind::Number => DataType::Float64,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        Kind::Null | Kind::Decimal | Kind::String | Kind::Json => DataType::Utf8View,
    }
}

enum Builder {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Text(StringViewBuilder),
}

impl Builder {
    fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            Kind::Integer | Kind::Long => Self::Integer(Int64Builder::with_capacity(rows)),
            Kind::Number => Self::Number(Float64Builder::with_capacity(rows)),
            Kind::Date => Self::Date(Date32Builder::with_capacity(rows)),
            Kind::Timestamp => {
                let builder = TimestampMicrosecondBuilder::with_capacity(rows);
                Self::Timestamp(builder.with_timezone(UTC))
            }
            Kind::Null | Kind::Decimal | Kind::String | Kind::Json => {
                Self::Text(StringViewBuilder::with_capacity(rows))
            }
        }
    }

    /// Takes a value, which is null or of the builder's own type.
    fn push(&mut self, value: &Value<'_>) {
        match (self, value) {
            (Self::Boolean(builder), Value::Boolean(value)) => builder.append_value(*value),
            (Self::Boolean(builder), _) => builder.append_null(),
            (Self::Integer(builder), Value::Integer(value)) => builder.append_value(*value),
            (Self::Integer(builder), _) => builder.append_null(),
            (Self::Number(builder), Value::Number(value)) => builder.append_value(*value),
            (Self::Number(builder), _) => builder.append_null(),
            (Self::Date(builder), Value::Date(value)) => builder.append_value(*value),
            (Self::Date(builder), _) => builder.append_null(),
            (Self::Timestamp(builder), Value::Timestamp(value)) => builder.append_value(*value),
            (Self::Timestamp(builder), _) => builder.append_null(),
            (Self::Text(builder), Value::Text(value)) => builder.append_value(value),
            (Self::Text(builder), _) => builder.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Integer(mut builder) => Arc::new(builder.finish()),
            Self::Number(mut builder) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::Timestamp(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}
