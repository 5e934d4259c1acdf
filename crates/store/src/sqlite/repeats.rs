//! The keys that recognise repeated deliveries.
//!
//! All keys are in memory, so a delivery costs no look-up on disk. The list on disk is in the order of
//! arrival and append-only; keys forgotten in memory are deleted there, a page at a time. The workspaces
//! share the bound ([`Shares`]).

use std::collections::HashMap;

use hookyard_core::id::WorkspaceId;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::failed;
use super::rows::{signed, unsigned};
use crate::shares::Shares;
use crate::{REPEATS_FOR, REPEATS_MAX, StoreError};

/// Entries forgotten in memory before the deletion on disk: some pages at a time.
const DELETED_AT_ONCE: usize = 1_024;

/// The newest deliveries with a name.
#[derive(Debug)]
pub(super) struct Repeats {
    /// How many there may be.
    most: usize,
    /// The arrival of the newest delivery of each name.
    known: HashMap<[u8; 16], i64>,
    /// The entries of each workspace, in the order of arrival.
    shares: Shares<Entry>,
    /// The numbers of entries forgotten here and still on disk.
    gone: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: u64,
    at: i64,
    hash: [u8; 16],
}

impl Default for Repeats {
    fn default() -> Self {
        Self::new(REPEATS_MAX)
    }
}

impl Repeats {
    fn new(most: usize) -> Self {
        Self { most, known: HashMap::new(), shares: Shares::default(), gone: Vec::new() }
    }

    /// Reads the list and the next entry's number.
    pub(super) fn load(conn: &Connection) -> Result<(Self, u64), StoreError> {
        Self::load_up_to(conn, REPEATS_MAX)
    }

    fn load_up_to(conn: &Connection, most: usize) -> Result<(Self, u64), StoreError> {
        let mut repeats = Self::new(most);
        let sql = "SELECT id, received_ms, hash, workspace_id FROM delivery_ids ORDER BY id";
        let mut statement = conn.prepare(sql).map_err(failed)?;
        let entries = statement.query_map([], |row| {
            let entry = Entry { id: unsigned(row, 0)?, at: row.get(1)?, hash: row.get(2)? };
            Ok((WorkspaceId(row.get(3)?), entry))
        });
        let mut next = 1;
        for entry in entries.map_err(failed)? {
            let (workspace, entry) = entry.map_err(failed)?;
            next = entry.id + 1;
            repeats.push(workspace, entry);
        }
        Ok((repeats, next))
    }

    /// Whether a delivery of the name came within [`REPEATS_FOR`].
    pub(super) fn knows(&self, hash: [u8; 16], now: Timestamp) -> bool {
        self.known.get(&hash).is_some_and(|at| *at > oldest(now))
    }

    /// Writes an arrival, and forgets the workspace's outdated entries and the surplus.
    pub(super) fn add(
        &mut self,
        conn: &Connection,
        workspace: WorkspaceId,
        id: u64,
        hash: [u8; 16],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let at = now.as_millisecond();
        let sql = "INSERT INTO delivery_ids (id, received_ms, hash, workspace_id) \
                   VALUES (?1, ?2, ?3, ?4)";
        let row = params![signed(id), at, hash, workspace.0];
        conn.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
        self.push(workspace, Entry { id, at, hash });
        let Self { known, shares, gone, .. } = self;
        shares.change(workspace, |share| {
            while let Some(entry) = share.pop_front_if(|entry| entry.at <= oldest(now)) {
                forget(known, gone, entry);
            }
        });
        match self.gone.len() >= DELETED_AT_ONCE {
            true => self.delete(conn),
            false => Ok(()),
        }
    }

    /// Forgets the outdated entries of every workspace, idle workspaces included.
    pub(super) fn sweep(&mut self, conn: &Connection, now: Timestamp) -> Result<(), StoreError> {
        let Self { known, shares, gone, .. } = self;
        shares.change_all(|share| {
            while gone.len() < DELETED_AT_ONCE
                && let Some(entry) = share.pop_front_if(|entry| entry.at <= oldest(now))
            {
                forget(known, gone, entry);
            }
        });
        self.delete(conn)
    }

    fn delete(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let mut delete =
            conn.prepare_cached("DELETE FROM delivery_ids WHERE id = ?1").map_err(failed)?;
        for id in &self.gone {
            delete.execute([signed(*id)]).map_err(failed)?;
        }
        // A transaction lost now leaves the entries on disk until the next start forgets them again.
        self.gone.clear();
        Ok(())
    }

    /// Takes back the entries from the number on, after the loss of the transaction.
    pub(super) fn truncate(&mut self, next: u64) {
        let Self { known, shares, .. } = self;
        shares.change_all(|share| {
            while let Some(entry) = share.pop_back_if(|entry| entry.id >= next) {
                known.remove(&entry.hash);
            }
        });
        self.gone.retain(|id| *id < next);
    }

    fn push(&mut self, workspace: WorkspaceId, entry: Entry) {
        self.known.insert(entry.hash, entry.at);
        self.shares.change(workspace, |share| share.push_back(entry));
        while self.shares.len() > self.most
            && let Some(entry) = self.shares.take_oldest()
        {
            forget(&mut self.known, &mut self.gone, entry);
        }
    }
}

/// Forgets a name, unless the name came again after its time: then the later entry recognises the name.
fn forget(known: &mut HashMap<[u8; 16], i64>, gone: &mut Vec<u64>, entry: Entry) {
    if known.get(&entry.hash) == Some(&entry.at) {
        known.remove(&entry.hash);
    }
    gone.push(entry.id);
}

fn oldest(now: Timestamp) -> i64 {
    now.checked_sub(REPEATS_FOR).unwrap_or(Timestamp::MIN).as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: WorkspaceId = WorkspaceId(1);
    const OTHER: WorkspaceId = WorkspaceId(2);

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
        repeats.add(&conn, ONE, 1, hash(1), at(0)).unwrap();
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
            repeats.add(&conn, ONE, number + 1, hash(number), now).unwrap();
            assert!(repeats.knows(hash(number), now));
        }
        assert_eq!((repeats.shares.len(), repeats.known.len()), (1_440, 1_440));
        let count = "SELECT count(*) FROM delivery_ids";
        let count: i64 = conn.query_row(count, [], |row| row.get(0)).unwrap();
        assert!((1_440..1_440 + 1_024).contains(&count), "{count}");
    }

    #[test]
    fn what_a_lost_transaction_added_is_taken_back() {
        let conn = database();
        let mut repeats = Repeats::default();
        repeats.add(&conn, ONE, 1, hash(1), at(0)).unwrap();
        repeats.add(&conn, ONE, 2, hash(2), at(0)).unwrap();
        repeats.truncate(2);
        assert!(repeats.knows(hash(1), at(1)) && !repeats.knows(hash(2), at(1)));
    }

    fn on_disk(conn: &Connection) -> usize {
        let count = "SELECT count(*) FROM delivery_ids";
        conn.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
    }

    #[test]
    fn no_workspace_pushes_out_what_another_has_within_its_share() {
        let conn = database();
        let mut repeats = Repeats::new(1_000);
        for number in 0..20_000 {
            let workspace = if number < 300 { ONE } else { OTHER };
            repeats.add(&conn, workspace, number + 1, hash(number), at(0)).unwrap();
        }
        let (loaded, next) = Repeats::load_up_to(&conn, 1_000).unwrap();
        assert_eq!(next, 20_001);
        for repeats in [&repeats, &loaded] {
            assert!((0..300).all(|number| repeats.knows(hash(number), at(1))));
            assert!((19_300..20_000).all(|number| repeats.knows(hash(number), at(1))));
            assert!(!repeats.knows(hash(19_299), at(1)));
        }
        assert!((1_000..1_000 + DELETED_AT_ONCE).contains(&on_disk(&conn)), "{}", on_disk(&conn));
    }

    #[test]
    fn what_is_old_goes_also_where_nothing_comes() {
        let conn = database();
        let mut repeats = Repeats::default();
        for number in 0..3_000 {
            repeats.add(&conn, ONE, number + 1, hash(number), at(0)).unwrap();
        }
        for _ in 0..3 {
            repeats.sweep(&conn, at(REPEATS_FOR.as_secs())).unwrap();
        }
        assert_eq!((repeats.shares.len(), repeats.known.len(), on_disk(&conn)), (0, 0, 0));
    }
}
