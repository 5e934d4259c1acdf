use std::sync::Arc;

use hookyard_core::model::{DisabledReason, Endpoint};
use hookyard_store::Actor;

use crate::{Engine, Error};

impl Engine {
    /// Disables an endpoint for a reason of Hookyard's own. Returns the disabled endpoint. `None`
    /// when the endpoint changed meanwhile, is gone or is disabled already: then the reason is not
    /// about the endpoint as it is now.
    pub(crate) async fn disable_endpoint(
        &self,
        endpoint: &Endpoint,
        reason: DisabledReason,
    ) -> Result<Option<Arc<Endpoint>>, Error> {
        let (workspace, id, revision) = (endpoint.workspace, endpoint.id, endpoint.revision);
        let disable = self.store.disable_endpoint(workspace, id, revision, reason);
        let disabled = Actor::system(self.clock.now()).scope(disable).await?;
        if disabled.is_some() {
            self.matchers.rebuild(&self.store, workspace).await?;
        }
        Ok(disabled)
    }
}
