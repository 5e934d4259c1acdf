//! What deliveries are known again by.
//!
//! All of it is in memory, so that a delivery costs no look-up on disk; on disk it is a list in the
//! order of arrival, which is appended to and shortened at its other end, a page at a time.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::failed;
use super::rows::{signed, unsigned};
use crate::{REPEATS_FOR, REPEATS_MAX, StoreError};

/// Entries that are forgotten in memory before they are deleted on disk: some pages at a time.
const DELETED_AT_ONCE: u64 = 1_024;

/// The newest deliveries that had a name.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// When the newest with this name came.
    known: HashMap<[u8; 16], i64>,
    order: VecDeque<Entry>,
    /// Entries with lower numbers are gone from the disk.
    deleted_below: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: u64,
    at: i64,
    hash: [u8; 16],
}

impl Repeats {
    /// Reads the list; also the number that the next entry gets.
    pub(super) fn load(conn: &Connection) -> Result<(Self, u64), StoreError> {
        let mut repeats = Self::default();
        let sql = "SELECT id, received_ms, hash FROM delivery_ids ORDER BY id";
        let mut statement = conn.prepare(sql).map_err(failed)?;
        let entries = statement.query_map([], |row| {
            Ok(Entry { id: unsigned(row, 0)?, at: row.get(1)?, hash: row.get(2)? })
        });
        let mut next = 1;
        for entry in entries.map_err(failed)? {
            let entry = entry.map_err(failed)?;
            next = entry.id + 1;
            repeats.push(entry);
        }
        Ok((repeats, next))
    }

    /// Whether a delivery of this name came within [`REPEATS_FOR`].
    pub(super) fn knows(&self, hash: [u8; 16], now: Timestamp) -> bool {
        self.known.get(&hash).is_some_and(|at| *at > oldest(now))
    }

    /// Writes that a delivery came, and forgets what is old.
    pub(super) fn add(
        &mut self,
        conn: &Connection,
        id: u64,
        hash: [u8; 16],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let at = now.as_millisecond();
        let sql = "INSERT INTO delivery_ids (id, received_ms, hash) VALUES (?1, ?2, ?3)";
        let row = params![signed(id), at, hash];
        conn.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
        self.push(Entry { id, at, hash });
        self.forget(oldest(now));
        let first = self.order.front().map_or(id, |entry| entry.id);
        if first - self.deleted_below >= DELETED_AT_ONCE {
            let sql = "DELETE FROM delivery_ids WHERE id < ?1";
            let delete = conn.prepare_cached(sql).and_then(|mut sql| sql.execute([signed(first)]));
            delete.map_err(failed)?;
            self.deleted_below = first;
        }
        Ok(())
    }

    /// Takes back the entries from this number on: their transaction was lost.
    pub(super) fn truncate(&mut self, next: u64) {
        while let Some(entry) = self.order.pop_back() {
            if entry.id < next {
                self.order.push_back(entry);
                return;
            }
            self.known.remove(&entry.hash);
        }
    }

    fn push(&mut self, entry: Entry) {
        if self.order.is_empty() {
            self.deleted_below = entry.id;
        }
        self.known.insert(entry.hash, entry.at);
        self.order.push_back(entry);
    }

    fn forget(&mut self, oldest: i64) {
        while let Some(entry) = self.order.front()
            && (entry.at <= oldest || self.order.len() > REPEATS_MAX)
        {
            // One that came again after its time is known by its later entry.
            if self.known.get(&entry.hash) == Some(&entry.at) {
                self.known.remove(&entry.hash);
            }
            self.order.pop_front();
        }
    }
}

fn oldest(now: Timestamp) -> i64 {
    now.checked_sub(REPEATS_FOR).unwrap_or(Timestamp::MIN).as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn database() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        super::super::migrate::migrate(&mut conn).unwrap();
        conn
    }

    fn hash(number: u64) -> [u8; 16] {
        let mut hash = [0; 16];
        hash[8..].copy_from_slice(&number.to_le_bytes());
        hash
    }

    #[test]
    fn a_name_is_known_for_a_day_also_after_a_start() {
        let conn = database();
        let day = REPEATS_FOR.as_secs();
        let mut repeats = Repeats::default();
        repeats.add(&conn, 1, hash(1), at(0)).unwrap();
        let (loaded, next) = Repeats::load(&conn).unwrap();
        assert_eq!(next, 2);
        for repeats in [repeats, loaded] {
            assert!(repeats.knows(hash(1), at(day - 1)));
            assert!(!repeats.knows(hash(1), at(day)));
            assert!(!repeats.knows(hash(2), at(0)));
        }
    }

    #[test]
    fn memory_and_disk_are_bounded_by_time() {
        let conn = database();
        let mut repeats = Repeats::default();
        // One a minute for a week.
        for number in 0..7 * 24 * 60 {
            let now = at(i64::try_from(number).unwrap() * 60);
            repeats.add(&conn, number + 1, hash(number), now).unwrap();
            assert!(repeats.knows(hash(number), now));
        }
        assert_eq!((repeats.order.len(), repeats.known.len()), (1_440, 1_440));
        let count = "SELECT count(*) FROM delivery_ids";
        let count: i64 = conn.query_row(count, [], |row| row.get(0)).unwrap();
        assert!((1_440..1_440 + 1_024).contains(&count), "{count}");
    }

    #[test]
    fn what_a_lost_transaction_added_is_taken_back() {
        let conn = database();
        let mut repeats = Repeats::default();
        repeats.add(&conn, 1, hash(1), at(0)).unwrap();
        repeats.add(&conn, 2, hash(2), at(0)).unwrap();
        repeats.truncate(2);
        assert!(repeats.knows(hash(1), at(1)) && !repeats.knows(hash(2), at(1)));
    }
}
