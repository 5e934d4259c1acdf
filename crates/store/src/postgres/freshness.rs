//! The newest version of a workspace's endpoints and event types.
//!
//! A node asks for the state before each match, so a change confirmed to a caller is in effect on every node.
//! One statement answers all calls waiting at the same time.

use std::collections::HashMap;

use async_trait::async_trait;
use hookyard_core::id::WorkspaceId;

use super::batches::Work;
use super::columns::Columns;
use super::database::Database;
use crate::{Entity, StoreError};

/// Reads versions.
#[derive(Debug)]
pub(super) struct Freshness;

#[async_trait]
impl Work for Freshness {
    type Job = WorkspaceId;
    type Answer = u64;

    fn bytes(_: &WorkspaceId) -> usize {
        0
    }

    async fn run(
        &self,
        database: &Database,
        jobs: &[WorkspaceId],
    ) -> Result<Vec<Result<u64, StoreError>>, StoreError> {
        let mut ids: Vec<i32> = jobs.iter().map(|id| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let sql = "SELECT id, version FROM workspaces WHERE id = ANY($1)";
        let conn = database.get().await?.within(super::BATCH_MAX);
        let mut newest: HashMap<i32, u64> = HashMap::new();
        for row in conn.query(sql, &[&ids]).await? {
            newest.insert(row.get_as(0)?, row.unsigned(1)?);
        }
        let version = |id: &WorkspaceId| newest.get(&id.0).copied();
        let answer = |id| version(id).ok_or(StoreError::NotFound(Entity::Workspace));
        Ok(jobs.iter().map(answer).collect())
    }
}
