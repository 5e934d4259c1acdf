//! Webhooks: this API's name for sources.

mod create;
mod delete;
mod get;
mod list;
mod patch;
mod shape;

pub(super) use create::create;
pub(super) use delete::delete;
pub(super) use get::get;
pub(super) use list::list;
pub(super) use patch::patch;

use hookyard_core::model::Mode;
use serde_json::Value;

/// Reads a mode, in any case.
fn read_mode(value: &Value) -> Result<Mode, String> {
    let text = value.as_str().ok_or_else(|| super::body::expected("str", value))?;
    Mode::parse(text).ok_or_else(|| "Expected one of replace, combine".to_owned())
}
