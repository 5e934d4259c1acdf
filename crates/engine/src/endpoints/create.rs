use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{EndpointSettings, QueueState};

use super::change::Draft;
use super::{EndpointChange, EndpointView};
use crate::quotas::Counted;
use crate::{Engine, Error, customers};

impl Engine {
    /// Registers an endpoint, of a customer where the change says so. [`Error::Invalid`] names the unusable value.
    pub async fn create_endpoint(
        &self,
        workspace: WorkspaceId,
        change: EndpointChange,
    ) -> Result<EndpointView, Error> {
        let names = change.names;
        let Some(url) = &change.url else {
            return Err(Error::invalid(names.url, "is required"));
        };
        let customer = change.customer.as_deref();
        let customer = customer.map(|code| customers::parse("customer", code)).transpose()?;
        let catalogue = self.store.catalogue(workspace).await?;
        let settings = EndpointSettings::to_url(url);
        let draft = Draft { settings, subscriptions: Vec::new() };
        let draft = self.changed(workspace, draft, change, &catalogue).await?;
        self.check_target(workspace, names, &draft, None, &catalogue).await?;

        self.may_add(workspace, &[Counted::Endpoints]).await?;
        let Draft { settings, subscriptions } = draft;
        let now = self.clock.now();
        let store = &self.store;
        let endpoint = match customer {
            None => store.create_endpoint(workspace, settings, subscriptions, now).await?,
            Some(code) => {
                store
                    .create_customer_endpoint(workspace, code, settings, subscriptions, now)
                    .await?
            }
        };
        self.matchers.rebuild(&self.store, workspace).await?;
        Ok(EndpointView { endpoint, state: QueueState::default() })
    }
}
