//! Datasets as tables: cells of JSON text, flattened to columns with inferred types.
//!
//! A cell with an object has a column for each leaf, named by the path: `a.b` for `{"a":{"b":1}}`. Arrays,
//! objects nested deeper than [`DEPTH_MAX`] and empty objects are leaves. A cell's contents are never lost:
//! leaves beyond the module's limits go into a single column of JSON, [`REST`], and a value too large or too
//! exact for a type widens the type.
//!
//! [`Inference`] looks at cells and learns the columns, [`Flattener`] splits cells by the columns, and
//! [`csv`] and [`ndjson`] write the leaves. All work on the text: a number keeps all digits, and nothing is
//! built for an unwanted leaf.

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

/// The most columns of a dataset: the first columns count. Events of real providers have 20 to 200 leaves;
/// 500 columns with statistics take some 200 KiB.
pub const COLUMNS_MAX: usize = 500;

/// The flattened levels of objects. Deeper objects stay JSON: nobody reads names with more parts.
pub const DEPTH_MAX: usize = 8;

/// The longest name of a column, in bytes. Longer names come from maps with data as keys.
pub const NAME_BYTES_MAX: usize = 256;
