use std::sync::Arc;

use hookyard_core::id::{EventTypeId, WorkspaceId};
use hookyard_core::model::Event;
use hookyard_ruler::Rule;
use hookyard_store::EventQuery;

use super::Single;
use crate::work::Share;
use crate::{Engine, Error};

/// The most events examined by a trial: at the usual kilobyte, 10 MB are read.
pub const TRIAL_EVENTS_MAX: usize = 10_000;

/// How many matching events a trial shows.
const SAMPLES_MAX: usize = 10;

/// Events per read of a trial; the largest events have 1 MiB.
const PAGE: usize = 100;

/// The number of events without a possible search after which a trial ends early.
const REFUSED_MAX: usize = 5;

/// The effect that a rule would have had on the last events of a type.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// How many events were looked at.
    pub tested: usize,
    /// The number of matching events.
    pub matched: usize,
    /// How many could not be searched; publishing refuses such an event while the rule is in use.
    pub refused: usize,
    /// The newest matching events, newest first.
    pub samples: Vec<Arc<Event>>,
}

impl Engine {
    /// Tries a rule on the last events of a type, at most [`TRIAL_EVENTS_MAX`].
    pub async fn try_rule(
        &self,
        workspace: WorkspaceId,
        rule: &Rule,
        event_type: EventTypeId,
        last: usize,
    ) -> Result<Trial, Error> {
        let share = Share::Calls(workspace);
        let single = self.work().run_large(share, || Single::new(rule)).await?;
        let single = single.map_err(|reason| Error::invalid("rule", reason))?;
        let last = last.min(TRIAL_EVENTS_MAX);
        let mut trial = Trial::default();
        let mut before = None;
        while trial.tested < last && trial.refused < REFUSED_MAX {
            let limit = PAGE.min(last - trial.tested);
            let query = EventQuery {
                event_type: Some(event_type),
                after: None,
                before,
                newest_first: true,
                limit,
            };
            let page = self.store.events(workspace, query).await?;
            before = page.entries.last().map(|event| event.seq);
            let look = || page.entries.iter().for_each(|event| trial.look_at(&single, event));
            self.work().run_large(Share::Calls(workspace), look).await?;
            if !page.more {
                break;
            }
        }
        Ok(trial)
    }
}

impl Trial {
    fn look_at(&mut self, single: &Single, event: &Arc<Event>) {
        self.tested += 1;
        if event.damaged {
            self.refused += 1;
            return;
        }
        match single.matches(&event.object) {
            Ok(false) => {}
            Ok(true) => {
                self.matched += 1;
                if self.samples.len() < SAMPLES_MAX {
                    self.samples.push(Arc::clone(event));
                }
            }
            Err(_) => self.refused += 1,
        }
    }
}
