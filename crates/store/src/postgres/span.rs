//! Reading the journal's history for replays.

use hookyard_core::id::{EndpointId, Seq, WorkspaceId};
use hookyard_core::model::ReplayScope;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;

use super::columns::{Columns, Param, count, signed};
use super::database::Conn;
use super::journal_rows;
use crate::{EventFilter, Slice, Span, SpanLimit, StoreError};

/// How far the order of the journal's numbers and the order of the times of acceptance may differ: the time
/// is taken before the event waits for the transaction, and the clocks of two nodes differ. Events further
/// out of order may be missing from a replay of a range of time.
const DISORDER: SignedDuration = SignedDuration::from_mins(1);

/// The condition for a matching event of a span, with parameters $1 to $5: the workspace, the event types,
/// the moments, and the endpoint when only events missed by the endpoint count.
const QUALIFIES: &str = "j.workspace_id = $1 AND j.type_id = ANY($2) \
     AND ($3::int8 IS NULL OR j.accepted_ms >= $3) AND ($4::int8 IS NULL OR j.accepted_ms < $4) \
     AND ($5::int4 IS NULL OR NOT $5 = ANY(j.matched))";

/// The search.
pub(super) struct Search<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) endpoint: EndpointId,
    pub(super) scope: &'a ReplayScope,
}

impl Search<'_> {
    /// The whole part of the journal that may have a match.
    pub(super) async fn span(&self, conn: &Conn) -> Result<Span, StoreError> {
        let newest = journal_rows::newest(conn).await?;
        let after = match self.scope.from {
            Some(from) => first_since(conn, JOURNAL, earlier(from)).await?.saturating_sub(1),
            None => 0,
        };
        let last = match self.scope.until {
            Some(until) => first_since(conn, JOURNAL, later(until)).await?.saturating_sub(1),
            None => newest,
        };
        self.counted(conn, after.min(newest), last.min(newest)).await
    }

    /// The span between two numbers.
    pub(super) async fn counted(
        &self,
        conn: &Conn,
        after: u64,
        last: u64,
    ) -> Result<Span, StoreError> {
        let sql = format!(
            "SELECT coalesce(sum(n), 0)::int8 FROM unnest($2::int4[]) t CROSS JOIN LATERAL ( \
             SELECT count(*) AS n FROM journal j WHERE {QUALIFIES} \
             AND (j.workspace_id, j.type_id, j.seq) > ($1, t, $6) \
             AND (j.workspace_id, j.type_id, j.seq) <= ($1, t, $7)) of_type"
        );
        let (types, from, until, missed) = self.values();
        let (low, high) = (signed(after), signed(last));
        let values: [Param<'_>; 7] =
            [&self.workspace.0, &types, &from, &until, &missed, &low, &high];
        let total = conn.one(&sql, &values).await?.unsigned(0)?;
        Ok(Span { after: Seq(after), last: Seq(last), total })
    }

    fn values(&self) -> (Vec<i32>, Option<i64>, Option<i64>, Option<i32>) {
        let ReplayScope { event_types, from, until, rule: _, missed_only } = self.scope;
        let types = event_types.iter().map(|id| id.0).collect();
        let millis = |at: Timestamp| at.as_millisecond();
        (types, from.map(millis), until.map(millis), missed_only.then_some(self.endpoint.0))
    }

    /// The next piece of a span.
    pub(super) async fn examine(
        &self,
        conn: &Conn,
        span: Span,
        only: Option<EventFilter>,
        limit: SpanLimit,
    ) -> Result<Slice, StoreError> {
        let rows = self.candidates(conn, span, only.is_some(), limit.examined).await?;
        let mut slice =
            Slice { after: span.after, position: span.last, examined: 0, wanted: Vec::new() };
        if rows.len() == limit.examined
            && let Some(end) = rows.last()
        {
            slice.position = Seq(end.unsigned(1)?);
        }
        let examine = move || {
            for (place, row) in rows.iter().enumerate() {
                if !row.get_as::<bool>(0)? {
                    continue;
                }
                slice.examined += 1;
                let seq = Seq(row.unsigned(1)?);
                let passes = match &only {
                    Some(only) => only.wants(&journal_rows::event(row, 1)?),
                    None => true,
                };
                if passes {
                    slice.wanted.push(seq);
                }
                if slice.wanted.len() == limit.wanted && place + 1 < rows.len() {
                    slice.position = seq;
                    break;
                }
            }
            Ok(slice)
        };
        // The caller's test may take its time, and may block.
        tokio::task::spawn_blocking(examine)
            .await
            .map_err(|error| StoreError::Internal(error.into()))?
    }

    /// The first events of the scope's types with whether they count. The index is by type, so the first
    /// events of each type are merged.
    async fn candidates(
        &self,
        conn: &Conn,
        span: Span,
        whole: bool,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let columns = if whole { journal_rows::COLUMNS } else { "j.seq" };
        let sql = format!(
            "SELECT {QUALIFIES}, {columns} FROM ( \
             SELECT first.seq FROM unnest($2::int4[]) t CROSS JOIN LATERAL ( \
             SELECT i.seq FROM journal i WHERE i.seq > $6 AND i.seq <= $7 \
             AND (i.workspace_id, i.type_id, i.seq) > ($1, t, $6) \
             AND (i.workspace_id, i.type_id, i.seq) <= ($1, t, $7) \
             ORDER BY i.workspace_id, i.type_id, i.seq LIMIT $8) first \
             ORDER BY first.seq LIMIT $8) page JOIN journal j ON j.seq = page.seq ORDER BY j.seq"
        );
        let (types, from, until, missed) = self.values();
        let (low, high) = (signed(span.after.0), signed(span.last.0));
        let values: [Param<'_>; 8] =
            [&self.workspace.0, &types, &from, &until, &missed, &low, &high, &count(limit)];
        conn.query(&sql, &values).await
    }
}

/// The earliest place, as a time, of a row accepted at `at`.
pub(super) fn earlier(at: Timestamp) -> Timestamp {
    at.checked_sub(DISORDER).unwrap_or(Timestamp::MIN)
}

/// The latest place, as a time, of a row accepted at `at`.
pub(super) fn later(at: Timestamp) -> Timestamp {
    at.checked_add(DISORDER).unwrap_or(Timestamp::MAX)
}

/// Rows in the order of their numbers, nearly the order of a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    /// The lowest and the highest number.
    pub(super) ends: &'static str,
    /// The first row from a number on, with the row's time.
    pub(super) row: &'static str,
}

/// Events by acceptance.
pub(super) const JOURNAL: Timeline = Timeline {
    ends: "SELECT min(seq), max(seq) FROM journal",
    row: "SELECT seq, accepted_ms FROM journal WHERE seq >= $1 ORDER BY seq LIMIT 1",
};

/// Milliseconds between the first and the last event of a range of used numbers.
pub(super) async fn lasted(conn: &Conn, first: i64, until: i64) -> Result<i64, StoreError> {
    let sql = "SELECT (SELECT accepted_ms FROM journal WHERE seq >= $1 AND seq < $2 \
               ORDER BY seq LIMIT 1), (SELECT accepted_ms FROM journal WHERE seq >= $1 \
               AND seq < $2 ORDER BY seq DESC LIMIT 1)";
    let row = conn.one(sql, &[&first, &until]).await?;
    let (first, last): (Option<i64>, Option<i64>) = (row.get_as(0)?, row.get_as(1)?);
    Ok(last.unwrap_or_default() - first.unwrap_or_default())
}

/// The lowest number from which on times are at or after `at`, found by halving; the highest number plus one
/// when all times are earlier. Where times are out of order by less than a minute, the answer is off by no
/// more than a minute.
pub(super) async fn first_since(
    conn: &Conn,
    timeline: Timeline,
    at: Timestamp,
) -> Result<u64, StoreError> {
    let ends = conn.one(timeline.ends, &[]).await?;
    let (Some(mut low), Some(highest)) =
        (ends.get_as::<Option<i64>>(0)?, ends.get_as::<Option<i64>>(1)?)
    else {
        return Ok(0);
    };
    let mut high = highest + 1;
    while low < high {
        let middle = low + (high - low) / 2;
        match conn.opt(timeline.row, &[&middle]).await? {
            Some(row)
                if row.get_as::<i64>(0)? < high && row.get_as::<i64>(1)? < at.as_millisecond() =>
            {
                low = row.get_as::<i64>(0)? + 1;
            }
            _ => high = middle,
        }
    }
    Ok(low.cast_unsigned())
}
