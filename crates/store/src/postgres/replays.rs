//! Replays.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, ReplayId, Seq, WorkspaceId};
use hookyard_core::model::{Replay, ReplayProgress, ReplayScope, ReplayState};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::columns::{Columns, count, from_json, signed, to_json};
use super::database::Conn;
use super::queue_rows::{self, POSITION, backlog};
use super::span::Search;
use super::{PostgresStore, audit, gaps, journal_rows, nodes, requeue};
use crate::backlog::{Backlog, Origin};
use crate::replays::{self, REPLAYS_CLOSED_KEPT, StoredReplay, state};
use crate::{
    Entity, EventFilter, Ready, ReplayChange, ReplayStore, Slice, Span, SpanLimit, StoreError,
};

/// The columns for [`stored`], of the table `p`, before the queue's columns.
const COLUMNS: &str = "p.id, p.workspace_id, p.endpoint_id, p.created_ms, p.state, p.scope, \
                       p.position, p.last, p.total, p.examined, p.queued";

/// Where the queue's columns begin.
const QUEUE: usize = 11;

/// A row.
struct Stored {
    replay: StoredReplay,
    /// The endpoint's queue.
    queue: Backlog,
}

impl Stored {
    fn endpoint(&self) -> EndpointId {
        self.replay.replay.endpoint
    }
}

#[async_trait]
impl ReplayStore for PostgresStore {
    fn replays_due(&self) -> Arc<Ready> {
        Arc::clone(&self.replays)
    }

    async fn replay_span(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: &ReplayScope,
    ) -> Result<Span, StoreError> {
        let conn = self.db.get().await?;
        self.own_endpoint(&conn, workspace, endpoint).await?;
        Search { workspace, endpoint, scope }.span(&conn).await
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
        let conn = self.db.get().await?;
        Search { workspace, endpoint, scope }.examine(&conn, span, only, limit).await
    }

    async fn start_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: ReplayScope,
        now: Timestamp,
    ) -> Result<Replay, StoreError> {
        let span = self.replay_span(workspace, endpoint, &scope).await?;
        let tx = self.db.begin().await?;
        hold(&tx, workspace, endpoint).await?;
        let replay = start(&tx, workspace, endpoint, &scope, span, now).await?;
        tx.commit().await?;
        self.replays.mark([endpoint]);
        Ok(replay)
    }

    async fn recover(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_types: Vec<EventTypeId>,
        now: Timestamp,
    ) -> Result<Vec<Replay>, StoreError> {
        let scope = replays::missed(event_types);
        let tx = self.db.begin().await?;
        if hold(&tx, workspace, endpoint).await? {
            return Err(replays::must_be_enabled());
        }
        let mut started = Vec::new();
        for gap in gaps::closed(&tx, endpoint).await? {
            let search = Search { workspace, endpoint, scope: &scope };
            let span = search.counted(&tx, gap.first.saturating_sub(1), gap.last).await?;
            if gaps::forget(&tx, endpoint, gap).await? && span.total > 0 {
                started.push(start(&tx, workspace, endpoint, &scope, span, now).await?);
            }
        }
        tx.commit().await?;
        self.replays.mark([endpoint]);
        Ok(started)
    }

    async fn replays(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
    ) -> Result<Vec<Replay>, StoreError> {
        let conn = self.db.get().await?;
        self.own_endpoint(&conn, workspace, endpoint).await?;
        let sql = select("p.endpoint_id = $1 ORDER BY p.id DESC");
        let rows = conn.query(&sql, &[&endpoint.0]).await?;
        rows.iter().map(|row| stored(row).map(shown)).collect()
    }

    async fn change_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
        change: ReplayChange,
    ) -> Result<Replay, StoreError> {
        let tx = self.db.begin().await?;
        self.own_endpoint(&tx, workspace, endpoint).await?;
        let stored = find(&tx, id).await?.filter(|stored| stored.endpoint() == endpoint);
        let stored = stored.ok_or(StoreError::NotFound(Entity::Replay))?;
        let Some(target) = stored.replay.changed(change)? else { return Ok(shown(stored)) };
        tx.execute("UPDATE replays SET state = $2 WHERE id = $1", &[&id.0, &target]).await?;
        let detail = replays::about_change(endpoint, target);
        audit::note(&tx, workspace, "replay.change", id, &detail).await?;
        tx.commit().await?;
        self.replays.mark([endpoint]);
        let replay = StoredReplay { state: target.to_owned(), ..stored.replay };
        Ok(shown(Stored { replay, ..stored }))
    }

    async fn due_replay(
        &self,
        endpoint: EndpointId,
    ) -> Result<Option<(WorkspaceId, Replay)>, StoreError> {
        let sql = select("p.endpoint_id = $1 AND p.state = $2 ORDER BY p.id LIMIT 1");
        let row = self.db.get().await?.opt(&sql, &[&endpoint.0, &state::RUNNING]).await?;
        let Some(row) = row else { return Ok(None) };
        let stored = stored(&row)?;
        if stored.queue.replays() {
            return Ok(None);
        }
        Ok(Some((stored.replay.workspace, shown(stored))))
    }

    async fn queue_slice(
        &self,
        id: ReplayId,
        slice: Slice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        journal_rows::lock(&tx).await?;
        let stored = find(&tx, id).await?.ok_or(StoreError::NotFound(Entity::Replay))?;
        let endpoint = stored.endpoint();
        let queue = queue_rows::locked(&tx, endpoint).await?;
        let queue = queue.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        let state = stored.replay.queued(&slice, queue.replays())?;
        let seqs: Vec<u64> = slice.wanted.iter().map(|seq| seq.0).collect();
        let origin = Some((Origin::Replay(id), now));
        requeue::queue_again(&tx, endpoint, &queue, origin, &seqs).await?;
        let sql = "UPDATE replays SET state = $2, position = $3, examined = examined + $4, \
                   queued = queued + $5 WHERE id = $1";
        let (position, examined) = (signed(slice.position.0), signed(slice.examined));
        tx.execute(sql, &[&id.0, &state, &position, &examined, &count(seqs.len())]).await?;
        nodes::tell_owner(&tx, self.node, endpoint).await?;
        tx.commit().await?;
        match seqs.is_empty() {
            // No delivery will follow to ask for the next slice.
            true => self.replays.mark([endpoint]),
            false => self.ready.mark([endpoint]),
        }
        Ok(())
    }
}

/// Locks the endpoint against new replays by other transactions. Returns whether the endpoint is disabled.
async fn hold(tx: &Conn, workspace: WorkspaceId, endpoint: EndpointId) -> Result<bool, StoreError> {
    let sql = "SELECT disabled FROM endpoints WHERE id = $1 AND workspace_id = $2 FOR UPDATE";
    let row = tx.opt(sql, &[&endpoint.0, &workspace.0]).await?;
    row.ok_or(StoreError::NotFound(Entity::Endpoint))?.get_as(0)
}

/// Inserts a replay, and drops the oldest replay that nobody waits for.
async fn start(
    tx: &Conn,
    workspace: WorkspaceId,
    endpoint: EndpointId,
    scope: &ReplayScope,
    span: Span,
    now: Timestamp,
) -> Result<Replay, StoreError> {
    let open = "SELECT count(*) FROM replays WHERE endpoint_id = $1 AND state = ANY($2)";
    let unfinished: &[&str] = &[state::RUNNING, state::PAUSED];
    let open: i64 = tx.one(open, &[&endpoint.0, &unfinished]).await?.get_as(0)?;
    replays::may_start(open)?;
    let forget = "DELETE FROM replays WHERE id IN (SELECT id FROM replays WHERE endpoint_id = $1 \
                  AND state = ANY($2) ORDER BY id DESC OFFSET $3)";
    let closed: &[&str] = &[state::CANCELLED, state::QUEUED];
    tx.execute(forget, &[&endpoint.0, &closed, &count(REPLAYS_CLOSED_KEPT)]).await?;
    let sql = "INSERT INTO replays (workspace_id, endpoint_id, created_ms, state, scope, position, \
               last, total, examined, queued) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0) \
               RETURNING id";
    let (after, last, total) = (signed(span.after.0), signed(span.last.0), signed(span.total));
    let created = now.as_millisecond();
    let text = to_json(scope)?;
    let row = tx
        .one(
            sql,
            &[&workspace.0, &endpoint.0, &created, &state::RUNNING, &text, &after, &last, &total],
        )
        .await?;
    let id = ReplayId(row.get_as(0)?);
    let detail = replays::about_start(endpoint, scope, span);
    audit::note(tx, workspace, "replay.start", id, &detail).await?;
    let stored = find(tx, id).await?;
    stored.map(shown).ok_or(StoreError::NotFound(Entity::Replay))
}

/// Endpoints with a running replay.
pub(super) async fn running(conn: &Conn) -> Result<Vec<EndpointId>, StoreError> {
    let sql = "SELECT DISTINCT endpoint_id FROM replays WHERE state = 'running'";
    let rows = conn.query(sql, &[]).await?;
    rows.iter().map(|row| row.get_as(0).map(EndpointId)).collect()
}

/// The lowest number that a running replay has still to examine.
pub(super) async fn first_awaited(conn: &Conn) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT min(position) + 1 FROM replays WHERE state = 'running'";
    let first: Option<i64> = conn.one(sql, &[]).await?.get_as(0)?;
    Ok(first.map(i64::cast_unsigned))
}

/// A replay, locked against changes until the transaction ends.
async fn find(tx: &Conn, id: ReplayId) -> Result<Option<Stored>, StoreError> {
    let sql = select("p.id = $1 FOR UPDATE OF p");
    tx.opt(&sql, &[&id.0]).await?.as_ref().map(stored).transpose()
}

fn select(condition: &str) -> String {
    format!(
        "SELECT {COLUMNS}, {POSITION} FROM replays p JOIN queues q \
         ON q.endpoint_id = p.endpoint_id WHERE {condition}"
    )
}

fn stored(row: &Row) -> Result<Stored, StoreError> {
    let progress = ReplayProgress {
        total: row.unsigned(8)?,
        examined: row.unsigned(9)?,
        queued: row.unsigned(10)?,
        delivered: 0,
    };
    let replay = Replay {
        id: ReplayId(row.get_as(0)?),
        endpoint: EndpointId(row.get_as(2)?),
        created_at: row.moment(3)?,
        scope: from_json(&row.text(5)?)?,
        state: ReplayState::Running,
        progress,
        position: Seq(row.unsigned(6)?),
        last: Seq(row.unsigned(7)?),
    };
    let workspace = WorkspaceId(row.get_as(1)?);
    let replay = StoredReplay { workspace, state: row.text(4)?, replay };
    Ok(Stored { replay, queue: backlog(row, QUEUE)? })
}

/// A replay with the queue's part.
fn shown(Stored { replay, queue }: Stored) -> Replay {
    let undelivered = queue.undelivered(replay.replay.id);
    replay.shown(undelivered)
}
