use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::{Catalogue, Endpoint};
use hookyard_store::Entity;

use super::patch::Patch;
use super::patch::TRIES_MAX;
use super::{EndpointChange, EndpointView, FieldNames, RequestedSubscription};
use crate::{Engine, Error};

/// A change of a single subscription at the revision read before; the other subscriptions stay.
struct OneChange<'a> {
    names: &'static FieldNames,
    event_type: &'a str,
    /// The wanted subscription; `None` cancels the subscription.
    wanted: Option<RequestedSubscription>,
}

impl Engine {
    /// Subscribes an endpoint to an event type, or replaces the subscription; values missing in
    /// `wanted` stay. Also returns whether the subscription is new. Errors are the errors of
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

    /// Cancels a subscription of an endpoint. [`Error::NotFound`] without a subscription to the
    /// event type.
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
                // Another caller was quicker. Only a caller with a named revision minds.
                Err(Error::Stale { .. }) if if_revision.is_none() && tries < TRIES_MAX => {
                    tries += 1;
                }
                result => return Ok((result?, is_new)),
            }
        }
    }
}

impl OneChange<'_> {
    /// The complete set of subscriptions after the change, and whether the change adds a
    /// subscription.
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

/// An unchanged subscription.
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
