//! Joins with points of interruption.
//!
//! A query ends with its time, or after the caller's disconnect, at the query's next wait. A join makes many
//! rows out of few and need not read on in between, so a join never waits by itself.

use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

use super::run::failed;
use crate::Error;

/// Makes every join pause now and then. A join by a condition without any equality looks at all pairs of rows
/// before the first result, so such a join is refused. Allowed is a single row on a side, such as an average
/// for comparison with all rows.
pub(super) fn interruptible(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let mut endless = false;
    let plan = plan.transform_up(|plan| {
        endless |= plan.is::<NestedLoopJoinExec>() && !plan.children().into_iter().any(has_one_row);
        Ok(match plan.is::<CrossJoinExec>() || plan.is::<HashJoinExec>() {
            true => Transformed::yes(Arc::new(CooperativeExec::new(plan)) as _),
            false => Transformed::no(plan),
        })
    });
    let plan = plan.map_err(failed)?.data;
    if endless {
        return Err(Error::query(
            "joins by a condition that has no equality between columns of both sides; join by an \
             equality, or filter each side first",
        ));
    }
    Ok(plan)
}

fn has_one_row(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
    statistics.is_ok_and(|known| matches!(known.num_rows, Precision::Exact(0 | 1)))
}
