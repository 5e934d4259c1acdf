//! The AWS Event Ruler rule language: parse, compile, match.
#![forbid(unsafe_code)]

pub mod event;
mod explain;
mod fold;
mod ip;
mod json;
pub mod limits;
pub mod machine;
mod matcher;
mod number;
pub mod rule;
mod wildcard;

pub use explain::{Explanation, Failure, Reason, SubRuleExplanation, explain};
pub use json::JsonError;
pub use machine::{Machine, Scratch};
pub use rule::Rule;
