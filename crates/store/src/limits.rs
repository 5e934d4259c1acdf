use async_trait::async_trait;
use hookyard_core::model::{Level, Quota};
use jiff::Timestamp;

use crate::StoreError;

/// The most buckets that one call asks of: keeps the transaction short.
pub const TAKES_MAX: usize = 512;

/// What a node asks of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    /// Which bucket: short, and without a NUL.
    pub key: String,
    /// How many turns it has, in which time.
    pub quota: Quota,
    /// Turns that went without asking and are to be counted now.
    pub owed: u32,
    /// Turns that are asked for.
    pub wanted: u32,
}

/// What a bucket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Turns that the node may use, at most those it wanted.
    pub granted: u32,
    /// The bucket's level after that.
    pub level: Level,
}

/// The answer to a node's question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turns {
    /// One for each that was asked, in the order of the questions.
    pub taken: Vec<Taken>,
    /// How many nodes serve now, this one included.
    pub nodes: u32,
}

/// Buckets that all nodes take turns from.
#[async_trait]
pub trait LimitStore: Send + Sync {
    /// Takes turns from at most [`TAKES_MAX`] buckets, each asked once, as [`Quota::grant`] says. A
    /// bucket that is not there is empty: it has all its turns. What was given may be forgotten in a
    /// crash of the machine, unlike everything else that a store answers: it is a bound on work and
    /// not worth waiting for the disk.
    async fn take_turns(&self, takes: Vec<Take>, now: Timestamp) -> Result<Turns, StoreError>;

    /// Forgets buckets that are empty, at most `limit`; how many.
    async fn forget_buckets(&self, now: Timestamp, limit: usize) -> Result<u64, StoreError>;
}
