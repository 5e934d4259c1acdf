//! Recognising events that were published before.
//!
//! An index on the event ids would write a page somewhere in the middle of the file for every event.
//! Instead two hashes of each event's identity are kept: in memory for the newest
//! [`WINDOW`] events, and on disk as one short row for each run of events between two checkpoints.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use hookyard_core::id::WorkspaceId;
use sha2::{Digest, Sha256};

/// How many of the newest events a repeated id and source is recognised among. At 16 bytes in the
/// list and about 35 in the map this is some 50 MB at most; at a thousand events a second it is a
/// quarter of an hour, the reach of any publisher's retries.
pub(super) const WINDOW: usize = 1_000_000;

/// Bytes of one event in a stored run.
pub(super) const KEY_BYTES: usize = 16;

/// Two hashes of one event's identity. SHA-256 cut to 64 bits: stable over versions of the program,
/// and a publisher cannot aim for collisions cheaply. A match is always confirmed by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Of workspace and id: for finding an event by its id.
    pub(super) id: u64,
    /// Of workspace, source and id: for recognising a duplicate.
    pub(super) whole: u64,
}

impl Key {
    pub(super) fn new(workspace: WorkspaceId, id: &str, source: &str) -> Self {
        Self { id: id_hash(workspace, id), whole: hash(workspace, &[source, id]) }
    }
}

/// The hash that an event with this id has in [`Key::id`].
pub(super) fn id_hash(workspace: WorkspaceId, id: &str) -> u64 {
    hash(workspace, &[id])
}

fn hash(workspace: WorkspaceId, parts: &[&str]) -> u64 {
    let mut sha = Sha256::new();
    sha.update(workspace.0.to_le_bytes());
    for part in parts {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part.as_bytes());
    }
    let digest: [u8; 32] = sha.finalize().into();
    u64::from_le_bytes(*digest.first_chunk().unwrap_or(&[0; 8]))
}

/// A run of keys of consecutive events, as it is stored.
pub(super) fn encode(keys: &[Key]) -> Vec<u8> {
    keys.iter().flat_map(|key| [key.id.to_le_bytes(), key.whole.to_le_bytes()]).flatten().collect()
}

/// Reads what [`encode`] wrote. Trailing bytes that make no whole key are left out.
pub(super) fn decode(bytes: &[u8]) -> impl DoubleEndedIterator<Item = Key> + ExactSizeIterator {
    let word = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]));
    bytes.chunks_exact(KEY_BYTES).map(move |key| Key { id: word(key), whole: word(&key[8..]) })
}

/// The identities of the newest events.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The newest event that has each [`Key::whole`].
    newest: HashMap<u64, u64, BuildHasherDefault<AsIs>>,
    /// The keys of consecutive events; the first one is event `first`'s.
    window: VecDeque<Key>,
    first: u64,
}

impl Keys {
    /// Adds the next event's key. Where numbers are left out, since their events were deleted, the
    /// keys before them are forgotten: the window is consecutive.
    pub(super) fn push(&mut self, seq: u64, key: Key) {
        if self.first + self.window.len() as u64 != seq {
            self.window.clear();
            self.newest.clear();
        }
        if self.window.is_empty() {
            self.first = seq;
        }
        self.window.push_back(key);
        self.newest.insert(key.whole, seq);
        if self.window.len() > WINDOW {
            self.forget_oldest();
        }
    }

    /// Takes back the events from `seq` on, whose transaction was rolled back.
    pub(super) fn truncate(&mut self, seq: u64) {
        while !self.window.is_empty() && self.first + self.window.len() as u64 > seq {
            if let Some(key) = self.window.pop_back() {
                self.newest.remove(&key.whole);
            }
        }
    }

    /// The newest event that may have this key.
    pub(super) fn find(&self, key: Key) -> Option<u64> {
        self.newest.get(&key.whole).copied()
    }

    /// The keys of the events from `seq` on.
    pub(super) fn since(&self, seq: u64) -> Vec<Key> {
        let skip = usize::try_from(seq.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.window.iter().skip(skip).copied().collect()
    }

    fn forget_oldest(&mut self) {
        if let Some(key) = self.window.pop_front() {
            if self.newest.get(&key.whole) == Some(&self.first) {
                self.newest.remove(&key.whole);
            }
            self.first += 1;
        }
    }
}

/// Takes a number that is a hash already as its own hash.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, source: &str) -> Key {
        Key::new(WorkspaceId(1), id, source)
    }

    #[test]
    fn ids_of_other_sources_and_workspaces_differ() {
        assert_ne!(key("1", "a").whole, key("1", "b").whole);
        assert_eq!(key("1", "a").id, key("1", "b").id);
        assert_ne!(key("1", "a").id, Key::new(WorkspaceId(2), "1", "a").id);
        assert_ne!(key("ab", "c").whole, key("b", "ca").whole);
    }

    #[test]
    fn rolled_back_events_are_forgotten() {
        let mut keys = Keys::default();
        keys.push(10, key("a", ""));
        keys.push(11, key("b", ""));
        keys.truncate(11);
        assert_eq!(keys.find(key("a", "")), Some(10));
        assert_eq!(keys.find(key("b", "")), None);
        assert_eq!(keys.since(10), [key("a", "")]);
    }

    #[test]
    fn a_gap_forgets_what_was_before_it() {
        let mut keys = Keys::default();
        keys.push(10, key("a", ""));
        keys.push(20, key("b", ""));
        keys.push(21, key("c", ""));
        assert_eq!(keys.find(key("a", "")), None);
        assert_eq!(keys.find(key("c", "")), Some(21));
        assert_eq!(keys.since(21), [key("c", "")]);
        assert_eq!(keys.newest.len(), 2);
    }

    #[test]
    fn the_window_is_bounded() {
        let mut keys = Keys::default();
        for seq in 0..WINDOW as u64 + 10 {
            keys.push(seq, Key { id: seq, whole: seq });
        }
        assert_eq!(keys.find(Key { id: 9, whole: 9 }), None);
        assert_eq!(keys.find(Key { id: 10, whole: 10 }), Some(10));
        assert_eq!(keys.newest.len(), WINDOW);
    }

    #[test]
    fn stored_runs_round_trip() {
        let run = [key("a", "x"), key("b", "y")];
        assert!(decode(&encode(&run)).eq(run));
    }
}
