//! Deliveries to sources.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{
    BatchId, DatasetId, DeliveryId, EndpointId, RejectionId, Seq, SourceId, WorkspaceId,
};
use hookyard_core::model::{
    Delivery, LoggedRejection, Mode, NewDelivery, RefusedRequest, Rejection,
};
use jiff::Timestamp;

use super::deliveries::{self, Kept};
use super::journal::{self, keyed};
use super::pack::{self, Stored};
use super::tx::Tx;
use super::{SqliteStore, datasets, inspection, landing, versions};
use crate::{Accepted, Entity, Newest, Page, ReceivingStore, StoreError};

#[async_trait]
impl ReceivingStore for SqliteStore {
    async fn accept(&self, delivery: NewDelivery, now: Timestamp) -> Result<Accepted, StoreError> {
        let source = self.memory.source(delivery.source);
        let workspace = source.ok_or(StoreError::NotFound(Entity::Source))?.spec.workspace;
        let NewDelivery { source, cell, event, repeat, request } = delivery;
        // Hashing, compressing and writing JSON is done here, on the caller's thread.
        let stored = match &cell {
            Some(cell) => Some(pack::stored(cell.clone()).await?),
            None => None,
        };
        let kept = match request {
            Some(request) => Some(Kept::new(request, cell.as_ref().zip(stored.as_ref())).await?),
            None => None,
        };
        let event = event.map(|event| keyed(workspace, event, now));
        let prepared = Prepared { source, workspace, repeat, event, cell: stored, kept };
        let bytes = prepared.bytes();
        self.writer.grouped(bytes, move |tx| accept(tx, prepared, now)).await
    }

    async fn deliveries(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<DeliveryId>,
    ) -> Result<Page<Delivery>, StoreError> {
        if !self.owns(workspace, source) {
            return Ok(Page::EMPTY);
        }
        self.readers.read(move |conn| deliveries::page(conn, source, page)).await
    }

    async fn delivery(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Option<Bytes>)>, StoreError> {
        if !self.owns(workspace, source) {
            return Ok(None);
        }
        self.readers.read(move |conn| deliveries::one(conn, source, id)).await
    }

    async fn log_rejections(&self, lines: Vec<LoggedRejection>) -> Result<(), StoreError> {
        let (vault, entropy) = (Arc::clone(&self.vault), Arc::clone(&self.entropy));
        self.writer.alone(move |tx| inspection::log(tx, &vault, &*entropy, lines)).await
    }

    async fn rejection(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: RejectionId,
    ) -> Result<Option<(Rejection, Option<RefusedRequest>)>, StoreError> {
        if !self.owns(workspace, source) {
            return Ok(None);
        }
        let vault = Arc::clone(&self.vault);
        self.readers.read(move |conn| inspection::one(conn, &vault, source, id)).await
    }

    async fn append_rows(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        cells: Vec<Bytes>,
        repeat: Option<[u8; 16]>,
        now: Timestamp,
    ) -> Result<Option<Vec<BatchId>>, StoreError> {
        let mut rows = Vec::with_capacity(cells.len());
        for cell in cells {
            rows.push(pack::stored(cell).await?);
        }
        let bytes = rows.iter().map(|cell| cell.written().len()).sum();
        let job = move |tx: &mut Tx<'_>| {
            if !datasets::owns(tx.conn, workspace, dataset)? {
                return Err(StoreError::NotFound(Entity::Dataset));
            }
            if repeat.is_some_and(|hash| tx.state.repeats.knows(hash, now)) {
                return Ok(None);
            }
            let add = |cell| versions::add_row(tx, dataset, Mode::Combine, cell, now);
            let batches = rows.into_iter().map(add).collect::<Result<_, _>>()?;
            note_repeat(tx, workspace, repeat, now)?;
            Ok(Some(batches))
        };
        self.writer.grouped(bytes, job).await
    }

    async fn rejections(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<RejectionId>,
    ) -> Result<Vec<Rejection>, StoreError> {
        if !self.owns(workspace, source) {
            return Ok(Vec::new());
        }
        self.readers.read(move |conn| inspection::page(conn, source, page)).await
    }

    async fn land(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        endpoint: EndpointId,
        rows: Vec<(Seq, Bytes)>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut cells = Vec::with_capacity(rows.len());
        for (seq, cell) in rows {
            cells.push((seq, pack::stored(cell).await?));
        }
        let bytes = cells.iter().map(|(_, cell)| cell.written().len()).sum();
        let job =
            move |tx: &mut Tx<'_>| landing::land(tx, workspace, dataset, endpoint, cells, now);
        self.writer.grouped(bytes, job).await
    }

    async fn expire_inspection(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.writer.alone(move |tx| inspection::expire(tx, now)).await
    }
}

impl SqliteStore {
    fn owns(&self, workspace: WorkspaceId, source: SourceId) -> bool {
        self.memory.source(source).is_some_and(|source| source.spec.workspace == workspace)
    }
}

/// A delivery with everything prepared before its turn to be written.
struct Prepared {
    source: SourceId,
    workspace: WorkspaceId,
    repeat: Option<[u8; 16]>,
    event: Option<journal::Keyed>,
    cell: Option<Stored>,
    kept: Option<Kept>,
}

impl Prepared {
    /// The bytes to write, roughly.
    fn bytes(&self) -> usize {
        let cell = self.cell.as_ref().map_or(0, |cell| cell.written().len());
        let event = self.event.as_ref().map_or(0, |keyed| keyed.event.object.len());
        cell + event + self.kept.as_ref().map_or(0, Kept::bytes)
    }
}

fn accept(tx: &mut Tx<'_>, new: Prepared, now: Timestamp) -> Result<Accepted, StoreError> {
    let source = tx.memory.source(new.source).ok_or(StoreError::NotFound(Entity::Source))?;
    if new.repeat.is_some_and(|hash| tx.state.repeats.knows(hash, now)) {
        return Ok(Accepted::Repeat);
    }
    let batch = match new.cell {
        Some(cell) => Some(versions::add_row(tx, source.dataset, source.spec.mode, cell, now)?),
        None => None,
    };
    note_repeat(tx, new.workspace, new.repeat, now)?;
    let event = match new.event {
        Some(event) => journal::append(tx, new.workspace, vec![event], now)?.pop(),
        None => None,
    };
    if let Some(kept) = new.kept {
        deliveries::keep(tx, new.source, kept, (batch, event), now)?;
    }
    Ok(Accepted::Stored { batch, event })
}

/// Notes the key that recognises a repeated delivery.
fn note_repeat(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    repeat: Option<[u8; 16]>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(hash) = repeat else { return Ok(()) };
    let id = tx.state.ids.repeat;
    tx.state.repeats.add(tx.conn, workspace, id, hash, now)?;
    tx.state.ids.repeat += 1;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Poll;

    use bytes::Bytes;
    use hookyard_core::entropy::SystemEntropy;
    use hookyard_core::model::{KeptBody, KeptRequest};
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::super::Options;
    use super::*;
    use crate::SharedStore;
    use crate::contract::{self, Fixture};

    struct Directory(TempDir);

    #[async_trait]
    impl Fixture for Directory {
        async fn open(&self) -> SharedStore {
            let path = self.0.path().join("hookyard.db");
            let entropy = Arc::new(SystemEntropy);
            Arc::new(SqliteStore::open(Options { path, key: [7; 32], entropy }).unwrap())
        }
    }

    fn delivery(source: SourceId, number: u32) -> NewDelivery {
        let body = Bytes::from(number.to_string());
        let request = KeptRequest {
            method: "POST".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            address: None,
            bytes: body.len() as u64,
            body: KeptBody::Own(body.clone()),
        };
        NewDelivery { source, cell: Some(body), event: None, repeat: None, request: Some(request) }
    }

    /// Sends so many deliveries at once, all of which wait for the same commit to end, and counts
    /// what was written: transactions, rows, and chunks of what is kept for inspection.
    async fn written(mode: Mode, deliveries: u32) -> [i64; 3] {
        let place = Directory(TempDir::new().unwrap());
        let store = contract::open(&place).await;
        let new = contract::new_source(mode, "key");
        let source = store.create_source(new, contract::at(0)).await.unwrap().id;
        let conn = Connection::open(place.0.path().join("hookyard.db")).unwrap();
        // A transaction writes its dataset once, whatever it does to it.
        conn.execute_batch(
            "CREATE TABLE seen (what TEXT);
             CREATE TRIGGER t AFTER UPDATE ON datasets BEGIN INSERT INTO seen VALUES ('t'); END;
             CREATE TRIGGER r AFTER INSERT ON rows BEGIN INSERT INTO seen VALUES ('r'); END;
             CREATE TRIGGER c AFTER INSERT ON delivery_chunks
                 BEGIN INSERT INTO seen VALUES ('c'); END;
             BEGIN IMMEDIATE",
        )
        .unwrap();
        // The writer waits for this connection, and the deliveries for the writer.
        let waiting = Arc::new(AtomicU32::new(0));
        let sent = (0..deliveries).map(|number| {
            let (store, waiting) = (Arc::clone(&store), Arc::clone(&waiting));
            tokio::spawn(async move {
                let mut accepting = store.accept(delivery(source, number), contract::at(1));
                let first = poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
                assert!(first.is_pending());
                waiting.fetch_add(1, Ordering::Relaxed);
                accepting.await
            })
        });
        let sent: Vec<_> = sent.collect();
        while waiting.load(Ordering::Relaxed) < deliveries {
            tokio::task::yield_now().await;
        }
        conn.execute_batch("COMMIT").unwrap();
        for sent in sent {
            assert!(matches!(sent.await.unwrap().unwrap(), Accepted::Stored { .. }));
        }
        ["t", "r", "c"].map(|what| {
            let sql = "SELECT count(*) FROM seen WHERE what = ?1";
            conn.query_row(sql, [what], |row| row.get(0)).unwrap()
        })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_small_deliveries_share_commits() {
        let [transactions, rows, chunks] = written(Mode::Combine, 400).await;
        // What came before the writer waited, and all the others.
        assert!(transactions <= 2, "{transactions} transactions");
        assert_eq!(rows, 400);
        assert!(chunks <= transactions + 400 / 128, "{chunks} chunks");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_that_are_replaced_in_the_same_commit_are_not_written() {
        let [transactions, rows, chunks] = written(Mode::Replace, 400).await;
        assert!(transactions <= 2, "{transactions} transactions");
        // The one that is seen and the ten earlier versions that are kept.
        assert!(rows <= transactions * 11, "{rows} rows in {transactions} transactions");
        assert!(chunks <= transactions + 400 / 128, "{chunks} chunks");
    }
}
