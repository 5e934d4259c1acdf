//! Jobs.

use async_trait::async_trait;
use hookyard_core::id::{JobId, ProjectId, WorkspaceId};
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
        let NewJob { operation, path, response, project } = new;
        let at = now.as_millisecond();
        let tx = self.db.begin().await?;
        let sql = "INSERT INTO jobs (workspace_id, created_ms, operation, path, response, \
                   project_id) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
        let [done, place, answer] = [&operation, &path, &response].map(|text| Text(text));
        let row: [super::columns::Param<'_>; 6] =
            [&workspace.0, &at, &done, &place, &answer, &project.0];
        let id = JobId(tx.one(sql, &row).await?.get_as(0)?);
        let sql = "DELETE FROM jobs WHERE workspace_id = $1 AND id <= (SELECT id FROM jobs \
                   WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
        tx.execute(sql, &[&workspace.0, &count(JOBS_KEPT)]).await?;
        tx.commit().await?;
        let (created_at, project) = (moment(at), Some(project));
        Ok(Job { id, created_at, operation, path, response, project })
    }

    async fn job(&self, workspace: WorkspaceId, id: JobId) -> Result<Option<Job>, StoreError> {
        let sql = "SELECT created_ms, operation, path, response, project_id FROM jobs \
                   WHERE id = $1 AND workspace_id = $2";
        let row = self.db.get().await?.opt(sql, &[&id.0, &workspace.0]).await?;
        row.map(|row| {
            Ok(Job {
                id,
                created_at: row.moment(0)?,
                operation: row.text(1)?,
                path: row.text(2)?,
                response: row.text(3)?,
                project: row.get_as::<Option<i32>>(4)?.map(ProjectId),
            })
        })
        .transpose()
    }
}
