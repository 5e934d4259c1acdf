//! `audit`.

use anyhow::{Context, Result};
use hookyard_core::id::WorkspaceId;
use hookyard_server::audit_line;
use hookyard_store::AuditQuery;

use super::Desk;
use crate::cli::output;

/// Entries that are read at a time.
const PAGE: usize = 1_000;

impl Desk {
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
            for entry in &page {
                output::line(&audit_line(entry)?)?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => query.after = Some(last.id),
                _ => return Ok(()),
            }
        }
    }
}
