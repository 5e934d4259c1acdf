use async_trait::async_trait;
use hookyard_core::model::{Level, Quota};
use jiff::Timestamp;

use crate::StoreError;

/// The most buckets of one call: a bound that keeps the transaction short.
pub const TAKES_MAX: usize = 512;

/// A node's question to a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    /// The bucket's key: short, and without a NUL.
    pub key: String,
    /// The bucket's turns and their period.
    pub quota: Quota,
    /// Turns used without asking, to be counted now.
    pub owed: u32,
    /// Turns asked for.
    pub wanted: u32,
}

/// A bucket's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Turns that the node may use, at most `wanted`.
    pub granted: u32,
    /// The bucket's level after the grant.
    pub level: Level,
}

/// The answer to a node's question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turns {
    /// One answer for each question, in the order of the questions.
    pub taken: Vec<Taken>,
    /// The number of serving nodes, this node included.
    pub nodes: u32,
}

/// Token buckets shared by all nodes.
#[async_trait]
pub trait LimitStore: Send + Sync {
    /// Takes turns from at most [`TAKES_MAX`] buckets, each asked once, as [`Quota::grant`] says. An absent
    /// bucket is empty: the bucket has all its turns. A crash of the machine may forget granted turns, unlike
    /// every other answer of a store: a bound on work is not worth waiting for the disk.
    async fn take_turns(&self, takes: Vec<Take>, now: Timestamp) -> Result<Turns, StoreError>;

    /// Forgets at most `limit` empty buckets and returns the number forgotten.
    async fn forget_buckets(&self, now: Timestamp, limit: usize) -> Result<u64, StoreError>;
}
