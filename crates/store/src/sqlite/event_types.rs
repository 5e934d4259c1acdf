//! Adding to a workspace's catalogue.

use std::sync::Arc;

use hookyard_core::id::{EventTypeId, WorkspaceId};
use hookyard_core::model::{Catalogue, Category, EventType, NewEventType};
use rusqlite::{Connection, params};
use serde_json::json;

use super::rows::{count, to_json};
use super::tx::Tx;
use super::{audit, failed};
use crate::{Entity, StoreError};

/// Adds an event type, and the category if need be.
pub(super) fn add(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    new: NewEventType,
) -> Result<EventType, StoreError> {
    let known = tx.memory.catalogue(workspace).ok_or(StoreError::NotFound(Entity::Workspace))?;
    if known.by_name(&new.name).is_some() {
        let message = format!("the workspace has an event type `{}` already", new.name);
        return Err(StoreError::Conflict(message));
    }
    let mut catalogue = (*known).clone();
    let position = category(tx, workspace, &mut catalogue, &new)?;
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
    insert(tx.conn, workspace, position, &kind)?;
    if let Some(category) = catalogue.categories.get_mut(position) {
        let at = category.event_types.partition_point(|other| other.name < kind.name);
        category.event_types.insert(at, kind.clone());
    }
    let detail = json!({ "category": new.category });
    audit::note(tx.conn, workspace, "event_type.create", &kind.name, &detail)?;
    tx.after_commit(move |memory| memory.put_catalogue(workspace, Arc::new(catalogue)));
    Ok(kind)
}

/// The position of the new type's category, which is made if the catalogue lacks it.
fn category(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    catalogue: &mut Catalogue,
    new: &NewEventType,
) -> Result<usize, StoreError> {
    let found = catalogue.categories.iter().position(|category| category.name == new.category);
    if let Some(position) = found {
        let own = &catalogue.categories[position].expansions;
        if new.expansions.as_ref().is_some_and(|expansions| expansions != own) {
            let message = format!("the category `{}` has other expansions", new.category);
            return Err(StoreError::Conflict(message));
        }
        return Ok(position);
    }
    let position = catalogue.categories.len();
    let expansions = new.expansions.clone().unwrap_or_default();
    let sql = "INSERT INTO categories (workspace_id, position, name, expansions, system) \
               VALUES (?1, ?2, ?3, ?4, FALSE)";
    let row = params![workspace.0, count(position), new.category, to_json(&expansions)?];
    tx.conn.execute(sql, row).map_err(failed)?;
    let name = new.category.clone();
    let category = Category { name, expansions, system: false, event_types: Vec::new() };
    catalogue.categories.push(category);
    Ok(position)
}

/// Writes the row of an event type.
pub(super) fn insert(
    conn: &Connection,
    workspace: WorkspaceId,
    position: usize,
    kind: &EventType,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO event_types (workspace_id, id, category, name, description, \
               supports_reflow, deprecated, discontinued) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = params![
        workspace.0,
        kind.id.0,
        count(position),
        kind.name,
        kind.description,
        kind.supports_reflow,
        kind.deprecated,
        kind.discontinued,
    ];
    conn.execute(sql, row).map_err(failed)?;
    Ok(())
}
