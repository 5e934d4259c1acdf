//! The delivery log.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, RequestId, Seq, WorkspaceId};
use hookyard_core::model::{Attempt, NewAttempt, Outcome};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresStore;
use super::columns::{
    Columns, Param, Text, count, from_json, millis, paged, signed, small, to_json,
};
use crate::checksum;
use crate::page::{self, Filling};
use crate::{AttemptQuery, AttemptStore, Page, StoreError};

/// The columns for [`attempt`].
pub(super) const COLUMNS: &str = "endpoint_id, started_ms, duration_ms, queue_delay_ms, status, success, \
                       advance, parked, failures, refusals, retry_ms, revision, request_id, seqs, \
                       event_types, order_ids, url, request_headers, response_headers, response, \
                       error, entries, checksum";

/// The weight of an attempt beside its row, as retention counts bytes.
pub(super) const WEIGHT: &str = "8 * cardinality(seqs) + octet_length(url) \
     + octet_length(request_headers) + octet_length(response_headers) \
     + coalesce(octet_length(response), 0)";

/// The bytes of an attempt to read, without reading the attempt.
pub(super) const READ: &str = "octet_length(order_ids) + octet_length(request_headers) \
     + octet_length(response_headers) + coalesce(octet_length(response), 0)";

#[async_trait]
impl AttemptStore for PostgresStore {
    async fn attempts(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        query: AttemptQuery,
    ) -> Result<Page<Attempt>, StoreError> {
        let conn = self.db.get().await?;
        self.own_endpoint(&conn, workspace, endpoint).await?;
        let (conditions, values) = conditions(endpoint, &query)?;
        let sql = format!(
            "SELECT {}, id FROM attempts WHERE {conditions} ORDER BY started_ms DESC, id DESC \
             LIMIT ${} OFFSET ${}",
            columns(query.brief),
            values.len() - 1,
            values.len(),
        );
        let sql = paged(&sql, READ, "started_ms DESC, id DESC");
        let values: Vec<Param<'_>> = values.iter().map(|value| &**value as Param<'_>).collect();
        Filling::of(query.limit, conn.query(&sql, &values).await?.iter().map(attempt))
    }

    async fn attempt(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        request_id: &RequestId,
    ) -> Result<Option<Attempt>, StoreError> {
        // The id tells the attempt's start, known to the index and held by one partition only.
        let sql = format!(
            "SELECT {COLUMNS} FROM attempts WHERE endpoint_id = $1 AND started_ms = $2 \
             AND request_id = $3 LIMIT 1"
        );
        let conn = self.db.get().await?;
        self.own_endpoint(&conn, workspace, endpoint).await?;
        let at = request_id.stamp().as_millisecond();
        let row = conn.opt(&sql, &[&endpoint.0, &at, &request_id.as_str()]).await?;
        row.as_ref().map(attempt).transpose()
    }
}

/// The columns to read of an attempt: for a brief attempt nothing of the request's headers and of the
/// answer's text.
fn columns(brief: bool) -> Cow<'static, str> {
    let nothing = "'[]'::text AS request_headers, response_headers, \
                   NULL::text AS response,";
    match brief {
        false => Cow::Borrowed(COLUMNS),
        true => {
            let brief = COLUMNS.replace("request_headers, response_headers, response,", nothing);
            // Without headers and text the checksum cannot be compared.
            Cow::Owned(brief.replace("checksum", "NULL::int4 AS checksum"))
        }
    }
}

type Values = Vec<Box<dyn ToSql + Sync + Send>>;

/// The query as SQL with the values, the limit and the offset last.
fn conditions(endpoint: EndpointId, query: &AttemptQuery) -> Result<(String, Values), StoreError> {
    let mut sql = String::from("endpoint_id = $1");
    let mut values: Values = vec![Box::new(endpoint.0)];
    let mut add = |condition: &str, value: Box<dyn ToSql + Sync + Send>| {
        values.push(value);
        sql.push_str(" AND ");
        sql.push_str(&condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(from) = query.from {
        add("started_ms >= ?", Box::new(from.as_millisecond()));
    }
    if let Some(until) = query.until {
        add("started_ms <= ?", Box::new(until.as_millisecond()));
    }
    if let Some(status) = query.status {
        add("status = ?", Box::new(i32::from(status)));
    }
    if let Some(success) = query.success {
        add("success = ?", Box::new(success));
    }
    if let Some(event_type) = query.event_type {
        add("? = ANY(event_types)", Box::new(event_type.0));
    }
    if let Some(order_id) = &query.order_id {
        add("strpos(order_ids, ?) > 0", Box::new(to_json(order_id)?));
    }
    if let Some(duration) = query.duration_min {
        add("duration_ms >= ?", Box::new(millis(duration)));
    }
    values.push(Box::new(count(page::read_for(query.limit))));
    values.push(Box::new(count(query.offset)));
    Ok((sql, values))
}

/// Attempts on their way into the table, column by column.
pub(super) struct Rows<'a> {
    started: Vec<i64>,
    durations: Vec<i64>,
    delays: Vec<i64>,
    statuses: Vec<Option<i32>>,
    successes: Vec<bool>,
    advances: Vec<i64>,
    parked: Vec<bool>,
    failures: Vec<i32>,
    refusals: Vec<i32>,
    retries: Vec<Option<i64>>,
    revisions: Vec<i32>,
    request_ids: Vec<&'a str>,
    seqs: Vec<String>,
    event_types: Vec<String>,
    order_ids: Vec<String>,
    urls: Vec<Text<'a>>,
    request_headers: Vec<String>,
    response_headers: Vec<String>,
    responses: Vec<Option<Text<'a>>>,
    errors: Vec<Option<Text<'a>>>,
    entries: Vec<String>,
    checksums: Vec<i32>,
}

/// How many parameters [`Rows::values`] has.
const VALUES: usize = 22;

impl<'a> Rows<'a> {
    /// Of attempts with their endpoints.
    pub(super) fn new(
        attempts: &(impl Iterator<Item = (EndpointId, &'a NewAttempt)> + Clone),
    ) -> Result<Self, StoreError> {
        let all = || attempts.clone().map(|(_, attempt)| attempt);
        let time = |at: Timestamp| at.as_millisecond();
        let json = |text: fn(&NewAttempt) -> Result<String, StoreError>| {
            all().map(text).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            started: all().map(|a| time(a.started_at)).collect(),
            durations: all().map(|a| millis(a.duration)).collect(),
            delays: all().map(|a| millis(a.queue_delay)).collect(),
            statuses: all().map(|a| a.outcome.status.map(i32::from)).collect(),
            successes: all().map(NewAttempt::success).collect(),
            advances: all().map(|a| i64::from(a.advance)).collect(),
            parked: all().map(|a| a.park).collect(),
            failures: all().map(|a| small(a.failures)).collect(),
            refusals: all().map(|a| small(a.refusals)).collect(),
            retries: all().map(|a| a.retry_at.map(time)).collect(),
            revisions: all().map(|a| small(a.revision)).collect(),
            request_ids: all().map(|a| a.request_id.as_str()).collect(),
            seqs: all().map(|a| list(a.events.iter().map(|seq| signed(seq.0)))).collect(),
            event_types: all().map(|a| list(a.event_types.iter().map(|id| id.0))).collect(),
            order_ids: json(|a| to_json(&a.order_ids))?,
            urls: all().map(|a| Text(&a.url)).collect(),
            request_headers: json(|a| to_json(&a.request_headers))?,
            response_headers: json(|a| to_json(&a.outcome.response_headers))?,
            responses: all().map(|a| a.outcome.response.as_deref().map(Text)).collect(),
            errors: all().map(|a| a.outcome.error.as_deref().map(Text)).collect(),
            entries: all().map(|a| list(a.entries.iter().map(|place| signed(*place)))).collect(),
            checksums: attempts.clone().map(|(id, a)| checksum::of_attempt(id, a)).collect(),
        })
    }

    /// The statement that inserts attempts, with parameters from `$first` on, for the places `n` in the table
    /// `of` with their `endpoint_id`. The rows have `started_ms` and the `weight`.
    pub(super) fn insert(first: usize, of: &str) -> String {
        let types = [
            "int8", "int8", "int8", "int4", "bool", "int8", "bool", "int4", "int4", "int8", "int4",
            "text", "text", "text", "text", "text", "text", "text", "text", "text", "text", "int4",
        ];
        let arrays = (first..).zip(types).map(|(n, kind)| format!("${n}::{kind}[]"));
        let arrays: Vec<_> = arrays.collect();
        let names = COLUMNS.trim_start_matches("endpoint_id, ");
        let picked = names
            .replace("seqs", "seqs::int8[]")
            .replace("event_types", "event_types::int4[]")
            .replace("entries", "entries::int8[]");
        let overhead = first + VALUES;
        let qualified: Vec<_> = picked.split(", ").map(|name| format!("a.{name}")).collect();
        format!(
            "INSERT INTO attempts ({COLUMNS}) SELECT q.endpoint_id, {} FROM unnest({}) \
             WITH ORDINALITY AS a ({names}, n) JOIN {of} q ON q.n = a.n ORDER BY a.n \
             RETURNING started_ms, {WEIGHT} + ${overhead}::int8 AS weight",
            qualified.join(", "),
            arrays.join(", "),
        )
    }

    /// The parameters of [`Rows::insert`] but for the last, the overhead of a row.
    pub(super) fn values(&self) -> [Param<'_>; VALUES] {
        [
            &self.started,
            &self.durations,
            &self.delays,
            &self.statuses,
            &self.successes,
            &self.advances,
            &self.parked,
            &self.failures,
            &self.refusals,
            &self.retries,
            &self.revisions,
            &self.request_ids,
            &self.seqs,
            &self.event_types,
            &self.order_ids,
            &self.urls,
            &self.request_headers,
            &self.response_headers,
            &self.responses,
            &self.errors,
            &self.entries,
            &self.checksums,
        ]
    }
}

/// Numbers as PostgreSQL writes a list: an array of arrays of different lengths cannot be sent.
fn list(numbers: impl Iterator<Item = impl ToString>) -> String {
    let numbers: Vec<_> = numbers.map(|number| number.to_string()).collect();
    format!("{{{}}}", numbers.join(","))
}

pub(super) fn attempt(row: &Row) -> Result<Attempt, StoreError> {
    let duration = |column| row.unsigned(column).map(Duration::from_millis);
    let status: Option<i32> = row.get_as(4)?;
    let request_id = RequestId::parse(&row.text(12)?)
        .ok_or_else(|| StoreError::internal("a stored request id is damaged"))?;
    let (seqs, entries): (Vec<i64>, Vec<i64>) = (row.get_as(13)?, row.get_as(21)?);
    let event_types: Vec<i32> = row.get_as(14)?;
    let record = NewAttempt {
        request_id,
        revision: row.small(11)?,
        started_at: row.moment(1)?,
        duration: duration(2)?,
        queue_delay: duration(3)?,
        events: seqs.into_iter().map(|seq| Seq(seq.cast_unsigned())).collect(),
        entries: entries.into_iter().map(i64::cast_unsigned).collect(),
        event_types: event_types.into_iter().map(EventTypeId).collect(),
        order_ids: from_json(&row.text(15)?)?,
        advance: u32::try_from(row.unsigned(6)?).unwrap_or(u32::MAX),
        park: row.get_as(7)?,
        refusals: row.small(9)?,
        retry_at: row.moment_if(10)?,
        failures: row.small(8)?,
        url: row.text(16)?,
        request_headers: from_json(&row.text(17)?)?,
        outcome: Outcome {
            status: status.and_then(|status| u16::try_from(status).ok()),
            response_headers: from_json(&row.text(18)?)?,
            response: row.text_if(19)?,
            error: row.text_if(20)?,
        },
    };
    let endpoint = EndpointId(row.get_as(0)?);
    let attempt = Attempt { endpoint, success: row.get_as(5)?, record };
    Ok(checksum::checked_attempt(attempt, row.get_as(22)?))
}
