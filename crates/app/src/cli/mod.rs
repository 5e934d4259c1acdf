//! The commands with their input and output.

mod application;
pub(crate) mod application_args;
pub(crate) mod args;
mod check;
pub(crate) mod destination_args;
mod init;
mod key;
pub(crate) mod limit_args;
mod manage;
pub(crate) mod manage_args;
mod migrate;
mod output;
pub(crate) mod retention_args;
mod rule;
mod serve;
mod sql;
pub(crate) mod sql_args;
mod table;

pub(crate) use application::run as application;
pub(crate) use check::run as check;
pub(crate) use init::run as init;
pub(crate) use key::rotate as key_rotate;
pub(crate) use manage::run as manage;
pub(crate) use migrate::run as migrate;
pub(crate) use rule::test as rule_test;
pub(crate) use serve::run as serve;
pub(crate) use sql::run as sql;
