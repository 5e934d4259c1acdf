//! Replays.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, ReplayId, Seq, WorkspaceId};
use hookyard_core::model::{Replay, ReplayProgress, ReplayScope, ReplayState};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::memory::{Memory, lock};
use super::rows::{count, from_json, moment, signed, to_json, unsigned};
use super::span::Search;
use super::tx::Tx;
use super::{SqliteStore, audit, failed, gaps, queue};
use crate::backlog::Origin;
use crate::gaps::Gap;
use crate::replays::{self, REPLAYS_CLOSED_KEPT, StoredReplay, state};
use crate::{
    Entity, EventFilter, Ready, ReplayChange, ReplayStore, Slice, Span, SpanLimit, StoreError,
};

/// The columns for [`stored`].
const COLUMNS: &str = "id, workspace_id, endpoint_id, created_ms, state, scope, position, last, total, examined, queued";

#[async_trait]
impl ReplayStore for SqliteStore {
    fn replays_due(&self) -> Arc<Ready> {
        Arc::clone(&self.memory.replays)
    }

    async fn replay_span(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: &ReplayScope,
    ) -> Result<Span, StoreError> {
        self.own_endpoint(workspace, endpoint)?;
        let scope = scope.clone();
        let read =
            move |conn: &Connection| Search { workspace, endpoint, scope: &scope }.span(conn);
        self.readers.read(read).await
    }

    async fn examine(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: &ReplayScope,
        span: Span,
        only: Option<EventFilter>,
        limit: SpanLimit,
    ) -> Result<Slice, StoreError> {
        let scope = scope.clone();
        let read = move |conn: &Connection| {
            let search = Search { workspace, endpoint, scope: &scope };
            search.examine(conn, span, only.as_ref(), limit)
        };
        self.readers.read(read).await
    }

    async fn start_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: ReplayScope,
        now: Timestamp,
    ) -> Result<Replay, StoreError> {
        let span = self.replay_span(workspace, endpoint, &scope).await?;
        let start = move |tx: &mut Tx<'_>| {
            own_endpoint(tx.memory, workspace, endpoint)?;
            start(tx, workspace, endpoint, &scope, span, now)
        };
        self.writer.alone(start).await
    }

    async fn recover(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_types: Vec<EventTypeId>,
        now: Timestamp,
    ) -> Result<Vec<Replay>, StoreError> {
        self.own_endpoint(workspace, endpoint)?;
        let scope = replays::missed(event_types);
        let search_scope = scope.clone();
        let read = move |conn: &Connection| {
            let search = Search { workspace, endpoint, scope: &search_scope };
            let closed = gaps::closed(conn, endpoint)?;
            let counted = |gap: Gap| {
                let span = search.counted(conn, gap.first.saturating_sub(1), gap.last)?;
                Ok((gap, span))
            };
            closed.into_iter().map(counted).collect::<Result<Vec<_>, StoreError>>()
        };
        let missed = self.readers.read(read).await?;
        let start = move |tx: &mut Tx<'_>| recover(tx, workspace, endpoint, &scope, missed, now);
        self.writer.alone(start).await
    }

    async fn replays(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
    ) -> Result<Vec<Replay>, StoreError> {
        self.own_endpoint(workspace, endpoint)?;
        // On the writing thread: elsewhere a slice could be seen in the row before the queue has the slice,
        // and would pass for delivered.
        let read = move |tx: &mut Tx<'_>| {
            let all = list(tx.conn, endpoint)?.into_iter();
            Ok(all.map(|stored| shown(tx.memory, stored)).collect())
        };
        self.writer.alone(read).await
    }

    async fn change_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
        change: ReplayChange,
    ) -> Result<Replay, StoreError> {
        let job = move |tx: &mut Tx<'_>| {
            own_endpoint(tx.memory, workspace, endpoint)?;
            change_replay(tx, workspace, endpoint, id, change)
        };
        self.writer.alone(job).await
    }

    async fn due_replay(
        &self,
        endpoint: EndpointId,
    ) -> Result<Option<(WorkspaceId, Replay)>, StoreError> {
        let Some(queue) = self.memory.queue(endpoint) else { return Ok(None) };
        if lock(&queue).replays() {
            return Ok(None);
        }
        let memory = Arc::clone(&self.memory);
        let read = move |conn: &Connection| {
            let all = list(conn, endpoint)?.into_iter().rev();
            let mut running = all.filter(|stored| stored.state == state::RUNNING);
            let next = running.next();
            Ok(next.map(|stored| (stored.workspace, shown(&memory, stored))))
        };
        self.readers.read(read).await
    }

    async fn queue_slice(
        &self,
        id: ReplayId,
        slice: Slice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer.alone(move |tx| queue_slice(tx, id, &slice, now)).await
    }
}

impl SqliteStore {
    fn own_endpoint(&self, workspace: WorkspaceId, id: EndpointId) -> Result<(), StoreError> {
        own_endpoint(&self.memory, workspace, id)
    }
}

fn own_endpoint(memory: &Memory, workspace: WorkspaceId, id: EndpointId) -> Result<(), StoreError> {
    let own = memory.endpoint(id).filter(|endpoint| endpoint.workspace == workspace);
    own.map(drop).ok_or(StoreError::NotFound(Entity::Endpoint))
}

/// Inserts a replay, and drops the oldest replay that nobody waits for.
fn start(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    endpoint: EndpointId,
    scope: &ReplayScope,
    span: Span,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    let open = "SELECT count(*) FROM replays WHERE endpoint_id = ?1 AND state IN (?2, ?3)";
    let open: i64 = tx
        .conn
        .query_row(open, params![endpoint.0, state::RUNNING, state::PAUSED], |row| row.get(0))
        .map_err(failed)?;
    replays::may_start(open)?;
    let forget = "DELETE FROM replays WHERE id IN (SELECT id FROM replays WHERE endpoint_id = ?1 \
                  AND state IN (?2, ?3) ORDER BY id DESC LIMIT -1 OFFSET ?4)";
    let kept = count(REPLAYS_CLOSED_KEPT);
    let closed = params![endpoint.0, state::CANCELLED, state::QUEUED, kept];
    tx.conn.execute(forget, closed).map_err(failed)?;
    let sql = "INSERT INTO replays (workspace_id, endpoint_id, created_ms, state, scope, position, \
               last, total, examined, queued) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0)";
    let row = params![
        workspace.0,
        endpoint.0,
        now.as_millisecond(),
        state::RUNNING,
        to_json(scope)?,
        signed(span.after.0),
        signed(span.last.0),
        signed(span.total),
    ];
    tx.conn.execute(sql, row).map_err(failed)?;
    let id = i32::try_from(tx.conn.last_insert_rowid())
        .map_err(|_| StoreError::internal("replay numbers are used up"))?;
    let detail = replays::about_start(endpoint, scope, span);
    audit::note(tx.conn, workspace, "replay.start", id, &detail)?;
    tx.after_commit(move |memory| memory.replays.mark([endpoint]));
    let stored = find(tx.conn, ReplayId(id))?.ok_or(StoreError::NotFound(Entity::Replay))?;
    Ok(shown(tx.memory, stored))
}

fn recover(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    endpoint: EndpointId,
    scope: &ReplayScope,
    missed: Vec<(Gap, Span)>,
    now: Timestamp,
) -> Result<Vec<Replay>, StoreError> {
    let current = tx.memory.endpoint(endpoint).ok_or(StoreError::NotFound(Entity::Endpoint))?;
    if current.settings.disabled {
        return Err(replays::must_be_enabled());
    }
    let mut replays = Vec::new();
    for (gap, span) in missed {
        if gaps::forget(tx.conn, endpoint, gap)? && span.total > 0 {
            replays.push(start(tx, workspace, endpoint, scope, span, now)?);
        }
    }
    Ok(replays)
}

fn change_replay(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    endpoint: EndpointId,
    id: ReplayId,
    change: ReplayChange,
) -> Result<Replay, StoreError> {
    let stored = find(tx.conn, id)?.filter(|stored| stored.replay.endpoint == endpoint);
    let stored = stored.ok_or(StoreError::NotFound(Entity::Replay))?;
    let Some(target) = stored.changed(change)? else { return Ok(shown(tx.memory, stored)) };
    let sql = "UPDATE replays SET state = ?2 WHERE id = ?1";
    tx.conn.execute(sql, params![id.0, target]).map_err(failed)?;
    let detail = replays::about_change(endpoint, target);
    audit::note(tx.conn, workspace, "replay.change", id, &detail)?;
    tx.after_commit(move |memory| memory.replays.mark([endpoint]));
    Ok(shown(tx.memory, StoredReplay { state: target.to_owned(), ..stored }))
}

fn queue_slice(
    tx: &mut Tx<'_>,
    id: ReplayId,
    slice: &Slice,
    now: Timestamp,
) -> Result<(), StoreError> {
    let stored = find(tx.conn, id)?.ok_or(StoreError::NotFound(Entity::Replay))?;
    let endpoint = stored.replay.endpoint;
    let queue = tx.memory.queue(endpoint).ok_or(StoreError::NotFound(Entity::Endpoint))?;
    let state = stored.queued(slice, lock(&queue).replays())?;
    let seqs: Vec<u64> = slice.wanted.iter().map(|seq| seq.0).collect();
    queue::queue_again(tx, endpoint, Origin::Replay(id), &seqs, now)?;
    let sql = "UPDATE replays SET state = ?2, position = ?3, examined = examined + ?4, \
               queued = queued + ?5 WHERE id = ?1";
    let row =
        params![id.0, state, signed(slice.position.0), signed(slice.examined), count(seqs.len()),];
    tx.conn.execute(sql, row).map_err(failed)?;
    if seqs.is_empty() {
        // No delivery will follow to ask for the next slice.
        tx.after_commit(move |memory| memory.replays.mark([endpoint]));
    }
    Ok(())
}

/// Endpoints with a running replay.
pub(super) fn running(conn: &Connection) -> Result<Vec<EndpointId>, StoreError> {
    let sql = "SELECT DISTINCT endpoint_id FROM replays WHERE state = ?1";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let ids =
        statement.query_map([state::RUNNING], |row| row.get(0).map(EndpointId)).map_err(failed)?;
    ids.collect::<Result<_, _>>().map_err(failed)
}

/// The lowest number that a running replay has still to examine.
pub(super) fn first_awaited(conn: &Connection) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT min(position) + 1 FROM replays WHERE state = ?1";
    let first: Option<i64> =
        conn.query_row(sql, [state::RUNNING], |row| row.get(0)).map_err(failed)?;
    Ok(first.map(i64::cast_unsigned))
}

/// An endpoint's replays, newest first.
fn list(conn: &Connection, endpoint: EndpointId) -> Result<Vec<StoredReplay>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM replays WHERE endpoint_id = ?1 ORDER BY id DESC");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query([endpoint.0]).map_err(failed)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        all.push(stored(row)?);
    }
    Ok(all)
}

fn find(conn: &Connection, id: ReplayId) -> Result<Option<StoredReplay>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM replays WHERE id = ?1");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    statement.query_row([id.0], |row| Ok(stored(row))).optional().map_err(failed)?.transpose()
}

fn stored(row: &Row<'_>) -> Result<StoredReplay, StoreError> {
    let number = |column| unsigned(row, column).map_err(failed);
    let scope: String = row.get(5).map_err(failed)?;
    let progress = ReplayProgress {
        total: number(8)?,
        examined: number(9)?,
        queued: number(10)?,
        delivered: 0,
    };
    let replay = Replay {
        id: ReplayId(row.get(0).map_err(failed)?),
        endpoint: EndpointId(row.get(2).map_err(failed)?),
        created_at: moment(row.get(3).map_err(failed)?),
        scope: from_json(&scope)?,
        state: ReplayState::Running,
        progress,
        position: Seq(number(6)?),
        last: Seq(number(7)?),
    };
    let workspace = WorkspaceId(row.get(1).map_err(failed)?);
    Ok(StoredReplay { workspace, state: row.get(4).map_err(failed)?, replay })
}

/// A replay with the queue's part.
fn shown(memory: &Memory, stored: StoredReplay) -> Replay {
    let queue = memory.queue(stored.replay.endpoint);
    let undelivered = queue.map_or(0, |queue| lock(&queue).undelivered(stored.replay.id));
    stored.shown(undelivered)
}
