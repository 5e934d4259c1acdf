//! The flags of `serve` that bound the age and size of kept data.

use clap::Args;

use crate::flags::values::{ByteSize, Days};

/// How long and how much is kept of each kind.
#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    /// How long published events are kept, in days
    ///
    /// A whole number, or `forever`. Only kept events can be sent again. An event stays while any queue
    /// holds the event or a replay has yet to reach the event.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_JOURNAL_DAYS", default_value = "forever")]
    pub(crate) journal_days: Days,

    /// The most bytes of kept published events
    ///
    /// A number, optionally with KiB, MiB or GiB; no limit without this flag. The oldest events go first.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_JOURNAL_BYTES")]
    pub(crate) journal_bytes: Option<ByteSize>,

    /// How long the log of deliveries is kept, in days
    ///
    /// A whole number, or `forever`.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_ATTEMPT_DAYS", default_value = "30")]
    pub(crate) attempt_days: Days,

    /// The most bytes of the log of deliveries
    ///
    /// A number, optionally with KiB, MiB or GiB; no limit without this flag. The oldest deliveries go
    /// first.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_ATTEMPT_BYTES")]
    pub(crate) attempt_bytes: Option<ByteSize>,

    /// How long dead letters are kept, in days
    ///
    /// A whole number, or `forever`. An endpoint keeps 10,000 at most in any case.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_DEAD_LETTER_DAYS", default_value = "30")]
    pub(crate) dead_letter_days: Days,

    /// The most bytes of the events of dead letters
    ///
    /// A number, optionally with KiB, MiB or GiB; no limit without this flag. The earliest parked dead
    /// letters go first, whatever the endpoint; an event counts for each endpoint that parked the event.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_DEAD_LETTER_BYTES")]
    pub(crate) dead_letter_bytes: Option<ByteSize>,

    /// How long the audit log is kept, in days
    ///
    /// A whole number, or `forever`.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_AUDIT_DAYS", default_value = "365")]
    pub(crate) audit_days: Days,

    /// The most bytes of the audit log
    ///
    /// A number, optionally with KiB, MiB or GiB; no limit without this flag. The oldest entries go first.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_AUDIT_BYTES")]
    pub(crate) audit_bytes: Option<ByteSize>,
}
