use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{Catalogue, Endpoint};
use hookyard_store::{SharedStore, StoreError};
use tokio::sync::Mutex;

/// Who wants which event type in one workspace, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    /// The event types that may be published, by name.
    pub(crate) names: HashMap<String, EventTypeId>,
    /// The endpoints of each event type, ascending.
    wanted: HashMap<EventTypeId, Vec<EndpointId>>,
}

impl Matcher {
    fn new(catalogue: &Catalogue, endpoints: &[Arc<Endpoint>]) -> Self {
        let mut wanted: HashMap<EventTypeId, Vec<EndpointId>> = HashMap::new();
        for endpoint in endpoints {
            for subscription in &endpoint.subscriptions {
                if endpoint.wants(subscription.event_type) {
                    wanted.entry(subscription.event_type).or_default().push(endpoint.id);
                }
            }
        }
        wanted.values_mut().for_each(|endpoints| endpoints.sort());
        let public = catalogue.iter().filter(|(category, _)| !category.system);
        let names = public.map(|(_, kind)| (kind.name.clone(), kind.id)).collect();
        Self { names, wanted }
    }

    /// The endpoints that want an event of this type, ascending.
    pub(crate) fn matches(&self, event_type: EventTypeId) -> &[EndpointId] {
        self.wanted.get(&event_type).map_or(&[], Vec::as_slice)
    }
}

/// The current matcher of every workspace that was asked for.
///
/// A matcher is never changed: a new one takes its place once a change of the subscriptions is
/// committed and before the change is answered, so whoever was told of it sees it in effect.
#[derive(Debug, Default)]
pub(crate) struct Matchers {
    current: RwLock<HashMap<WorkspaceId, Arc<Matcher>>>,
    /// Held while reading the store and swapping, so that an older reading never replaces a newer.
    rebuild: Mutex<()>,
}

impl Matchers {
    /// The workspace's matcher, built when it is asked for first.
    pub(crate) async fn get(
        &self,
        store: &SharedStore,
        workspace: WorkspaceId,
    ) -> Result<Arc<Matcher>, StoreError> {
        if let Some(matcher) = self.cached(workspace) {
            return Ok(matcher);
        }
        self.rebuild(store, workspace).await
    }

    /// Builds the workspace's matcher anew.
    pub(crate) async fn rebuild(
        &self,
        store: &SharedStore,
        workspace: WorkspaceId,
    ) -> Result<Arc<Matcher>, StoreError> {
        let _turn = self.rebuild.lock().await;
        let catalogue = store.catalogue(workspace).await?;
        let endpoints = store.endpoints(workspace).await?;
        let matcher = Arc::new(Matcher::new(&catalogue, &endpoints));
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.insert(workspace, Arc::clone(&matcher));
        Ok(matcher)
    }

    fn cached(&self, workspace: WorkspaceId) -> Option<Arc<Matcher>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.get(&workspace).map(Arc::clone)
    }
}
