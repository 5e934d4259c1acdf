//! Datasets: reading back what arrived (spec/mammoth.md section 7).

mod batches;
mod data;
mod delete;
mod get;
mod list;
mod shape;

pub(super) use batches::{batch, batches};
pub(super) use data::data;
pub(super) use delete::delete;
pub(super) use get::get;
pub(super) use list::list;
