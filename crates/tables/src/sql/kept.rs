//! The memory of windows.
//!
//! Joins, sorts and groups count the kept rows against the memory of the query. A window keeps rows, too,
//! until all rows with an effect on a value are read, and does not count any. So a window's rows are counted
//! on the way in.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures_util::StreamExt;

use super::run::failed;
use crate::Error;

/// Bytes of a text's view, beside the text.
const VIEW_BYTES: usize = 16;

/// Counts the rows on the way into windows.
pub(super) fn counted(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let count = |plan: Arc<dyn ExecutionPlan>| {
        if !plan.is::<WindowAggExec>() && !plan.is::<BoundedWindowAggExec>() {
            return Ok(Transformed::no(plan));
        }
        let counted = |input: &Arc<dyn ExecutionPlan>| Arc::new(Counted(Arc::clone(input))) as _;
        let inputs = plan.children().into_iter().map(counted).collect();
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        plan.replace_children(inputs, options).map(Transformed::yes)
    };
    Ok(plan.transform_up(count).map_err(failed)?.data)
}

/// Hands on the input's rows and counts the rows until the end of the query.
#[derive(Debug)]
struct Counted(Arc<dyn ExecutionPlan>);

impl DisplayAs for Counted {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ExecutionPlan for Counted {
    fn name(&self) -> &'static str {
        "Counted"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn apply_expressions(
        &self,
        _see: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion, DataFusionError>,
    ) -> Result<TreeNodeRecursion, DataFusionError> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return Err(DataFusionError::Internal("counts one input".to_owned()));
        };
        Ok(Arc::new(Self(input)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let kept = MemoryConsumer::new("window").register(context.memory_pool());
        let counted = self.0.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            kept.try_grow(bytes(&batch))?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)))
    }
}

/// Bytes of a batch's values. Texts are counted by length, because batches share the text buffers.
fn bytes(batch: &RecordBatch) -> usize {
    let column = |array: &Arc<dyn Array>| match array.data_type() {
        DataType::Utf8View => {
            let texts = array.as_string_view().iter().flatten();
            texts.map(str::len).sum::<usize>() + VIEW_BYTES * array.len()
        }
        _ => {
            let bytes = array.to_data().get_slice_memory_size();
            bytes.unwrap_or_else(|_| array.get_array_memory_size())
        }
    };
    batch.columns().iter().map(column).sum()
}
