//! The command line of the commands that manage access.

use clap::{Args, Subcommand};
use hookyard_core::model::{CredentialKind, Scope};
use jiff::Timestamp;

use super::common_args::CommonArgs;
use crate::flags::values::{
    Amount, Merchant, Net, Number, OverlapSeconds, PageLimit, entry_number, moment,
};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialAction {
    /// Make a credential and print the credential once
    ///
    /// This works while a server runs on the same data directory; the server accepts the credential at
    /// once.
    Create(CredentialCreateArgs),
    /// List the credentials of a workspace
    ///
    /// Secrets are not kept and cannot be shown.
    List(TargetArgs),
    /// End a credential for good
    ///
    /// A running server follows within five seconds; with DELETE /v1/credentials/ID a server follows at
    /// once.
    Revoke(OneArgs),
    /// Answer all requests with a credential with 410, until the credential is enabled again
    ///
    /// A running server follows within five seconds; with PATCH /v1/credentials/ID a server follows at
    /// once.
    Disable(OneArgs),
    /// Let a disabled credential in again
    Enable(OneArgs),
    /// Make a successor of a credential and print the successor once
    ///
    /// Only the number and the secrets differ. The old credential ends after the overlap.
    Rotate(CredentialRotateArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceAction {
    /// List the workspaces
    List(ListArgs),
    /// Make a workspace with one project
    ///
    /// The workspace has no credentials yet: `credential create` makes them. This works while a server
    /// runs.
    Create(WorkspaceCreateArgs),
    /// Give a workspace another name
    Rename(WorkspaceRenameArgs),
    /// Set and show the quotas of a workspace
    ///
    /// Without flags nothing is changed. This works while a server runs; the server follows within seconds.
    Quota(WorkspaceQuotaArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectAction {
    /// List the projects of a workspace
    List(TargetArgs),
    /// Make a project
    ///
    /// The command works while a server runs.
    Create(ProjectCreateArgs),
    /// Give a project another name
    Rename(ProjectRenameArgs),
    /// Remove an empty project
    ///
    /// The command does not work while a server runs; a server removes a project with DELETE
    /// /v1/projects/ID.
    Delete(OneArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Print a page of a workspace's changes and their actors, the newest first
    ///
    /// For the next page, pass the number of the last entry as --before. This works while a server runs.
    List(Box<AuditListArgs>),
    /// Print a workspace's changes and their actors, as JSON, one entry a line, the oldest first
    ///
    /// The command works while a server runs.
    Export(AuditExportArgs),
}

/// The flags of a list.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// Print JSON, one object a line
    ///
    /// The members of each object are the same as in the native API.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

/// The flags of every command about a workspace.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    #[command(flatten)]
    pub(crate) list: ListArgs,

    /// The workspace of the command
    ///
    /// Optional with a single workspace.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,
}

/// The flags of every command about one thing in a workspace.
#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// The number of the thing
    #[arg(value_name = "ID")]
    pub(crate) id: Number,
}

/// A name for people.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The name for people
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

    /// A scope of the credential; may be repeated
    ///
    /// One of webhook_read, webhook_write, event_read, event_write, data_read, data_write and admin; all
    /// scopes without the flag. In the environment, a comma list.
    #[arg(long, value_name = "SCOPE", env = "HOOKYARD_SCOPE", value_delimiter = ',')]
    pub(crate) scope: Vec<Scope>,

    #[command(flatten)]
    pub(crate) name: NameArgs,

    /// When the credential ends by itself
    ///
    /// A moment such as 2027-01-31T00:00:00Z; never when it is left out.
    #[arg(long, value_name = "MOMENT", env = "HOOKYARD_EXPIRES_AT", value_parser = moment)]
    pub(crate) expires_at: Option<Timestamp>,

    /// A range of addresses that the credential may be used from; may be repeated
    ///
    /// Any address without the flag. In the environment, a comma list.
    #[arg(long, value_name = "CIDR", env = "HOOKYARD_ALLOWED_IP", value_delimiter = ',')]
    pub(crate) allowed_ip: Vec<Net>,

    /// The only project that the credential opens
    ///
    /// Such a credential can have the scopes data_read and data_write alone, and has both without --scope.
    /// Without the flag, the credential opens the whole workspace.
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

    /// The workspace's merchant code, UltraCart's name for the workspace
    #[arg(value_name = "CODE")]
    pub(crate) merchant: Merchant,

    /// The workspace's number, Mammoth's name for the workspace; the next free number by default
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

/// New quotas of a workspace: a number, off for any amount, or default for the servers' --default-quota.
#[derive(Debug, Args)]
pub(crate) struct WorkspaceQuotaArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// How many endpoints the workspace may have, off or default
    ///
    /// Existing endpoints stay, however many there are.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_ENDPOINTS")]
    pub(crate) quota_endpoints: Option<Amount>,

    /// How many event types the workspace may have, off or default
    ///
    /// A new workspace has some 43 event types, from the UltraCart catalogue.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_EVENT_TYPES")]
    pub(crate) quota_event_types: Option<Amount>,

    /// How many sources the workspace may have, off or default
    ///
    /// Each source has a dataset, which counts against the datasets, too.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_SOURCES")]
    pub(crate) quota_sources: Option<Amount>,

    /// How many datasets the workspace may have, off or default
    ///
    /// Datasets of sources count, too.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_DATASETS")]
    pub(crate) quota_datasets: Option<Amount>,

    /// How many events the workspace may take in an hour, off or default
    ///
    /// Published events, deliveries to sources and added rows count. The whole quota can be used at once,
    /// and refills evenly. Each of several servers lets its part of the quota through.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_QUOTA_EVENTS_HOUR")]
    pub(crate) quota_events_hour: Option<Amount>,

    /// How many bytes of events the workspace may take in an hour, off or default
    ///
    /// Counted like the events: with KiB, MiB or GiB, or as a plain number.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_QUOTA_BYTES_HOUR")]
    pub(crate) quota_bytes_hour: Option<Amount>,

    /// How many bytes the rows of the workspace's datasets may have, off or default
    ///
    /// Rows of earlier versions count, too. The amount is read every few seconds.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_QUOTA_STORED_BYTES")]
    pub(crate) quota_stored_bytes: Option<Amount>,

    /// How many bytes of the workspace's events the journal may keep, off or default
    ///
    /// Bytes count as for retention: deleted events give their bytes back. The amount is read every few
    /// seconds.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_QUOTA_JOURNAL_BYTES")]
    pub(crate) quota_journal_bytes: Option<Amount>,
}

#[derive(Debug, Args)]
pub(crate) struct ProjectCreateArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    /// The project's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The project's number; the next free number by default
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

    /// Entries made at or after this moment
    ///
    /// A moment such as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "MOMENT", env = "HOOKYARD_FROM", value_parser = moment)]
    pub(crate) from: Option<Timestamp>,

    /// Entries made before this moment
    ///
    /// A moment such as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "MOMENT", env = "HOOKYARD_UNTIL", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,

    /// Entries made with the credential of this number
    ///
    /// `credential list` shows the numbers; ended credentials count, too.
    #[arg(long, value_name = "ID", env = "HOOKYARD_CREDENTIAL")]
    pub(crate) credential: Option<Number>,

    /// Entries of this action, such as endpoint.update
    ///
    /// With a dot at the end, as in `endpoint.`, all actions of the kind.
    #[arg(long, value_name = "ACTION", env = "HOOKYARD_ACTION")]
    pub(crate) action: Option<String>,

    /// Entries about the thing with this number or name
    ///
    /// The list shows the thing behind the action.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_SUBJECT")]
    pub(crate) subject: Option<String>,

    /// Entries with a lower number
    ///
    /// The number of the last entry of a page brings the next page.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_BEFORE", value_parser = entry_number)]
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

    /// The workspace of the entries
    ///
    /// Optional with a single workspace.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// Leave out entries up to this number
    ///
    /// The last number of an earlier export, to go on from the end of the export.
    #[arg(long, value_name = "NUMBER", env = "HOOKYARD_AFTER", value_parser = entry_number)]
    pub(crate) after: Option<u64>,
}
