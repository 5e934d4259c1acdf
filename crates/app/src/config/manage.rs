//! The commands that manage access.

use anyhow::Result;
use hookyard_core::id::{CredentialId, ProjectId, WorkspaceId};
use hookyard_core::model::{Quotas, Scopes};
use hookyard_engine::access::CredentialSpec;
use hookyard_store::AuditQuery;
use jiff::SignedDuration;

use super::Common;
use crate::flags::common_args::CommonArgs;
use crate::flags::manage_args::{
    AuditAction, AuditExportArgs, AuditListArgs, CredentialAction, CredentialCreateArgs,
    CredentialRotateArgs, ListArgs, OneArgs, ProjectAction, ProjectCreateArgs, ProjectRenameArgs,
    TargetArgs, WorkspaceAction, WorkspaceCreateArgs, WorkspaceQuotaArgs, WorkspaceRenameArgs,
};
use crate::flags::values::{Amount, Number};

/// A command that works on a data directory, beside a running server or not.
#[derive(Debug)]
pub(crate) struct Manage {
    pub(crate) common: Common,
    pub(crate) json: bool,
    pub(crate) what: Managed,
}

/// Quotas to change; `None` leaves a quota alone.
pub(crate) type QuotaChange = Quotas<Option<Amount>>;

/// The action. A command without a workspace means the only workspace.
#[derive(Debug)]
pub(crate) enum Managed {
    CreateCredential { workspace: Option<WorkspaceId>, spec: CredentialSpec },
    ListCredentials { workspace: Option<WorkspaceId> },
    DisableCredential { workspace: Option<WorkspaceId>, id: CredentialId, disabled: bool },
    RevokeCredential { workspace: Option<WorkspaceId>, id: CredentialId },
    RotateCredential { workspace: Option<WorkspaceId>, id: CredentialId, overlap: SignedDuration },
    ListWorkspaces,
    CreateWorkspace { merchant: String, id: Option<WorkspaceId>, name: Option<String> },
    RenameWorkspace { workspace: Option<WorkspaceId>, name: String },
    SetQuotas { workspace: Option<WorkspaceId>, change: Box<QuotaChange> },
    ListProjects { workspace: Option<WorkspaceId> },
    CreateProject { workspace: Option<WorkspaceId>, id: Option<ProjectId>, name: String },
    RenameProject { workspace: Option<WorkspaceId>, id: ProjectId, name: String },
    DeleteProject { workspace: Option<WorkspaceId>, id: ProjectId },
    ListAudit { workspace: Option<WorkspaceId>, query: AuditQuery },
    ExportAudit { workspace: Option<WorkspaceId>, after: Option<u64> },
}

fn number(workspace: Option<Number>) -> Option<WorkspaceId> {
    workspace.map(|number| WorkspaceId(number.0))
}

impl Manage {
    fn new(list: ListArgs, what: Managed) -> Result<Self> {
        let ListArgs { common, json } = list;
        Ok(Self { common: Common::new(common)?, json, what })
    }

    /// `credential`.
    pub(super) fn credential(action: CredentialAction) -> Result<Self> {
        match action {
            CredentialAction::Create(args) => {
                let (target, spec) = spec(args);
                let workspace = number(target.workspace);
                Self::new(target.list, Managed::CreateCredential { workspace, spec })
            }
            CredentialAction::List(TargetArgs { list, workspace }) => {
                Self::new(list, Managed::ListCredentials { workspace: number(workspace) })
            }
            CredentialAction::Revoke(OneArgs { target, id }) => {
                let (workspace, id) = (number(target.workspace), CredentialId(id.0));
                Self::new(target.list, Managed::RevokeCredential { workspace, id })
            }
            CredentialAction::Disable(one) => Self::disable_credential(one, true),
            CredentialAction::Enable(one) => Self::disable_credential(one, false),
            CredentialAction::Rotate(CredentialRotateArgs { one, overlap_seconds }) => {
                let OneArgs { target, id } = one;
                let (workspace, id) = (number(target.workspace), CredentialId(id.0));
                let overlap = overlap_seconds.0;
                Self::new(target.list, Managed::RotateCredential { workspace, id, overlap })
            }
        }
    }

    fn disable_credential(one: OneArgs, disabled: bool) -> Result<Self> {
        let OneArgs { target, id } = one;
        let (workspace, id) = (number(target.workspace), CredentialId(id.0));
        Self::new(target.list, Managed::DisableCredential { workspace, id, disabled })
    }

    /// `workspace`.
    pub(super) fn workspace(action: WorkspaceAction) -> Result<Self> {
        match action {
            WorkspaceAction::List(list) => Self::new(list, Managed::ListWorkspaces),
            WorkspaceAction::Create(WorkspaceCreateArgs { list, merchant, id, name }) => {
                let (merchant, id, name) = (merchant.0, number(id), name.name);
                Self::new(list, Managed::CreateWorkspace { merchant, id, name })
            }
            WorkspaceAction::Rename(WorkspaceRenameArgs { target, name }) => {
                let workspace = number(target.workspace);
                Self::new(target.list, Managed::RenameWorkspace { workspace, name })
            }
            WorkspaceAction::Quota(args) => Self::quota(args),
        }
    }

    fn quota(args: WorkspaceQuotaArgs) -> Result<Self> {
        let workspace = number(args.target.workspace);
        let change = Box::new(QuotaChange {
            endpoints: args.quota_endpoints,
            event_types: args.quota_event_types,
            sources: args.quota_sources,
            datasets: args.quota_datasets,
            events_hour: args.quota_events_hour,
            bytes_hour: args.quota_bytes_hour,
            stored_bytes: args.quota_stored_bytes,
            journal_bytes: args.quota_journal_bytes,
        });
        Self::new(args.target.list, Managed::SetQuotas { workspace, change })
    }

    /// `project`.
    pub(super) fn project(action: ProjectAction) -> Result<Self> {
        match action {
            ProjectAction::List(TargetArgs { list, workspace }) => {
                Self::new(list, Managed::ListProjects { workspace: number(workspace) })
            }
            ProjectAction::Create(ProjectCreateArgs { target, name, id }) => {
                let (workspace, id) = (number(target.workspace), id.map(|id| ProjectId(id.0)));
                Self::new(target.list, Managed::CreateProject { workspace, id, name })
            }
            ProjectAction::Rename(ProjectRenameArgs { one, name }) => {
                let OneArgs { target, id } = one;
                let (workspace, id) = (number(target.workspace), ProjectId(id.0));
                Self::new(target.list, Managed::RenameProject { workspace, id, name })
            }
            ProjectAction::Delete(OneArgs { target, id }) => {
                let (workspace, id) = (number(target.workspace), ProjectId(id.0));
                Self::new(target.list, Managed::DeleteProject { workspace, id })
            }
        }
    }

    /// `audit`.
    pub(super) fn audit(action: AuditAction) -> Result<Self> {
        match action {
            AuditAction::List(args) => {
                let (target, query) = audit_query(*args);
                let workspace = number(target.workspace);
                Self::new(target.list, Managed::ListAudit { workspace, query })
            }
            AuditAction::Export(AuditExportArgs { common, workspace, after }) => {
                let what = Managed::ExportAudit { workspace: number(workspace), after };
                Self::new(ListArgs { common, json: true }, what)
            }
        }
    }
}

/// The settings of a new credential, and the target.
fn spec(args: CredentialCreateArgs) -> (TargetArgs, CredentialSpec) {
    let CredentialCreateArgs { target, kind, scope, name, expires_at, allowed_ip, project } = args;
    let usual = || if project.is_some() { Scopes::of_a_project() } else { Scopes::all() };
    let spec = CredentialSpec {
        kind,
        scopes: if scope.is_empty() { usual() } else { scope.into_iter().collect() },
        name: name.name.unwrap_or_default(),
        expires_at,
        allowed_ips: allowed_ip.into_iter().map(|net| net.0).collect(),
        project: project.map(|id| ProjectId(id.0)),
    };
    (target, spec)
}

/// The page of the audit log to list, and the workspace.
fn audit_query(args: AuditListArgs) -> (TargetArgs, AuditQuery) {
    let AuditListArgs { target, from, until, credential, action, subject, before, limit } = args;
    let query = AuditQuery {
        after: None,
        before,
        from,
        until,
        credential: credential.map(|id| CredentialId(id.0)),
        action,
        subject,
        newest_first: true,
        limit: limit.0,
    };
    (target, query)
}

/// The flags that `credential` shares with all commands.
pub(super) fn common_of_credential(action: &CredentialAction) -> &CommonArgs {
    let target = match action {
        CredentialAction::Create(args) => &args.target,
        CredentialAction::List(target) => target,
        CredentialAction::Revoke(one)
        | CredentialAction::Disable(one)
        | CredentialAction::Enable(one) => &one.target,
        CredentialAction::Rotate(args) => &args.one.target,
    };
    &target.list.common
}

/// The flags that `workspace` shares with all commands.
pub(super) fn common_of_workspace(action: &WorkspaceAction) -> &CommonArgs {
    match action {
        WorkspaceAction::List(list) => &list.common,
        WorkspaceAction::Create(args) => &args.list.common,
        WorkspaceAction::Rename(args) => &args.target.list.common,
        WorkspaceAction::Quota(args) => &args.target.list.common,
    }
}

/// The flags that `project` shares with all commands.
pub(super) fn common_of_project(action: &ProjectAction) -> &CommonArgs {
    let target = match action {
        ProjectAction::List(target) => target,
        ProjectAction::Create(args) => &args.target,
        ProjectAction::Rename(args) => &args.one.target,
        ProjectAction::Delete(one) => &one.target,
    };
    &target.list.common
}

/// The flags that `audit` shares with all commands.
pub(super) fn common_of_audit(action: &AuditAction) -> &CommonArgs {
    match action {
        AuditAction::List(args) => &args.target.list.common,
        AuditAction::Export(args) => &args.common,
    }
}
