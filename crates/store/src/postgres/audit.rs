//! The log of changes and their actors.

use std::fmt::{Display, Write as _};

use async_trait::async_trait;
use hookyard_core::id::{CredentialId, WorkspaceId};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::PostgresStore;
use super::columns::{Columns, Param, Text, count, escape, paged, signed};
use super::database::Conn;
pub(super) use crate::audit::changed;
use crate::page::{self, Filling};
use crate::retention::ROW_OVERHEAD;
use crate::{
    Actor, ActorKind, AuditEntry, AuditQuery, AuditStore, Page, Seen, StoreError, SurplusAge,
};

#[async_trait]
impl AuditStore for PostgresStore {
    async fn audit(
        &self,
        workspace: WorkspaceId,
        query: AuditQuery,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let (conditions, values) = conditions(workspace, &query);
        let order = if query.newest_first { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT id, at_ms, workspace_id, actor, credential_id, credential, address, \
             request_id, action, subject, detail FROM audit WHERE {conditions} \
             ORDER BY id {order} LIMIT ${}",
            values.len()
        );
        let sql = paged(&sql, "octet_length(detail)", &format!("id {order}"));
        let values: Vec<Param<'_>> = values.iter().map(|value| &**value as Param<'_>).collect();
        let rows = self.db.get().await?.query(&sql, &values).await?;
        Filling::of(query.limit, rows.iter().map(entry))
    }

    async fn note_seen(&self, workspace: WorkspaceId, seen: Seen) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        note(&tx, workspace, seen.action(), seen.subject(), &serde_json::json!({})).await?;
        tx.commit().await
    }
}

/// Notes a change in its transaction, if an actor made the change. `detail` is a JSON object without secrets.
pub(super) async fn note(
    tx: &Conn,
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
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    tx.execute(
        sql,
        &[
            &workspace.0,
            &actor.at.as_millisecond(),
            &actor.kind.as_str(),
            &credential.map(|id| id.0),
            &Text(name.unwrap_or_default()),
            &address,
            &actor.request_id.as_deref().map(Text),
            &action,
            &Text(&subject),
            &Text(&detail),
            &signed(bytes),
        ],
    )
    .await
    .map(drop)
}

type Values = Vec<Box<dyn ToSql + Sync + Send>>;

/// The query as SQL with the values, the limit last.
fn conditions(workspace: WorkspaceId, query: &AuditQuery) -> (String, Values) {
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
    let mut sql = String::from("workspace_id = $1");
    let mut values: Values = vec![Box::new(workspace.0)];
    let mut add = |condition: &str, value: Option<Box<dyn ToSql + Sync + Send>>| {
        if let Some(value) = value {
            values.push(value);
            // Writing to a string does not fail.
            let _ = write!(sql, " AND {condition} ${}", values.len());
        }
    };
    add("id >", after.map(|id| Box::new(signed(id)) as _));
    add("id <", before.map(|id| Box::new(signed(id)) as _));
    add("at_ms >=", from.map(|at| Box::new(at.as_millisecond()) as _));
    add("at_ms <", until.map(|at| Box::new(at.as_millisecond()) as _));
    add("credential_id =", credential.map(|id| Box::new(id.0) as _));
    let text = |text: &String| Box::new(escape(text).into_owned()) as _;
    add("subject =", subject.as_ref().map(text));
    match action {
        Some(all) if all.ends_with('.') => {
            add("substr(action, 1, strpos(action, '.')) =", Some(text(all)));
        }
        one => add("action =", one.as_ref().map(text)),
    }
    values.push(Box::new(count(page::read_for(*limit))));
    (sql, values)
}

fn entry(row: &Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.unsigned(0)?,
        at: row.moment(1)?,
        workspace: WorkspaceId(row.get_as(2)?),
        actor: ActorKind::parse(&row.text(3)?).unwrap_or(ActorKind::System),
        credential: row.get_as::<Option<i32>>(4)?.map(CredentialId),
        credential_name: row.text(5)?,
        address: row.text_if(6)?.and_then(|address| address.parse().ok()),
        request_id: row.text_if(7)?,
        action: row.text(8)?,
        subject: row.text(9)?,
        detail: row.text(10)?,
    })
}

/// Deletes old entries, at most `limit`. Returns the number deleted; `surplus` has the rest.
pub(super) async fn delete_surplus(
    tx: &Conn,
    surplus: &mut SurplusAge,
    limit: u64,
) -> Result<u64, StoreError> {
    let sql = "SELECT id, at_ms, bytes FROM audit ORDER BY id LIMIT $1";
    let (mut seen, mut last) = (0, None);
    for row in tx.query(sql, &[&signed(limit)]).await? {
        if !surplus.takes(row.moment(1)?, row.unsigned(2)?) {
            break;
        }
        seen += 1;
        last = Some(row.get_as::<i64>(0)?);
    }
    if seen < limit {
        *surplus = SurplusAge::default();
    }
    if let Some(last) = last {
        tx.execute("DELETE FROM audit WHERE id <= $1", &[&last]).await?;
    }
    Ok(seen)
}
