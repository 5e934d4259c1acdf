//! The flags, and the texts that their values are read from.

pub(crate) mod application_args;
pub(crate) mod args;
pub(crate) mod common_args;
pub(crate) mod destination_args;
pub(crate) mod limit_args;
pub(crate) mod manage_args;
pub(crate) mod retention_args;
pub(crate) mod sql_args;
pub(crate) mod values;
