//! The flags of `serve` that say how long and how much is kept.

use clap::Args;

use crate::config::values::{ByteSize, Days};

/// How long and how much is kept of each kind.
#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    /// How long published events are kept, in days
    ///
    /// A whole number, or `forever`. Only what is kept can be sent again. An event stays while it
    /// is queued anywhere or a replay has still to come to it.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_JOURNAL_DAYS", default_value = "forever")]
    pub(crate) journal_days: Days,

    /// The most bytes of published events that are kept
    ///
    /// A number, or a number with KiB, MiB or GiB behind it; without this flag there is no limit.
    /// The oldest go first.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_JOURNAL_BYTES")]
    pub(crate) journal_bytes: Option<ByteSize>,

    /// How long the log of deliveries is kept, in days
    ///
    /// A whole number, or `forever`.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_ATTEMPT_DAYS", default_value = "30")]
    pub(crate) attempt_days: Days,

    /// The most bytes of the log of deliveries that are kept
    ///
    /// A number, or a number with KiB, MiB or GiB behind it; without this flag there is no limit.
    /// The oldest go first.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_ATTEMPT_BYTES")]
    pub(crate) attempt_bytes: Option<ByteSize>,

    /// How long dead letters are kept, in days
    ///
    /// A whole number, or `forever`. An endpoint keeps 10,000 at most in any case.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_DEAD_LETTER_DAYS", default_value = "30")]
    pub(crate) dead_letter_days: Days,

    /// The most bytes of the events of dead letters that are kept
    ///
    /// A number, or a number with KiB, MiB or GiB behind it; without this flag there is no limit.
    /// Those that were parked first go first, whichever endpoint they are of; an event counts for
    /// each endpoint that gave it up.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_DEAD_LETTER_BYTES")]
    pub(crate) dead_letter_bytes: Option<ByteSize>,

    /// How long the audit log is kept, in days
    ///
    /// A whole number, or `forever`.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_AUDIT_DAYS", default_value = "365")]
    pub(crate) audit_days: Days,

    /// The most bytes of the audit log that are kept
    ///
    /// A number, or a number with KiB, MiB or GiB behind it; without this flag there is no limit.
    /// The oldest entries go first.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_AUDIT_BYTES")]
    pub(crate) audit_bytes: Option<ByteSize>,
}
