use std::sync::Arc;

use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::{Catalogue, Endpoint};

use super::change::Draft;
use super::change::check_payload;
use super::moved::Forgotten;
use super::patch::TRIES_MAX;
use super::{EndpointChange, EndpointView};
use crate::work::Share;
use crate::{Engine, Error, rules};

impl Engine {
    /// Changes an endpoint, wholly or not at all. [`Error::Invalid`] names the unusable value.
    /// [`Error::NotFound`]: there is no such endpoint. [`Error::Conflict`]: others kept changing
    /// the endpoint. [`Error::Stale`]: the endpoint has another revision than the caller named.
    pub async fn update_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        change: EndpointChange,
    ) -> Result<EndpointView, Error> {
        let mut tries = 1;
        let endpoint = loop {
            let result = self.try_update(workspace, id, change.clone()).await;
            match result {
                Err(Error::Conflict(_)) if tries < TRIES_MAX => tries += 1,
                other => break other?,
            }
        };
        self.matchers.rebuild(&self.store, workspace).await?;
        self.store.ready().mark([id]);
        self.view(workspace, endpoint).await
    }

    /// The endpoint as a change would leave it, options and all.
    pub(super) async fn changed(
        &self,
        workspace: WorkspaceId,
        before: Draft,
        change: EndpointChange,
        catalogue: &Catalogue,
    ) -> Result<Draft, Error> {
        let bytes = change.rule_bytes();
        let apply = || self.changed_now(before, change, catalogue);
        self.work().run(Share::Calls(workspace), rules::weight(bytes), apply).await?
    }

    fn changed_now(
        &self,
        mut before: Draft,
        mut change: EndpointChange,
        catalogue: &Catalogue,
    ) -> Result<Draft, Error> {
        let forgotten = Forgotten::forget(&mut before.settings, &change);
        forgotten.ask(before.settings.auth, &change)?;
        let options = std::mem::take(&mut change.options);
        let mut draft = before.changed(change, catalogue, self.entropy.as_ref())?;
        let now = self.clock.now();
        let applied = options.apply(draft.settings.options, now, self.entropy.as_ref());
        draft.settings.options = applied.map_err(|error| forgotten.explain(error))?;
        check_payload(&draft.settings)?;
        Ok(draft)
    }

    async fn try_update(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        change: EndpointChange,
    ) -> Result<Arc<Endpoint>, Error> {
        let catalogue = self.store.catalogue(workspace).await?;
        let endpoint = self.existing(workspace, id).await?;
        let revision = endpoint.revision;
        if change.if_revision.is_some_and(|wanted| wanted != revision) {
            return Err(Error::Stale { revision });
        }
        let current = Draft {
            settings: endpoint.settings.clone(),
            subscriptions: endpoint.subscriptions.clone(),
        };
        let names = change.names;
        let draft = self.changed(workspace, current.clone(), change, &catalogue).await?;
        self.check_target(workspace, names, &draft, Some(&current), &catalogue).await?;
        let Draft { settings, subscriptions } = draft;
        Ok(self.store.update_endpoint(workspace, id, revision, settings, subscriptions).await?)
    }
}
