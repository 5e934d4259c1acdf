//! Adding to a workspace's catalogue.

use hookyard_core::id::{EventTypeId, WorkspaceId};
use hookyard_core::model::{Catalogue, Category, EventType, NewEventType};
use serde_json::json;

use super::columns::{Text, to_json};
use super::database::Conn;
use super::{audit, catalog};
use crate::StoreError;

/// Adds an event type, and the category if need be. The caller's transaction has the workspace locked.
pub(super) async fn add(
    tx: &Conn,
    workspace: WorkspaceId,
    new: NewEventType,
) -> Result<EventType, StoreError> {
    let known = catalog::catalogue(tx, workspace).await?;
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
