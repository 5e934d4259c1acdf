//! Adding to a workspace's catalogue.

use hookyard_core::id::{EventTypeId, WorkspaceId};
use hookyard_core::model::{Catalogue, Category, EventType, NewEventType};
use serde_json::json;

use super::audit;
use super::columns::{Columns, Text, count, from_json, to_json};
use super::database::Conn;
use crate::{Entity, StoreError};

/// Adds an event type, and the category if need be. The caller's transaction has the workspace locked.
pub(super) async fn add(
    tx: &Conn,
    workspace: WorkspaceId,
    new: NewEventType,
) -> Result<EventType, StoreError> {
    let known = catalogue(tx, workspace).await?;
    if known.by_name(&new.name).is_some() {
        let message = format!("the workspace has an event type `{}` already", new.name);
        return Err(StoreError::Conflict(message));
    }
    let position = category(tx, workspace, &known, &new).await?;
    let highest = known.iter().map(|(_, kind)| kind.id.0).max().unwrap_or_default();
    let id = highest.checked_add(1);
    let kind = EventType {
        id: EventTypeId(id.ok_or_else(|| StoreError::internal("event type numbers are used up"))?),
        name: new.name,
        description: new.description,
        supports_reflow: new.supports_reflow,
        deprecated: false,
        discontinued: false,
    };
    insert(tx, workspace, position, &kind).await?;
    let detail = json!({ "category": new.category });
    audit::note(tx, workspace, "event_type.create", &kind.name, &detail).await?;
    Ok(kind)
}

/// The position of the new type's category, which is made if the catalogue lacks it.
async fn category(
    tx: &Conn,
    workspace: WorkspaceId,
    known: &Catalogue,
    new: &NewEventType,
) -> Result<i32, StoreError> {
    let mut numbered = (0..).zip(&known.categories);
    if let Some((position, own)) = numbered.find(|(_, own)| own.name == new.category) {
        if new.expansions.as_ref().is_some_and(|expansions| *expansions != own.expansions) {
            let message = format!("the category `{}` has other expansions", new.category);
            return Err(StoreError::Conflict(message));
        }
        return Ok(position);
    }
    let position = i32::try_from(known.categories.len())
        .map_err(|_| StoreError::internal("category numbers are used up"))?;
    let expansions = new.expansions.clone().unwrap_or_default();
    let name = new.category.clone();
    let category = Category { name, expansions, system: false, event_types: Vec::new() };
    insert_category(tx, workspace, position, &category).await?;
    Ok(position)
}

/// Writes the row of a category.
pub(super) async fn insert_category(
    tx: &Conn,
    workspace: WorkspaceId,
    position: i32,
    category: &Category,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO categories (workspace_id, position, name, expansions, system) \
               VALUES ($1, $2, $3, $4, $5)";
    let expansions = to_json(&category.expansions)?;
    let name = Text(&category.name);
    tx.execute(sql, &[&workspace.0, &position, &name, &expansions, &category.system]).await?;
    Ok(())
}

/// Writes the row of an event type.
pub(super) async fn insert(
    tx: &Conn,
    workspace: WorkspaceId,
    position: i32,
    kind: &EventType,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO event_types (workspace_id, id, category, name, description, \
               supports_reflow, deprecated, discontinued) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    tx.execute(
        sql,
        &[
            &workspace.0,
            &kind.id.0,
            &position,
            &Text(&kind.name),
            &Text(&kind.description),
            &kind.supports_reflow,
            &kind.deprecated,
            &kind.discontinued,
        ],
    )
    .await?;
    Ok(())
}

const KNOWN: &str = "SELECT FROM workspaces WHERE id = $1";

/// A workspace's event types.
pub(super) async fn catalogue(
    conn: &Conn,
    workspace: WorkspaceId,
) -> Result<Catalogue, StoreError> {
    // A single statement, so that both results are of the same moment.
    let sql = "SELECT c.position, c.name, c.expansions, c.system, t.id, t.name, t.description, \
               t.supports_reflow, t.deprecated, t.discontinued FROM categories c \
               LEFT JOIN event_types t ON t.workspace_id = c.workspace_id \
               AND t.category = c.position WHERE c.workspace_id = $1 \
               ORDER BY c.position, t.name COLLATE \"C\"";
    let rows = conn.query(sql, &[&workspace.0]).await?;
    if rows.is_empty() && conn.opt(KNOWN, &[&workspace.0]).await?.is_none() {
        return Err(StoreError::NotFound(Entity::Workspace));
    }
    let mut categories: Vec<Category> = Vec::new();
    for row in &rows {
        if count(categories.len()) == i64::from(row.get_as::<i32>(0)?) {
            categories.push(Category {
                name: row.text(1)?,
                expansions: from_json(&row.text(2)?)?,
                system: row.get_as(3)?,
                event_types: Vec::new(),
            });
        }
        let Some(id) = row.get_as::<Option<i32>>(4)? else { continue };
        let Some(category) = categories.last_mut() else { continue };
        category.event_types.push(EventType {
            id: EventTypeId(id),
            name: row.text(5)?,
            description: row.text(6)?,
            supports_reflow: row.get_as(7)?,
            deprecated: row.get_as(8)?,
            discontinued: row.get_as(9)?,
        });
    }
    Ok(Catalogue { categories })
}
