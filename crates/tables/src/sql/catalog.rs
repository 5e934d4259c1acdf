//! The tables of a query: the caller's datasets.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    SchemaProvider, TableProvider,
};
use datafusion::common::DataFusionError;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::Dataset;
use hookyard_store::DatasetQuery;

use super::room::Room;
use super::run::failed;
use super::table::DatasetTable;
use crate::{Error, Tables};

/// The only catalog.
pub(super) const CATALOG: &str = "hookyard";

/// The only schema.
pub(super) const SCHEMA: &str = "datasets";

/// Datasets read from the store at a time.
const PAGE: usize = 500;

/// The most datasets in a query, the oldest datasets; a workspace with more names a project.
const DATASETS_MAX: usize = 10_000;

/// The datasets of a workspace, or of a single project, as the only catalog.
pub(super) async fn of(
    tables: &Tables,
    workspace: WorkspaceId,
    project: Option<ProjectId>,
    room: &Room,
) -> Result<Arc<dyn CatalogProviderList>, Error> {
    let mut datasets: Vec<Dataset> = Vec::new();
    while datasets.len() < DATASETS_MAX {
        let after = datasets.last().map(|last| last.id);
        let query = DatasetQuery { project, after, limit: PAGE, ..DatasetQuery::default() };
        let page = tables.store.find_datasets(workspace, query).await?;
        let more = page.len() == PAGE;
        datasets.extend(page);
        if !more {
            break;
        }
    }
    let schema = Datasets::new(tables.clone(), datasets, room.clone());
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(schema)).map_err(failed)?;
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(Arc::new(list))
}

/// Each dataset has two names: the number, as `dataset_12`, and the dataset's own name.
struct Datasets {
    tables: Tables,
    room: Room,
    /// By both kinds of names; several datasets with the same name are all kept.
    named: HashMap<String, Vec<Dataset>>,
    /// The listed names: the own name if unique, else the number.
    listed: BTreeMap<String, ()>,
}

impl std::fmt::Debug for Datasets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datasets").field("listed", &self.listed).finish_non_exhaustive()
    }
}

fn number(dataset: &Dataset) -> String {
    format!("dataset_{}", dataset.id)
}

impl Datasets {
    fn new(tables: Tables, datasets: Vec<Dataset>, room: Room) -> Self {
        let mut by_name: HashMap<String, Vec<Dataset>> = HashMap::new();
        for dataset in &datasets {
            by_name.entry(dataset.name.clone()).or_default().push(dataset.clone());
        }
        let mut listed = BTreeMap::new();
        for dataset in &datasets {
            let only = by_name.get(&dataset.name).is_some_and(|all| all.len() == 1);
            let name = if only { dataset.name.clone() } else { number(dataset) };
            listed.insert(name, ());
        }
        // A number always means the numbered dataset, even if another dataset's own name looks like the
        // number.
        for dataset in datasets {
            by_name.insert(number(&dataset), vec![dataset]);
        }
        Self { tables, room, named: by_name, listed }
    }
}

#[async_trait]
impl SchemaProvider for Datasets {
    fn table_names(&self) -> Vec<String> {
        self.listed.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match self.named.get(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([dataset]) => {
                let schema = self.tables.schema_of(dataset.clone()).await;
                let schema = schema.map_err(|error| DataFusionError::External(Box::new(error)))?;
                self.room.widen(schema.longest);
                Ok(Some(Arc::new(DatasetTable::new(self.tables.clone(), schema))))
            }
            Some(several) => {
                let numbers: Vec<_> = several.iter().map(number).collect();
                Err(DataFusionError::Plan(format!(
                    "several datasets are called {name}: use one of {}",
                    numbers.join(", ")
                )))
            }
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }
}
