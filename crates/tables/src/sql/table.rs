//! One dataset as a table that is read as a query goes on.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures_util::{StreamExt, TryStreamExt, stream};
use hookyard_core::id::BatchId;
use hookyard_core::table::{BATCH, RECEIVED_AT};
use hookyard_store::RowQuery;
use jiff::{SignedDuration, Timestamp};

use crate::batch::{Layout, Place, places};
use crate::reader::Reader;
use crate::{Schema, Tables};

/// Moments are kept to the millisecond.
const TICK: SignedDuration = SignedDuration::from_millis(1);

pub(super) struct DatasetTable {
    tables: Tables,
    schema: Arc<Schema>,
    places: Vec<Place>,
    arrow: SchemaRef,
}

impl std::fmt::Debug for DatasetTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatasetTable").field("id", &self.schema.dataset.id).finish_non_exhaustive()
    }
}

impl DatasetTable {
    pub(super) fn new(tables: Tables, schema: Arc<Schema>) -> Self {
        let places = places(&schema.inference, true);
        let arrow = Arc::clone(Layout::of(&schema.inference, &places).schema());
        Self { tables, schema, places, arrow }
    }
}

#[async_trait]
impl TableProvider for DatasetTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.arrow)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        let narrows = |filter: &&Expr| match narrow(filter, &mut RowQuery::default()) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(narrows).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let places: Vec<_> = match projection {
            Some(wanted) => wanted.iter().map(|at| self.places[*at]).collect(),
            None => self.places.clone(),
        };
        let mut query = RowQuery::default();
        for filter in filters {
            narrow(filter, &mut query);
        }
        let rows = Arc::new(Rows {
            tables: self.tables.clone(),
            schema: Arc::clone(&self.schema),
            layout: Arc::new(Layout::of(&self.schema.inference, &places)),
            query,
        });
        let schema = Arc::clone(rows.schema());
        let plan = StreamingTableExec::try_new(schema, vec![rows], None, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// Narrows a query by a comparison of our own columns with a constant; `false` when it is none. The
/// comparison is made again with each row, so a little too much does no harm.
fn narrow(filter: &Expr, query: &mut RowQuery) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return false };
    let (column, op, value) = match (&**left, &**right) {
        (Expr::Column(column), Expr::Literal(value, _)) => (column, *op, value),
        (Expr::Literal(value, _), Expr::Column(column)) => match op.swap() {
            Some(op) => (column, op, value),
            None => return false,
        },
        _ => return false,
    };
    match column.name.as_str() {
        RECEIVED_AT => moment(value).is_some_and(|at| narrow_time(op, at, query)),
        BATCH => match value {
            ScalarValue::Int64(Some(number)) => narrow_batch(op, *number, query),
            _ => false,
        },
        _ => false,
    }
}

fn narrow_time(op: Operator, at: Timestamp, query: &mut RowQuery) -> bool {
    let later = at.checked_add(TICK).unwrap_or(Timestamp::MAX);
    let (from, until) = match op {
        Operator::Gt | Operator::GtEq => (Some(at), None),
        Operator::Lt => (None, Some(at)),
        Operator::LtEq => (None, Some(later)),
        Operator::Eq => (Some(at), Some(later)),
        _ => return false,
    };
    query.from = query.from.max(from);
    query.until = match (query.until, until) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    true
}

fn narrow_batch(op: Operator, number: i64, query: &mut RowQuery) -> bool {
    let before = match op {
        Operator::Gt => number,
        Operator::GtEq | Operator::Eq => number.saturating_sub(1),
        _ => return false,
    };
    let after = u64::try_from(before).ok().map(BatchId);
    query.after = query.after.max(after);
    true
}

fn moment(value: &ScalarValue) -> Option<Timestamp> {
    match value {
        ScalarValue::TimestampSecond(Some(at), _) => Timestamp::from_second(*at).ok(),
        ScalarValue::TimestampMillisecond(Some(at), _) => Timestamp::from_millisecond(*at).ok(),
        ScalarValue::TimestampMicrosecond(Some(at), _) => Timestamp::from_microsecond(*at).ok(),
        ScalarValue::TimestampNanosecond(Some(at), _) => {
            Timestamp::from_nanosecond(i128::from(*at)).ok()
        }
        _ => None,
    }
}

/// The rows of a scan.
struct Rows {
    tables: Tables,
    schema: Arc<Schema>,
    layout: Arc<Layout>,
    query: RowQuery,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("query", &self.query).finish_non_exhaustive()
    }
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        self.layout.schema()
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let store = Arc::clone(&self.tables.store);
        let last = self.schema.inference.seen().map(|seen| seen.last.batch);
        // Without a last row there was none when the columns were learnt.
        let reader = last
            .map(|last| Reader::new(store, self.schema.dataset.clone(), self.query, Some(last)));
        let batches =
            stream::try_unfold((reader, Arc::clone(&self.layout)), |(reader, layout)| async {
                let Some(mut reader) = reader else { return Ok::<_, DataFusionError>(None) };
                let batch = async {
                    let Some(rows) = reader.page().await? else { return Ok(None) };
                    layout.batch(&rows).map(Some)
                };
                let batch = batch
                    .await
                    .map_err(|error: crate::Error| DataFusionError::External(Box::new(error)))?;
                Ok(batch.map(|batch| (batch, (Some(reader), layout))))
            });
        let rows = context.session_config().batch_size();
        let parts = batches.map_ok(move |batch| stream::iter(parts(&batch, rows)).map(Ok));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(self.schema()), parts.try_flatten()))
    }
}

/// A batch in parts of so many rows at most.
fn parts(batch: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
    let starts = (0..batch.num_rows()).step_by(rows.max(1));
    starts.map(|start| batch.slice(start, rows.min(batch.num_rows() - start))).collect()
}
