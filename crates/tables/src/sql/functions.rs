//! The functions open to queries: a closed list, so a new release of DataFusion adds no unreviewed function.

use std::sync::Arc;

use datafusion::common::{DFSchema, DataFusionError};
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::room::Room;
use super::text::{Join, Nulls, Replace};

/// DataFusion's own functions. Left out are functions with long texts from short arguments (`repeat`, `lpad`,
/// `rpad`, `overlay`, `regexp_replace`, `to_char`; `concat` and `replace` are ours), slow functions
/// (`levenshtein`), facts about the process (`version`), and functions on types unknown to JSON.
const ALLOWED: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "ascii",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bit_length",
    "btrim",
    "cbrt",
    "ceil",
    "character_length",
    "chr",
    "coalesce",
    "contains",
    "cos",
    "cosh",
    "cot",
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "degrees",
    "ends_with",
    "exp",
    "factorial",
    "find_in_set",
    "floor",
    "from_unixtime",
    "gcd",
    "greatest",
    "initcap",
    "isnan",
    "iszero",
    "lcm",
    "least",
    "left",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "make_date",
    "nanvl",
    "now",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "pi",
    "power",
    "radians",
    "random",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "reverse",
    "right",
    "round",
    "rtrim",
    "signum",
    "sin",
    "sinh",
    "split_part",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "tan",
    "tanh",
    "to_date",
    "to_hex",
    "to_local_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    "translate",
    "trunc",
    "upper",
    "uuid",
];

/// Aggregates with a copy of all arguments, not counted against the memory of the query.
const KEEPING: [&str; 3] = ["array_agg", "nth_value", "string_agg"];

/// The aggregate functions.
pub(super) fn aggregate() -> Vec<Arc<AggregateUDF>> {
    let all = SessionStateDefaults::default_aggregate_functions().into_iter();
    all.filter(|function| !KEEPING.contains(&function.name())).collect()
}

/// The scalar functions.
pub(super) fn scalar(room: &Room) -> Vec<Arc<ScalarUDF>> {
    let all = SessionStateDefaults::default_scalar_functions().into_iter();
    let mut allowed: Vec<_> = all.filter(|function| ALLOWED.contains(&function.name())).collect();
    allowed.push(Arc::new(ScalarUDF::from(Join::new(Nulls::Skipped, room.clone()))));
    allowed.push(Arc::new(ScalarUDF::from(Replace::new(room.clone()))));
    allowed
}

/// Binds `||` to our bounded function.
pub(super) fn planners(room: &Room) -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(Operators(room.clone()))]
}

#[derive(Debug)]
struct Operators(Room);

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>, DataFusionError> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let join = ScalarUDF::from(Join::new(Nulls::Kept, self.0.clone()));
        Ok(PlannerResult::Planned(join.call(vec![expr.left, expr.right])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_list_is_a_function() {
        let all: Vec<_> = SessionStateDefaults::default_scalar_functions();
        for name in ALLOWED {
            assert!(all.iter().any(|function| function.name() == *name), "{name}");
        }
    }
}
