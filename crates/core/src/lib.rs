//! Hookyard's model and pure logic.
//!
//! Nothing here touches a network, a disk, a database or a runtime: time comes in through
//! [`clock::Clock`] and randomness through [`entropy::Entropy`], so that every rule of the product
//! can be tested without waiting and replayed from a seed.
#![forbid(unsafe_code)]

pub mod body;
pub mod catalogue;
pub mod clock;
pub mod cloudevents;
pub mod entropy;
pub mod expansion;
pub mod form;
pub mod http_date;
pub mod id;
pub mod json;
pub mod json_pointer;
pub mod model;
pub mod moment;
pub mod oauth;
pub mod order_key;
pub mod origins;
pub mod provider;
pub mod readable;
pub mod retry;
pub mod row_filter;
mod secret;
pub mod signature;
pub mod table;
