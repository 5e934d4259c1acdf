//! Folders (docs/spec/mammoth.md#folders).

mod change;
mod list;
pub(super) mod shape;

pub(super) use change::{create, delete, delete_many, move_many, rename};
pub(super) use list::{find, get, list};
pub(super) use shape::{Resource, Tree};
