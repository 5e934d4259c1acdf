//! `POST /v1/sql`: a read-only query over the workspace's datasets.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::ProjectId;
use hookyard_store::Seen;
use hookyard_tables::sql::{self, Form, PARAMETERS_MAX, Parameter, QUERY_BYTES_MAX};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::native::call::{Call, Data, Read};
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{input, paths};
use crate::problem::{Code, Problem};

/// Tells of rows beyond the limit, in forms of answers without room for the fact.
const TRUNCATED: HeaderName = HeaderName::from_static("hookyard-truncated");

/// A query.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SqlQuery)]
pub(super) struct Question {
    /// One reading statement: `SELECT`, `WITH`, `VALUES`, `EXPLAIN`, `DESCRIBE`, `SHOW TABLES` or
    /// `SHOW COLUMNS`.
    #[schema(max_length = 65536)]
    query: String,
    /// The values for `$1`, `$2` and so on: texts, numbers, booleans and nulls.
    #[serde(default)]
    #[schema(max_items = 100, value_type = Vec<SqlParameter>)]
    parameters: Vec<Value>,
    /// The number of a project; only datasets of this project are then tables.
    #[serde(default)]
    #[schema(nullable = false)]
    project: Option<i32>,
    /// The most rows; 1,000 by default. The server has a limit of its own, usually 10,000.
    #[serde(default)]
    #[schema(nullable = false, minimum = 1)]
    limit: Option<usize>,
}

/// A value for a placeholder.
#[derive(ToSchema)]
#[schema(as = SqlParameter)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what is read as any value")]
enum SqlParameter {
    Text(String),
    Number(f64),
    Boolean(bool),
}

/// The rows.
#[derive(ToSchema)]
#[schema(as = SqlAnswer)]
#[expect(dead_code, reason = "describes what is written as the rows come")]
struct AnswerBody {
    columns: Vec<ColumnBody>,
    /// The values of each row, in the order of the columns. Decimals, dates and timestamps are
    /// texts.
    rows: Vec<Vec<Value>>,
    /// Whether there would be more rows than the limit.
    truncated: bool,
}

/// A column of an answer.
#[derive(ToSchema)]
#[schema(as = SqlColumn)]
#[expect(dead_code, reason = "describes what is written as the rows come")]
struct ColumnBody {
    name: String,
    /// `null`, `boolean`, `integer`, `number`, `decimal`, `date`, `timestamp`, `string` or `other`.
    r#type: String,
}

/// Query datasets with SQL
///
/// Each dataset of the workspace is a table, by the dataset's name and as `dataset_` with the number. The
/// table's columns are the columns of the schema, with `_batch`, `_received_at` and `_cell`, the whole
/// text. `accept` chooses the form of the answer: `application/json`, `text/csv` or `application/x-ndjson`;
/// the header `hookyard-truncated` tells of rows beyond the limit. A build without the feature `analytics`
/// answers 404 `not_built`.
#[utoipa::path(
    post,
    path = paths::SQL,
    tag = "tables",
    responses(
        (status = 200, description = "The rows", content(
            (AnswerBody = "application/json"),
            (String = "text/csv"),
            (String = "application/x-ndjson"),
        )),
        (status = 404, description = "This build has no SQL"),
        (status = 409, description = "The rows changed too much while they were read"),
        (status = 422, description = "The query needs more than one may have"),
    ),
)]
pub(super) async fn run_sql(
    call: Call<Read<Data>, (), Nothing, JsonBody<Question>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, headers, body: JsonBody(question), .. } = call;
    let form = form(&headers);
    let query = question.query(form)?;
    let seen = Seen::Query(query.project);
    let answer = app.tables.query(workspace, query).await?;
    app.engine.note_seen(workspace, seen).await?;
    let kind = match form {
        Form::Json => input::JSON,
        Form::Csv => "text/csv; charset=utf-8; header=present",
        Form::Ndjson => "application/x-ndjson",
    };
    let truncated = HeaderValue::from_static(if answer.truncated { "true" } else { "false" });
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (TRUNCATED, truncated)];
    Ok((headers, answer.body).into_response())
}

impl Question {
    fn query(self, form: Form) -> Result<sql::Query, Problem> {
        // The engine refuses such queries, too; this check also works in builds without the engine.
        if self.query.len() > QUERY_BYTES_MAX || self.query.trim().is_empty() {
            let detail = format!("must be one statement of at most {QUERY_BYTES_MAX} bytes");
            return Err(Problem::of_field(Code::InvalidValue, "query", detail));
        }
        if self.parameters.len() > PARAMETERS_MAX {
            let detail = format!("must be at most {PARAMETERS_MAX}");
            return Err(Problem::of_field(Code::InvalidValue, "parameters", detail));
        }
        if self.limit == Some(0) {
            return Err(Problem::of_field(Code::InvalidValue, "limit", "must be 1 or more"));
        }
        let parameters =
            self.parameters.into_iter().enumerate().map(|(at, value)| parameter(at, value));
        Ok(sql::Query {
            text: self.query,
            parameters: parameters.collect::<Result<_, _>>()?,
            project: self.project.map(ProjectId),
            limit: self.limit,
            form,
        })
    }
}

fn parameter(at: usize, value: Value) -> Result<Parameter, Problem> {
    let parameter = match value {
        Value::Null => Parameter::Null,
        Value::Bool(value) => Parameter::Boolean(value),
        Value::String(value) => Parameter::Text(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Parameter::Integer(whole),
            (None, Some(number)) if !number.is_nan() => Parameter::Number(number),
            _ => return Err(no_parameter(at)),
        },
        Value::Array(_) | Value::Object(_) => return Err(no_parameter(at)),
    };
    Ok(parameter)
}

fn no_parameter(at: usize) -> Problem {
    let field = format!("parameters[{at}]");
    Problem::of_field(Code::InvalidValue, &field, "must be a text, a number, a boolean or null")
}

/// The first acceptable form of the caller; JSON unless the caller names another form.
fn form(headers: &HeaderMap) -> Form {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds = accept.flat_map(|value| value.split(','));
    let kind = |kind: &str| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kinds
        .filter_map(|given| match kind(given).as_str() {
            "text/csv" => Some(Form::Csv),
            "application/x-ndjson" => Some(Form::Ndjson),
            "application/json" | "*/*" => Some(Form::Json),
            _ => None,
        })
        .next()
        .unwrap_or_default()
}

/// Examples of the file's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let query =
        "SELECT status, count(*) AS orders FROM \"Orders\" WHERE total > $1 GROUP BY status";
    vec![("SqlQuery", json!({"query": query, "parameters": [100], "limit": 50}))]
}
