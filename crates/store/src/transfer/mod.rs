//! The form of the data between the two backends: known to each, and knowing neither.

pub(crate) mod line;
pub(crate) mod plan;
pub(crate) mod shape;
