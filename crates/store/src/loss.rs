use std::fmt;

use serde::Serialize;

/// What a store lacks of what was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss(pub Vec<Missing>);

/// Of one kind of record, where the store ends and where it was known to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Events, attempts, rows or changes.
    pub what: &'static str,
    /// The highest number that the store holds.
    pub held: u64,
    /// The highest number that a caller was told of.
    pub acknowledged: u64,
    /// How many numbers that is: as many records at most.
    pub missing: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, missing) in self.0.iter().enumerate() {
            let Missing { what, held, acknowledged, missing } = missing;
            let comma = if place > 0 { "; " } else { "" };
            write!(
                f,
                "{comma}{what}: the store ends at {held}, {acknowledged} was acknowledged, {missing} \
                 missing"
            )?;
        }
        Ok(())
    }
}
