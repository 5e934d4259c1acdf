//! The commands: what each reads and prints.

mod application;
pub(crate) mod application_args;
pub(crate) mod args;
mod credential;
mod init;
mod output;
mod rule;
mod serve;

pub(crate) use application::run as application;
pub(crate) use credential::create as credential_create;
pub(crate) use init::run as init;
pub(crate) use rule::test as rule_test;
pub(crate) use serve::run as serve;
