//! Publishing: validate, match, append.

mod matcher;

pub(crate) use matcher::Matchers;
