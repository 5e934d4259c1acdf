//! Deliveries to sources, and the parts kept for inspection.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{
    BatchId, DatasetId, DeliveryId, EndpointId, RejectionId, Seq, SourceId, WorkspaceId,
};
use hookyard_core::model::{
    Cause, Delivery, KeptBody, KeptRequest, LoggedRejection, NewDelivery, NewRejection, Receipt,
    RefusedRequest, Rejection,
};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::PostgresStore;
use super::columns::{Columns, Json, Param, Text, count, from_json, paged, signed, to_json};
use super::database::Conn;
use super::datasets::{To, Took};
use super::{partitions, versions};
use crate::checksum::Sum;
use crate::page::{self as pages, Filling};
use crate::shares;
use crate::{
    Accepted, DELIVERIES_KEPT, Entity, Newest, Page, REFUSED_KEPT, REJECTIONS_FOR, REJECTIONS_KEPT,
    REPEATS_FOR, REPEATS_MAX, ReceivingStore, StoreError, sealed,
};

/// Entries deleted in one statement: some milliseconds.
const DELETED_AT_ONCE: i64 = 500;

/// The same for names, which are short. Before each deletion all names are counted, by an index.
const NAMES_AT_ONCE: i64 = 10_000;

/// The columns for [`delivery`].
const COLUMNS: &str = "d.id, d.received_ms, d.row_id, d.seq, d.method, d.query, d.headers, \
                       d.address, d.bytes";

/// The columns for [`rejection`].
const REJECTION: &str = "r.id, r.source_id, r.first_ms, r.last_ms, r.count, r.cause, r.detail, \
                         r.method, r.address, r.request IS NOT NULL";

/// Adds rows of one moment to a version. Returns the numbers, in the order of the cells. The number of a row
/// is mixed into the row's checksum.
const ADD_ROWS: &str = "INSERT INTO rows (id, version_id, received_ms, suspended, cell, checksum) \
     SELECT id, $1::int8, $2::int8, false, cell, checksum # (id & 2147483647)::int4 \
     FROM (SELECT nextval('row_ids') AS id, cell, checksum \
           FROM (SELECT cell, checksum FROM unnest($3::text[], $4::int4[]) WITH ORDINALITY \
                 r (cell, checksum, n) ORDER BY n) r) r RETURNING id";

#[async_trait]
impl ReceivingStore for PostgresStore {
    async fn accept(&self, delivery: NewDelivery, now: Timestamp) -> Result<Accepted, StoreError> {
        let NewDelivery { source, cell, event, repeat, request } = delivery;
        let job =
            super::datasets::Delivery { to: To::Source(source), cell, now, event, repeat, request };
        Ok(match self.receives.submit(job).await? {
            Took { repeated: true, .. } => Accepted::Repeat,
            Took { batch, event, .. } => Accepted::Stored { batch, event },
        })
    }

    async fn deliveries(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<DeliveryId>,
    ) -> Result<Page<Delivery>, StoreError> {
        // Numbers follow the order of time except for differing clocks; so both are compared.
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries d JOIN sources s ON s.id = d.source_id \
             WHERE d.source_id = $1 AND s.workspace_id = $2 AND ($3::int8 IS NULL OR \
             (d.received_ms, d.id) < ((SELECT received_ms FROM deliveries WHERE id = $3), $3)) \
             ORDER BY d.received_ms DESC, d.id DESC LIMIT $4"
        );
        let weight = "octet_length(query) + octet_length(headers)";
        let sql = paged(&sql, weight, "received_ms DESC, id DESC");
        let before = page.before.map(|id| signed(id.0));
        let conn = self.db.get().await?;
        let limit = count(pages::read_for(page.limit));
        let rows = conn.query(&sql, &[&source.0, &workspace.0, &before, &limit]).await?;
        Filling::of(page.limit, rows.iter().map(delivery))
    }

    async fn delivery(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Option<Bytes>)>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, d.body, d.in_row, r.cell FROM deliveries d \
             JOIN sources s ON s.id = d.source_id \
             LEFT JOIN LATERAL (SELECT r.cell FROM ( \
               SELECT version_id FROM datasets WHERE id = s.dataset_id UNION ALL \
               SELECT id FROM dataset_versions WHERE dataset_id = s.dataset_id) v \
               JOIN rows r ON r.version_id = v.version_id AND r.id = d.row_id LIMIT 1) r ON d.in_row \
             WHERE d.id = $1 AND d.source_id = $2 AND s.workspace_id = $3"
        );
        let conn = self.db.get().await?;
        let Some(row) = conn.opt(&sql, &[&signed(id.0), &source.0, &workspace.0]).await? else {
            return Ok(None);
        };
        let body = match row.get_as(10)? {
            true => row.json_if(11)?,
            false => row.get_as::<Option<&[u8]>>(9)?.map(Bytes::copy_from_slice),
        };
        Ok(Some((delivery(&row)?, body)))
    }

    async fn log_rejections(&self, lines: Vec<LoggedRejection>) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        let insert = "INSERT INTO rejections (source_id, first_ms, last_ms, count, cause, detail, \
                      method, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
        let put = "UPDATE rejections SET request = $2 WHERE id = $1";
        let mut sources = BTreeSet::new();
        for LoggedRejection { line, request } in &lines {
            let row = tx
                .one(
                    insert,
                    &[
                        &line.source.0,
                        &line.first_at.as_millisecond(),
                        &line.last_at.as_millisecond(),
                        &signed(line.count),
                        &line.cause.as_str(),
                        &Text(&line.detail),
                        &Text(&line.method),
                        &line.address.map(|address| address.to_string()),
                    ],
                )
                .await?;
            if let Some(request) = request {
                let id: i64 = row.get_as(0)?;
                tx.execute(put, &[&id, &self.seal_request(id, request)?]).await?;
            }
            sources.insert(line.source);
        }
        let delete = "DELETE FROM rejections WHERE source_id = $1 AND id <= (SELECT id \
                      FROM rejections WHERE source_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
        let forget = "UPDATE rejections SET request = NULL WHERE source_id = $1 \
                      AND request IS NOT NULL AND id <= (SELECT id FROM rejections \
                      WHERE source_id = $1 AND request IS NOT NULL \
                      ORDER BY id DESC LIMIT 1 OFFSET $2)";
        for source in sources {
            tx.execute(delete, &[&source.0, &signed(REJECTIONS_KEPT)]).await?;
            tx.execute(forget, &[&source.0, &signed(REFUSED_KEPT)]).await?;
        }
        tx.commit().await
    }

    async fn rejection(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: RejectionId,
    ) -> Result<Option<(Rejection, Option<RefusedRequest>)>, StoreError> {
        let sql = format!(
            "SELECT {REJECTION}, r.request FROM rejections r JOIN sources s ON s.id = r.source_id \
             WHERE r.id = $1 AND r.source_id = $2 AND s.workspace_id = $3"
        );
        let conn = self.db.get().await?;
        let Some(row) = conn.opt(&sql, &[&signed(id.0), &source.0, &workspace.0]).await? else {
            return Ok(None);
        };
        let request = row.get_as::<Option<&[u8]>>(10)?.map(|kept| {
            let text = self.vault.open(&sealed::rejection(signed(id.0)), kept)?;
            RefusedRequest::from_secret(&text).map_err(|error| StoreError::Internal(error.into()))
        });
        Ok(Some((rejection(&row)?, request.transpose()?)))
    }

    async fn append_rows(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        cells: Vec<Bytes>,
        repeat: Option<[u8; 16]>,
        now: Timestamp,
    ) -> Result<Option<Vec<BatchId>>, StoreError> {
        let append = || self.append_once((workspace, dataset), &cells, repeat, now);
        match append().await {
            Err(error) if partitions::missing(&error) => {
                partitions::make(self.db.get().await?, &[]).await?;
                append().await
            }
            appended => appended,
        }
    }

    async fn rejections(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        page: Newest<RejectionId>,
    ) -> Result<Vec<Rejection>, StoreError> {
        let sql = format!(
            "SELECT {REJECTION} FROM rejections r JOIN sources s ON s.id = r.source_id \
             WHERE r.source_id = $1 AND s.workspace_id = $2 AND r.id < $3 \
             ORDER BY r.id DESC LIMIT $4"
        );
        let before = page.before.map_or(i64::MAX, |id| signed(id.0));
        let conn = self.db.get().await?;
        let rows =
            conn.query(&sql, &[&source.0, &workspace.0, &before, &count(page.limit)]).await?;
        rows.iter().map(rejection).collect()
    }

    async fn land(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        endpoint: EndpointId,
        rows: Vec<(Seq, Bytes)>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let land = || self.land_once((workspace, dataset), endpoint, &rows, now);
        match land().await {
            Err(error) if partitions::missing(&error) => {
                partitions::make(self.db.get().await?, &[]).await?;
                land().await
            }
            landed => landed,
        }
    }

    async fn expire_inspection(&self, now: Timestamp) -> Result<u64, StoreError> {
        let conn = self.db.get().await?;
        let mut deleted = 0;
        let landed = "DELETE FROM landed WHERE (seq, endpoint_id) IN (SELECT seq, endpoint_id \
                      FROM landed WHERE seq < (SELECT min(seq) FROM journal) ORDER BY seq LIMIT $1)";
        deleted += conn.execute(landed, &[&DELETED_AT_ONCE]).await?;
        deleted += expire_names(&conn, now, REPEATS_MAX).await?;
        deleted += expire_deliveries(&conn, now).await?;
        forget_requests(&conn, now).await?;
        let rejections = "DELETE FROM rejections WHERE id IN (SELECT r.id FROM rejections r \
                          LEFT JOIN sources s ON s.id = r.source_id \
                          WHERE s.id IS NULL OR r.last_ms <= $1 LIMIT $2)";
        let oldest = now.checked_sub(REJECTIONS_FOR).unwrap_or(Timestamp::MIN).as_millisecond();
        deleted += conn.execute(rejections, &[&oldest, &DELETED_AT_ONCE]).await?;
        Ok(deleted)
    }
}

impl PostgresStore {
    /// Adds the rows of events that have not landed yet. Returns the number of rows.
    async fn land_once(
        &self,
        (workspace, dataset): (WorkspaceId, DatasetId),
        endpoint: EndpointId,
        rows: &[(Seq, Bytes)],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let tx = self.db.begin().await?;
        let sql = format!(
            "SELECT {} FROM datasets d WHERE d.id = $1 AND d.workspace_id = $2 FOR NO KEY UPDATE",
            versions::COLUMNS
        );
        let row = tx.opt(&sql, &[&dataset.0, &workspace.0]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Dataset))?;
        let (_, mut open) = versions::Open::read(&row, 0)?;
        let seqs: Vec<i64> = rows.iter().map(|(seq, _)| signed(seq.0)).collect();
        let sql = "INSERT INTO landed (seq, endpoint_id) SELECT DISTINCT seq, $2::int4 \
                   FROM unnest($1::int8[]) seq ON CONFLICT DO NOTHING RETURNING seq";
        let mut fresh = BTreeSet::new();
        for row in tx.query(sql, &[&seqs, &endpoint.0]).await? {
            fresh.insert(row.unsigned(0)?);
        }
        let at = now.as_millisecond();
        let (mut cells, mut sums) = (Vec::new(), Vec::new());
        for (seq, cell) in rows {
            // An event listed twice lands once.
            if fresh.remove(&seq.0) {
                open.add(cell.len(), at);
                cells.push(Json(cell));
                sums.push(Sum::of_row(at, cell).unnumbered());
            }
        }
        let sql = ADD_ROWS;
        tx.execute(sql, &[&signed(open.version().0), &at, &cells, &sums]).await?;
        versions::write(&tx, [(dataset, open)]).await?;
        tx.commit().await?;
        Ok(cells.len() as u64)
    }

    /// Adds rows that did not come before.
    async fn append_once(
        &self,
        (workspace, dataset): (WorkspaceId, DatasetId),
        cells: &[Bytes],
        repeat: Option<[u8; 16]>,
        now: Timestamp,
    ) -> Result<Option<Vec<BatchId>>, StoreError> {
        let tx = self.db.begin().await?;
        let sql = format!(
            "SELECT {} FROM datasets d WHERE d.id = $1 AND d.workspace_id = $2 FOR NO KEY UPDATE",
            versions::COLUMNS
        );
        let row = tx.opt(&sql, &[&dataset.0, &workspace.0]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Dataset))?;
        let (_, mut open) = versions::Open::read(&row, 0)?;
        if let Some(name) = repeat
            && new_names(&tx, &BTreeMap::from([(name, workspace)]), now).await?.is_empty()
        {
            return Ok(None);
        }
        let at = now.as_millisecond();
        let texts: Vec<_> = cells.iter().map(|cell| Json(cell)).collect();
        let sums: Vec<_> = cells.iter().map(|cell| Sum::of_row(at, cell).unnumbered()).collect();
        for cell in cells {
            open.add(cell.len(), at);
        }
        let sql = ADD_ROWS;
        let added = tx.query(sql, &[&signed(open.version().0), &at, &texts, &sums]).await?;
        let batches = added.iter().map(|row| row.unsigned(0).map(BatchId));
        let batches = batches.collect::<Result<_, _>>()?;
        versions::write(&tx, [(dataset, open)]).await?;
        tx.commit().await?;
        Ok(Some(batches))
    }

    fn seal_request(&self, id: i64, request: &RefusedRequest) -> Result<Vec<u8>, StoreError> {
        let text = request.to_secret().map_err(|error| StoreError::Internal(error.into()))?;
        self.vault.seal(&*self.entropy, &sealed::rejection(id), &text)
    }
}

/// Forgets the doctor's requests older than the source allows.
async fn forget_requests(conn: &Conn, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE rejections r SET request = NULL FROM sources s WHERE s.id = r.source_id \
               AND r.request IS NOT NULL AND r.last_ms <= $1::int8 - 1000 * \
               coalesce((s.options::jsonb ->> 'inspection_seconds')::int8, 0)";
    conn.execute(sql, &[&now.as_millisecond()]).await.map(drop)
}

/// Deletes some of the outdated names. Where all workspaces together have more than `most` names, also
/// deletes some of the oldest names of each workspace above its share.
pub(super) async fn expire_names(
    conn: &Conn,
    now: Timestamp,
    most: usize,
) -> Result<u64, StoreError> {
    let old = "DELETE FROM delivery_ids WHERE hash IN (SELECT hash FROM delivery_ids \
               WHERE received_ms <= $1 ORDER BY received_ms LIMIT $2)";
    let oldest = now.checked_sub(REPEATS_FOR).unwrap_or(Timestamp::MIN).as_millisecond();
    let mut deleted = conn.execute(old, &[&oldest, &NAMES_AT_ONCE]).await?;
    let sizes = "SELECT workspace_id, count(*) FROM delivery_ids GROUP BY workspace_id";
    let mut counts = Vec::new();
    for row in conn.query(sizes, &[]).await? {
        counts.push((row.get_as::<i32>(0)?, row.unsigned(1)?));
    }
    let all = counts.iter().map(|(_, count)| *count).collect();
    let Some(level) = shares::level(all, most as u64) else { return Ok(deleted) };
    let surplus = "DELETE FROM delivery_ids WHERE hash IN (SELECT hash FROM delivery_ids \
                   WHERE workspace_id = $1 ORDER BY received_ms LIMIT $2)";
    for (workspace, count) in counts {
        let beyond = signed(count.saturating_sub(level)).min(NAMES_AT_ONCE);
        if beyond > 0 {
            deleted += conn.execute(surplus, &[&workspace, &beyond]).await?;
        }
    }
    Ok(deleted)
}

/// Deletes deliveries older than the source allows, or beyond the source's bound.
async fn expire_deliveries(conn: &Conn, now: Timestamp) -> Result<u64, StoreError> {
    let sources = "SELECT t.source_id, s.options FROM (SELECT DISTINCT source_id \
                   FROM deliveries) t LEFT JOIN sources s ON s.id = t.source_id";
    let delete = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries \
                  WHERE source_id = $1 AND received_ms <= greatest($2::int8, (SELECT received_ms \
                  FROM deliveries WHERE source_id = $1 ORDER BY received_ms DESC LIMIT 1 OFFSET $3)) \
                  ORDER BY received_ms LIMIT $4)";
    let mut deleted = 0;
    for row in conn.query(sources, &[]).await? {
        let options: Option<hookyard_core::model::SourceOptions> =
            row.text_if(1)?.as_deref().map(from_json).transpose()?;
        let age = options.map_or(0, |options| options.inspection_seconds);
        let age = jiff::SignedDuration::from_secs(age.into());
        let oldest = now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond();
        let id: i32 = row.get_as(0)?;
        deleted += conn
            .execute(delete, &[&id, &oldest, &signed(DELIVERIES_KEPT), &DELETED_AT_ONCE])
            .await?;
    }
    Ok(deleted)
}

/// The new ones of these names, each in the share of a workspace. New names are noted as having come now.
pub(super) async fn new_names(
    tx: &Conn,
    names: &BTreeMap<[u8; 16], WorkspaceId>,
    now: Timestamp,
) -> Result<BTreeSet<[u8; 16]>, StoreError> {
    if names.is_empty() {
        return Ok(BTreeSet::new());
    }
    // In one order, so that two nodes with the same names do not deadlock.
    let sql = "INSERT INTO delivery_ids (hash, workspace_id, received_ms) \
               SELECT hash, workspace_id, $2 FROM (SELECT hash, workspace_id \
               FROM unnest($1::bytea[], $4::int4[]) n (hash, workspace_id) ORDER BY hash) n \
               ON CONFLICT (hash) DO UPDATE SET received_ms = excluded.received_ms, \
               workspace_id = excluded.workspace_id \
               WHERE delivery_ids.received_ms <= $3 RETURNING hash";
    let oldest = now.checked_sub(REPEATS_FOR).unwrap_or(Timestamp::MIN).as_millisecond();
    let hashes: Vec<&[u8]> = names.keys().map(<[u8; 16]>::as_slice).collect();
    let workspaces: Vec<i32> = names.values().map(|workspace| workspace.0).collect();
    let mut fresh = BTreeSet::new();
    for row in tx.query(sql, &[&hashes, &now.as_millisecond(), &oldest, &workspaces]).await? {
        let hash = <[u8; 16]>::try_from(row.get_as::<&[u8]>(0)?);
        fresh.insert(hash.map_err(|_| StoreError::internal("a stored hash is damaged"))?);
    }
    Ok(fresh)
}

/// A request kept for inspection, with its outcome.
pub(super) struct Kept<'a> {
    pub(super) source: SourceId,
    pub(super) request: &'a KeptRequest,
    pub(super) batch: Option<BatchId>,
    pub(super) event: Option<Receipt>,
    pub(super) at: Timestamp,
}

/// The body, where kept apart from the row.
fn own_body(request: &KeptRequest) -> Option<&[u8]> {
    match &request.body {
        KeptBody::Own(body) => Some(body),
        KeptBody::Cell | KeptBody::None => None,
    }
}

/// Keeps requests for inspection.
pub(super) async fn keep(tx: &Conn, kept: &[Kept<'_>]) -> Result<(), StoreError> {
    if kept.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO deliveries (source_id, received_ms, method, query, headers, address, \
               bytes, row_id, seq, in_row, body) SELECT source_id, received_ms, method, query, \
               headers, address, bytes, row_id, seq, in_row, body FROM unnest($1::int4[], \
               $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::int8[], \
               $9::int8[], $10::bool[], $11::bytea[]) WITH ORDINALITY AS d (source_id, received_ms, \
               method, query, headers, address, bytes, row_id, seq, in_row, body, n) ORDER BY n";
    let headers =
        kept.iter().map(|one| to_json(&one.request.headers)).collect::<Result<Vec<_>, _>>()?;
    let (all, requests) = (|| kept.iter(), || kept.iter().map(|one| one.request));
    let address = |request: &KeptRequest| request.address.map(|address| address.to_string());
    let batch = |one: &Kept<'_>| one.batch.map(|batch| signed(batch.0));
    let event = |one: &Kept<'_>| one.event.as_ref().map(|receipt| signed(receipt.seq.0));
    let in_row = |request: &KeptRequest| matches!(request.body, KeptBody::Cell);
    let values: [Param<'_>; 11] = [
        &all().map(|one| one.source.0).collect::<Vec<_>>(),
        &all().map(|one| one.at.as_millisecond()).collect::<Vec<_>>(),
        &requests().map(|request| Text(&request.method)).collect::<Vec<_>>(),
        &requests().map(|request| Text(&request.query)).collect::<Vec<_>>(),
        &headers.iter().map(|headers| Text(headers)).collect::<Vec<_>>(),
        &requests().map(address).collect::<Vec<_>>(),
        &requests().map(|request| signed(request.bytes)).collect::<Vec<_>>(),
        &all().map(batch).collect::<Vec<_>>(),
        &all().map(event).collect::<Vec<_>>(),
        &requests().map(in_row).collect::<Vec<_>>(),
        &requests().map(own_body).collect::<Vec<_>>(),
    ];
    tx.execute(sql, &values).await.map(drop)
}

fn delivery(row: &Row) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId(row.unsigned(0)?),
        received_at: row.moment(1)?,
        batch: row.get_as::<Option<i64>>(2)?.map(|id| BatchId(id.cast_unsigned())),
        event: row.get_as::<Option<i64>>(3)?.map(|seq| Seq(seq.cast_unsigned())),
        method: row.text(4)?,
        query: row.text(5)?,
        headers: from_json(&row.text(6)?)?,
        address: row.text_if(7)?.and_then(|text| text.parse().ok()),
        bytes: row.unsigned(8)?,
    })
}

fn rejection(row: &Row) -> Result<Rejection, StoreError> {
    let cause = Cause::parse(&row.text(5)?);
    let line = NewRejection {
        source: SourceId(row.get_as(1)?),
        first_at: row.moment(2)?,
        last_at: row.moment(3)?,
        count: row.unsigned(4)?,
        // A migration that takes a cause off the list also rewrites the lines with the cause.
        cause: cause.ok_or_else(|| StoreError::internal("a stored cause is not known"))?,
        detail: row.text(6)?,
        method: row.text(7)?,
        address: row.text_if(8)?.and_then(|text| text.parse().ok()),
    };
    Ok(Rejection { id: RejectionId(row.unsigned(0)?), line, has_request: row.get_as(9)? })
}
