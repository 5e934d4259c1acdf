//! Workspaces, projects, folders and datasets as a tree, a level or two of it at a time. Command
//! lines show the tree, and the MCP server reads the projects of a limited token by it
//! (docs/spec/mammoth-clients.md).

use std::collections::HashSet;

use axum::Json;
use hookyard_core::id::{FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, Dataset, Folder, Scope};
use hookyard_store::StoreError;
use serde_json::{Value, json};

use super::call::{Call, require};
use super::error::ApiError;
use super::folders::shape;
use super::query::{Page, Query};

/// The entries of an answer when the caller names no limit, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 100;

/// The most entries below all entries of one answer. Longer lists need `resources`, which has pages.
const CHILDREN_MAX: usize = 1_000;

/// The most ids in one call.
const IDS_MAX: usize = 100;

/// Levels of an answer: the entries, and the contents of the entries.
const LEVELS_MAX: u64 = 2;

const WORKSPACE: &str = "workspace";
const PROJECT: &str = "project";

/// One entry.
#[derive(Debug)]
struct Node {
    id: i32,
    kind: &'static str,
    name: String,
    children: Vec<Self>,
}

impl Node {
    fn leaf(id: i32, kind: &'static str, name: String) -> Self {
        Self { id, kind, name, children: Vec::new() }
    }

    fn wire(self, with_children: bool) -> Value {
        let Self { id, kind, name, children } = self;
        let mut wire = json!({"id": id, "type": kind, "name": name});
        if with_children {
            let children: Vec<_> = children.into_iter().map(|child| child.wire(false)).collect();
            wire["children"] = json!(children);
        }
        wire
    }
}

/// The caller's choice of entries.
struct Select {
    kinds: Option<Vec<String>>,
    ids: Option<HashSet<i64>>,
    name: Option<String>,
    page: Page,
    with_children: bool,
}

impl Select {
    fn read(query: &mut Query) -> Self {
        let levels = query.number("level", 1, LEVELS_MAX);
        let ids = query.id_list("ids", IDS_MAX);
        Self {
            kinds: query.words("browse_type"),
            ids: ids.map(|ids| ids.into_iter().collect()),
            name: query.text("name"),
            page: query.page(LIMIT_DEFAULT, LIMIT_MAX),
            with_children: levels == LEVELS_MAX,
        }
    }

    fn wants(&self, node: &Node) -> bool {
        let is = |word: &String| shape::kind(word).unwrap_or(word) == node.kind;
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(is))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&node.id.into()))
            && self.name.as_ref().is_none_or(|name| node.name == *name)
    }

    /// The requested page of the entries, and the start of the next page.
    fn page(&self, mut nodes: Vec<Node>) -> (Vec<Node>, Option<u64>) {
        nodes.retain(|node| self.wants(node));
        self.page.cut(nodes)
    }

    fn answer(&self, call: &Call, (nodes, next): (Vec<Node>, Option<u64>)) -> Json<Value> {
        let wire = nodes.into_iter().map(|node| node.wire(self.with_children));
        Json(json!({
            "resources": wire.collect::<Vec<_>>(),
            "limit": self.page.limit,
            "offset": self.page.offset,
            "next": next.map(|offset| call.page_at(offset)).unwrap_or_default(),
        }))
    }
}

fn select(call: &Call) -> Result<Select, ApiError> {
    let mut query = call.query();
    let select = Select::read(&mut query);
    call.checked(query)?;
    Ok(select)
}

/// The caller's workspace, and its projects.
pub(super) async fn workspaces(call: Call) -> Result<Json<Value>, ApiError> {
    let credential = call.credential().await?;
    require(&credential, Scope::DataRead)?;
    let select = select(&call)?;
    let own = call.app.engine.workspace(credential.workspace).await?;
    let mut node = Node::leaf(own.id.0, WORKSPACE, own.name);
    if select.with_children {
        node.children = projects_of(&call, &credential).await?;
        node.children.truncate(CHILDREN_MAX);
    }
    let page = select.page(vec![node]);
    Ok(select.answer(&call, page))
}

/// The projects of a workspace within the credential's reach, and the top level of each project.
pub(super) async fn projects(call: Call) -> Result<Json<Value>, ApiError> {
    let credential = call.of_workspace(Scope::DataRead).await?;
    let select = select(&call)?;
    let (mut shown, next) = select.page(projects_of(&call, &credential).await?);
    let mut room = CHILDREN_MAX;
    for node in shown.iter_mut().filter(|_| select.with_children) {
        let inside = Inside::read(&call, credential.workspace, ProjectId(node.id)).await?;
        node.children = inside.below(None, room);
        room -= node.children.len();
        if room == 0 {
            break;
        }
    }
    Ok(select.answer(&call, (shown, next)))
}

/// The top level of a project.
pub(super) async fn project(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let select = select(&call)?;
    let inside = Inside::read(&call, place.workspace, place.project).await?;
    let (mut shown, next) = select.page(inside.below(None, usize::MAX));
    let mut room = CHILDREN_MAX;
    for node in shown.iter_mut().filter(|node| select.with_children && node.kind == shape::FOLDER) {
        node.children = inside.below(Some(FolderId(node.id)), room);
        room -= node.children.len();
    }
    Ok(select.answer(&call, (shown, next)))
}

/// A folder and its contents: clients look for the contents below the single entry.
pub(super) async fn folder(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let select = select(&call)?;
    let id = FolderId(call.id("folder_id", 0)?);
    let found = call.app.engine.of(place.workspace).find_folder(id).await?;
    let found = found.filter(|folder| folder.project == place.project);
    let found = found.ok_or_else(ApiError::not_found)?;
    let mut node = Node::leaf(found.id.0, shape::FOLDER, found.name);
    if select.with_children {
        let inside = Inside::read(&call, place.workspace, place.project).await?;
        node.children = inside.below(Some(id), CHILDREN_MAX);
    }
    let page = select.page(vec![node]);
    Ok(select.answer(&call, page))
}

async fn projects_of(call: &Call, credential: &Credential) -> Result<Vec<Node>, ApiError> {
    let projects = call.app.engine.of(credential.workspace).projects().await?;
    let opened = projects.into_iter().filter(|project| credential.opens(project.id));
    Ok(opened.map(|project| Node::leaf(project.id.0, PROJECT, project.name)).collect())
}

/// All folders and datasets of a project.
struct Inside {
    folders: Vec<Folder>,
    datasets: Vec<Dataset>,
}

impl Inside {
    async fn read(
        call: &Call,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Self, StoreError> {
        let reads = call.app.engine.of(workspace);
        let folders = reads.folders(project).await?;
        Ok(Self { folders, datasets: reads.datasets(project).await? })
    }

    /// The folders, then the datasets, in a folder or at the top of the project; at most `most` entries.
    fn below(&self, parent: Option<FolderId>, most: usize) -> Vec<Node> {
        let folders = self.folders.iter().filter(|folder| folder.parent == parent);
        let folders =
            folders.map(|folder| Node::leaf(folder.id.0, shape::FOLDER, folder.name.clone()));
        let datasets = self.datasets.iter().filter(|dataset| dataset.folder == parent);
        let datasets =
            datasets.map(|dataset| Node::leaf(dataset.id.0, shape::DATASET, dataset.name.clone()));
        folders.chain(datasets).take(most).collect()
    }
}
