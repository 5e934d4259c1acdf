use std::fmt;

use serde::Serialize;

/// The acknowledged records that a store lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss(pub Vec<Missing>);

/// For one kind of record, the end of the store and the known end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Events, attempts, rows or changes.
    pub what: &'static str,
    /// The highest number that the store holds.
    pub held: u64,
    /// The highest number acknowledged to a caller.
    pub acknowledged: u64,
    /// The difference: as many records at most are missing.
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
