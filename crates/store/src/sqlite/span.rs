//! Reading the journal's history for replays.

use hookyard_core::id::{EndpointId, EventTypeId, Seq, WorkspaceId};
use hookyard_core::model::ReplayScope;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{count, signed, unsigned};
use super::{codec, failed, journal};
use crate::{EventFilter, Slice, Span, SpanLimit, StoreError};

/// How far the order of the journal's numbers and the order of the times of acceptance may differ: the time
/// is taken before the event waits for the transaction, and a clock may be set back. Events further out of
/// order may be missing from a replay of a range of time.
const DISORDER: SignedDuration = SignedDuration::from_mins(1);

/// The search.
pub(super) struct Search<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) endpoint: EndpointId,
    pub(super) scope: &'a ReplayScope,
}

impl Search<'_> {
    /// The whole part of the journal that may have a match.
    pub(super) fn span(&self, conn: &Connection) -> Result<Span, StoreError> {
        let newest = newest(conn)?;
        let after = match self.scope.from {
            Some(from) => first_since(conn, JOURNAL, earlier(from))?.saturating_sub(1),
            None => 0,
        };
        let last = match self.scope.until {
            Some(until) => first_since(conn, JOURNAL, later(until))?.saturating_sub(1),
            None => newest,
        };
        self.counted(conn, after.min(newest), last.min(newest))
    }

    /// The span between two numbers.
    pub(super) fn counted(
        &self,
        conn: &Connection,
        after: u64,
        last: u64,
    ) -> Result<Span, StoreError> {
        let total = self.count(conn, after, last)?;
        Ok(Span { after: Seq(after), last: Seq(last), total })
    }

    fn count(&self, conn: &Connection, after: u64, last: u64) -> Result<u64, StoreError> {
        if self.scope.missed_only {
            return self.count_rows(conn, after, last);
        }
        // Events surely in the range of time are counted in the index; only the edges are examined.
        let low = match self.scope.from {
            Some(from) => first_since(conn, JOURNAL, later(from))?.clamp(after, last),
            None => after,
        };
        let high = match self.scope.until {
            Some(until) => {
                let first = first_since(conn, JOURNAL, earlier(until))?;
                first.saturating_sub(1).clamp(low, last)
            }
            None => last,
        };
        let edges = self.count_rows(conn, after, low)? + self.count_rows(conn, high, last)?;
        let sql = "SELECT count(*) FROM journal WHERE workspace_id = ?1 AND type_id = ?2 \
                   AND seq > ?3 AND seq <= ?4";
        let mut statement = conn.prepare_cached(sql).map_err(failed)?;
        let mut sum = edges;
        for event_type in &self.scope.event_types {
            let bounds = params![self.workspace.0, event_type.0, signed(low), signed(high)];
            sum += statement.query_row(bounds, |row| unsigned(row, 0)).map_err(failed)?;
        }
        Ok(sum)
    }

    fn count_rows(&self, conn: &Connection, after: u64, last: u64) -> Result<u64, StoreError> {
        let mut sum = 0;
        for event_type in &self.scope.event_types {
            for seq in self.seqs(conn, *event_type, after, last, usize::MAX)? {
                sum += u64::from(self.qualifies(conn, seq)?);
            }
        }
        Ok(sum)
    }

    /// The next piece of a span.
    pub(super) fn examine(
        &self,
        conn: &Connection,
        span: Span,
        only: Option<&EventFilter>,
        limit: SpanLimit,
    ) -> Result<Slice, StoreError> {
        let candidates = self.candidates(conn, span, limit.examined)?;
        let whole = candidates.len() < limit.examined;
        let mut slice =
            Slice { after: span.after, position: span.last, examined: 0, wanted: Vec::new() };
        if let (false, Some(end)) = (whole, candidates.last()) {
            slice.position = Seq(*end);
        }
        for (place, seq) in candidates.iter().enumerate() {
            if !self.qualifies(conn, *seq)? {
                continue;
            }
            slice.examined += 1;
            let passes = match only {
                Some(only) => journal::by_seq(conn, self.workspace, *seq)?
                    .is_some_and(|event| only.wants(&event)),
                None => true,
            };
            if passes {
                slice.wanted.push(Seq(*seq));
            }
            if slice.wanted.len() == limit.wanted && place + 1 < candidates.len() {
                slice.position = Seq(*seq);
                break;
            }
        }
        Ok(slice)
    }

    /// The first numbers of events of the scope's types. The index is by type, so the first numbers of each
    /// type are merged.
    fn candidates(
        &self,
        conn: &Connection,
        span: Span,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let mut all = Vec::new();
        for event_type in &self.scope.event_types {
            all.extend(self.seqs(conn, *event_type, span.after.0, span.last.0, limit)?);
        }
        all.sort_unstable();
        all.truncate(limit);
        Ok(all)
    }

    fn seqs(
        &self,
        conn: &Connection,
        event_type: EventTypeId,
        after: u64,
        last: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT seq FROM journal WHERE workspace_id = ?1 AND type_id = ?2 AND seq > ?3 \
                   AND seq <= ?4 ORDER BY seq LIMIT ?5";
        let mut statement = conn.prepare_cached(sql).map_err(failed)?;
        let bounds =
            params![self.workspace.0, event_type.0, signed(after), signed(last), count(limit)];
        let seqs = statement.query_map(bounds, |row| unsigned(row, 0)).map_err(failed)?;
        seqs.collect::<Result<_, _>>().map_err(failed)
    }

    /// Whether an event is in the range of time and, where the scope is missed events, was missed.
    fn qualifies(&self, conn: &Connection, seq: u64) -> Result<bool, StoreError> {
        let ReplayScope { event_types: _, from, until, rule: _, missed_only } = self.scope;
        if from.is_none() && until.is_none() && !missed_only {
            return Ok(true);
        }
        let sql = "SELECT accepted_ms, matched FROM journal WHERE seq = ?1";
        let mut statement = conn.prepare_cached(sql).map_err(failed)?;
        let read = |row: &Row<'_>| {
            let matched = row.get_ref(1)?.as_blob()?;
            Ok((row.get::<_, i64>(0)?, missed_only.then(|| matched.to_vec())))
        };
        let found = statement.query_row([signed(seq)], read).optional().map_err(failed)?;
        let Some((accepted_ms, matched)) = found else { return Ok(false) };
        if let Some(matched) = matched {
            let own = u64::from(self.endpoint.0.unsigned_abs());
            if codec::decode(&matched)?.contains(&own) {
                return Ok(false);
            }
        }
        Ok(from.is_none_or(|from| accepted_ms >= from.as_millisecond())
            && until.is_none_or(|until| accepted_ms < until.as_millisecond()))
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

/// The number of the newest event; 0 when there is none.
pub(super) fn newest(conn: &Connection) -> Result<u64, StoreError> {
    let newest: Option<i64> =
        conn.query_row("SELECT max(seq) FROM journal", [], |row| row.get(0)).map_err(failed)?;
    Ok(newest.unwrap_or_default().cast_unsigned())
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
    ends: "SELECT (SELECT min(seq) FROM journal), (SELECT max(seq) FROM journal)",
    row: "SELECT seq, accepted_ms FROM journal WHERE seq >= ?1 ORDER BY seq LIMIT 1",
};

/// The lowest number from which on times are at or after `at`, found by halving; the highest number plus one
/// when all times are earlier. Where times are out of order by less than a minute, the answer is off by no
/// more than a minute.
pub(super) fn first_since(
    conn: &Connection,
    timeline: Timeline,
    at: Timestamp,
) -> Result<u64, StoreError> {
    let ends = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
    let (Some(low), Some(high)) = conn.query_row(timeline.ends, [], ends).map_err(failed)? else {
        return Ok(0);
    };
    let mut statement = conn.prepare_cached(timeline.row).map_err(failed)?;
    let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let low = halve(low, high, at, |number| {
        statement.query_row([number], row).optional().map_err(failed)
    })?;
    Ok(low.cast_unsigned())
}

/// [`first_since`] over the rows that `first_from` finds: the first row from a number on, with the row's
/// time.
pub(super) fn halve(
    low: i64,
    high: i64,
    at: Timestamp,
    mut first_from: impl FnMut(i64) -> Result<Option<(i64, i64)>, StoreError>,
) -> Result<i64, StoreError> {
    let (mut low, mut high) = (low, high + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match first_from(middle)? {
            Some((found, time_ms)) if found < high && time_ms < at.as_millisecond() => {
                low = found + 1;
            }
            _ => high = middle,
        }
    }
    Ok(low)
}
