//! Forms, as browsers and senders of webhooks write them: queries, urlencoded bodies and
//! `multipart/form-data`.

mod disposition;
pub mod multipart;
pub mod urlencoded;

/// The most fields of one form. Far above any form, and low enough that the bookkeeping of one
/// delivery stays within a few megabytes.
pub const FIELDS_MAX: usize = 10_000;
