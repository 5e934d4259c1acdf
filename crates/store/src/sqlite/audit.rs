//! The log of changes and their actors.

use std::fmt::{Display, Write as _};

use async_trait::async_trait;
use hookyard_core::id::{CredentialId, WorkspaceId};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::access::Access;
use super::failed;
use super::rows::{count, moment, signed, unsigned};
pub(super) use crate::audit::changed;
use crate::page::{self, Filling};
use crate::retention::ROW_OVERHEAD;
use crate::{
    Actor, ActorKind, AuditEntry, AuditQuery, AuditStore, Page, Seen, StoreError, SurplusAge,
};

#[async_trait]
impl<A: Access> AuditStore for A {
    async fn audit(
        &self,
        workspace: WorkspaceId,
        query: AuditQuery,
    ) -> Result<Page<AuditEntry>, StoreError> {
        self.look(move |conn| select(conn, workspace, &query)).await
    }

    async fn note_seen(&self, workspace: WorkspaceId, seen: Seen) -> Result<(), StoreError> {
        let detail = serde_json::json!({});
        self.change(move |conn| note(conn, workspace, seen.action(), seen.subject(), &detail)).await
    }
}

/// Notes a change in its transaction, if an actor made the change. `detail` is a JSON object without secrets.
pub(super) fn note(
    conn: &Connection,
    workspace: WorkspaceId,
    action: &str,
    subject: impl Display,
    detail: &serde_json::Value,
) -> Result<(), StoreError> {
    let Some(actor) = Actor::current() else { return Ok(()) };
    let (credential, name) = actor.credential().unzip();
    let address = actor.address.map(|address| address.to_string());
    let (subject, detail) = (subject.to_string(), detail.to_string());
    let texts = [name, address.as_deref(), actor.request_id.as_deref(), Some(action)];
    let texts = texts.into_iter().flatten().map(str::len).sum::<usize>();
    let bytes = (texts + subject.len() + detail.len()) as u64 + ROW_OVERHEAD;
    let sql = "INSERT INTO audit (workspace_id, at_ms, actor, credential_id, credential, address, \
               request_id, action, subject, detail, bytes) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let row = params![
        workspace.0,
        actor.at.as_millisecond(),
        actor.kind.as_str(),
        credential.map(|id| id.0),
        name.unwrap_or_default(),
        address,
        actor.request_id,
        action,
        subject,
        detail,
        signed(bytes),
    ];
    conn.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(failed)?;
    Ok(())
}

fn select(
    conn: &Connection,
    workspace: WorkspaceId,
    query: &AuditQuery,
) -> Result<Page<AuditEntry>, StoreError> {
    let (conditions, values) = conditions(workspace, query);
    let order = if query.newest_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT id, at_ms, workspace_id, actor, credential_id, credential, address, request_id, \
         action, subject, detail FROM audit WHERE {conditions} ORDER BY id {order} LIMIT ?"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let rows = statement.query_map(params_from_iter(values), entry).map_err(failed)?;
    Filling::of(query.limit, rows).map_err(failed)
}

/// The query as SQL with the values, the limit last.
fn conditions(workspace: WorkspaceId, query: &AuditQuery) -> (String, Vec<Value>) {
    let AuditQuery {
        after,
        before,
        from,
        until,
        credential,
        action,
        subject,
        newest_first: _,
        limit,
    } = query;
    let mut sql = String::from("workspace_id = ?");
    let mut values = vec![Value::Integer(workspace.0.into())];
    let mut add = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            // Writing to a string does not fail.
            let _ = write!(sql, " AND {condition}");
            values.push(value);
        }
    };
    add("id > ?", after.map(|id| Value::Integer(signed(id))));
    add("id < ?", before.map(|id| Value::Integer(signed(id))));
    add("at_ms >= ?", from.map(|at| Value::Integer(at.as_millisecond())));
    add("at_ms < ?", until.map(|at| Value::Integer(at.as_millisecond())));
    add("credential_id = ?", credential.map(|id| Value::Integer(id.0.into())));
    add("subject = ?", subject.clone().map(Value::Text));
    let action = action.clone();
    match action {
        Some(all) if all.ends_with('.') => {
            add("substr(action, 1, instr(action, '.')) = ?", Some(Value::Text(all)));
        }
        one => add("action = ?", one.map(Value::Text)),
    }
    values.push(Value::Integer(count(page::read_for(*limit))));
    (sql, values)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let actor: String = row.get(3)?;
    let address: Option<String> = row.get(6)?;
    Ok(AuditEntry {
        id: unsigned(row, 0)?,
        at: moment(row.get(1)?),
        workspace: WorkspaceId(row.get(2)?),
        actor: ActorKind::parse(&actor).unwrap_or(ActorKind::System),
        credential: row.get::<_, Option<i32>>(4)?.map(CredentialId),
        credential_name: row.get(5)?,
        address: address.and_then(|address| address.parse().ok()),
        request_id: row.get(7)?,
        action: row.get(8)?,
        subject: row.get(9)?,
        detail: row.get(10)?,
    })
}

/// Deletes old entries, at most `limit`. Returns the number deleted; `surplus` has the rest.
pub(super) fn delete_surplus(
    conn: &Connection,
    surplus: &mut SurplusAge,
    limit: u64,
) -> Result<u64, StoreError> {
    let sql = "SELECT id, at_ms, bytes FROM audit ORDER BY id LIMIT ?1";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([signed(limit)]).map_err(failed)?;
    let (mut seen, mut last) = (0, None);
    while let Some(row) = rows.next().map_err(failed)? {
        let at: Timestamp = moment(row.get(1).map_err(failed)?);
        if !surplus.takes(at, unsigned(row, 2).map_err(failed)?) {
            break;
        }
        seen += 1;
        last = Some(unsigned(row, 0).map_err(failed)?);
    }
    if seen < limit {
        *surplus = SurplusAge::default();
    }
    if let Some(last) = last {
        let sql = "DELETE FROM audit WHERE id <= ?1";
        conn.execute(sql, [signed(last)]).map_err(failed)?;
    }
    Ok(seen)
}
