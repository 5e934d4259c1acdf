use hookyard_core::id::EventTypeId;
use hookyard_core::model::Endpoint;

use crate::rules::{self, Single};
use crate::work::Share;
use crate::{Engine, Error};

/// Checks the text of a subscription's rule; the error names the problem and the fix. Empty text is
/// no rule.
pub fn check_rule(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    rules::parse(text).map(drop)
}

impl Engine {
    /// The rule of an endpoint's subscription, compiled; `None` without a rule. An unreadable
    /// stored rule (written by a newer version) is an error in words.
    pub(super) async fn rule_of(
        &self,
        endpoint: &Endpoint,
        event_type: EventTypeId,
    ) -> Result<Result<Option<Single>, String>, Error> {
        let rule = endpoint.subscription(event_type).and_then(|own| own.rule.as_deref());
        let Some(text) = rule else { return Ok(Ok(None)) };
        let compile = || rules::parse(text).and_then(|rule| Single::new(&rule));
        let share = Share::Calls(endpoint.workspace);
        let compiled = self.work().run(share, rules::weight(text.len()), compile).await?;
        let unread = |reason| format!("the subscription's rule cannot be read: {reason}");
        Ok(compiled.map(Some).map_err(unread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_rule_is_none_and_blanks_are_not() {
        assert_eq!(check_rule(""), Ok(()));
        assert_eq!(check_rule(r#"{"current_stage":["Shipping Department"]}"#), Ok(()));
        assert!(check_rule(r#"{"a":1}"#).is_err());
        assert!(check_rule(" ").is_err());
        assert!(check_rule("{}").is_err());
    }
}
