//! Events: the leaves at known paths, taken from the text in one pass.

mod error;
mod flatten;
mod leaves;
mod paths;

pub use error::Error;
pub(crate) use flatten::{Buffers, flatten};
pub(crate) use leaves::{LeafList, Leaves, OUTSIDE};
pub(crate) use paths::{FieldId, Paths};
