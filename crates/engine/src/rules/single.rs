use std::sync::{Mutex, PoisonError};

use hookyard_ruler::{Machine, Rule, event};

use super::{EVENT_STEPS_MAX, Meter};
use crate::work::INLINE_STEPS_MAX;

/// Steps of a search of the journal for events with more steps than most: twenty of the worst
/// events. Beyond the budget, such events count as undecidable.
const COSTLY_STEPS_MAX: u64 = 20 * EVENT_STEPS_MAX;

/// A compiled rule, for a search of the journal.
#[derive(Debug)]
pub(crate) struct Single {
    machine: Machine<()>,
    /// The rest of [`COSTLY_STEPS_MAX`].
    costly: Mutex<u64>,
}

impl Single {
    /// Compiles a rule; fails only for a rule larger than a machine, with an explanation.
    pub(crate) fn new(rule: &Rule) -> Result<Self, String> {
        let mut machine = Machine::new();
        machine.add((), rule).map_err(|error| error.to_string())?;
        Ok(Self { machine, costly: Mutex::new(COSTLY_STEPS_MAX) })
    }

    /// Whether an object matches.
    pub(crate) fn matches(&self, object: &[u8]) -> Result<bool, event::Error> {
        match self.within(object, Meter::inline()) {
            Err(event::Error::TooCostly { .. }) => {}
            decided => return decided,
        }
        let allowed = {
            let mut left = self.costly.lock().unwrap_or_else(PoisonError::into_inner);
            let allowed = EVENT_STEPS_MAX.min(*left);
            *left -= allowed;
            allowed
        };
        if allowed <= INLINE_STEPS_MAX {
            return Err(event::Error::TooCostly { steps: INLINE_STEPS_MAX });
        }
        self.within(object, Meter::of(allowed))
    }

    fn within(&self, object: &[u8], mut meter: Meter) -> Result<bool, event::Error> {
        let mut matched = false;
        super::run(&self.machine, object, &mut meter, |()| matched = true)
            .map_err(|undecided| undecided.reason)?;
        Ok(matched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One path spelled in several ways, so that the choices for three keys are a product.
    fn ambiguous() -> String {
        let element = |at: usize| format!(r#"{{"k":{at},"l":{at},"m":{at}}}"#);
        let array = (0..30).map(element).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"a":{{"b":{{"c":[{array}]}},"b.c":[{array}]}},"a.b":{{"c":[{array}]}},
                "a.b.c":[{{"x":1}},{{"y":1}}]}}"#
        )
    }

    #[test]
    fn one_search_has_one_budget_for_its_costly_events() {
        let rule = r#"{"a.b.c":{"k":[{"exists":true}],"l":[{"exists":true}],"m":[{"exists":true}],
            "x":[1],"y":[1]}}"#;
        let single = Single::new(&super::super::parse(rule).unwrap()).unwrap();
        let event = ambiguous();
        assert_eq!(single.matches(event.as_bytes()), Ok(false), "one is decided");
        *single.costly.lock().unwrap() = INLINE_STEPS_MAX;
        let refused = single.matches(event.as_bytes());
        assert!(matches!(refused, Err(event::Error::TooCostly { .. })), "{refused:?}");
        assert_eq!(single.matches(b"{}"), Ok(false), "others go on");
    }
}
