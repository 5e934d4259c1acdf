use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::{Catalogue, Endpoint};
use hookyard_store::Entity;

use super::patch::Patch;
use super::patch::TRIES_MAX;
use super::{EndpointChange, EndpointView, FieldNames, RequestedSubscription};
use crate::{Engine, Error};

/// Changes one subscription and leaves the others, at the revision that was read.
struct OneChange<'a> {
    names: &'static FieldNames,
    event_type: &'a str,
    /// The subscription as it shall be; `None` cancels it.
    wanted: Option<RequestedSubscription>,
}

impl Engine {
    /// Subscribes an endpoint to one event type, or replaces that subscription: what `wanted` leaves
    /// unsaid stays. Says too whether the subscription is new. Errors are those of
    /// [`Engine::update_endpoint`].
    pub async fn put_subscription(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        names: &'static FieldNames,
        wanted: RequestedSubscription,
        if_revision: Option<u32>,
    ) -> Result<(EndpointView, bool), Error> {
        let event_type = wanted.event_type.clone();
        let change = OneChange { names, event_type: &event_type, wanted: Some(wanted) };
        self.change_subscription(workspace, id, change, if_revision).await
    }

    /// Cancels one subscription of an endpoint. [`Error::NotFound`] when it has none to this event
    /// type.
    pub async fn delete_subscription(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        names: &'static FieldNames,
        event_type: &str,
        if_revision: Option<u32>,
    ) -> Result<EndpointView, Error> {
        let change = OneChange { names, event_type, wanted: None };
        Ok(self.change_subscription(workspace, id, change, if_revision).await?.0)
    }

    async fn change_subscription(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        change: OneChange<'_>,
        if_revision: Option<u32>,
    ) -> Result<(EndpointView, bool), Error> {
        let mut tries = 1;
        loop {
            let endpoint = self.existing(workspace, id).await?;
            let catalogue = self.store.catalogue(workspace).await?;
            let (whole, is_new) = change.whole(&endpoint, &catalogue)?;
            let read_at = if_revision.unwrap_or(endpoint.revision);
            let whole = EndpointChange { if_revision: Some(read_at), ..whole };
            match self.update_endpoint(workspace, id, whole).await {
                // Another caller was quicker; only a caller who named a revision minds.
                Err(Error::Stale { .. }) if if_revision.is_none() && tries < TRIES_MAX => {
                    tries += 1;
                }
                result => return Ok((result?, is_new)),
            }
        }
    }
}

impl OneChange<'_> {
    /// The complete set of subscriptions after the change, and whether it adds one.
    fn whole(
        &self,
        endpoint: &Endpoint,
        catalogue: &Catalogue,
    ) -> Result<(EndpointChange, bool), Error> {
        let active = endpoint.subscriptions.iter().filter(|subscription| subscription.active);
        let names = active.filter_map(|subscription| catalogue.by_id(subscription.event_type));
        let mut all: Vec<_> = names.map(|(_, kind)| kept(&kind.name)).collect();
        let before = all.len();
        all.retain(|subscription| subscription.event_type != self.event_type);
        let was_there = all.len() < before;
        match &self.wanted {
            Some(wanted) => all.push(wanted.clone()),
            None if was_there => {}
            None => return Err(Error::NotFound(Entity::Subscription)),
        }
        let change =
            EndpointChange { subscriptions: Some(all), ..EndpointChange::none(self.names) };
        Ok((change, !was_there))
    }
}

/// A subscription that stays as it is.
fn kept(event_type: &str) -> RequestedSubscription {
    RequestedSubscription {
        path: String::new(),
        event_type: event_type.to_owned(),
        active: true,
        expansion: Patch::Keep,
        comments: Patch::Keep,
        rule: Patch::Keep,
    }
}
