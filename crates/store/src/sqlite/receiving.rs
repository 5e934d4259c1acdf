//! Deliveries to sources.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{
    BatchId, DatasetId, DeliveryId, EndpointId, RejectionId, Seq, SourceId, WorkspaceId,
};
use hookyard_core::model::{
    Delivery, KeptBody, KeptRequest, LoggedRejection, Mode, NewDelivery, Receipt, RefusedRequest,
    Rejection,
};
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::journal::{self, keyed};
use super::rows::{Raw, count, from_json, moment, signed, to_json, unsigned};
use super::writer::Tx;
use super::{SqliteStore, dataset_rows, datasets, failed, inspection, landing, versions};
use crate::{Accepted, Entity, Newest, ReceivingStore, StoreError};

#[async_trait]
impl ReceivingStore for SqliteStore {
    async fn accept(&self, delivery: NewDelivery, now: Timestamp) -> Result<Accepted, StoreError> {
        let source = self.memory.source(delivery.source);
        let workspace = source.ok_or(StoreError::NotFound(Entity::Source))?.spec.workspace;
        let NewDelivery { source, cell, event, repeat, request } = delivery;
        // Hashing and writing JSON is done here, on the caller's thread.
        let prepared = Prepared {
            source,
            workspace,
            repeat,
            event: event.map(|event| keyed(workspace, event)),
            headers: match &request {
                Some(request) => to_json(&request.headers)?,
                None => String::new(),
            },
            cell,
            request,
        };
        let bytes = prepared.bytes();
        self.writer.grouped(bytes, move |tx| accept(tx, prepared, now)).await
    }

    async fn deliveries(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<DeliveryId>,
    ) -> Result<Vec<Delivery>, StoreError> {
        if !self.owns(workspace, source) {
            return Ok(Vec::new());
        }
        // Numbers are in the order of time but for a clock that was set back; so both are compared.
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries WHERE source_id = ?1 AND (?2 IS NULL OR \
             (received_ms, id) < ((SELECT received_ms FROM deliveries WHERE id = ?2), ?2)) \
             ORDER BY received_ms DESC, id DESC LIMIT ?3"
        );
        let read = move |conn: &Connection| {
            let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
            let before = page.before.map(|id| signed(id.0));
            let own = params![source.0, before, count(page.limit)];
            let rows = statement.query_map(own, delivery).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        };
        self.readers.read(read).await
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
        self.readers.read(move |conn| one(conn, source, id)).await
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
        let bytes = cells.iter().map(Bytes::len).sum();
        let job = move |tx: &mut Tx<'_>| {
            if !datasets::owns(tx.conn, workspace, dataset)? {
                return Err(StoreError::NotFound(Entity::Dataset));
            }
            if repeat.is_some_and(|hash| tx.state.repeats.knows(hash, now)) {
                return Ok(None);
            }
            let add = |cell: &Bytes| versions::add_row(tx, dataset, Mode::Combine, cell, now);
            let batches = cells.iter().map(add).collect::<Result<_, _>>()?;
            note_repeat(tx, repeat, now)?;
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
        let bytes = rows.iter().map(|(_, cell)| cell.len()).sum();
        let job =
            move |tx: &mut Tx<'_>| landing::land(tx, workspace, dataset, endpoint, &rows, now);
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

/// A delivery with all that can be worked out before its turn to be written.
struct Prepared {
    source: SourceId,
    workspace: WorkspaceId,
    repeat: Option<[u8; 16]>,
    event: Option<journal::Keyed>,
    headers: String,
    cell: Option<Bytes>,
    request: Option<KeptRequest>,
}

impl Prepared {
    /// What is written, roughly.
    fn bytes(&self) -> usize {
        let cell = self.cell.as_ref().map_or(0, Bytes::len);
        let event = if self.event.is_some() { cell } else { 0 };
        let body = match self.request.as_ref().map(|request| &request.body) {
            Some(KeptBody::Own(body)) => body.len(),
            Some(KeptBody::Cell | KeptBody::None) | None => 0,
        };
        cell + event + body + self.headers.len()
    }
}

fn accept(tx: &mut Tx<'_>, new: Prepared, now: Timestamp) -> Result<Accepted, StoreError> {
    let source = tx.memory.source(new.source).ok_or(StoreError::NotFound(Entity::Source))?;
    if new.repeat.is_some_and(|hash| tx.state.repeats.knows(hash, now)) {
        return Ok(Accepted::Repeat);
    }
    let batch = match &new.cell {
        Some(cell) => Some(versions::add_row(tx, source.dataset, source.spec.mode, cell, now)?),
        None => None,
    };
    note_repeat(tx, new.repeat, now)?;
    let event = match new.event {
        Some(event) => journal::append(tx, new.workspace, vec![event], now)?.pop(),
        None => None,
    };
    if let Some(request) = new.request {
        keep(tx, new.source, &request, &new.headers, (batch, event), now)?;
    }
    Ok(Accepted::Stored { batch, event })
}

/// Notes what a delivery is known again by.
fn note_repeat(
    tx: &mut Tx<'_>,
    repeat: Option<[u8; 16]>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(hash) = repeat else { return Ok(()) };
    let id = tx.state.ids.repeat;
    tx.state.repeats.add(tx.conn, id, hash, now)?;
    tx.state.ids.repeat += 1;
    Ok(())
}

fn keep(
    tx: &mut Tx<'_>,
    source: SourceId,
    request: &KeptRequest,
    headers: &str,
    (batch, event): (Option<BatchId>, Option<Receipt>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO deliveries (id, source_id, received_ms, method, query, headers, address, \
               bytes, row_id, seq, in_row, body) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let (in_row, body) = match &request.body {
        KeptBody::Cell => (true, None),
        KeptBody::Own(body) => (false, Some(&body[..])),
        KeptBody::None => (false, None),
    };
    let row = params![
        signed(tx.state.ids.delivery),
        source.0,
        now.as_millisecond(),
        request.method,
        request.query,
        headers,
        request.address.map(|address| address.to_string()),
        signed(request.bytes),
        batch.map(|batch| signed(batch.0)),
        event.map(|receipt| signed(receipt.seq.0)),
        in_row,
        body,
    ];
    tx.conn.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
    tx.state.ids.delivery += 1;
    Ok(())
}

/// What [`delivery`] reads.
const COLUMNS: &str = "deliveries.id, deliveries.received_ms, row_id, seq, method, query, headers, \
                       address, bytes";

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let headers: String = row.get(6)?;
    let damaged = |error: StoreError| {
        rusqlite::Error::FromSqlConversionFailure(6, Type::Text, error.to_string().into())
    };
    let address: Option<String> = row.get(7)?;
    Ok(Delivery {
        id: DeliveryId(unsigned(row, 0)?),
        received_at: moment(row.get(1)?),
        batch: row.get::<_, Option<i64>>(2)?.map(|id| BatchId(id.cast_unsigned())),
        event: row.get::<_, Option<i64>>(3)?.map(|seq| Seq(seq.cast_unsigned())),
        method: row.get(4)?,
        query: row.get(5)?,
        headers: from_json(&headers).map_err(damaged)?,
        address: address.and_then(|text| text.parse().ok()),
        bytes: unsigned(row, 8)?,
    })
}

fn one(
    conn: &Connection,
    source: SourceId,
    id: DeliveryId,
) -> Result<Option<(Delivery, Option<Bytes>)>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS}, body, in_row FROM deliveries WHERE id = ?1 AND source_id = ?2");
    let read = |row: &Row<'_>| {
        let body = row.get::<_, Option<Raw>>(9)?.map(|body| body.0);
        Ok((delivery(row)?, body, row.get::<_, bool>(10)?))
    };
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let found = statement.query_row(params![signed(id.0), source.0], read).optional();
    let Some((delivery, own, in_row)) = found.map_err(failed)? else { return Ok(None) };
    let body = match delivery.batch.filter(|_| in_row) {
        Some(batch) => dataset_rows::cell(conn, batch)?,
        None => own,
    };
    Ok(Some((delivery, body)))
}
