//! Recognising repeated events.
//!
//! An index on the event ids would write a page somewhere in the middle of the file for every event. Instead
//! the store keeps two hashes of each event's identity: in memory for up to [`EVENTS_KNOWN_MAX`] events, and
//! on disk as one short row for each run of events between two checkpoints.
//!
//! The workspaces share the keys in memory ([`Shares`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use hookyard_core::id::WorkspaceId;
use sha2::{Digest, Sha256};

use super::codec;
use crate::shares::Shares;
use crate::{EVENTS_KNOWN_MAX, StoreError};

/// How many of the newest events of all workspaces a start searches for events of the window: at 20 bytes
/// each the search reads some 160 MB at most, a second or two.
pub(super) const RECOVERED_MAX: u64 = 8_000_000;

/// The number of parts of a run's ids, by the first byte of the hash: a search reads only one part of each
/// run, some hundred bytes.
pub(super) const PARTS: i64 = 256;

/// Bytes of one event in such a part.
const PLACE_BYTES: usize = 8;

/// Bytes of one event in a stored run.
pub(super) const KEY_BYTES: usize = 16;

/// Two hashes of an event's identity. SHA-256 cut to 64 bits: stable over versions of the program, and a
/// publisher cannot aim for collisions cheaply. A match is always confirmed by the journal.
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

/// The hash of an event with the id in [`Key::id`].
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

/// A run of keys of consecutive events, in the stored form.
pub(super) fn encode<'k>(keys: impl Iterator<Item = &'k Key>) -> Vec<u8> {
    keys.flat_map(|key| [key.id.to_le_bytes(), key.whole.to_le_bytes()]).flatten().collect()
}

/// Reads the output of [`encode`]. Trailing bytes short of a whole key are left out.
pub(super) fn decode(bytes: &[u8]) -> impl DoubleEndedIterator<Item = Key> + ExactSizeIterator {
    let word = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]));
    bytes.chunks_exact(KEY_BYTES).map(move |key| Key { id: word(key), whole: word(&key[8..]) })
}

/// The workspaces of a run's keys, as stored beside the run: each workspace with the number of its successive
/// keys.
pub(super) fn encode_workspaces(run: impl Iterator<Item = WorkspaceId>) -> Vec<u8> {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for workspace in run.map(|workspace| u64::from(workspace.0.unsigned_abs())) {
        match stretches.last_mut() {
            Some((last, count)) if *last == workspace => *count += 1,
            _ => stretches.push((workspace, 1)),
        }
    }
    codec::encode(stretches.into_iter().flat_map(|(workspace, count)| [workspace, count]))
}

/// Reads the output of [`encode_workspaces`]. Nothing beyond `keys` is read.
pub(super) fn decode_workspaces(bytes: &[u8], keys: usize) -> Result<Vec<WorkspaceId>, StoreError> {
    let mut run = Vec::with_capacity(keys);
    for stretch in codec::decode(bytes)?.chunks_exact(2) {
        let workspace = WorkspaceId(i32::try_from(stretch[0]).unwrap_or(i32::MAX));
        let count = usize::try_from(stretch[1]).unwrap_or(usize::MAX).min(keys - run.len());
        run.extend(std::iter::repeat_n(workspace, count));
    }
    Ok(run)
}

/// The part of an id's hash.
pub(super) fn part(id: u64) -> i64 {
    i64::from(id.to_be_bytes()[0])
}

/// The parts of a run, by number: for each event four more bytes of the id's hash, and the event's place in
/// the run.
pub(super) fn parts<'a>(keys: impl Iterator<Item = &'a Key>) -> BTreeMap<i64, Vec<u8>> {
    let mut parts: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for (place, key) in (0_u32..).zip(keys) {
        let part = parts.entry(part(key.id)).or_default();
        part.extend_from_slice(&mark(key.id));
        part.extend_from_slice(&place.to_le_bytes());
    }
    parts
}

/// The places of an id in a part of a run, the last one first.
pub(super) fn places(part: &[u8], id: u64) -> impl Iterator<Item = u32> {
    let own = mark(id);
    let place = |entry: &[u8]| u32::from_le_bytes(*entry[4..].first_chunk().unwrap_or(&[0; 4]));
    let entries = part.chunks_exact(PLACE_BYTES).rev();
    entries.filter(move |entry| entry[..4] == own).map(place)
}

/// The bytes that tell the ids of a part apart.
fn mark(id: u64) -> [u8; 4] {
    let [_, a, b, c, d, ..] = id.to_be_bytes();
    [a, b, c, d]
}

/// The ids of the newest events, in no run yet: hashes, with the events' numbers ascending.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    ids: VecDeque<(u64, u64)>,
}

impl Unsaved {
    /// Adds committed events. Where runs cannot be written for long, the oldest are forgotten.
    pub(super) fn extend(&mut self, ids: impl IntoIterator<Item = (u64, Key)>) {
        self.ids.extend(ids.into_iter().map(|(seq, key)| (seq, key.id)));
        let surplus = self.ids.len().saturating_sub(EVENTS_KNOWN_MAX);
        self.ids.drain(..surplus);
    }

    /// Forgets the events below a number: a run has them.
    pub(super) fn saved(&mut self, below: u64) {
        let count = self.ids.partition_point(|(seq, _)| *seq < below);
        self.ids.drain(..count);
    }

    /// The candidates for the id, the newest first.
    pub(super) fn find(&self, id: u64) -> Vec<u64> {
        self.ids.iter().rev().filter(|(_, own)| *own == id).map(|(seq, _)| *seq).collect()
    }
}

/// The identities of the newest events of each workspace.
#[derive(Debug)]
pub(super) struct Keys {
    most: usize,
    /// The newest event of each [`Key::whole`].
    newest: HashMap<u64, u64, BuildHasherDefault<AsIs>>,
    /// The entries of each workspace, in the order of the events: numbers, and the keys for recognising. At
    /// 16 bytes here and about 35 in the map, some 50 MB at most.
    shares: Shares<(u64, u64)>,
    /// The keys of consecutive events not yet on disk, from event `first` on. When checkpoints keep failing,
    /// only the newest keys stay.
    unsaved: VecDeque<(WorkspaceId, Key)>,
    first: u64,
}

impl Default for Keys {
    fn default() -> Self {
        Self::new(EVENTS_KNOWN_MAX)
    }
}

impl Keys {
    fn new(most: usize) -> Self {
        Self {
            most,
            newest: HashMap::default(),
            shares: Shares::default(),
            unsaved: VecDeque::default(),
            first: 0,
        }
    }

    /// Adds the next event's key. A gap in the numbers drops the keys before the gap from the next write: a
    /// run is consecutive.
    pub(super) fn push(&mut self, workspace: WorkspaceId, seq: u64, key: Key) {
        if self.first + self.unsaved.len() as u64 != seq {
            self.unsaved.clear();
        }
        if self.unsaved.is_empty() {
            self.first = seq;
        }
        self.unsaved.push_back((workspace, key));
        if self.unsaved.len() > self.most {
            self.unsaved.pop_front();
            self.first += 1;
        }
        self.newest.insert(key.whole, seq);
        self.shares.change(workspace, |share| share.push_back((seq, key.whole)));
        if self.shares.len() > self.most {
            self.forget_oldest();
        }
    }

    /// Adds the key of an event on disk that is older than all keys here.
    pub(super) fn push_older(&mut self, workspace: WorkspaceId, seq: u64, key: Key) {
        if self.shares.len() >= self.most {
            if self.shares.largest() == Some(workspace) {
                return;
            }
            self.forget_oldest();
        }
        self.newest.entry(key.whole).or_insert(seq);
        self.shares.change(workspace, |share| share.push_front((seq, key.whole)));
    }

    /// Whether keys of workspaces with few keys may still find a place.
    pub(super) fn has_room(&self) -> bool {
        self.shares.len() < self.most || self.shares.workspaces() > 1
    }

    /// Takes back the events from `seq` on, after the rollback of the transaction.
    pub(super) fn truncate(&mut self, seq: u64) {
        while self.first + self.unsaved.len() as u64 > seq {
            let Some((workspace, key)) = self.unsaved.pop_back() else { break };
            let gone = self.first + self.unsaved.len() as u64;
            if self.newest.get(&key.whole) == Some(&gone) {
                self.newest.remove(&key.whole);
            }
            self.shares.change(workspace, |share| {
                if share.back().is_some_and(|(last, _)| *last == gone) {
                    share.pop_back();
                }
            });
        }
    }

    /// The newest event that may have the key.
    pub(super) fn find(&self, key: Key) -> Option<u64> {
        self.newest.get(&key.whole).copied()
    }

    /// The keys not yet on disk, of consecutive events, and the number of the first.
    pub(super) fn unsaved(&self) -> (u64, &VecDeque<(WorkspaceId, Key)>) {
        (self.first, &self.unsaved)
    }

    /// Notes that the unsaved keys are on disk.
    pub(super) fn saved(&mut self) {
        self.first += self.unsaved.len() as u64;
        self.unsaved.clear();
    }

    /// Forgets the oldest key of the workspace with most keys.
    fn forget_oldest(&mut self) {
        if let Some((seq, whole)) = self.shares.take_oldest()
            && self.newest.get(&whole) == Some(&seq)
        {
            self.newest.remove(&whole);
        }
    }
}

/// Uses a number that is a hash already as the hash.
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

    const ONE: WorkspaceId = WorkspaceId(1);
    const OTHER: WorkspaceId = WorkspaceId(2);

    fn numbered(seq: u64) -> Key {
        Key { id: seq, whole: seq }
    }

    #[test]
    fn rolled_back_events_are_forgotten() {
        let mut keys = Keys::default();
        keys.push(ONE, 10, key("a", ""));
        keys.push(OTHER, 11, key("b", ""));
        keys.push(ONE, 12, key("c", ""));
        keys.truncate(11);
        assert_eq!(keys.find(key("a", "")), Some(10));
        assert_eq!((keys.find(key("b", "")), keys.find(key("c", ""))), (None, None));
        assert_eq!(keys.unsaved().0, 10);
        assert_eq!(keys.unsaved().1, &[(ONE, key("a", ""))]);
        assert_eq!(keys.shares.workspaces(), 1);
        keys.push(ONE, 11, key("b", ""));
        assert_eq!(keys.find(key("b", "")), Some(11));
    }

    #[test]
    fn a_run_is_consecutive_and_written_once() {
        let mut keys = Keys::default();
        keys.push(ONE, 10, key("a", ""));
        keys.push(ONE, 20, key("b", ""));
        keys.push(ONE, 21, key("c", ""));
        assert_eq!(keys.find(key("a", "")), Some(10));
        let run = [(ONE, key("b", "")), (ONE, key("c", ""))];
        assert_eq!((keys.unsaved().0, keys.unsaved().1), (20, &run.into()));
        keys.saved();
        assert!(keys.unsaved().1.is_empty());
        keys.push(ONE, 22, key("d", ""));
        assert_eq!((keys.unsaved().0, keys.unsaved().1.len()), (22, 1));
        assert_eq!(keys.find(key("c", "")), Some(21));
    }

    #[test]
    fn the_window_is_bounded() {
        let mut keys = Keys::new(1_000);
        for seq in 0..2_500 {
            keys.push(ONE, seq, numbered(seq));
        }
        assert_eq!((keys.find(numbered(1_499)), keys.find(numbered(1_500))), (None, Some(1_500)));
        assert_eq!((keys.newest.len(), keys.shares.len()), (1_000, 1_000));
        assert!(keys.unsaved().1.len() <= 1_000);
    }

    #[test]
    fn no_workspace_pushes_out_what_another_has_within_its_share() {
        let mut keys = Keys::new(1_000);
        for seq in 0..300 {
            keys.push(ONE, seq, numbered(seq));
        }
        for seq in 300..50_000 {
            keys.push(OTHER, seq, numbered(seq));
        }
        assert!((0..300).all(|seq| keys.find(numbered(seq)) == Some(seq)));
        for seq in 50_000..60_000 {
            keys.push(ONE, seq, numbered(seq));
        }
        let sizes = [ONE, OTHER].map(|workspace| keys.shares.of(workspace).unwrap().len());
        assert_eq!(sizes, [500, 500]);
    }

    #[test]
    fn a_start_finds_the_window_that_was_there() {
        let workspace = |seq: u64| WorkspaceId(if seq % 100 == 7 { 2 } else { 1 });
        let (mut keys, mut again) = (Keys::new(1_000), Keys::new(1_000));
        for seq in 0..20_000 {
            keys.push(workspace(seq), seq, numbered(seq));
        }
        for seq in (0..20_000).rev() {
            again.push_older(workspace(seq), seq, numbered(seq));
        }
        for workspace in [ONE, OTHER] {
            assert_eq!(again.shares.of(workspace), keys.shares.of(workspace));
        }
        assert_eq!(again.newest, keys.newest);
        assert!(again.unsaved().1.is_empty());
    }

    #[test]
    fn workspaces_of_a_run_round_trip() {
        let run = [1, 1, 1, 7, 1, 2, 2].map(WorkspaceId);
        let stored = encode_workspaces(run.into_iter());
        assert_eq!(decode_workspaces(&stored, run.len()).unwrap(), run);
        assert_eq!(decode_workspaces(&stored, 2).unwrap(), run[..2]);
        assert!(decode_workspaces(&[], 7).unwrap().is_empty());
    }

    #[test]
    fn ids_are_found_in_the_parts_of_a_run() {
        let run: Vec<_> = (0..5_000).map(|n| key(&(n % 4_000).to_string(), "x")).collect();
        let parts = parts(run.iter());
        assert_eq!(parts.values().map(Vec::len).sum::<usize>(), run.len() * PLACE_BYTES);
        for (n, expected) in [(7, vec![4_007, 7]), (3_999, vec![3_999])] {
            let id = key(&n.to_string(), "y").id;
            assert_eq!(places(&parts[&part(id)], id).collect::<Vec<_>>(), expected);
        }
        let none = key("none", "x").id;
        assert!(parts.get(&part(none)).is_none_or(|part| places(part, none).next().is_none()));
    }

    #[test]
    fn what_no_run_has_is_found_in_memory() {
        let mut unsaved = Unsaved::default();
        unsaved.extend([(7, key("a", "")), (8, key("b", "")), (9, key("a", "x"))]);
        assert_eq!(unsaved.find(key("a", "").id), [9, 7]);
        unsaved.saved(8);
        assert_eq!(unsaved.find(key("a", "").id), [9]);
        unsaved.extend((10..).zip(std::iter::repeat_n(key("c", ""), EVENTS_KNOWN_MAX)));
        assert!(unsaved.find(key("a", "").id).is_empty());
    }

    #[test]
    fn stored_runs_round_trip() {
        let run = [key("a", "x"), key("b", "y")];
        assert!(decode(&encode(run.iter())).eq(run));
    }
}
