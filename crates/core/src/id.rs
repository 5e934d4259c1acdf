//! Identifiers.
//!
//! Everything a compatible client sees as a number fits a signed 32-bit integer: the Java and C#
//! clients of both APIs store them so (docs/spec/ultracart.md#trap-11).

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entropy::{self, Entropy};

macro_rules! int32_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

int32_id! {
    /// A workspace: the tenant.
    WorkspaceId;
    /// A project, numbered within its workspace.
    ProjectId;
    /// An outbound endpoint.
    EndpointId;
    /// A customer of a workspace. Rows refer to the number, so the owner's id of a customer can change.
    CustomerId;
    /// An event type, numbered within its workspace.
    EventTypeId;
    /// An inbound source.
    SourceId;
    /// A dataset.
    DatasetId;
    /// A credential.
    CredentialId;
    /// A replay.
    ReplayId;
    /// An application that people let in by OAuth2.
    ApplicationId;
    /// One person's yes to an application.
    GrantId;
    /// A folder.
    FolderId;
    /// A job.
    JobId;
}

/// The number of an event in the journal. Unique in an installation and never used again; a later
/// event of one writer has a higher number.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a batch. Unique in an installation; later batches have higher numbers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BatchId(pub u64);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a version of a dataset. Unique in an installation; of two versions that were begun by
/// a delivery, the later has the higher number, which is that of the delivery's batch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct VersionId(pub u64);

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! row_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

row_id! {
    /// The number of a delivery that is kept for inspection; later ones have higher numbers.
    DeliveryId;
    /// The number of a line of a log of rejections; later ones have higher numbers.
    RejectionId;
}

/// The five digits that end every request id (docs/spec/ultracart.md#answers).
const REQUEST_ID_SUFFIX: &str = "80011";

/// The id of one HTTP exchange: 14 random hexadecimal digits, 12 digits of Unix milliseconds and a
/// constant, in upper case and safe in a URL (docs/spec/ultracart.md#answers).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// A new id, stamped with `now`.
    pub fn new(entropy: &dyn Entropy, now: Timestamp) -> Self {
        let random = entropy::hex(entropy, 14);
        let millis = now.as_millisecond();
        Self(format!("{random}{millis:012x}{REQUEST_ID_SUFFIX}").to_uppercase())
    }

    /// The id in the form it was written; nothing that is not of the form above is one.
    pub fn parse(text: &str) -> Option<Self> {
        let shape = text.len() == 31
            && text.ends_with(REQUEST_ID_SUFFIX)
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        shape.then(|| Self(text.to_owned()))
    }

    /// The moment the id was made, to the millisecond.
    pub fn stamp(&self) -> Timestamp {
        let millis = i64::from_str_radix(&self.0[14..26], 16).unwrap_or_default();
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn request_ids_carry_their_stamp() {
        let now = Timestamp::from_millisecond(1_759_781_233_123).unwrap();
        let id = RequestId::new(&SystemEntropy, now);
        assert_eq!(id.as_str().len(), 31);
        assert_eq!(id.stamp(), now);
        assert_eq!(RequestId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn foreign_request_ids_are_refused() {
        for text in ["", "r/1 x", "0123456789abcdef0123456789a80011", &"Z".repeat(31)] {
            assert_eq!(RequestId::parse(text), None, "{text}");
        }
    }
}
