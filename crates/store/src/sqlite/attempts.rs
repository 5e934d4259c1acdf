//! The delivery log.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, RequestId, Seq, WorkspaceId};
use hookyard_core::model::{Attempt, NewAttempt, Outcome};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::rows::{count, from_json, millis, moment, signed, to_json};
use super::tx::Tx;
use super::{SqliteStore, codec, failed};
use crate::checksum;
use crate::page::{self, Filling};
use crate::retention::ROW_OVERHEAD;
use crate::{AttemptQuery, AttemptStore, Entity, Page, StoreError};

/// The columns for [`attempt`].
pub(super) const COLUMNS: &str = "endpoint_id, started_ms, duration_ms, queue_delay_ms, status, success, \
                       advance, failures, retry_ms, revision, request_id, seqs, event_types, \
                       order_ids, url, request_headers, response_headers, response, error, \
                       parked, refusals, entries, checksum";

#[async_trait]
impl AttemptStore for SqliteStore {
    async fn attempts(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        query: AttemptQuery,
    ) -> Result<Page<Attempt>, StoreError> {
        let owner = self.memory.endpoint(endpoint).filter(|e| e.workspace == workspace);
        owner.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        self.readers.read(move |conn| select(conn, endpoint, &query)).await
    }

    async fn attempt(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        request_id: &RequestId,
    ) -> Result<Option<Attempt>, StoreError> {
        let owner = self.memory.endpoint(endpoint).filter(|e| e.workspace == workspace);
        owner.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        let request_id = request_id.clone();
        self.readers.read(move |conn| find(conn, endpoint, &request_id)).await
    }
}

/// Whether an attempt with the same request id is in the log.
pub(super) fn is_recorded(
    conn: &Connection,
    endpoint: EndpointId,
    attempt: &NewAttempt,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM attempts WHERE endpoint_id = ?1 AND started_ms = ?2 \
               AND request_id = ?3)";
    let started = attempt.started_at.as_millisecond();
    let values = params![endpoint.0, started, attempt.request_id.as_str()];
    let found =
        conn.prepare_cached(sql).and_then(|mut sql| sql.query_row(values, |row| row.get(0)));
    found.map_err(failed)
}

/// Inserts an attempt; later attempts have higher ids.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    endpoint: EndpointId,
    attempt: &NewAttempt,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO attempts (id, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
         ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)"
    );
    let seqs = codec::encode(attempt.events.iter().map(|seq| seq.0));
    let request_headers = to_json(&attempt.request_headers)?;
    let response_headers = to_json(&attempt.outcome.response_headers)?;
    let entries = (!attempt.entries.is_empty()).then(|| codec::encode(attempt.entries.clone()));
    let texts = seqs.len()
        + attempt.url.len()
        + request_headers.len()
        + response_headers.len()
        + attempt.outcome.response.as_ref().map_or(0, String::len);
    let row = params![
        signed(tx.state.ids.attempt),
        endpoint.0,
        attempt.started_at.as_millisecond(),
        millis(attempt.duration),
        millis(attempt.queue_delay),
        attempt.outcome.status,
        attempt.success(),
        attempt.advance,
        attempt.failures,
        attempt.retry_at.map(Timestamp::as_millisecond),
        attempt.revision,
        attempt.request_id.as_str(),
        seqs,
        event_types_text(&attempt.event_types),
        to_json(&attempt.order_ids)?,
        attempt.url,
        request_headers,
        response_headers,
        attempt.outcome.response,
        attempt.outcome.error,
        attempt.park,
        attempt.refusals,
        entries,
        checksum::of_attempt(endpoint, attempt),
    ];
    tx.conn.prepare_cached(&sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
    tx.state.ids.attempt += 1;
    tx.state.ids.attempt_bytes += texts as u64 + ROW_OVERHEAD;
    Ok(())
}

/// `,3,22,`: the commas let a search find a single type.
fn event_types_text(types: &[EventTypeId]) -> String {
    let mut text = String::from(",");
    for id in types {
        // Writing to a string does not fail.
        let _ = write!(text, "{id},");
    }
    text
}

fn select(
    conn: &Connection,
    endpoint: EndpointId,
    query: &AttemptQuery,
) -> Result<Page<Attempt>, StoreError> {
    let (conditions, mut values) = conditions(endpoint, query)?;
    let columns = columns(query.brief);
    let sql = format!(
        "SELECT {columns} FROM attempts WHERE {conditions} ORDER BY started_ms DESC, id DESC \
         LIMIT ? OFFSET ?"
    );
    for bound in [page::read_for(query.limit), query.offset] {
        values.push(Value::Integer(count(bound)));
    }
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(failed)?;
    let mut page = Filling::new(query.limit);
    while let Some(row) = rows.next().map_err(failed)? {
        if !page.add(attempt(row)?) {
            break;
        }
    }
    Ok(page.done())
}

/// The columns to read of an attempt: a brief attempt has no request headers and no text of the answer.
fn columns(brief: bool) -> Cow<'static, str> {
    match brief {
        false => Cow::Borrowed(COLUMNS),
        true => Cow::Owned(
            COLUMNS
                .replace(
                    "request_headers, response_headers, response,",
                    "'[]', response_headers, NULL,",
                )
                // Without headers and text the checksum cannot be compared.
                .replace("checksum", "NULL"),
        ),
    }
}

fn find(
    conn: &Connection,
    endpoint: EndpointId,
    request_id: &RequestId,
) -> Result<Option<Attempt>, StoreError> {
    // The id contains the start of the attempt, and the index covers the start.
    let sql = format!(
        "SELECT {COLUMNS} FROM attempts WHERE endpoint_id = ?1 AND started_ms = ?2 \
         AND request_id = ?3 LIMIT 1"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let at = request_id.stamp().as_millisecond();
    let mut rows = statement.query(params![endpoint.0, at, request_id.as_str()]).map_err(failed)?;
    rows.next().map_err(failed)?.map(attempt).transpose()
}

/// The query as SQL with the values.
fn conditions(
    endpoint: EndpointId,
    query: &AttemptQuery,
) -> Result<(String, Vec<Value>), StoreError> {
    let mut sql = String::from("endpoint_id = ?");
    let mut values = vec![Value::Integer(endpoint.0.into())];
    let mut add = |condition: &str, value: Value| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(from) = query.from {
        add("started_ms >= ?", Value::Integer(from.as_millisecond()));
    }
    if let Some(until) = query.until {
        add("started_ms <= ?", Value::Integer(until.as_millisecond()));
    }
    if let Some(status) = query.status {
        add("status = ?", Value::Integer(status.into()));
    }
    if let Some(success) = query.success {
        add("success = ?", Value::Integer(success.into()));
    }
    if let Some(event_type) = query.event_type {
        add("instr(event_types, ?) > 0", Value::Text(format!(",{event_type},")));
    }
    if let Some(order_id) = &query.order_id {
        add("instr(order_ids, ?) > 0", Value::Text(to_json(order_id)?));
    }
    if let Some(duration) = query.duration_min {
        add("duration_ms >= ?", Value::Integer(millis(duration)));
    }
    Ok((sql, values))
}

fn attempt(row: &Row<'_>) -> Result<Attempt, StoreError> {
    attempt_from(row, 0)
}

/// An attempt from its [`COLUMNS`], which begin at column `at`, as written; or an attempt that reports
/// damage.
pub(super) fn attempt_from(row: &Row<'_>, at: usize) -> Result<Attempt, StoreError> {
    values(row, at).or_else(|error| {
        // The row is here, so only its content can be at fault.
        let id: Option<String> = row.get(at + 10).ok();
        let id = id.and_then(|text| RequestId::parse(&text)).ok_or(error)?;
        Ok(checksum::damaged_attempt(EndpointId(row.get(at).map_err(failed)?), id))
    })
}

fn values(row: &Row<'_>, at: usize) -> Result<Attempt, StoreError> {
    let text = |column: usize| row.get::<_, String>(at + column).map_err(failed);
    let number = |column: usize| row.get::<_, i64>(at + column).map_err(failed);
    let duration =
        |column| Ok::<_, StoreError>(Duration::from_millis(number(column)?.unsigned_abs()));
    let seqs = codec::decode(
        row.get_ref(at + 11).map_err(failed)?.as_blob().map_err(|e| failed(e.into()))?,
    )?;
    let entries: Option<Vec<u8>> = row.get(at + 21).map_err(failed)?;
    let request_id = RequestId::parse(&text(10)?)
        .ok_or_else(|| StoreError::internal("a stored request id is damaged"))?;
    let record = NewAttempt {
        request_id,
        revision: row.get(at + 9).map_err(failed)?,
        started_at: moment(number(1)?),
        duration: duration(2)?,
        queue_delay: duration(3)?,
        events: seqs.into_iter().map(Seq).collect(),
        entries: entries.as_deref().map(codec::decode).transpose()?.unwrap_or_default(),
        event_types: text(12)?.split(',').filter_map(|id| id.parse().ok()).collect(),
        order_ids: from_json(&text(13)?)?,
        advance: row.get(at + 6).map_err(failed)?,
        park: row.get(at + 19).map_err(failed)?,
        refusals: row.get(at + 20).map_err(failed)?,
        retry_at: row.get::<_, Option<i64>>(at + 8).map_err(failed)?.map(moment),
        failures: row.get(at + 7).map_err(failed)?,
        url: text(14)?,
        request_headers: from_json(&text(15)?)?,
        outcome: Outcome {
            status: row.get(at + 4).map_err(failed)?,
            response_headers: from_json(&text(16)?)?,
            response: row.get(at + 17).map_err(failed)?,
            error: row.get(at + 18).map_err(failed)?,
        },
    };
    let endpoint = EndpointId(row.get(at).map_err(failed)?);
    let attempt = Attempt { endpoint, success: row.get(at + 5).map_err(failed)?, record };
    Ok(checksum::checked_attempt(attempt, row.get(at + 22).map_err(failed)?))
}
