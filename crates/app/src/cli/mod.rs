//! The commands with their input and output.

mod application;
mod check;
mod init;
mod key;
mod manage;
mod migrate;
mod output;
mod rule;
mod serve;
mod sql;
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
