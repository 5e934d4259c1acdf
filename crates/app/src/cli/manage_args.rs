//! What can be written on the command line of the commands that manage who may do what.

use clap::{Args, Subcommand};
use hookyard_core::model::{CredentialKind, Scope};
use jiff::Timestamp;

use super::args::CommonArgs;
use crate::config::values::{Amount, Merchant, Net, Number, OverlapSeconds, PageLimit};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialAction {
    /// Make a credential and print it once
    ///
    /// This works while a server runs on the same data directory; the server knows the credential
    /// at once.
    Create(CredentialCreateArgs),
    /// List the credentials of a workspace
    ///
    /// Secrets are not kept and cannot be shown.
    List(TargetArgs),
    /// End a credential for good
    ///
    /// A running server knows it within five seconds; a server that does it itself
    /// (DELETE /v1/credentials/ID), at once.
    Revoke(OneArgs),
    /// Answer whatever comes with a credential with 410, until it is enabled again
    ///
    /// A running server knows it within five seconds; a server that does it itself
    /// (PATCH /v1/credentials/ID), at once.
    Disable(OneArgs),
    /// Let a disabled credential in again
    Enable(OneArgs),
    /// Make a successor of a credential and print it once
    ///
    /// It is the same but for its number and secrets. The old one ends after the overlap.
    Rotate(CredentialRotateArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceAction {
    /// List the workspaces
    List(ListArgs),
    /// Make a workspace with one project
    ///
    /// It has no credentials yet: `credential create` makes them. This works while a server runs.
    Create(WorkspaceCreateArgs),
    /// Give a workspace another name
    Rename(WorkspaceRenameArgs),
    /// Set and show how much a workspace may have and take
    ///
    /// Without flags nothing is changed. This works while a server runs, which follows within seconds.
    Quota(WorkspaceQuotaArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectAction {
    /// List the projects of a workspace
    List(TargetArgs),
    /// Make a project
    ///
    /// This works while a server runs.
    Create(ProjectCreateArgs),
    /// Give a project another name
    Rename(ProjectRenameArgs),
    /// Remove a project that is empty
    ///
    /// Not while a server runs, which does it itself: DELETE /v1/projects/ID.
    Delete(OneArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Print a page of who changed what in a workspace, the newest first
    ///
    /// To go on where a page ended, pass the number of its last entry as --before. This works while a
    /// server runs.
    List(Box<AuditListArgs>),
    /// Print who changed what in a workspace, as JSON, one entry a line, the oldest first
    ///
    /// This works while a server runs.
    Export(AuditExportArgs),
}

/// What a listing has.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// Print JSON, one object a line
    ///
    /// The members of each object are those that the native API has.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

/// What every command has that is about a workspace.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    #[command(flatten)]
    pub(crate) list: ListArgs,

    /// The workspace that it is about
    ///
    /// It can be left out when there is only one.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,
}

/// What every command has that is about one thing in a workspace.
#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// Its number
    #[arg(value_name = "ID")]
    pub(crate) id: Number,
}

/// What people know it by.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// What people know it by
    ///
    /// At most 100 characters.
    #[arg(long, value_name = "NAME", env = "HOOKYARD_NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CredentialCreateArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// What the credential looks like: simple, pair or token
    ///
    /// A simple key goes into the header x-ultracart-simple-key, a pair into X-API-KEY and
    /// X-API-SECRET, a token into Authorization behind the word Bearer.
    #[arg(long, value_name = "KIND", env = "HOOKYARD_KIND", default_value = "simple")]
    pub(crate) kind: CredentialKind,

    /// What the credential may do; may be repeated
    ///
    /// One of webhook_read, webhook_write, event_read, event_write, data_read, data_write and
    /// admin; all of them when none is named. In the environment it is a comma list.
    #[arg(long, value_name = "SCOPE", env = "HOOKYARD_SCOPE", value_delimiter = ',')]
    pub(crate) scope: Vec<Scope>,

    #[command(flatten)]
    pub(crate) name: NameArgs,

    /// When the credential ends by itself
    ///
    /// A moment such as 2027-01-31T00:00:00Z; never when it is left out.
    #[arg(long, value_name = "MOMENT", env = "HOOKYARD_EXPIRES_AT")]
    pub(crate) expires_at: Option<Timestamp>,

    /// A range of addresses that the credential may be used from; may be repeated
    ///
    /// From anywhere when none is named. In the environment it is a comma list.
    #[arg(long, value_name = "CIDR", env = "HOOKYARD_ALLOWED_IP", value_delimiter = ',')]
    pub(crate) allowed_ip: Vec<Net>,

    /// The only project that the credential opens
    ///
    /// It can have the scopes data_read and data_write alone, which are what it has when none is
    /// named. The whole workspace when it is left out.
    #[arg(long, value_name = "ID", env = "HOOKYARD_PROJECT")]
    pub(crate) project: Option<Number>,
}

#[derive(Debug, Args)]
pub(crate) struct CredentialRotateArgs {
    #[command(flatten)]
    pub(crate) one: OneArgs,

    /// For how long the old credential is still good
    ///
    /// Whole seconds, at most 30 days.
    #[arg(long, value_name = "SECONDS", env = "HOOKYARD_OVERLAP_SECONDS", default_value = "86400")]
    pub(crate) overlap_seconds: OverlapSeconds,
}

#[derive(Debug, Args)]
pub(crate) struct WorkspaceCreateArgs {
    #[command(flatten)]
    pub(crate) list: ListArgs,

    /// Its merchant code, UltraCart's name for it
    #[arg(value_name = "CODE")]
    pub(crate) merchant: Merchant,

    /// Its number, Mammoth's name for it; the next free one when it is left out
    #[arg(value_name = "ID")]
    pub(crate) id: Option<Number>,

    #[command(flatten)]
    pub(crate) name: NameArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WorkspaceRenameArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// The new name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// What of a workspace's quotas is to be another one: a number, off for any amount, or default for what
/// --default-quota of the servers says.
#[derive(Debug, Args)]
pub(crate) struct WorkspaceQuotaArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// How many endpoints the workspace may have, off or default
    ///
    /// Those that it has stay, however many there are.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_ENDPOINTS")]
    pub(crate) quota_endpoints: Option<Amount>,

    /// How many event types the workspace may have, off or default
    ///
    /// It begins with 43 or so, those of the UltraCart catalogue.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_EVENT_TYPES")]
    pub(crate) quota_event_types: Option<Amount>,

    /// How many sources the workspace may have, off or default
    ///
    /// Each has a dataset, which counts as one, too.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_SOURCES")]
    pub(crate) quota_sources: Option<Amount>,

    /// How many datasets the workspace may have, off or default
    ///
    /// Those of sources are among them.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_DATASETS")]
    pub(crate) quota_datasets: Option<Amount>,

    /// How many events the workspace may take in an hour, off or default
    ///
    /// Events that are published, deliveries to sources and rows that are added. All can come at
    /// once, and they come back evenly. Of several servers each lets through its part.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_EVENTS_HOUR")]
    pub(crate) quota_events_hour: Option<Amount>,

    /// How many bytes of events the workspace may take in an hour, off or default
    ///
    /// Counted like the events: with KiB, MiB or GiB, or as a plain number.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_QUOTA_BYTES_HOUR")]
    pub(crate) quota_bytes_hour: Option<Amount>,

    /// How many bytes the rows of its datasets may have, off or default
    ///
    /// Those of earlier versions are among them. It is looked up every few seconds.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_QUOTA_STORED_BYTES")]
    pub(crate) quota_stored_bytes: Option<Amount>,

    /// How many bytes of its events the journal may keep, off or default
    ///
    /// As retention counts them: what it deletes is given back. It is looked up every few seconds.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_QUOTA_JOURNAL_BYTES")]
    pub(crate) quota_journal_bytes: Option<Amount>,
}

#[derive(Debug, Args)]
pub(crate) struct ProjectCreateArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Its number; the next free one when it is left out
    #[arg(value_name = "ID")]
    pub(crate) id: Option<Number>,
}

#[derive(Debug, Args)]
pub(crate) struct ProjectRenameArgs {
    #[command(flatten)]
    pub(crate) one: OneArgs,

    /// The new name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct AuditListArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// Made at or after this moment
    ///
    /// A moment such as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "MOMENT", env = "HOOKYARD_FROM")]
    pub(crate) from: Option<Timestamp>,

    /// Made before this moment
    ///
    /// A moment such as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "MOMENT", env = "HOOKYARD_UNTIL")]
    pub(crate) until: Option<Timestamp>,

    /// Made with the credential of this number
    ///
    /// `credential list` shows the numbers; those that have ended count, too.
    #[arg(long, value_name = "ID", env = "HOOKYARD_CREDENTIAL")]
    pub(crate) credential: Option<Number>,

    /// This action, such as endpoint.update
    ///
    /// With a dot at its end, as in `endpoint.`, all of the kind.
    #[arg(long, value_name = "ACTION", env = "HOOKYARD_ACTION")]
    pub(crate) action: Option<String>,

    /// Done to the thing with this number or name
    ///
    /// The list shows it behind the action.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_SUBJECT")]
    pub(crate) subject: Option<String>,

    /// With a lower number than this
    ///
    /// The number of the last entry of a page brings the next one.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_BEFORE")]
    pub(crate) before: Option<u64>,

    /// The most entries of the page
    ///
    /// From 1 to 1000.
    #[arg(long, value_name = "COUNT", env = "HOOKYARD_LIMIT", default_value = "100")]
    pub(crate) limit: PageLimit,
}

#[derive(Debug, Args)]
pub(crate) struct AuditExportArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The workspace that it is about
    ///
    /// It can be left out when there is only one.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// Leave out entries up to this number
    ///
    /// The last number of an earlier export, to go on where it ended.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_AFTER")]
    pub(crate) after: Option<u64>,
}
