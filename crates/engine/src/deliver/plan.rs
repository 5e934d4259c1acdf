//! The consequences of an endpoint's settings.

use std::sync::{Arc, Mutex, PoisonError};

use hookyard_core::model::{Catalogue, Concurrency, Endpoint, Event};
use hookyard_store::StoreError;
use http::HeaderMap;

use super::deliverer::Deliverer;
use super::destination::Target;
use super::render::{Bundle, Renderer, Unsendable};
use super::request;
use crate::work::Share;

/// The consequences of an endpoint's settings at one revision.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) endpoint: Arc<Endpoint>,
    catalogue: Arc<Catalogue>,
    renderer: Mutex<Renderer>,
    pub(super) target: Result<Target, String>,
}

impl Plan {
    /// How many bundles the endpoint takes at once, if more than one.
    pub(super) fn concurrency(&self) -> Option<&Concurrency> {
        self.endpoint.settings.options.concurrency.as_ref()
    }

    /// The headers that tell of the event of a request.
    pub(super) fn about(&self, events: &[Arc<Event>]) -> HeaderMap {
        request::about(&self.catalogue, self.endpoint.settings.options.format, events)
    }

    fn bundle(&self, events: &[Arc<Event>]) -> Result<Bundle, Unsendable> {
        // A poisoned lock is taken all the same: a renderer only remembers its own results.
        self.renderer.lock().unwrap_or_else(PoisonError::into_inner).bundle(events)
    }
}

impl Deliverer {
    pub(super) async fn plan(&self, endpoint: Arc<Endpoint>) -> Result<Arc<Plan>, StoreError> {
        let catalogue = self.store.catalogue(endpoint.workspace).await?;
        let api_user = self.options.api_user.as_ref();
        let api_user = api_user.filter(|(workspace, _)| *workspace == endpoint.workspace);
        let api_user = api_user.map(|(_, user)| user);
        let target = Target::new(&endpoint, &self.options.user_agent, api_user);
        let renderer = Renderer::new(Arc::clone(&catalogue), Arc::clone(&endpoint));
        Ok(Arc::new(Plan { endpoint, catalogue, renderer: Mutex::new(renderer), target }))
    }

    /// Renders with the plan's catalogue. A catalogue too old to know a type is first replaced by the newest.
    pub(super) async fn render(
        &self,
        plan: &mut Arc<Plan>,
        events: &[Arc<Event>],
    ) -> Result<Result<Bundle, Unsendable>, StoreError> {
        let bytes = events.iter().map(|event| event.object.len()).sum();
        let share = Share::Sending(plan.endpoint.workspace);
        let work = self.engine.work();
        let rendered = work.run_patiently(share, bytes, || plan.bundle(events)).await;
        if rendered != Err(Unsendable::UnknownType) {
            return Ok(rendered);
        }
        *plan = self.plan(Arc::clone(&plan.endpoint)).await?;
        Ok(work.run_patiently(share, bytes, || plan.bundle(events)).await)
    }
}
