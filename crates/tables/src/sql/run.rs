//! Running one query.

use std::sync::Arc;
use std::time::Duration;

use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder, SessionStateDefaults, TaskContext};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::object_store::ObjectStore;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionConfig;
use futures_util::TryStreamExt;
use hookyard_core::id::WorkspaceId;
use tokio::sync::oneshot;
use url::Url;

use super::answer::Writer;
use super::catalog::{self, CATALOG, SCHEMA};
use super::room::Room;
use super::{
    Answer, Limits, PARAMETERS_MAX, Parameter, Query, ROWS_DEFAULT, functions, guard, joins, kept,
};
use crate::shares::Full;
use crate::{Error, Tables};

/// The stack of a query's thread. Only what is used of it takes memory.
const STACK_BYTES: usize = 256 << 20;

/// How long after its time a query that cannot be interrupted at once is waited for.
const GRACE: Duration = Duration::from_secs(1);

impl Tables {
    /// Answers a query over the caller's datasets. Dropping the future ends the work.
    pub async fn query(&self, workspace: WorkspaceId, query: Query) -> Result<Answer, Error> {
        let limit = self.check(&query)?;
        let permit = self.queries.take(workspace).map_err(|full| match full {
            Full::Own => Error::Busy("as many queries of this workspace as may run at once are running; try again when one ends"),
            Full::All => Error::Busy("as many queries as may run at once are running; try again later"),
        })?;
        let (mut tell, told) = oneshot::channel();
        let tables = self.clone();
        let time = self.limits.time;
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let Ok(runtime) = runtime else { return };
            let result = runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = tell.closed() => None,
                    done = tokio::time::timeout(time, answer(&tables, workspace, query, limit)) => {
                        Some(done.unwrap_or_else(|_| Err(late(time))))
                    }
                }
            });
            runtime.shutdown_background();
            // A thread that could not stop earlier has kept its place until here.
            drop(permit);
            // Nobody may be waiting any more.
            let _ = result.map(|result| tell.send(result));
        };
        std::thread::Builder::new()
            .name("sql".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(work)
            .map_err(|error| Error::Internal(format!("no thread for a query: {error}")))?;
        match tokio::time::timeout(time + GRACE, told).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::Internal("a query's thread ended early".to_owned())),
            Err(_) => Err(late(time)),
        }
    }

    /// The most rows of the answer.
    fn check(&self, query: &Query) -> Result<usize, Error> {
        let invalid = |field, message| Err(Error::Invalid { field, message });
        let most = self.limits.rows;
        let limit = query.limit.unwrap_or(ROWS_DEFAULT.min(most));
        if !(1..=most).contains(&limit) {
            let message = format!("must be 1 to {most}, not {limit}");
            return invalid("limit", message);
        }
        if query.parameters.len() > PARAMETERS_MAX {
            return invalid("parameters", format!("must be at most {PARAMETERS_MAX}"));
        }
        Ok(limit)
    }
}

fn late(time: Duration) -> Error {
    Error::Limit(format!(
        "the query took more than the {} seconds that one may take: narrow it, such as by \
         _received_at, or export the dataset",
        time.as_secs_f64()
    ))
}

async fn answer(
    tables: &Tables,
    workspace: WorkspaceId,
    query: Query,
    limit: usize,
) -> Result<Answer, Error> {
    let statement = guard::statement(&query.text)?;
    let cut = guard::is_query(&statement);
    let work = guard::Work::of(&statement);
    let room = Room::new(work.longest.max(longest(&query.parameters)));
    let state = session(tables, workspace, &query, &room).await?;
    let plan = state.statement_to_plan(statement).await.map_err(failed)?;
    let options =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(&plan).map_err(failed)?;
    let parameters: Vec<_> = query.parameters.into_iter().map(scalar).collect();
    let plan = match parameters.is_empty() {
        true => plan,
        false => plan.with_param_values(ParamValues::from(parameters)).map_err(failed)?,
    };
    // One more than asked for tells whether there are more; sorting keeps no more than that.
    let plan = match cut {
        true => LogicalPlanBuilder::from(plan)
            .limit(0, Some(limit + 1))
            .and_then(LogicalPlanBuilder::build)
            .map_err(failed)?,
        false => plan,
    };
    let physical = state.create_physical_plan(&plan).await.map_err(failed)?;
    let physical = kept::counted(joins::interruptible(physical)?)?;
    let rows = room.rows(tables.limits.memory_bytes, work.expressions, work.makes)?;
    let config = state.config().clone().with_batch_size(rows);
    let task = TaskContext::from(&state).with_session_config(config);
    let mut batches = execute_stream(physical, Arc::new(task)).map_err(failed)?;
    let mut writer = Writer::new(query.form, &batches.schema(), limit)?;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        if !writer.add(&batch)? {
            break;
        }
    }
    Ok(writer.finish())
}

async fn session(
    tables: &Tables,
    workspace: WorkspaceId,
    query: &Query,
    room: &Room,
) -> Result<SessionState, Error> {
    let Limits { memory_bytes, .. } = tables.limits;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory_bytes)))
        .with_disk_manager_builder(
            DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled),
        )
        .with_object_store_registry(Arc::new(NoStores))
        .build_arc()
        .map_err(failed)?;
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_target_partitions(1);
    // Names of columns are keys of JSON, which are exact.
    config.options_mut().sql_parser.enable_ident_normalization = false;
    config.options_mut().execution.enable_recursive_ctes = false;
    let mut planners = functions::planners(room);
    planners.extend(SessionStateDefaults::default_expr_planners());
    Ok(SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_catalog_list(catalog::of(tables, workspace, query.project, room).await?)
        .with_expr_planners(planners)
        .with_scalar_functions(functions::scalar(room))
        .with_aggregate_functions(functions::aggregate())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .build())
}

/// Bytes of the longest text among parameters.
fn longest(parameters: &[Parameter]) -> usize {
    let bytes = |parameter: &Parameter| match parameter {
        Parameter::Text(text) => text.len(),
        _ => 0,
    };
    parameters.iter().map(bytes).max().unwrap_or_default()
}

fn scalar(parameter: Parameter) -> ScalarValue {
    match parameter {
        Parameter::Null => ScalarValue::Null,
        Parameter::Boolean(value) => ScalarValue::Boolean(Some(value)),
        Parameter::Integer(value) => ScalarValue::Int64(Some(value)),
        Parameter::Number(value) => ScalarValue::Float64(Some(value)),
        Parameter::Text(value) => ScalarValue::Utf8View(Some(value)),
    }
}

/// There is no way to a file or a network.
#[derive(Debug)]
struct NoStores;

impl ObjectStoreRegistry for NoStores {
    fn register_store(
        &self,
        _url: &Url,
        _store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, _url: &Url) -> Result<Arc<dyn ObjectStore>, DataFusionError> {
        Err(DataFusionError::Plan("queries read datasets and nothing else".to_owned()))
    }
}

/// DataFusion's errors in our words: what the caller asked wrong, or what it asked too much.
pub(super) fn failed(error: DataFusionError) -> Error {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            failed(*inner)
        }
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::Internal(other.to_string()),
        },
        DataFusionError::ResourcesExhausted(_) => Error::Limit(
            "the query needs more memory than one may have: group or sort fewer rows or columns, \
             or narrow it, such as by _received_at"
                .to_owned(),
        ),
        DataFusionError::Internal(message) => Error::Internal(message),
        DataFusionError::ExecutionJoin(error) => Error::Internal(error.to_string()),
        DataFusionError::Shared(shared) => match shared.find_root() {
            DataFusionError::ResourcesExhausted(text) => {
                failed(DataFusionError::ResourcesExhausted(text.clone()))
            }
            root => Error::query(root.strip_backtrace()),
        },
        DataFusionError::ArrowError(inner, _) => match *inner {
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => Error::Internal(other.to_string()),
            },
            other => Error::query(other.to_string()),
        },
        other => Error::query(other.strip_backtrace()),
    }
}
