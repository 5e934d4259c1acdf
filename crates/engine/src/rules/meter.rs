use super::EVENT_STEPS_MAX;
use crate::work::INLINE_STEPS_MAX;

/// The most steps of matching for all events of a request together: five of the worst events, or
/// 10,000 steps for each event of the largest batch, a hundred times the usual.
pub(crate) const REQUEST_STEPS_MAX: u64 = 5 * EVENT_STEPS_MAX;

/// The remaining matching steps of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meter {
    left: u64,
    each: u64,
}

impl Meter {
    /// For work done at once.
    pub(crate) fn inline() -> Self {
        Self { left: INLINE_STEPS_MAX, each: INLINE_STEPS_MAX }
    }

    /// For the full budget of a request.
    pub(crate) fn whole() -> Self {
        Self { left: REQUEST_STEPS_MAX, each: EVENT_STEPS_MAX }
    }

    /// For an event with a budget of `steps`.
    pub(crate) fn of(steps: u64) -> Self {
        Self { left: steps, each: steps }
    }

    /// How many steps the next event may take.
    pub(crate) fn allowed(self) -> u64 {
        self.left.min(self.each)
    }

    /// Whether the next event may take less than an event is allowed, as others took so much.
    pub(crate) fn is_low(self) -> bool {
        self.left < self.each
    }

    pub(crate) fn take(&mut self, steps: u64) {
        self.left = self.left.saturating_sub(steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_may_take_its_own_and_all_of_them_the_whole() {
        let mut meter = Meter::whole();
        for _ in 0..5 {
            assert!(!meter.is_low());
            assert_eq!(meter.allowed(), EVENT_STEPS_MAX);
            meter.take(EVENT_STEPS_MAX);
        }
        assert_eq!((meter.allowed(), meter.is_low()), (0, true));
        meter.take(1);
        assert_eq!(meter.allowed(), 0);
    }
}
