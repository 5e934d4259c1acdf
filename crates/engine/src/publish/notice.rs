use hookyard_core::model::{Audience, Endpoint, NewEvent};
use hookyard_store::{Entity, StoreError};

use crate::rules::Meter;
use crate::{Engine, Error};

/// The CloudEvents source of Hookyard's own events.
const SOURCE: &str = "hookyard";

impl Engine {
    /// Publishes an event of Hookyard's own about an endpoint, to all subscribers of the type
    /// among the owner's endpoints except the endpoint. A notice published before with the same id is not published again.
    pub(crate) async fn publish_notice(
        &self,
        about: &Endpoint,
        event_type: &str,
        id: String,
        object: String,
    ) -> Result<(), Error> {
        let catalogue = self.store.catalogue(about.workspace).await?;
        let (_, kind) = catalogue.by_name(event_type).ok_or(Error::NotFound(Entity::Workspace))?;
        let matcher = self.matchers.get(&self.store, about.workspace).await?;
        let matched = matcher
            .matches(kind.id, &Audience::Owner, object.as_bytes(), &mut Meter::whole())
            .map_err(|undecided| Error::Internal(StoreError::Internal(undecided.reason.into())))?;
        let event = NewEvent {
            event_type: kind.id,
            id,
            source: SOURCE.to_owned(),
            attributes: String::new(),
            object: object.into(),
            matched: matched.into_iter().filter(|endpoint| *endpoint != about.id).collect(),
            matched_at: matcher.version,
        };
        self.store.append(about.workspace, vec![event], self.clock.now()).await?;
        Ok(())
    }
}
