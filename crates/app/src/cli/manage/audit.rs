//! `audit`.

use anyhow::{Context, Result};
use hookyard_core::id::WorkspaceId;
use hookyard_server::audit_line;
use hookyard_store::{AuditEntry, AuditQuery};

use super::Desk;
use crate::cli::output;

/// Entries read at a time.
const PAGE: usize = 1_000;

impl Desk {
    /// Prints a page of the audit log, one entry a line.
    pub(super) async fn list_audit(
        &self,
        workspace: Option<WorkspaceId>,
        query: AuditQuery,
    ) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let page = self.store.audit(workspace, query).await;
        for entry in &page.context("cannot read the audit log")?.entries {
            output::line(&if self.json { audit_line(entry)? } else { text(entry) })?;
        }
        Ok(())
    }

    /// Prints the audit log, one entry a line.
    pub(super) async fn export_audit(
        &self,
        workspace: Option<WorkspaceId>,
        after: Option<u64>,
    ) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let mut query = AuditQuery { after, limit: PAGE, ..AuditQuery::default() };
        loop {
            let page = self.store.audit(workspace, query.clone()).await;
            let page = page.context("cannot read the audit log")?;
            for entry in &page.entries {
                output::line(&audit_line(entry)?)?;
            }
            match page.entries.last() {
                Some(last) if page.more => query.after = Some(last.id),
                _ => return Ok(()),
            }
        }
    }
}

/// An entry for people: number, time, actor, address, action and subject.
fn text(entry: &AuditEntry) -> String {
    let AuditEntry { id, at, actor, credential, credential_name, action, subject, detail, .. } =
        entry;
    let who = match credential {
        Some(number) if credential_name.is_empty() => format!("credential {number}"),
        Some(number) => format!("credential {number} ({credential_name})"),
        None => actor.as_str().to_owned(),
    };
    let from = entry.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    format!("{id}\t{at}\t{who}\t{from}\t{action}\t{subject}\t{detail}")
}
