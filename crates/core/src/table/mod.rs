//! Datasets as tables: cells of JSON text flattened to columns whose types are inferred.
//!
//! A cell that is an object has a column for each of its leaves, named by the path to it: `a.b` for
//! `{"a":{"b":1}}`. Arrays, objects nested deeper than [`DEPTH_MAX`] and empty objects are leaves.
//! What is in a cell is never lost: a leaf beyond the limits of this module goes into one column of
//! JSON, [`REST`], and whatever a type cannot hold exactly widens the type.
//!
//! [`Inference`] looks at cells and learns the columns, [`Flattener`] takes cells apart by them, and
//! [`csv`] and [`ndjson`] write what it finds. All of them work on the text: a number keeps its
//! digits, and nothing is built for a leaf that is not wanted.

mod column;
pub mod csv;
mod flatten;
mod infer;
mod kind;
pub mod ndjson;
mod tree;
mod value;

pub use column::{Change, Column, Seen, Stamp};
pub use flatten::{Flattener, Leaves};
pub use infer::Inference;
pub use kind::Kind;
pub use tree::{BATCH, CELL, RECEIVED_AT, REST, VALUE};
pub use value::{Misfit, Value, text};

/// The most columns that a dataset is flattened to, its first ones. Events of real providers have 20
/// to 200 leaves; 500 of them with statistics take some 200 KiB.
pub const COLUMNS_MAX: usize = 500;

/// The levels of objects that are flattened. Deeper ones stay JSON: names of more parts than this are
/// read by nobody.
pub const DEPTH_MAX: usize = 8;

/// The longest name of a column, in bytes. Longer ones come from maps whose keys are data.
pub const NAME_BYTES_MAX: usize = 256;
