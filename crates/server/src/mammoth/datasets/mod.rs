//! Datasets: reading and managing the received rows (docs/spec/mammoth.md#reading-back).

mod batches;
mod change_batches;
mod columns;
mod data;
mod dataviews;
mod delete;
mod get;
mod list;
mod patch;
mod search;
mod shape;

pub(super) use batches::{batch, batches};
pub(super) use change_batches::{delete_batch, delete_batches, patch_batches};
pub(super) use data::{batch_data, data};
pub(super) use dataviews::dataviews;
pub(super) use delete::{delete, delete_many};
pub(super) use get::get;
pub(super) use list::list;
pub(super) use patch::{patch, patch_many};
pub(super) use search::search;
