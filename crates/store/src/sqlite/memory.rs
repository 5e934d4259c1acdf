//! Answers without the database.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hookyard_core::id::{DatasetId, EndpointId, ProjectId, Seq, SourceId, WorkspaceId};
use hookyard_core::model::{Catalogue, Endpoint, Event, Source};
use sha2::{Digest, Sha256};

use super::keys::{Key, Unsaved};
use crate::backlog::Backlog;
use crate::{Ready, SourceQuery};

/// Bytes of the newest events in memory: about a minute of a thousand one-kilobyte events a second, so an
/// endpoint that keeps up is served without a read. Workspaces have no shares of the bytes: a workspace whose
/// events were pushed out pays a read by number for each bundle.
const RECENT_BYTES_MAX: usize = 64 << 20;

/// Bytes of an event beyond the texts: the struct, the counts of the `Arc` and of the object's buffer, and a
/// place in a list whose capacity may be twice its length.
const EVENT_OVERHEAD: usize = size_of::<Event>() + 16 + 32 + 2 * size_of::<Arc<Event>>();

/// Shared by the writing thread, which alone changes the memory, and all readers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    endpoints: RwLock<HashMap<EndpointId, Arc<Endpoint>>>,
    queues: RwLock<HashMap<EndpointId, Arc<Mutex<Backlog>>>>,
    recent: RwLock<Recent>,
    /// The ids of events since the last checkpoint.
    unsaved: RwLock<Unsaved>,
    sources: RwLock<Sources>,
    catalogues: RwLock<HashMap<WorkspaceId, Arc<Catalogue>>>,
    /// Count the changes of each workspace's catalogue and endpoints.
    versions: RwLock<HashMap<WorkspaceId, u64>>,
    /// Endpoints enabled since the start, each with the first version of the workspace whose events are
    /// matched with the endpoint.
    enabled: Mutex<HashMap<EndpointId, u64>>,
    projects: RwLock<HashSet<(WorkspaceId, ProjectId)>>,
    /// Bytes of each workspace's events since the last checkpoint.
    weights: Mutex<HashMap<WorkspaceId, u64>>,
    /// Endpoints with a changed queue since the last checkpoint.
    dirty: Mutex<HashSet<EndpointId>>,
    pub(super) ready: Arc<Ready>,
    /// Endpoints whose replay may have a slice to queue.
    pub(super) replays: Arc<Ready>,
}

impl Memory {
    pub(super) fn endpoint(&self, id: EndpointId) -> Option<Arc<Endpoint>> {
        read(&self.endpoints).get(&id).map(Arc::clone)
    }

    pub(super) fn endpoints(&self, workspace: WorkspaceId) -> Vec<Arc<Endpoint>> {
        let all = read(&self.endpoints);
        let mut own: Vec<_> =
            all.values().filter(|endpoint| endpoint.workspace == workspace).cloned().collect();
        own.sort_by_key(|endpoint| endpoint.id);
        own
    }

    pub(super) fn put_endpoint(&self, endpoint: Arc<Endpoint>) {
        let (id, workspace, disabled) =
            (endpoint.id, endpoint.workspace, endpoint.settings.disabled);
        let before = write(&self.endpoints).insert(id, endpoint);
        write(&self.queues).entry(id).or_default();
        let version = self.count_change(workspace);
        if before.is_some_and(|before| before.settings.disabled) && !disabled {
            lock(&self.enabled).insert(id, version);
        }
    }

    /// The endpoints of a workspace that are enabled now, and were not at the version.
    pub(super) fn enabled_since(&self, workspace: WorkspaceId, version: u64) -> Vec<EndpointId> {
        if self.version(workspace).is_none_or(|now| now <= version) {
            return Vec::new();
        }
        let endpoints = read(&self.endpoints);
        let is_own = |id: &EndpointId| {
            endpoints
                .get(id)
                .is_some_and(|own| own.workspace == workspace && !own.settings.disabled)
        };
        let enabled = lock(&self.enabled);
        let later = enabled.iter().filter(|(_, since)| **since > version);
        later.map(|(id, _)| *id).filter(is_own).collect()
    }

    pub(super) fn remove_endpoint(&self, id: EndpointId) {
        let removed = write(&self.endpoints).remove(&id);
        write(&self.queues).remove(&id);
        lock(&self.dirty).remove(&id);
        lock(&self.enabled).remove(&id);
        if let Some(endpoint) = removed {
            self.count_change(endpoint.workspace);
        }
    }

    pub(super) fn queue(&self, id: EndpointId) -> Option<Arc<Mutex<Backlog>>> {
        read(&self.queues).get(&id).map(Arc::clone)
    }

    pub(super) fn put_queue(&self, id: EndpointId, backlog: Backlog) {
        write(&self.queues).insert(id, Arc::new(Mutex::new(backlog)));
    }

    pub(super) fn queue_ids(&self) -> Vec<EndpointId> {
        read(&self.queues).keys().copied().collect()
    }

    /// Queues committed events for the matching endpoints.
    pub(super) fn enqueue(&self, events: Vec<(Arc<Event>, Vec<EndpointId>)>) {
        let mut touched = HashSet::new();
        {
            let queues = read(&self.queues);
            for (event, matched) in &events {
                for id in matched {
                    if let Some(queue) = queues.get(id) {
                        lock(queue).push(event.seq.0);
                        touched.insert(*id);
                    }
                }
            }
        }
        write(&self.recent).extend(events.into_iter().map(|(event, _)| event));
        if !touched.is_empty() {
            lock(&self.dirty).extend(touched.iter().copied());
            self.ready.mark(touched);
        }
    }

    /// Counts the bytes of a workspace's committed events.
    pub(super) fn weigh(&self, workspace: WorkspaceId, bytes: u64) {
        *lock(&self.weights).entry(workspace).or_default() += bytes;
    }

    /// The bytes of a workspace's events in no checkpoint's count yet.
    pub(super) fn weight_of(&self, workspace: WorkspaceId) -> u64 {
        lock(&self.weights).get(&workspace).copied().unwrap_or_default()
    }

    /// The same of all workspaces.
    pub(super) fn weights(&self) -> HashMap<WorkspaceId, u64> {
        lock(&self.weights).clone()
    }

    /// A checkpoint counts the bytes; nothing was committed since.
    pub(super) fn weights_saved(&self) {
        lock(&self.weights).clear();
    }

    /// Notes the ids of committed events.
    pub(super) fn note_ids(&self, ids: impl IntoIterator<Item = (u64, Key)>) {
        write(&self.unsaved).extend(ids);
    }

    /// Forgets the ids of events below a number; the ids are on disk.
    pub(super) fn ids_saved(&self, below: u64) {
        write(&self.unsaved).saved(below);
    }

    /// The candidates for the id since the last checkpoint, the newest first.
    pub(super) fn find_id(&self, id: u64) -> Vec<u64> {
        read(&self.unsaved).find(id)
    }

    pub(super) fn mark_dirty(&self, id: EndpointId) {
        lock(&self.dirty).insert(id);
    }

    pub(super) fn take_dirty(&self) -> HashSet<EndpointId> {
        std::mem::take(&mut lock(&self.dirty))
    }

    /// The newest events still in memory, by number; `None` for the others.
    pub(super) fn recent(&self, seqs: impl Iterator<Item = u64>) -> Vec<Option<Arc<Event>>> {
        let recent = read(&self.recent);
        seqs.map(|seq| recent.get(seq)).collect()
    }

    /// Drops events below the number: some of the events have left the journal.
    pub(super) fn forget_recent(&self, below: u64) {
        write(&self.recent).forget(below);
    }

    pub(super) fn source(&self, id: SourceId) -> Option<Arc<Source>> {
        read(&self.sources).by_id.get(&id).map(Arc::clone)
    }

    pub(super) fn source_by_key(&self, key: &str) -> Option<Arc<Source>> {
        let sources = read(&self.sources);
        let id = sources.by_key.get(&key_hash(key))?;
        sources.by_id.get(id).map(Arc::clone)
    }

    pub(super) fn sources(&self, workspace: WorkspaceId, project: ProjectId) -> Vec<Arc<Source>> {
        let all = SourceQuery { project: Some(project), after: None, limit: usize::MAX };
        self.sources_page(workspace, all)
    }

    pub(super) fn sources_page(
        &self,
        workspace: WorkspaceId,
        query: SourceQuery,
    ) -> Vec<Arc<Source>> {
        let sources = read(&self.sources);
        let from = query.after.map_or(Bound::Unbounded, Bound::Excluded);
        let later = sources.by_id.range((from, Bound::Unbounded)).map(|(_, source)| source);
        let wanted = |source: &&Arc<Source>| {
            source.spec.workspace == workspace
                && query.project.is_none_or(|project| source.spec.project == project)
        };
        later.filter(wanted).take(query.limit).cloned().collect()
    }

    pub(super) fn source_of(&self, dataset: DatasetId) -> Option<Arc<Source>> {
        let sources = read(&self.sources);
        let id = sources.by_dataset.get(&dataset)?;
        sources.by_id.get(id).map(Arc::clone)
    }

    pub(super) fn put_source(&self, source: Arc<Source>) {
        let mut sources = write(&self.sources);
        let (id, keys) = (source.id, key_hashes(&source));
        sources.by_dataset.insert(source.dataset, id);
        if let Some(before) = sources.by_id.insert(id, source) {
            for key in key_hashes(&before) {
                sources.by_key.remove(&key);
            }
        }
        sources.by_key.extend(keys.into_iter().map(|key| (key, id)));
    }

    pub(super) fn remove_source(&self, id: SourceId) {
        let mut sources = write(&self.sources);
        if let Some(source) = sources.by_id.remove(&id) {
            for key in key_hashes(&source) {
                sources.by_key.remove(&key);
            }
            sources.by_dataset.remove(&source.dataset);
        }
    }

    pub(super) fn catalogue(&self, workspace: WorkspaceId) -> Option<Arc<Catalogue>> {
        read(&self.catalogues).get(&workspace).map(Arc::clone)
    }

    pub(super) fn put_catalogue(&self, workspace: WorkspaceId, catalogue: Arc<Catalogue>) {
        write(&self.catalogues).insert(workspace, catalogue);
        self.count_change(workspace);
    }

    /// The number of changes of the workspace's catalogue and endpoints; `None` when there is no such
    /// workspace.
    pub(super) fn version(&self, workspace: WorkspaceId) -> Option<u64> {
        read(&self.versions).get(&workspace).copied()
    }

    /// Last of all: a reader of the new number, which is the return value, must find the change.
    fn count_change(&self, workspace: WorkspaceId) -> u64 {
        let mut versions = write(&self.versions);
        let version = versions.entry(workspace).or_default();
        *version += 1;
        *version
    }

    /// The catalogue of a workspace unknown here, unless the workspace has become known meanwhile.
    pub(super) fn put_first_catalogue(
        &self,
        workspace: WorkspaceId,
        read: Catalogue,
    ) -> Arc<Catalogue> {
        let known = {
            let mut catalogues = write(&self.catalogues);
            Arc::clone(catalogues.entry(workspace).or_insert_with(|| Arc::new(read)))
        };
        self.count_change(workspace);
        known
    }

    pub(super) fn has_project(&self, workspace: WorkspaceId, project: ProjectId) -> bool {
        read(&self.projects).contains(&(workspace, project))
    }

    pub(super) fn put_project(&self, workspace: WorkspaceId, project: ProjectId) {
        write(&self.projects).insert((workspace, project));
    }

    pub(super) fn remove_project(&self, workspace: WorkspaceId, project: ProjectId) {
        write(&self.projects).remove(&(workspace, project));
    }
}

#[derive(Debug, Default)]
struct Sources {
    by_id: BTreeMap<SourceId, Arc<Source>>,
    by_key: HashMap<[u8; 32], SourceId>,
    by_dataset: HashMap<DatasetId, SourceId>,
}

/// The hashes for the look-up of a source: of the key, and of the key before.
fn key_hashes(source: &Source) -> Vec<[u8; 32]> {
    let previous = source.spec.previous.key.as_ref().map(|it| it.value.expose());
    [Some(&source.spec.key[..]), previous].into_iter().flatten().map(key_hash).collect()
}

/// The hash for the look-up by a source's key.
pub(super) fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// The newest events, consecutive numbers.
#[derive(Debug, Default)]
struct Recent {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
}

impl Recent {
    fn extend(&mut self, events: impl Iterator<Item = Arc<Event>>) {
        for event in events {
            self.bytes += weight(&event);
            self.events.push_back(event);
        }
        while self.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= weight(&oldest);
        }
    }

    fn forget(&mut self, below: u64) {
        while self.events.front().is_some_and(|event| event.seq.0 < below) {
            if let Some(event) = self.events.pop_front() {
                self.bytes -= weight(&event);
            }
        }
    }

    fn get(&self, seq: u64) -> Option<Arc<Event>> {
        let first = self.events.front()?.seq.0;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.events.get(index).filter(|event| event.seq == Seq(seq)).map(Arc::clone)
    }
}

/// Bytes of memory for an event.
fn weight(event: &Event) -> usize {
    let texts =
        [&event.id, &event.source, &event.attributes].map(|text| allocated(text.capacity()));
    texts.iter().sum::<usize>() + allocated(event.object.len()) + EVENT_OVERHEAD
}

/// Bytes of memory for an allocation of so many: allocators have sizes an eighth apart, and none below 16.
fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        bytes => (bytes + bytes / 8).next_multiple_of(16),
    }
}

/// A poisoned lock is taken all the same: single assignments change the guarded data.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use hookyard_core::id::EventTypeId;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn small_events_count_for_what_they_take() {
        let event = |seq: usize| {
            Arc::new(Event {
                seq: Seq(seq as u64),
                workspace: WorkspaceId(1),
                accepted_at: Timestamp::UNIX_EPOCH,
                event_type: EventTypeId(1),
                id: "1".to_owned(),
                source: "/".to_owned(),
                attributes: String::new(),
                object: "{}".into(),
                matched: 0,
                damaged: false,
            })
        };
        let mut recent = Recent::default();
        let many = RECENT_BYTES_MAX / size_of::<Event>();
        recent.extend((0..many).map(event));
        // Each has three small texts, and allocations of 16 bytes.
        let each = size_of::<Event>() + 3 * 16;
        assert!(recent.events.len() * each <= RECENT_BYTES_MAX, "{}", recent.events.len());
        assert!(recent.events.len() * each > RECENT_BYTES_MAX / 2, "{}", recent.events.len());
        recent.forget(u64::MAX);
        assert_eq!((recent.bytes, recent.events.len()), (0, 0));
    }
}
