//! Jobs.

use async_trait::async_trait;
use hookyard_core::id::{JobId, WorkspaceId};
use hookyard_core::model::Job;
use jiff::Timestamp;

use super::PostgresStore;
use super::columns::{Columns, Text, count, moment};
use crate::{JOBS_KEPT, JobStore, NewJob, StoreError};

#[async_trait]
impl JobStore for PostgresStore {
    async fn add_job(
        &self,
        workspace: WorkspaceId,
        new: NewJob,
        now: Timestamp,
    ) -> Result<Job, StoreError> {
        let NewJob { operation, path, response } = new;
        let at = now.as_millisecond();
        let tx = self.db.begin().await?;
        let sql = "INSERT INTO jobs (workspace_id, created_ms, operation, path, response) \
                   VALUES ($1, $2, $3, $4, $5) RETURNING id";
        let texts = [Text(&operation), Text(&path), Text(&response)];
        let row = tx.one(sql, &[&workspace.0, &at, &texts[0], &texts[1], &texts[2]]).await?;
        let id = JobId(row.get_as(0)?);
        let sql = "DELETE FROM jobs WHERE workspace_id = $1 AND id <= (SELECT id FROM jobs \
                   WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
        tx.execute(sql, &[&workspace.0, &count(JOBS_KEPT)]).await?;
        tx.commit().await?;
        Ok(Job { id, created_at: moment(at), operation, path, response })
    }

    async fn job(&self, workspace: WorkspaceId, id: JobId) -> Result<Option<Job>, StoreError> {
        let sql = "SELECT created_ms, operation, path, response FROM jobs \
                   WHERE id = $1 AND workspace_id = $2";
        let row = self.db.get().await?.opt(sql, &[&id.0, &workspace.0]).await?;
        row.map(|row| {
            Ok(Job {
                id,
                created_at: row.moment(0)?,
                operation: row.text(1)?,
                path: row.text(2)?,
                response: row.text(3)?,
            })
        })
        .transpose()
    }
}
