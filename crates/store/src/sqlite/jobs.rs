//! Jobs.

use async_trait::async_trait;
use hookyard_core::id::{JobId, ProjectId, WorkspaceId};
use hookyard_core::model::Job;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{count, moment};
use super::tx::Tx;
use super::{SqliteStore, failed, sources};
use crate::{JOBS_KEPT, JobStore, NewJob, StoreError};

#[async_trait]
impl JobStore for SqliteStore {
    async fn add_job(
        &self,
        workspace: WorkspaceId,
        new: NewJob,
        now: Timestamp,
    ) -> Result<Job, StoreError> {
        let job = move |tx: &mut Tx<'_>| {
            let NewJob { operation, path, response, project } = new;
            let at = now.as_millisecond();
            let sql = "INSERT INTO jobs (workspace_id, created_ms, operation, path, response, \
                       project_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let row = params![workspace.0, at, operation, path, response, project.0];
            tx.conn.execute(sql, row).map_err(failed)?;
            let id = JobId(sources::number(tx.conn.last_insert_rowid())?);
            let sql = "DELETE FROM jobs WHERE workspace_id = ?1 AND id <= (SELECT id FROM jobs \
                       WHERE workspace_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
            tx.conn.execute(sql, params![workspace.0, count(JOBS_KEPT)]).map_err(failed)?;
            let (created_at, project) = (moment(at), Some(project));
            Ok(Job { id, created_at, operation, path, response, project })
        };
        self.writer.alone(job).await
    }

    async fn job(&self, workspace: WorkspaceId, id: JobId) -> Result<Option<Job>, StoreError> {
        let read = move |conn: &Connection| {
            let sql = "SELECT created_ms, operation, path, response, project_id FROM jobs \
                       WHERE id = ?1 AND workspace_id = ?2";
            let job = |row: &Row<'_>| {
                let created_at = moment(row.get(0)?);
                let (operation, path, response) = (row.get(1)?, row.get(2)?, row.get(3)?);
                let project = row.get::<_, Option<i32>>(4)?.map(ProjectId);
                Ok(Job { id, created_at, operation, path, response, project })
            };
            conn.query_row(sql, params![id.0, workspace.0], job).optional().map_err(failed)
        };
        self.readers.read(read).await
    }
}
