//! Reading all there is, for a move to another database.
//!
//! One transaction that writes nothing reads everything, so the data is of one moment. The queues are as a
//! start would rebuild them.

use std::collections::BTreeMap;
use std::path::Path;

use hookyard_core::id::{EndpointId, WorkspaceId};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::acknowledged::{self, Numbers};
use super::deliveries::{self, Whole};
use super::memory::lock;
use super::next_ids::NextIds;
use super::rows::{signed, to_json, unsigned};
use super::{codec, failed, migrate, pack, readers, recover, stored};
use crate::StoreError;
use crate::backlog::Backlog;
use crate::transfer::line::Line;
use crate::transfer::plan::{Kind, Last, Old, Planned, Rows};
use crate::transfer::shape::{CHUNK_ENTRIES, escape, id_hash};
use crate::vault::Vault;

/// Takes the rows of a table one by one.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), StoreError>;

/// A store read at one moment.
pub(crate) struct Leaving {
    conn: Connection,
    queues: BTreeMap<EndpointId, Backlog>,
    ids: NextIds,
    /// Changes when another process commits.
    version: i64,
}

impl Leaving {
    /// Opens a file of this format with the key of its secrets.
    pub(crate) fn open(path: &Path, key: &[u8; 32]) -> Result<Self, StoreError> {
        let conn = readers::open(path)?;
        migrate::refuse_other_format(&conn)?;
        let version = data_version(&conn)?;
        conn.execute_batch("BEGIN").map_err(failed)?;
        let (memory, state) = recover::recover(&conn, &Vault::new(key))?;
        let held = Numbers::before(state.ids, acknowledged::last_change(&conn)?);
        acknowledged::refuse_shorter(path, held)?;
        let mut queues = BTreeMap::new();
        for id in memory.queue_ids() {
            if let Some(queue) = memory.queue(id) {
                queues.insert(id, lock(&queue).clone());
            }
        }
        Ok(Self { conn, queues, ids: state.ids, version })
    }

    /// The tables in the file, without SQLite's own.
    pub(crate) fn tables(&self) -> Result<Vec<Old>, StoreError> {
        tables(&self.conn)
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, table: &Planned) -> Result<u64, StoreError> {
        match &table.rows {
            Rows::Select { count, .. } => {
                self.conn.query_row(count, [], |row| unsigned(row, 0)).map_err(failed)
            }
            Rows::Queues => Ok(self.queues.len() as u64),
            Rows::Deliveries => {
                let sql = "SELECT ifnull(sum(count), 0) FROM delivery_chunks";
                self.conn.query_row(sql, [], |row| unsigned(row, 0)).map_err(failed)
            }
            Rows::Chunks => {
                let mut rows = 0;
                self.chunks(table, &mut |_| {
                    rows += 1;
                    Ok(())
                })?;
                Ok(rows)
            }
        }
    }

    /// The lines of a table in a fixed order, without the first ones.
    pub(crate) fn lines(
        &self,
        table: &Planned,
        skip: u64,
        each: Each<'_>,
    ) -> Result<(), StoreError> {
        match &table.rows {
            Rows::Select { sql, .. } => self.select(table, sql, skip, each),
            Rows::Queues => self.positions(table, skip, each),
            Rows::Deliveries => {
                let mut line = Line::default();
                deliveries::all(&self.conn, skip, &mut |whole| {
                    line.clear();
                    for (column, _) in &table.columns {
                        put_delivery(&mut line, column, whole)?;
                    }
                    each(line.finished())
                })
            }
            Rows::Chunks => {
                let mut place = 0;
                self.chunks(table, &mut |line| {
                    place += 1;
                    if place > skip { each(line) } else { Ok(()) }
                })
            }
        }
    }

    /// The last number given out.
    pub(crate) fn last(&self, last: &Last) -> Result<i64, StoreError> {
        match last {
            Last::Attempt => Ok(signed(self.ids.attempt) - 1),
            Last::Row => Ok(signed(self.ids.row) - 1),
            Last::Delivery => Ok(signed(self.ids.delivery) - 1),
            Last::Column(table, column) => {
                let sql = format!(
                    "SELECT max(ifnull((SELECT max({column}) FROM {table}), 0), \
                     ifnull((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0))"
                );
                self.conn.query_row(&sql, [], |row| row.get(0)).map_err(failed)
            }
        }
    }

    /// The number of the newest event.
    pub(crate) fn last_event(&self) -> i64 {
        signed(self.ids.seq) - 1
    }

    /// The lowest and the highest number of a table; `None` when the table is empty.
    pub(crate) fn range(
        &self,
        table: &str,
        column: &str,
    ) -> Result<Option<(i64, i64)>, StoreError> {
        let sql = format!(
            "SELECT (SELECT min({column}) FROM {table}), (SELECT max({column}) FROM {table})"
        );
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (first, last): (Option<i64>, Option<i64>) =
            self.conn.query_row(&sql, [], read).map_err(failed)?;
        Ok(first.zip(last))
    }

    /// Whether the file still equals the data read. Nothing may be read afterwards.
    pub(crate) fn is_unchanged(&self) -> Result<bool, StoreError> {
        self.conn.execute_batch("COMMIT").map_err(failed)?;
        Ok(data_version(&self.conn)? == self.version)
    }

    fn select(
        &self,
        table: &Planned,
        sql: &str,
        skip: u64,
        each: Each<'_>,
    ) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare(sql).map_err(failed)?;
        let mut rows = statement.query([signed(skip)]).map_err(failed)?;
        let mut line = Line::default();
        while let Some(row) = rows.next().map_err(failed)? {
            line.clear();
            for (place, (column, kind)) in table.columns.iter().enumerate() {
                let value = row.get_ref(place).map_err(failed)?;
                put(&mut line, *kind, value).map_err(|error| {
                    let name = &table.name;
                    StoreError::internal(format!("{name}.{column} cannot be moved: {error}"))
                })?;
            }
            each(line.finished())?;
        }
        Ok(())
    }

    fn positions(&self, table: &Planned, skip: u64, each: Each<'_>) -> Result<(), StoreError> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let mut line = Line::default();
        for (id, queue) in self.queues.iter().skip(skip) {
            line.clear();
            for (column, _) in &table.columns {
                put_position(&mut line, column, *id, queue)?;
            }
            each(line.finished())?;
        }
        Ok(())
    }

    fn chunks(&self, table: &Planned, each: Each<'_>) -> Result<(), StoreError> {
        for (id, queue) in &self.queues {
            let missing = stored::entries(&self.conn, *id, queue, &mut |first, seqs| {
                put_chunks(table, *id, first, seqs, each)
            })?;
            if let Some(place) = missing {
                return Err(StoreError::internal(format!(
                    "the stored queue of endpoint {id} is damaged at {place}"
                )));
            }
        }
        Ok(())
    }
}

/// The tables of a file, but for SQLite's own.
fn tables(conn: &Connection) -> Result<Vec<Old>, StoreError> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' \
               ESCAPE '\\' ORDER BY name";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let names = statement.query_map([], |row| row.get(0)).map_err(failed)?;
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(failed)?;
    let sql = "SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut tables = Vec::new();
    for name in names {
        let rows = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)));
        let columns: Vec<(String, i64)> =
            rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
        let mut key: Vec<_> = columns.iter().filter(|(_, place)| *place > 0).collect();
        key.sort_by_key(|(_, place)| *place);
        let key = key.into_iter().map(|(column, _)| column.clone()).collect();
        let columns = columns.into_iter().map(|(column, _)| column).collect();
        tables.push(Old { name, columns, key });
    }
    Ok(tables)
}

fn data_version(conn: &Connection) -> Result<i64, StoreError> {
    conn.query_row("PRAGMA data_version", [], |row| row.get(0)).map_err(failed)
}

/// Writes a value in the form of the column.
fn put(line: &mut Line, kind: Kind, value: ValueRef<'_>) -> Result<(), StoreError> {
    match (kind, value) {
        // An absent list is empty.
        (Kind::Numbers, ValueRef::Null) => line.numbers([]),
        (_, ValueRef::Null) => line.null(),
        (Kind::Flag, ValueRef::Integer(number)) => line.flag(number != 0),
        (Kind::Number, ValueRef::Integer(number)) => line.number(number),
        (Kind::Text, ValueRef::Text(bytes)) => line.text(&escape(utf8(bytes)?)),
        (Kind::Cell, ValueRef::Text(bytes)) => line.text(&escape(utf8(bytes)?)),
        (Kind::Cell, ValueRef::Blob(frame)) => {
            line.text(&escape(utf8(&pack::unpack_whole(frame)?)?));
        }
        (Kind::Bytes, ValueRef::Blob(bytes)) => line.bytes(bytes),
        (Kind::Numbers, ValueRef::Blob(bytes)) => {
            line.numbers(codec::decode(bytes)?.into_iter().map(signed));
        }
        // With a comma at each end, too.
        (Kind::Numbers, ValueRef::Text(bytes)) => {
            let parts = utf8(bytes)?.split(',').filter(|part| !part.is_empty());
            let numbers = parts.map(str::parse).collect::<Result<Vec<i64>, _>>();
            line.numbers(numbers.map_err(|error| StoreError::Internal(error.into()))?);
        }
        (Kind::EventHash, ValueRef::Text(bytes)) => {
            let (workspace, id) = utf8(bytes)?.split_once(' ').unwrap_or_default();
            let workspace = workspace.parse().map_err(|_| StoreError::internal("no workspace"))?;
            line.number(id_hash(WorkspaceId(workspace), id));
        }
        (_, value) => {
            let found = value.data_type();
            return Err(StoreError::internal(format!("it holds a value of the type {found}")));
        }
    }
    Ok(())
}

fn utf8(bytes: &[u8]) -> Result<&str, StoreError> {
    str::from_utf8(bytes).map_err(|error| StoreError::Internal(error.into()))
}

fn put_position(
    line: &mut Line,
    column: &str,
    id: EndpointId,
    queue: &Backlog,
) -> Result<(), StoreError> {
    let failing = queue.failing();
    let moment = |line: &mut Line, at: Option<jiff::Timestamp>| match at {
        Some(at) => line.number(at.as_millisecond()),
        None => line.null(),
    };
    match column {
        "endpoint_id" => line.number(id.0.into()),
        "cursor" => line.number(signed(queue.cursor())),
        "failures" => line.number(failing.failures.into()),
        "retry_ms" => moment(line, failing.retry_at),
        "since_ms" => moment(line, failing.since),
        "again" => line.text(&to_json(queue.again())?),
        "done" => line.numbers(queue.done().iter().copied().map(signed)),
        "held" => line.text(&to_json(queue.held())?),
        "dead_letters" => line.number(signed(queue.dead_letters)),
        other => return Err(unknown_column(other)),
    }
    Ok(())
}

fn put_delivery(line: &mut Line, column: &str, whole: &Whole) -> Result<(), StoreError> {
    let Whole { delivery, source, in_row, body } = whole;
    let number = |line: &mut Line, number: Option<u64>| match number {
        Some(number) => line.number(signed(number)),
        None => line.null(),
    };
    match column {
        "id" => line.number(signed(delivery.id.0)),
        "source_id" => line.number(source.0.into()),
        "received_ms" => line.number(delivery.received_at.as_millisecond()),
        "method" => line.text(&escape(&delivery.method)),
        "query" => line.text(&escape(&delivery.query)),
        "headers" => line.text(&escape(&to_json(&delivery.headers)?)),
        "address" => match delivery.address {
            Some(address) => line.text(&address.to_string()),
            None => line.null(),
        },
        "bytes" => line.number(signed(delivery.bytes)),
        "row_id" => number(line, delivery.batch.map(|batch| batch.0)),
        "seq" => number(line, delivery.event.map(|seq| seq.0)),
        "in_row" => line.flag(*in_row),
        "body" => match body {
            Some(body) => line.bytes(body),
            None => line.null(),
        },
        other => return Err(unknown_column(other)),
    }
    Ok(())
}

/// Entries from a place on, in chunks of the database's form.
fn put_chunks(
    table: &Planned,
    id: EndpointId,
    first: u64,
    seqs: &[u64],
    each: Each<'_>,
) -> Result<(), StoreError> {
    let mut line = Line::default();
    let mut place = first;
    for chunk in seqs.chunks(CHUNK_ENTRIES.into()) {
        line.clear();
        for (column, _) in &table.columns {
            match column.as_str() {
                "endpoint_id" => line.number(id.0.into()),
                "first" => line.number(signed(place)),
                "seqs" => line.numbers(chunk.iter().copied().map(signed)),
                "lowest" => line.number(chunk.iter().min().copied().map_or(0, signed)),
                "highest" => line.number(chunk.iter().max().copied().map_or(0, signed)),
                other => return Err(unknown_column(other)),
            }
        }
        each(line.finished())?;
        place += chunk.len() as u64;
    }
    Ok(())
}

fn unknown_column(name: &str) -> StoreError {
    StoreError::internal(format!("nothing is known of the column {name}"))
}
