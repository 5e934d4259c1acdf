use std::sync::Arc;

use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::{Endpoint, Subscription};
use hookyard_store::{Entity, PAGE_BYTES_MAX};

use super::EndpointView;
use crate::{Engine, Error};

/// Which endpoints to list, by number. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageQuery {
    /// A text in the target.
    pub url: Option<String>,
    /// A text in the name.
    pub name: Option<String>,
    /// Disabled endpoints only, or enabled endpoints only.
    pub disabled: Option<bool>,
    /// Of the customer with this id.
    pub customer: Option<String>,
    /// With a higher number.
    pub after: Option<EndpointId>,
    /// The most endpoints to return.
    pub limit: usize,
}

impl PageQuery {
    fn selects(&self, endpoint: &Endpoint) -> bool {
        let Self { url, name, disabled, customer, after, limit: _ } = self;
        let own = endpoint.customer.as_ref().map(|own| own.code.as_str());
        let settings = &endpoint.settings;
        let shown_name = settings.name.as_deref().unwrap_or_default();
        url.as_ref().is_none_or(|text| settings.url.contains(text))
            && name.as_ref().is_none_or(|text| shown_name.contains(text))
            && disabled.is_none_or(|disabled| settings.disabled == disabled)
            && customer.as_deref().is_none_or(|code| own == Some(code))
            && after.is_none_or(|after| endpoint.id > after)
    }
}

/// The bytes of an endpoint in a page beyond the endpoint's texts: names of members, numbers and
/// moments.
const ENDPOINT_BYTES: usize = 1_024;

/// The same of a subscription.
const SUBSCRIPTION_BYTES: usize = 128;

/// How many of the endpoints fit a page.
fn fitting(endpoints: &[Arc<Endpoint>], limit: usize) -> usize {
    let mut room = PAGE_BYTES_MAX;
    let fits = |(place, endpoint): &(usize, &Arc<Endpoint>)| {
        let bytes = weight(endpoint);
        let fits = *place == 0 || bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    };
    endpoints.iter().take(limit).enumerate().take_while(fits).count()
}

/// The bytes of an endpoint in a page, roughly.
fn weight(endpoint: &Endpoint) -> usize {
    let settings = &endpoint.settings;
    let texts = [&settings.name, &settings.comments, &settings.basic_username];
    let headers = settings.options.headers.iter().map(|header| header.name.len()).sum::<usize>();
    let subscriptions = endpoint.subscriptions.iter().map(subscription_bytes).sum::<usize>();
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    ENDPOINT_BYTES + settings.url.len() + texts + headers + subscriptions
}

/// The bytes of a subscription, roughly.
pub(super) fn subscription_bytes(subscription: &Subscription) -> usize {
    let texts = [&subscription.expansion, &subscription.comments, &subscription.rule];
    SUBSCRIPTION_BYTES + texts.into_iter().flatten().map(String::len).sum::<usize>()
}

impl Engine {
    /// The workspace's endpoints selected by a query, numbers ascending, and whether more follow. A
    /// page ends at its limit or at [`PAGE_BYTES_MAX`], and always has a first endpoint.
    pub async fn endpoints_page(
        &self,
        workspace: WorkspaceId,
        query: PageQuery,
    ) -> Result<(Vec<EndpointView>, bool), Error> {
        let mut endpoints = self.store.endpoints(workspace).await?;
        endpoints.retain(|endpoint| query.selects(endpoint));
        let count = fitting(&endpoints, query.limit);
        let more = endpoints.len() > count;
        endpoints.truncate(count);
        let ids: Vec<_> = endpoints.iter().map(|endpoint| endpoint.id).collect();
        let states = self.store.queue_states(workspace, &ids).await?;
        let views = endpoints.into_iter().zip(states);
        Ok((views.map(|(endpoint, state)| EndpointView { endpoint, state }).collect(), more))
    }

    /// An endpoint with the state of its queue. [`Error::NotFound`] when there is no such endpoint.
    pub async fn endpoint_view(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<EndpointView, Error> {
        let endpoint = self.existing(workspace, id).await?;
        self.view(workspace, endpoint).await
    }

    /// An endpoint, or [`Error::NotFound`].
    pub(super) async fn existing(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<Arc<Endpoint>, Error> {
        let found = self.store.endpoint(workspace, id).await?;
        found.ok_or(Error::NotFound(Entity::Endpoint))
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::id::EventTypeId;
    use hookyard_core::model::EndpointSettings;
    use jiff::Timestamp;

    use super::*;

    fn endpoint(rule_bytes: usize) -> Arc<Endpoint> {
        let subscription = Subscription {
            event_type: EventTypeId(1),
            active: true,
            expansion: None,
            comments: None,
            rule: Some("r".repeat(rule_bytes)),
        };
        Arc::new(Endpoint {
            id: EndpointId(1),
            workspace: WorkspaceId(1),
            revision: 1,
            created_at: Timestamp::UNIX_EPOCH,
            disabled_reason: None,
            application: None,
            customer: None,
            settings: EndpointSettings::to_url("https://x.test/"),
            subscriptions: vec![subscription],
        })
    }

    #[test]
    fn a_page_of_endpoints_ends_at_its_entries_or_its_bytes() {
        let few: Vec<_> = (0..300).map(|_| endpoint(100)).collect();
        assert_eq!(fitting(&few, 200), 200);
        let large: Vec<_> = (0..300).map(|_| endpoint(1 << 20)).collect();
        assert_eq!(fitting(&large, 200), 3, "four have some bytes beside their rules");
        assert_eq!(fitting(&[endpoint(2 * PAGE_BYTES_MAX), endpoint(1)], 200), 1);
        assert_eq!(fitting(&[], 200), 0);
    }
}
