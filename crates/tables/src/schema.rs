use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookyard_core::id::{DatasetId, VersionId, WorkspaceId};
use hookyard_core::model::Dataset;
use hookyard_core::table::Inference;
use hookyard_store::{RowQuery, StoreError};

use crate::reader::{Reader, stamp};
use crate::{Error, Tables};

/// The most datasets with remembered columns, of all workspaces. Each takes up to 300 KiB, most a few; a
/// workspace with more datasets in use learns some again. Above the limit the workspace with the most
/// datasets loses the least recently used: readers of a thousand datasets must not make others learn a large
/// dataset again.
const REMEMBERED_MAX: usize = 100;

/// Pages between two records of an unfinished reading: about 64 MiB. An abandoned reading of a large dataset,
/// as by a query out of time, so shortens the next attempt.
const REMEMBERED_EVERY: usize = 64;

/// The facts known about a dataset's columns.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The dataset at the time of learning.
    pub dataset: Dataset,
    /// The columns, with the source rows.
    pub inference: Inference,
    /// The version of the rows.
    version: VersionId,
    /// Bytes of the rows.
    bytes: u64,
    /// Bytes of the longest row, present or past.
    pub(crate) longest: usize,
}

/// The learnt schemas, by dataset, each with a number: the later the last use, the higher.
#[derive(Debug, Default)]
pub(crate) struct Schemas(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    used: u64,
    schemas: HashMap<DatasetId, (u64, Arc<Schema>)>,
}

impl Schemas {
    fn get(&self, id: DatasetId) -> Option<Arc<Schema>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.used += 1;
        let used = remembered.used;
        let (last, schema) = remembered.schemas.get_mut(&id)?;
        *last = used;
        Some(Arc::clone(schema))
    }

    fn put(&self, id: DatasetId, schema: Arc<Schema>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.used += 1;
        let used = remembered.used;
        remembered.schemas.insert(id, (used, schema));
        if remembered.schemas.len() > REMEMBERED_MAX {
            remembered.forget_one();
        }
    }
}

impl Remembered {
    /// Looks at all schemas: a hundred at most, and the cause was a reading of a whole dataset.
    fn forget_one(&mut self) {
        let mut counts: HashMap<WorkspaceId, usize> = HashMap::new();
        for (_, schema) in self.schemas.values() {
            *counts.entry(schema.dataset.workspace).or_default() += 1;
        }
        let largest = counts.into_iter().max_by_key(|(workspace, count)| (*count, *workspace));
        let Some((largest, _)) = largest else { return };
        let own = self.schemas.iter().filter(|(_, (_, it))| it.dataset.workspace == largest);
        if let Some(oldest) = own.min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id) {
            self.schemas.remove(&oldest);
        }
    }
}

impl Tables {
    /// The columns of a dataset, learnt from all rows of the readers' version.
    ///
    /// For a known dataset the reading starts at the last reading's end, unless the rows saw a change other
    /// than additions.
    pub async fn schema(
        &self,
        workspace: WorkspaceId,
        id: DatasetId,
    ) -> Result<Arc<Schema>, Error> {
        let dataset = self.dataset(workspace, id).await?;
        self.schema_of(dataset).await
    }

    pub(crate) async fn schema_of(&self, dataset: Dataset) -> Result<Arc<Schema>, Error> {
        if let Some(known) = self.schemas.get(dataset.id).filter(|known| known.is_of(&dataset)) {
            return Ok(known);
        }
        let closed = |_| Error::Store(StoreError::Unavailable("stopping".to_owned()));
        let _permit = self.scans.wait(dataset.workspace).await.map_err(closed)?;
        // Whoever had the permit before may have learnt the same.
        let known = self.schemas.get(dataset.id);
        if let Some(known) = &known
            && known.is_of(&dataset)
        {
            return Ok(Arc::clone(known));
        }
        let resumed = match known.filter(|known| known.is_start_of(&dataset)) {
            Some(known) => self.read_on(&dataset, &known).await?,
            None => None,
        };
        let schema = match resumed {
            Some(schema) => schema,
            None => self.learn(Schema::empty(dataset.clone())).await?,
        };
        let schema = Arc::new(schema);
        self.schemas.put(dataset.id, Arc::clone(&schema));
        Ok(schema)
    }

    /// Reads the rows added since. `None` when rows have gone or come back meanwhile. Such a change shows in
    /// the number of rows read, outside the dataset's numbers before and after, or in the suspended batches
    /// or the version.
    async fn read_on(&self, before: &Dataset, known: &Schema) -> Result<Option<Schema>, Error> {
        let known = Schema { dataset: before.clone(), ..known.clone() };
        let schema = self.learn(known).await?;
        let rows = schema.inference.rows();
        if rows == before.stats.rows && schema.bytes == before.stats.bytes {
            return Ok(Some(schema));
        }
        let after = self.dataset(before.workspace, before.id).await?;
        let grown = before.stats.rows <= rows
            && rows <= after.stats.rows
            && before.stats.suspended == after.stats.suspended
            && before.version == after.version;
        Ok(grown.then_some(schema))
    }

    async fn learn(&self, mut schema: Schema) -> Result<Schema, Error> {
        let after = schema.inference.seen().map(|seen| seen.last.batch);
        let query = RowQuery { version: Some(schema.version), after, ..RowQuery::default() };
        let store = Arc::clone(&self.store);
        let mut reader = Reader::new(store, schema.dataset.clone(), query, None);
        let mut pages = 0;
        while let Some(rows) = reader.page().await? {
            let look = move || {
                for row in &rows {
                    schema.inference.add(stamp(row), &row.cell)?;
                    schema.bytes += row.cell.len() as u64;
                    schema.longest = schema.longest.max(row.cell.len());
                }
                Ok::<_, Error>(schema)
            };
            schema = tokio::task::spawn_blocking(look).await??;
            pages += 1;
            if pages % REMEMBERED_EVERY == 0 {
                self.schemas.put(schema.dataset.id, Arc::new(schema.clone()));
            }
        }
        Ok(schema)
    }
}

impl Schema {
    fn empty(dataset: Dataset) -> Self {
        let version = dataset.version;
        Self { dataset, inference: Inference::default(), version, bytes: 0, longest: 0 }
    }

    /// Whether the schema covers exactly the dataset's rows, under the same name.
    fn is_of(&self, dataset: &Dataset) -> bool {
        self.is_start_of(dataset)
            && self.inference.rows() == dataset.stats.rows
            && self.bytes == dataset.stats.bytes
            && (&self.dataset.name, self.dataset.project) == (&dataset.name, dataset.project)
    }

    /// Whether the dataset differs from the schema by added rows at most.
    fn is_start_of(&self, dataset: &Dataset) -> bool {
        self.version == dataset.version
            && self.dataset.stats.suspended == dataset.stats.suspended
            && self.inference.rows() <= dataset.stats.rows
            && self.bytes <= dataset.stats.bytes
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::id::ProjectId;
    use hookyard_core::model::{Columns, DatasetStats, VersionsKept};
    use jiff::Timestamp;

    use super::*;

    fn schema(workspace: i32, id: i32) -> Arc<Schema> {
        Arc::new(Schema::empty(Dataset {
            id: DatasetId(id),
            workspace: WorkspaceId(workspace),
            project: ProjectId(1),
            name: "a".to_owned(),
            folder: None,
            revision: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            source: None,
            version: VersionId(1),
            stats: DatasetStats::default(),
            keep: VersionsKept::default(),
            columns: Columns::default(),
            trashed: None,
        }))
    }

    #[test]
    fn a_workspace_that_looks_at_many_does_not_push_out_those_of_others() {
        let schemas = Schemas::default();
        let put = |workspace, id| schemas.put(DatasetId(id), schema(workspace, id));
        (0..10).for_each(|id| put(1, id));
        (100..1_000).for_each(|id| put(2, id));
        assert!((0..10).all(|id| schemas.get(DatasetId(id)).is_some()));
        assert!((910..1_000).all(|id| schemas.get(DatasetId(id)).is_some()));
        assert!((100..910).all(|id| schemas.get(DatasetId(id)).is_none()));
        (10..100).for_each(|id| put(1, id));
        assert!((950..1_000).all(|id| schemas.get(DatasetId(id)).is_some()), "half is each one's");
    }
}
