//! Deliveries kept for inspection.
//!
//! The deliveries of one transaction and one source are written together, as *chunks*. A chunk is one row in
//! one tree, however many deliveries there are. The headers of the deliveries are nearly alike, so they
//! compress to a tenth. A chunk has the deliveries' heads, as JSON, and the bodies that are not the cell of a
//! row.

use std::net::IpAddr;

use bytes::Bytes;
use hookyard_core::id::{BatchId, DeliveryId, Seq, SourceId};
use hookyard_core::model::{Delivery, Header, KeptBody, KeptRequest, Receipt};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::open::Chunk;
use super::pack::{self, PACKED_FROM, Stored};
use super::rows::{moment, signed, to_json, unsigned};
use super::tx::Tx;
use super::{dataset_rows, failed};
use crate::page::Filling;
use crate::{Newest, Page, StoreError};

/// Deliveries in one chunk: reading a delivery reads all heads of the chunk, some tens of kilobytes.
const CHUNK_MAX: u64 = 128;

/// Bytes of bodies in one chunk, read together. A larger body has a separate chunk.
const CHUNK_BODIES_MAX: usize = 64 << 10;

/// The fewest bytes of a chunk that are worth compressing: a head alone has some hundreds.
const CHUNK_PACKED_FROM: usize = 512;

/// A delivery to keep, with everything prepared before its turn to be written.
#[derive(Debug)]
pub(super) struct Kept {
    /// A [`Request`] as JSON.
    request: String,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// The body is the cell of the row.
    Cell,
    /// The body is not kept.
    None,
    /// The body shares a chunk with other bodies.
    Small(Bytes),
    /// The body has a separate chunk.
    Large(Stored),
}

/// The written form of a request.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    method: String,
    query: String,
    headers: Vec<Header>,
    address: Option<IpAddr>,
    bytes: u64,
}

/// The written form of a delivery: moment of acceptance, row, event, place of the body, and request.
#[derive(Debug, Deserialize)]
struct Head(i64, Option<u64>, Option<u64>, Place, Request);

/// Where a body is.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Place {
    /// In the row, or nowhere.
    Row(bool),
    /// In the chunk: the next so many bytes.
    Chunk(usize),
}

impl Kept {
    /// Prepares a delivery whose row will have `cell`.
    pub(super) async fn new(
        request: KeptRequest,
        cell: Option<(&Bytes, &Stored)>,
    ) -> Result<Self, StoreError> {
        let KeptRequest { method, query, headers, address, bytes, body } = request;
        let body = match body {
            KeptBody::Cell => Body::Cell,
            KeptBody::None => Body::None,
            KeptBody::Own(body) if body.len() < PACKED_FROM => Body::Small(body),
            KeptBody::Own(body) => Body::Large(match cell {
                // In replace mode the row has the same bytes; they are compressed once.
                Some((text, stored)) if is_same(text, &body) => stored.clone(),
                _ => pack::stored(body).await?,
            }),
        };
        let request = to_json(&Request { method, query, headers, address, bytes })?;
        Ok(Self { request, body })
    }

    /// The bytes to write, roughly.
    pub(super) fn bytes(&self) -> usize {
        let body = match &self.body {
            Body::Cell | Body::None => 0,
            Body::Small(body) => body.len(),
            Body::Large(body) => body.written().len(),
        };
        self.request.len() + body
    }
}

/// Whether two slices are the same part of the same buffer.
fn is_same(one: &Bytes, other: &Bytes) -> bool {
    one.len() == other.len() && one.as_ptr() == other.as_ptr()
}

impl Chunk {
    /// Whether the chunk has room for a delivery.
    fn takes(&self, kept: &Kept) -> bool {
        let more = match &kept.body {
            Body::Cell | Body::None => 0,
            Body::Small(body) => body.len(),
            Body::Large(_) => return false,
        };
        self.large.is_none()
            && self.count < CHUNK_MAX
            && self.bodies.len() + more <= CHUNK_BODIES_MAX
    }

    fn push(
        &mut self,
        kept: Kept,
        (batch, event): (Option<BatchId>, Option<Receipt>),
        at: i64,
    ) -> Result<(), StoreError> {
        let place = match kept.body {
            Body::Cell => "true".to_owned(),
            Body::None => "false".to_owned(),
            Body::Small(body) => {
                self.bodies.extend_from_slice(&body);
                body.len().to_string()
            }
            Body::Large(body) => {
                let size = body.size();
                self.large = Some(body);
                size.to_string()
            }
        };
        let (row, seq) = (batch.map(|batch| batch.0), event.map(|receipt| receipt.seq.0));
        let start = to_json(&(at, row, seq))?;
        self.heads.push(if self.count == 0 { b'[' } else { b',' });
        // The list of the first three values, with the other values appended.
        self.heads.extend_from_slice(start.strip_suffix(']').unwrap_or(&start).as_bytes());
        for part in [",", &place, ",", &kept.request, "]"] {
            self.heads.extend_from_slice(part.as_bytes());
        }
        self.newest_ms = if self.count == 0 { at } else { self.newest_ms.max(at) };
        self.count += 1;
        Ok(())
    }
}

/// Keeps a delivery with the transaction.
pub(super) fn keep(
    tx: &mut Tx<'_>,
    source: SourceId,
    kept: Kept,
    became: (Option<BatchId>, Option<Receipt>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let chunks = tx.state.kept.entry(source).or_default();
    if !chunks.last().is_some_and(|chunk| chunk.takes(&kept)) {
        chunks.push(Chunk::default());
    }
    match chunks.last_mut() {
        Some(chunk) => chunk.push(kept, became, now.as_millisecond()),
        None => Ok(()),
    }
}

/// Writes the transaction's deliveries just before the commit.
pub(super) fn write(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let sql = "INSERT INTO delivery_chunks (id, source_id, count, newest_ms, heads_size, heads, \
               bodies_size, bodies) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    for (source, chunks) in std::mem::take(&mut tx.state.kept) {
        for Chunk { mut heads, count, newest_ms, bodies, large } in chunks {
            heads.push(b']');
            let heads = pack::packed(heads.into(), CHUNK_PACKED_FROM);
            let bodies = large.unwrap_or_else(|| pack::packed(bodies.into(), CHUNK_PACKED_FROM));
            let row = params![
                signed(tx.state.ids.delivery),
                source.0,
                signed(count),
                newest_ms,
                heads.packed_size(),
                &heads.written()[..],
                bodies.packed_size(),
                &bodies.written()[..],
            ];
            let insert = tx.conn.prepare_cached(sql).and_then(|mut sql| sql.execute(row));
            insert.map_err(failed)?;
            tx.state.ids.delivery += count;
        }
    }
    Ok(())
}

/// The highest number of a delivery.
pub(super) const LAST_NUMBER: &str =
    "SELECT (SELECT id + count - 1 FROM delivery_chunks ORDER BY id DESC LIMIT 1)";

/// A page of a source's deliveries, the newest first.
pub(super) fn page(
    conn: &Connection,
    source: SourceId,
    page: Newest<DeliveryId>,
) -> Result<Page<Delivery>, StoreError> {
    let sql = "SELECT id, heads_size, heads FROM delivery_chunks \
               WHERE source_id = ?1 AND id < ?2 ORDER BY id DESC";
    let before = page.before.map_or(u64::MAX, |id| id.0);
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let mut chunks = statement.query(params![source.0, signed(before)]).map_err(failed)?;
    let mut found = Filling::new(page.limit);
    while let Some(chunk) = chunks.next().map_err(failed)? {
        for (id, head) in heads(chunk)?.into_iter().rev().filter(|(id, _)| *id < before) {
            if !found.add(delivery(id, head)) {
                return Ok(found.done());
            }
        }
    }
    Ok(found.done())
}

/// The deliveries of a chunk with the numbers.
fn heads(chunk: &Row<'_>) -> Result<Vec<(u64, Head)>, StoreError> {
    let heads = pack::read(chunk, 1, 2, 2).map_err(failed)?;
    let heads: Vec<Head> =
        serde_json::from_slice(&heads).map_err(|error| StoreError::Internal(error.into()))?;
    let first = unsigned(chunk, 0).map_err(failed)?;
    Ok((first..).zip(heads).collect())
}

fn delivery(id: u64, head: Head) -> Delivery {
    let Head(received_ms, row, seq, _, request) = head;
    let Request { method, query, headers, address, bytes } = request;
    Delivery {
        id: DeliveryId(id),
        received_at: moment(received_ms),
        batch: row.map(BatchId),
        event: seq.map(Seq),
        method,
        query,
        headers,
        address,
        bytes,
    }
}

/// A delivery with its body; `None` for a body that was not kept or whose row is gone.
pub(super) fn one(
    conn: &Connection,
    source: SourceId,
    id: DeliveryId,
) -> Result<Option<(Delivery, Option<Bytes>)>, StoreError> {
    let sql = "SELECT id, heads_size, heads, bodies_size, bodies FROM delivery_chunks \
               WHERE source_id = ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let mut chunks = statement.query(params![source.0, signed(id.0)]).map_err(failed)?;
    let Some(chunk) = chunks.next().map_err(failed)? else { return Ok(None) };
    let mut from = 0;
    for (number, head) in heads(chunk)? {
        let place = head.3;
        if number < id.0 {
            from += match place {
                Place::Chunk(bytes) => bytes,
                Place::Row(_) => 0,
            };
            continue;
        }
        let delivery = delivery(number, head);
        let body = match (place, delivery.batch) {
            (Place::Chunk(bytes), _) => Some(body(chunk, from, bytes)?),
            (Place::Row(true), Some(batch)) => dataset_rows::cell(conn, batch)?,
            (Place::Row(_), _) => None,
        };
        return Ok(Some((delivery, body)));
    }
    Ok(None)
}

/// A delivery with all kept parts.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) delivery: Delivery,
    pub(super) source: SourceId,
    /// Whether the row's cell is the body.
    pub(super) in_row: bool,
    /// The body, where kept apart from the row.
    pub(super) body: Option<Bytes>,
}

/// All deliveries in the order of the numbers, without the first ones.
pub(super) fn all(
    conn: &Connection,
    skip: u64,
    each: &mut dyn FnMut(&Whole) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT id, heads_size, heads, bodies_size, bodies, source_id, count \
               FROM delivery_chunks ORDER BY id";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut chunks = statement.query([]).map_err(failed)?;
    let mut place = 0;
    while let Some(chunk) = chunks.next().map_err(failed)? {
        let count = unsigned(chunk, 6).map_err(failed)?;
        if place + count <= skip {
            place += count;
            continue;
        }
        let source = SourceId(chunk.get(5).map_err(failed)?);
        let mut from = 0;
        for (id, head) in heads(chunk)? {
            let (in_row, body) = match head.3 {
                Place::Row(in_row) => (in_row, None),
                Place::Chunk(bytes) => {
                    let body = body(chunk, from, bytes)?;
                    from += bytes;
                    (false, Some(body))
                }
            };
            if place >= skip {
                each(&Whole { delivery: delivery(id, head), source, in_row, body })?;
            }
            place += 1;
        }
    }
    Ok(())
}

/// Some bytes of a chunk's bodies.
fn body(chunk: &Row<'_>, from: usize, bytes: usize) -> Result<Bytes, StoreError> {
    let bodies = pack::read(chunk, 3, 4, 4).map_err(failed)?;
    match from.checked_add(bytes) {
        Some(until) if until <= bodies.len() => Ok(bodies.slice(from..until)),
        _ => Err(StoreError::internal("a chunk of deliveries has not the bodies that it says")),
    }
}

/// Deletes a source's deliveries up to `until_ms`, and deliveries beyond the newest `kept`, a part at a time.
/// Returns the number deleted.
pub(super) fn expire(
    conn: &Connection,
    source: SourceId,
    until_ms: i64,
    kept: u64,
    limit: i64,
) -> Result<u64, StoreError> {
    let sql = "DELETE FROM delivery_chunks WHERE id IN (SELECT id FROM delivery_chunks \
               WHERE source_id = ?1 AND (id <= ?2 OR newest_ms <= ?3) ORDER BY id LIMIT ?4) \
               RETURNING count";
    let surplus = surplus(conn, source, kept)?;
    let mut delete = conn.prepare_cached(sql).map_err(failed)?;
    let mut gone = delete.query(params![source.0, surplus, until_ms, limit]).map_err(failed)?;
    let mut deleted = 0;
    while let Some(chunk) = gone.next().map_err(failed)? {
        deleted += unsigned(chunk, 0).map_err(failed)?;
    }
    Ok(deleted)
}

/// The number of the newest chunk beyond the newest `kept` deliveries; 0 for none.
fn surplus(conn: &Connection, source: SourceId, kept: u64) -> Result<i64, StoreError> {
    let sql =
        "SELECT id, count FROM delivery_chunks WHERE source_id = ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    // Each chunk has a delivery at least.
    let limit = kept.saturating_add(1);
    let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, unsigned(row, 1)?));
    let mut newer = 0;
    for chunk in statement.query_map(params![source.0, signed(limit)], row).map_err(failed)? {
        let (id, deliveries) = chunk.map_err(failed)?;
        if newer >= kept {
            return Ok(id);
        }
        newer += deliveries;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::migrate;
    use super::*;

    #[test]
    fn deliveries_of_format_11_are_read() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::migrate_to_format(&mut conn, 11).unwrap();
        conn.execute_batch(
            r#"INSERT INTO rows (id, version_id, received_ms, suspended, cell)
                VALUES (5, 1, 1000, 0, '{"a":"é"}');
            INSERT INTO deliveries (id, source_id, received_ms, method, query, headers, address,
                                    bytes, row_id, seq, in_row, body) VALUES
                (1, 7, 1000, 'POST', 'a=1', '[{"name":"x-a","value":"\"b\""}]', '10.0.0.1', 10, 5,
                 9, 1, NULL),
                (2, 8, 1000, 'GET', '', '[]', NULL, 0, NULL, NULL, 0, NULL),
                (3, 7, 2000, 'POST', '', '[]', '::1', 4, 6, NULL, 0, x'00ff20c3');"#,
        )
        .unwrap();
        migrate::migrate(&mut conn).unwrap();
        let last: u64 = conn.query_row(LAST_NUMBER, [], |row| unsigned(row, 0)).unwrap();
        assert_eq!(last, 3);
        let all = Newest { before: None, limit: 9 };
        let found = page(&conn, SourceId(7), all).unwrap();
        let first = Delivery {
            id: DeliveryId(1),
            received_at: moment(1_000),
            batch: Some(BatchId(5)),
            event: Some(Seq(9)),
            method: "POST".to_owned(),
            query: "a=1".to_owned(),
            headers: vec![Header { name: "x-a".to_owned(), value: "\"b\"".to_owned() }],
            address: Some([10, 0, 0, 1].into()),
            bytes: 10,
        };
        assert_eq!((found.entries.len(), &found.entries[1]), (2, &first));
        let body = |id| one(&conn, SourceId(7), DeliveryId(id)).unwrap().map(|found| found.1);
        assert_eq!(body(1), Some(Some(Bytes::from_static("{\"a\":\"é\"}".as_bytes()))));
        assert_eq!(body(3), Some(Some(Bytes::from_static(b"\0\xff \xc3"))));
        assert_eq!((body(2), body(4)), (None, None));
        let (delivery, body) = one(&conn, SourceId(8), DeliveryId(2)).unwrap().unwrap();
        assert_eq!((delivery.method.as_str(), delivery.address, body), ("GET", None, None));
    }

    /// A database with chunks of a source, each with so many deliveries, a second apart.
    fn with_chunks(counts: &[u64]) -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut conn).unwrap();
        let sql = "INSERT INTO delivery_chunks (id, source_id, count, newest_ms, heads) \
                   VALUES (?1, 1, ?2, ?3, x'')";
        let mut id = 1;
        for (second, count) in (1_i64..).zip(counts) {
            conn.execute(sql, params![signed(id), signed(*count), second * 1_000]).unwrap();
            id += count;
        }
        conn
    }

    #[test]
    fn a_source_keeps_its_newest_deliveries() {
        let conn = with_chunks(&[10, 1, 30, 5, 4]);
        let expire = |until, kept, limit| expire(&conn, SourceId(1), until, kept, limit).unwrap();
        assert_eq!(expire(0, 50, 9), 0);
        assert_eq!(expire(0, 39, 9), 11, "the chunk with the oldest of them stays");
        assert_eq!(expire(0, 39, 9), 0);
        assert_eq!(expire(5_000, 39, 2), 35, "some at a time");
        assert_eq!(expire(4_999, 39, 9), 0);
        assert_eq!(expire(5_000, 39, 9), 4);
    }
}
