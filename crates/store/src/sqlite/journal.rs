//! The journal.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, Seq, WorkspaceId};
use hookyard_core::model::{Event, NewEvent, Receipt};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::keys::{Key, id_hash};
use super::rows::{Raw, Text, count, is_damage, moment, signed, unsigned};
use super::tx::Tx;
use super::{SqliteStore, codec, failed, gaps, keys};
use crate::checksum::{self, Sum};
use crate::page::{self, Filling};
use crate::retention::ROW_OVERHEAD;
use crate::{CatalogStore, EventQuery, JournalStore, Page, StoreError};

/// The columns for [`event`].
pub(super) const COLUMNS: &str = "seq, workspace_id, type_id, accepted_ms, event_id, source, \
                                  attributes, object, matched, checksum";

#[async_trait]
impl JournalStore for SqliteStore {
    async fn append(
        &self,
        workspace: WorkspaceId,
        events: Vec<NewEvent>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError> {
        // Hashing is done here, on the caller's thread, to keep the writing thread short.
        let keyed: Vec<_> = events.into_iter().map(|event| keyed(workspace, event, now)).collect();
        let bytes = keyed.iter().map(|keyed| keyed.event.object.len()).sum();
        self.writer.grouped(bytes, move |tx| append(tx, workspace, keyed, now)).await
    }

    async fn events(
        &self,
        workspace: WorkspaceId,
        query: EventQuery,
    ) -> Result<Page<Arc<Event>>, StoreError> {
        let types: Vec<EventTypeId> = match query.event_type {
            Some(event_type) => vec![event_type],
            None => match self.catalogue(workspace).await {
                Ok(catalogue) => catalogue.iter().map(|(_, kind)| kind.id).collect(),
                Err(StoreError::NotFound(_)) => Vec::new(),
                Err(error) => return Err(error),
            },
        };
        self.readers.read(move |conn| list(conn, workspace, &types, &query)).await
    }

    async fn event(
        &self,
        workspace: WorkspaceId,
        id: &str,
        source: Option<&str>,
    ) -> Result<Option<Arc<Event>>, StoreError> {
        let (id, source) = (id.to_owned(), source.map(str::to_owned));
        // Events that leave memory before the look at the disk are on disk by then.
        let newest = self.memory.find_id(id_hash(workspace, &id));
        let find = move |conn: &Connection| find(conn, workspace, &id, source.as_deref(), &newest);
        self.readers.read(find).await
    }

    async fn events_by_seq(
        &self,
        workspace: WorkspaceId,
        seqs: &[Seq],
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        let events =
            self.load_up_to(workspace, seqs.iter().map(|seq| seq.0).collect(), usize::MAX).await?;
        Ok(events.into_iter().flatten().filter(|event| event.workspace == workspace).collect())
    }
}

impl SqliteStore {
    /// The first of a workspace's events with these numbers, from memory where possible, up to the event
    /// whose object fills `bytes`.
    pub(super) async fn load_up_to(
        &self,
        workspace: WorkspaceId,
        seqs: Vec<u64>,
        bytes: usize,
    ) -> Result<Vec<Option<Arc<Event>>>, StoreError> {
        let mut events = self.memory.recent(seqs.iter().copied());
        if events.iter().all(Option::is_some) {
            cut(&mut events, bytes);
            return Ok(events);
        }
        let read = move |conn: &Connection| {
            let mut room = bytes;
            for (place, seq) in seqs.into_iter().enumerate() {
                if events[place].is_none() {
                    events[place] = by_seq(conn, workspace, seq)?.map(Arc::new);
                }
                room = room.saturating_sub(object_bytes(events[place].as_ref()));
                if room == 0 {
                    events.truncate(place + 1);
                    break;
                }
            }
            Ok(events)
        };
        self.readers.read(read).await
    }
}

fn object_bytes(event: Option<&Arc<Event>>) -> usize {
    event.map_or(0, |event| event.object.len())
}

/// Leaves the first events, up to the event whose object fills `bytes`.
fn cut(events: &mut Vec<Option<Arc<Event>>>, bytes: usize) {
    let mut room = bytes;
    let last = events.iter().position(|event| {
        room = room.saturating_sub(object_bytes(event.as_ref()));
        room == 0
    });
    events.truncate(last.map_or(events.len(), |last| last + 1));
}

/// An event with everything prepared before the writing thread.
#[derive(Debug)]
pub(super) struct Keyed {
    /// The key for recognising a repeat.
    key: Key,
    /// The checksum for later reads.
    sum: Sum,
    pub(super) event: NewEvent,
}

/// Prepares an event and the key for recognising a repeat.
pub(super) fn keyed(workspace: WorkspaceId, event: NewEvent, now: Timestamp) -> Keyed {
    let key = Key::new(workspace, &event.id, &event.source);
    Keyed { key, sum: Sum::of_new_event(workspace, &event, now), event }
}

/// Appends events, and queues the events once the transaction is committed.
pub(super) fn append(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    events: Vec<Keyed>,
    now: Timestamp,
) -> Result<Vec<Receipt>, StoreError> {
    let mut receipts = Vec::with_capacity(events.len());
    let mut appended = Vec::with_capacity(events.len());
    let mut ids = Vec::with_capacity(events.len());
    let first = tx.state.ids.seq;
    let matched_at = events.iter().map(|keyed| keyed.event.matched_at).min().unwrap_or(u64::MAX);
    let bytes_before = tx.state.ids.journal_bytes;
    for Keyed { key, sum, event } in events {
        if let Some(first) = duplicate(tx, key, workspace, &event)? {
            receipts.push(first);
            continue;
        }
        let matched = u32::try_from(event.matched.len()).unwrap_or(u32::MAX);
        let (event, endpoints) = insert(tx, workspace, event, sum, now)?;
        tx.state.keys.push(workspace, event.seq.0, key);
        ids.push((event.seq.0, key));
        receipts.push(Receipt { seq: event.seq, matched, duplicate: false });
        appended.push((Arc::new(event), endpoints));
    }
    let next = tx.state.ids.seq;
    if next > first {
        for endpoint in tx.memory.enabled_since(workspace, matched_at) {
            gaps::prolong(tx, endpoint, first, next)?;
        }
    }
    let bytes = tx.state.ids.journal_bytes - bytes_before;
    tx.after_commit(move |memory| {
        memory.weigh(workspace, bytes);
        memory.enqueue(appended);
        memory.note_ids(ids);
    });
    Ok(receipts)
}

/// The receipt of an earlier event with the same identity.
fn duplicate(
    tx: &Tx<'_>,
    key: Key,
    workspace: WorkspaceId,
    event: &NewEvent,
) -> Result<Option<Receipt>, StoreError> {
    let Some(seq) = tx.state.keys.find(key) else { return Ok(None) };
    let first = by_seq(tx.conn, workspace, seq)?;
    // A damaged event can be published again.
    let same = |first: &Event| {
        first.workspace == workspace
            && !first.damaged
            && first.id == event.id
            && first.source == event.source
    };
    Ok(first.filter(same).map(|first| Receipt {
        seq: first.seq,
        matched: first.matched,
        duplicate: true,
    }))
}

fn insert(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    new: NewEvent,
    sum: Sum,
    now: Timestamp,
) -> Result<(Event, Vec<EndpointId>), StoreError> {
    let seq = tx.state.ids.seq;
    let sql = "INSERT INTO journal (seq, workspace_id, type_id, accepted_ms, event_id, source, \
               attributes, object, matched, checksum) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let matched = codec::encode(new.matched.iter().map(|id| u64::from(id.0.unsigned_abs())));
    let row = params![
        signed(seq),
        workspace.0,
        new.event_type.0,
        now.as_millisecond(),
        new.id,
        new.source,
        new.attributes,
        Text(&new.object),
        matched,
        sum.at(seq),
    ];
    tx.conn.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
    tx.state.ids.seq += 1;
    let texts = new.id.len() + new.source.len() + new.attributes.len() + new.object.len();
    tx.state.ids.journal_bytes += texts as u64 + ROW_OVERHEAD;
    let event = Event {
        seq: Seq(seq),
        workspace,
        accepted_at: moment(now.as_millisecond()),
        event_type: new.event_type,
        id: new.id,
        source: new.source,
        attributes: new.attributes,
        object: new.object,
        matched: u32::try_from(new.matched.len()).unwrap_or(u32::MAX),
        damaged: false,
    };
    Ok((event, new.matched))
}

/// A page of a workspace's events of some types. The index is by type, so the first events of each type are
/// merged.
fn list(
    conn: &Connection,
    workspace: WorkspaceId,
    types: &[EventTypeId],
    query: &EventQuery,
) -> Result<Page<Arc<Event>>, StoreError> {
    let order = if query.newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT seq FROM journal WHERE workspace_id = ?1 AND type_id = ?2 AND seq > ?3 \
         AND seq < ?4 ORDER BY seq {order} LIMIT ?5"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let after = query.after.map_or(0, |seq| signed(seq.0));
    let before = query.before.map_or(i64::MAX, |seq| signed(seq.0));
    let wanted = count(page::read_for(query.limit));
    let mut seqs: Vec<u64> = Vec::new();
    for event_type in types {
        let bounds = params![workspace.0, event_type.0, after, before, wanted];
        let found = statement.query_map(bounds, |row| unsigned(row, 0)).map_err(failed)?;
        for seq in found {
            seqs.push(seq.map_err(failed)?);
        }
    }
    seqs.sort_unstable();
    if query.newest_first {
        seqs.reverse();
    }
    seqs.truncate(page::read_for(query.limit));
    let events = seqs.into_iter().filter_map(|seq| by_seq(conn, workspace, seq).transpose());
    Filling::of(query.limit, events.map(|event| event.map(Arc::new)))
}

/// The newest event with the id. `newest` are the candidates since the last checkpoint.
fn find(
    conn: &Connection,
    workspace: WorkspaceId,
    id: &str,
    source: Option<&str>,
    newest: &[u64],
) -> Result<Option<Arc<Event>>, StoreError> {
    // A damaged event's id is known by the hash alone.
    let fits = |event: &Event| {
        event.workspace == workspace
            && (event.damaged || event.id == id)
            && source.is_none_or(|source| event.damaged || event.source == source)
    };
    for seq in newest {
        if let Some(event) = by_seq(conn, workspace, *seq)?.filter(&fits) {
            return Ok(Some(Arc::new(event)));
        }
    }
    let hash = id_hash(workspace, id);
    match find_stored(conn, workspace, hash, &fits)? {
        Some(event) => Ok(Some(event)),
        None => find_in_old_runs(conn, workspace, hash, &fits),
    }
}

/// Where the places of an id are in each run, the newest first.
const PARTS_OF: &str = "SELECT first_seq, places FROM event_ids WHERE part = ?1 \
                        ORDER BY first_seq DESC";

/// The newest event before the last checkpoint with the hash and a fitting id.
fn find_stored(
    conn: &Connection,
    workspace: WorkspaceId,
    hash: u64,
    fits: &impl Fn(&Event) -> bool,
) -> Result<Option<Arc<Event>>, StoreError> {
    let mut statement = conn.prepare_cached(PARTS_OF).map_err(failed)?;
    let mut runs = statement.query([keys::part(hash)]).map_err(failed)?;
    while let Some(run) = runs.next().map_err(failed)? {
        let first = unsigned(run, 0).map_err(failed)?;
        let part = run.get_ref(1).map_err(failed)?.as_blob().map_err(|e| failed(e.into()))?;
        for place in keys::places(part, hash) {
            if let Some(event) = by_seq(conn, workspace, first + u64::from(place))?.filter(fits) {
                return Ok(Some(Arc::new(event)));
            }
        }
    }
    Ok(None)
}

/// The same search in the runs written before ids had parts.
fn find_in_old_runs(
    conn: &Connection,
    workspace: WorkspaceId,
    hash: u64,
    fits: &impl Fn(&Event) -> bool,
) -> Result<Option<Arc<Event>>, StoreError> {
    let sql = "SELECT first_seq, hashes FROM event_keys \
               WHERE first_seq < (SELECT first_seq FROM event_ids_from) ORDER BY first_seq DESC";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let mut runs = statement.query([]).map_err(failed)?;
    while let Some(run) = runs.next().map_err(failed)? {
        let first = unsigned(run, 0).map_err(failed)?;
        let hashes = run.get_ref(1).map_err(failed)?.as_blob().map_err(|e| failed(e.into()))?;
        for (place, key) in keys::decode(hashes).enumerate().rev() {
            if key.id == hash
                && let Some(event) = by_seq(conn, workspace, first + place as u64)?.filter(fits)
            {
                return Ok(Some(Arc::new(event)));
            }
        }
    }
    Ok(None)
}

/// The event with the number, if the event is the workspace's.
pub(super) fn by_seq(
    conn: &Connection,
    workspace: WorkspaceId,
    seq: u64,
) -> Result<Option<Event>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM journal WHERE seq = ?1");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    match statement.query_row([signed(seq)], |row| event(row, workspace)).optional() {
        // An unreadable event must not keep the other events from anybody.
        Err(error) if is_damage(&error) => {
            Ok(Some(checksum::damaged_event(seq, workspace, EventTypeId(0))))
        }
        found => found.map_err(failed),
    }
}

/// An event from its [`COLUMNS`], as written; a `damaged` event counts as this workspace's.
pub(super) fn event(row: &Row<'_>, workspace: WorkspaceId) -> rusqlite::Result<Event> {
    let seq = unsigned(row, 0)?;
    let event = match values(row) {
        Ok((event, checksum)) => checksum::checked_event(event, checksum),
        Err(error) if is_damage(&error) => checksum::damaged_event(seq, workspace, EventTypeId(0)),
        Err(error) => return Err(error),
    };
    Ok(if event.damaged { Event { workspace, ..event } } else { event })
}

/// The values of the row, and the checksum.
fn values(row: &Row<'_>) -> rusqlite::Result<(Event, Option<i32>)> {
    let matched = codec::decode(row.get_ref(8)?.as_blob()?).unwrap_or_default();
    let event = Event {
        seq: Seq(unsigned(row, 0)?),
        workspace: WorkspaceId(row.get(1)?),
        event_type: EventTypeId(row.get(2)?),
        accepted_at: moment(row.get(3)?),
        id: row.get(4)?,
        source: row.get(5)?,
        attributes: row.get(6)?,
        object: row.get::<_, Raw>(7)?.0,
        matched: u32::try_from(matched.len()).unwrap_or(u32::MAX),
        damaged: false,
    };
    Ok((event, row.get(9)?))
}

#[cfg(test)]
mod tests {
    use hookyard_core::catalogue;
    use hookyard_core::entropy::SystemEntropy;
    use hookyard_core::id::ProjectId;
    use hookyard_core::model::{Project, Workspace};
    use tempfile::TempDir;

    use super::super::Options;
    use super::*;
    use crate::{NewWorkspace, Store as _, TenantStore};

    /// The instructions that finding an event by its id takes do not grow with the events: a run is one
    /// row of some hundred bytes.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_event_is_found_by_its_id_without_a_scan() {
        use rusqlite::StatementStatus::VmStep;

        let directory = TempDir::new().unwrap();
        let path = directory.path().join("hookyard.db");
        let entropy = Arc::new(SystemEntropy);
        let store = SqliteStore::open(Options { path: path.clone(), key: [7; 32], entropy });
        let store = store.unwrap();
        let ws = crate::contract::WS;
        store.create_workspace(crate::contract::new_workspace(ws, "DEMO")).await.unwrap();
        for from in (0..100_000).step_by(1_000) {
            let events = (from..from + 1_000).map(|n| crate::contract::event(n, &[])).collect();
            store.append(ws, events, Timestamp::UNIX_EPOCH).await.unwrap();
        }
        assert!(store.memory.find_id(id_hash(ws, "event-99999")).len() <= 1);
        for n in [0, 1, 54_321, 99_998, 99_999] {
            let id = format!("event-{n}");
            assert_eq!(store.event(ws, &id, None).await.unwrap().unwrap().id, id);
        }
        store.close().await.unwrap();

        let conn = Connection::open(path).unwrap();
        let hash = id_hash(ws, "event-1");
        conn.prepare_cached(PARTS_OF).unwrap().reset_status(VmStep);
        let found = find_stored(&conn, ws, hash, &|event| event.id == "event-1").unwrap();
        assert!(found.is_some());
        let steps = conn.prepare_cached(PARTS_OF).unwrap().get_status(VmStep);
        assert!(steps < 100, "{steps}");
        let bytes = "SELECT max(length(places)) FROM event_ids";
        let bytes: i64 = conn.query_row(bytes, [], |row| row.get(0)).unwrap();
        assert!(bytes < 2_000, "{bytes}");
    }

    const ID: WorkspaceId = WorkspaceId(1);

    fn open(directory: &TempDir) -> SqliteStore {
        let path = directory.path().join("hookyard.db");
        let entropy = Arc::new(SystemEntropy);
        SqliteStore::open(Options { path, key: [7; 32], entropy }).unwrap()
    }

    async fn begin(directory: &TempDir) -> SqliteStore {
        let store = open(directory);
        let new = NewWorkspace {
            workspace: Workspace { id: ID, merchant: "DEMO".into(), name: "demo".into() },
            project: Project { id: ProjectId(1), name: "demo".into() },
            catalogue: catalogue::initial().clone(),
            credentials: Vec::new(),
        };
        store.create_workspace(new).await.unwrap();
        store
    }

    fn event(number: usize) -> NewEvent {
        NewEvent {
            event_type: EventTypeId(22),
            id: format!("{number}"),
            source: "/shop".into(),
            attributes: String::new(),
            object: format!(r#"{{"text":"{}"}}"#, "x".repeat(989)).into(),
            matched: Vec::new(),
            matched_at: u64::MAX,
        }
    }

    #[tokio::test]
    async fn runs_of_before_have_no_workspaces_and_are_known_all_the_same() {
        let directory = TempDir::new().unwrap();
        let store = begin(&directory).await;
        let all = || (0..9).map(event).collect::<Vec<_>>();
        store.append(ID, all(), Timestamp::UNIX_EPOCH).await.unwrap();
        store.close().await.unwrap();
        let conn = Connection::open(directory.path().join("hookyard.db")).unwrap();
        let forgot = conn.execute("UPDATE event_keys SET workspaces = NULL", []).unwrap();
        assert_eq!(forgot, 1);
        drop(conn);
        let again = open(&directory).append(ID, all(), Timestamp::UNIX_EPOCH).await.unwrap();
        assert!(again.iter().all(|receipt| receipt.duplicate));
    }

    #[tokio::test]
    async fn no_more_is_loaded_than_was_asked_for() {
        let directory = TempDir::new().unwrap();
        let store = begin(&directory).await;
        let receipts = store.append(ID, (0..9).map(event).collect(), Timestamp::UNIX_EPOCH).await;
        let seqs: Vec<_> = receipts.unwrap().iter().map(|receipt| receipt.seq.0).collect();
        // From memory, and after a start from the file.
        for store in [store, open(&directory)] {
            for (bytes, loaded) in [(0, 1), (1_000, 1), (1_001, 2), (3_500, 4), (usize::MAX, 9)] {
                let events = store.load_up_to(ID, seqs.clone(), bytes).await.unwrap();
                assert_eq!(events.len(), loaded, "{bytes}");
                assert!(events.iter().all(Option::is_some));
            }
        }
    }
}
