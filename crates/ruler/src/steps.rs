//! The budget of an event.

/// Bytes of a text compared or searched in a step.
const BYTES_PER_STEP: usize = 64;

/// More steps than were allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfSteps;

/// The remaining steps of an event, over all rules and all combinations of branches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    allowed: u64,
    spent: u64,
}

impl Steps {
    pub(crate) fn allow(steps: u64) -> Self {
        Steps { allowed: steps, spent: 0 }
    }

    pub(crate) fn spent(self) -> u64 {
        self.spent
    }

    /// Spends some steps; an error once the budget is exceeded, and from then on.
    #[inline]
    pub(crate) fn spend(&mut self, steps: u64) -> Result<(), OutOfSteps> {
        self.spent = self.spent.saturating_add(steps);
        if self.spent > self.allowed { Err(OutOfSteps) } else { Ok(()) }
    }

    pub(crate) fn allowed(self) -> u64 {
        self.allowed
    }
}

/// The steps of as many things.
#[inline]
pub(crate) fn count(things: usize) -> u64 {
    things as u64
}

/// The steps for reading a text once.
#[inline]
pub(crate) fn reading(bytes: usize) -> u64 {
    count(bytes / BYTES_PER_STEP)
}
