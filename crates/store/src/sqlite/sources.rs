//! Sources.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::entropy::Entropy;
use hookyard_core::id::{DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{
    Mode, NewSource, Previous, Secret, Source, SourceChange, SourceOptions, VersionsKept,
};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::json;

use super::memory::key_hash;
use super::rows::{from_json, moment, to_json};
use super::tx::Tx;
use super::{SqliteStore, audit, datasets, failed, folders};
use crate::audit::source_settings;
use crate::sealed::{self, KEY, PREVIOUS, SECRET, VERIFICATION};
use crate::vault::Vault;
use crate::{CatalogStore, Entity, NewDataset, SourceQuery, SourceStore, StoreError};

#[async_trait]
impl SourceStore for SqliteStore {
    async fn create_source(
        &self,
        new: NewSource,
        now: Timestamp,
    ) -> Result<Arc<Source>, StoreError> {
        if !self.has_project(new.workspace, new.project).await? {
            return Err(StoreError::NotFound(Entity::Project));
        }
        let (vault, entropy) = (Arc::clone(&self.vault), Arc::clone(&self.entropy));
        let job = move |tx: &mut Tx<'_>| {
            let source = Arc::new(insert(tx, &vault, &*entropy, new, now)?);
            note(tx.conn, "source.create", &source, json!({ "dataset": source.dataset }))?;
            put_after_commit(tx, &source);
            Ok(source)
        };
        self.writer.alone(job).await
    }

    async fn sources(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Arc<Source>>, StoreError> {
        Ok(self.memory.sources(workspace, project))
    }

    async fn sources_page(
        &self,
        workspace: WorkspaceId,
        query: SourceQuery,
    ) -> Result<Vec<Arc<Source>>, StoreError> {
        Ok(self.memory.sources_page(workspace, query))
    }

    async fn workspace_source(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError> {
        Ok(self.memory.source(id).filter(|source| source.spec.workspace == workspace))
    }

    async fn source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError> {
        Ok(self.memory.source(id).filter(|source| owns(source, workspace, project)))
    }

    async fn source_by_key(&self, key: &str) -> Result<Option<Arc<Source>>, StoreError> {
        Ok(self.memory.source_by_key(key))
    }

    async fn update_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
        change: SourceChange,
    ) -> Result<Arc<Source>, StoreError> {
        let (vault, entropy) = (Arc::clone(&self.vault), Arc::clone(&self.entropy));
        let job = move |tx: &mut Tx<'_>| {
            let before = tx.memory.source(id).filter(|source| owns(source, workspace, project));
            let mut source = (*before.ok_or(StoreError::NotFound(Entity::Source))?).clone();
            let before = source_settings(&source);
            source.spec.apply(change);
            write(tx.conn, &vault, &*entropy, &source)?;
            let changed = audit::changed(&before, &source_settings(&source));
            note(tx.conn, "source.update", &source, changed)?;
            let source = Arc::new(source);
            put_after_commit(tx, &source);
            Ok(source)
        };
        self.writer.alone(job).await
    }

    async fn delete_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<bool, StoreError> {
        let job = move |tx: &mut Tx<'_>| {
            let there = tx.memory.source(id).filter(|source| owns(source, workspace, project));
            if let Some(source) = &there {
                note(tx.conn, "source.delete", source, json!({}))?;
                tx.conn.execute("DELETE FROM sources WHERE id = ?1", [id.0]).map_err(failed)?;
                tx.after_commit(move |memory| memory.remove_source(id));
            }
            Ok(there.is_some())
        };
        self.writer.alone(job).await
    }
}

/// Notes a change of a source in the audit log.
fn note(
    conn: &Connection,
    action: &str,
    source: &Source,
    mut detail: serde_json::Value,
) -> Result<(), StoreError> {
    let NewSource { workspace, project, name, .. } = &source.spec;
    detail["project"] = json!(project);
    detail["name"] = json!(name);
    audit::note(conn, *workspace, action, source.id, &detail)
}

/// Gives the source of a dataset, if any, the dataset's new name.
pub(super) fn rename(tx: &mut Tx<'_>, dataset: DatasetId, name: &str) -> Result<(), StoreError> {
    let Some(source) = tx.memory.source_of(dataset) else { return Ok(()) };
    let sql = "UPDATE sources SET name = ?2 WHERE id = ?1";
    tx.conn.execute(sql, params![source.id.0, name]).map_err(failed)?;
    let mut source = (*source).clone();
    name.clone_into(&mut source.spec.name);
    put_after_commit(tx, &Arc::new(source));
    Ok(())
}

fn owns(source: &Source, workspace: WorkspaceId, project: ProjectId) -> bool {
    source.spec.workspace == workspace && source.spec.project == project
}

/// Writes all changeable parts of a source.
fn write(
    conn: &Connection,
    vault: &Vault,
    entropy: &dyn Entropy,
    source: &Source,
) -> Result<(), StoreError> {
    let (id, spec) = (source.id, &source.spec);
    let key = Secret::new(spec.key.as_str());
    let sql = "UPDATE sources SET name = ?2, mode = ?3, origins = ?4, secret = ?5, key = ?6, \
               key_hash = ?7, options = ?8, verification_secrets = ?9, previous = ?10, \
               previous_key_hash = ?11 WHERE id = ?1";
    let row = params![
        id.0,
        spec.name,
        spec.mode.as_str(),
        spec.origins,
        seal(vault, entropy, id, SECRET, spec.secret.as_ref())?,
        seal(vault, entropy, id, KEY, Some(&key))?,
        key_hash(&spec.key),
        to_json(&spec.options)?,
        seal_verification(vault, entropy, id, spec)?,
        seal_previous(vault, entropy, id, spec)?,
        previous_hash(spec),
    ];
    conn.execute(sql, row).map(drop).map_err(failed)
}

fn put_after_commit(tx: &mut Tx<'_>, source: &Arc<Source>) {
    let source = Arc::clone(source);
    tx.after_commit(move |memory| memory.put_source(source));
}

fn seal(
    vault: &Vault,
    entropy: &dyn Entropy,
    id: SourceId,
    name: &str,
    secret: Option<&Secret>,
) -> Result<Option<Vec<u8>>, StoreError> {
    secret.map(|secret| vault.seal(entropy, &sealed::source(id, name), secret)).transpose()
}

fn insert(
    tx: &mut Tx<'_>,
    vault: &Vault,
    entropy: &dyn Entropy,
    new: NewSource,
    now: Timestamp,
) -> Result<Source, StoreError> {
    let (workspace, project, at) = (new.workspace.0, new.project.0, now.as_millisecond());
    let dataset = NewDataset {
        workspace: new.workspace,
        project: new.project,
        name: new.name.clone(),
        folder: folders::named(tx.conn, new.workspace, new.project, new.folder.as_deref())?,
        keep: VersionsKept::default(),
    };
    let dataset = datasets::insert(tx, &dataset, now)?;
    let conn = tx.conn;
    // Sealing the secrets needs the number, so the number is taken before the row is written.
    let next = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'sources'), 0) + 1";
    let id = conn.query_row(next, [], |row| row.get(0)).map_err(failed)?;
    let id = SourceId(number(id)?);
    let key = Secret::new(new.key.as_str());
    let sql = "INSERT INTO sources (id, workspace_id, project_id, dataset_id, created_ms, name, \
               mode, origins, folder, secret, key, key_hash, options, verification_secrets, \
               previous, previous_key_hash) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    let row = params![
        id.0,
        workspace,
        project,
        dataset.0,
        at,
        new.name,
        new.mode.as_str(),
        new.origins,
        new.folder,
        seal(vault, entropy, id, SECRET, new.secret.as_ref())?,
        seal(vault, entropy, id, KEY, Some(&key))?,
        key_hash(&new.key),
        to_json(&new.options)?,
        seal_verification(vault, entropy, id, &new)?,
        seal_previous(vault, entropy, id, &new)?,
        previous_hash(&new),
    ];
    conn.execute(sql, row).map_err(failed)?;
    Ok(Source { id, dataset, created_at: moment(at), spec: new })
}

pub(super) fn number(id: i64) -> Result<i32, StoreError> {
    i32::try_from(id).map_err(|_| {
        StoreError::internal("the numbers of sources, datasets, folders or jobs are used up")
    })
}

/// All sources of all workspaces.
pub(super) fn load_sources(
    conn: &Connection,
    vault: &Vault,
) -> Result<Vec<Arc<Source>>, StoreError> {
    let sql = "SELECT id, workspace_id, project_id, dataset_id, created_ms, name, mode, origins, \
               folder, secret, key, options, verification_secrets, previous FROM sources";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut sources = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        sources.push(Arc::new(source(row, vault)?));
    }
    Ok(sources)
}

fn source(row: &Row<'_>, vault: &Vault) -> Result<Source, StoreError> {
    let text = |column| row.get::<_, String>(column).map_err(failed);
    let id = SourceId(row.get(0).map_err(failed)?);
    let secret: Option<Vec<u8>> = row.get(9).map_err(failed)?;
    let key: Vec<u8> = row.get(10).map_err(failed)?;
    let mode = Mode::parse(&text(6)?)
        .ok_or_else(|| StoreError::internal(format!("source {id} has an unknown mode")))?;
    let spec = NewSource {
        workspace: WorkspaceId(row.get(1).map_err(failed)?),
        project: ProjectId(row.get(2).map_err(failed)?),
        name: text(5)?,
        mode,
        origins: text(7)?,
        secret: secret
            .map(|sealed| vault.open(&sealed::source(id, SECRET), &sealed))
            .transpose()?,
        key: vault.open(&sealed::source(id, KEY), &key)?.expose().to_owned(),
        folder: row.get(8).map_err(failed)?,
        options: options(id, &text(11)?, row.get(12).map_err(failed)?, vault)?,
        previous: previous(id, row.get(13).map_err(failed)?, vault)?,
    };
    let dataset = DatasetId(row.get(3).map_err(failed)?);
    Ok(Source { id, dataset, created_at: moment(row.get(4).map_err(failed)?), spec })
}

/// The settings with the secrets.
fn options(
    id: SourceId,
    json: &str,
    sealed: Option<Vec<u8>>,
    vault: &Vault,
) -> Result<SourceOptions, StoreError> {
    let mut options: SourceOptions = from_json(json)?;
    if let (Some(verification), Some(sealed)) = (&mut options.verification, sealed) {
        let text = vault.open(&sealed::source(id, VERIFICATION), &sealed)?;
        verification.put_secrets(&text).map_err(|_| unreadable(id))?;
    }
    Ok(options)
}

fn previous(id: SourceId, sealed: Option<Vec<u8>>, vault: &Vault) -> Result<Previous, StoreError> {
    let Some(sealed) = sealed else { return Ok(Previous::default()) };
    let text = vault.open(&sealed::source(id, PREVIOUS), &sealed)?;
    Previous::from_secret(&text).map_err(|error| StoreError::Internal(error.into()))
}

fn previous_hash(spec: &NewSource) -> Option<[u8; 32]> {
    spec.previous.key.as_ref().map(|it| key_hash(it.value.expose()))
}

fn seal_previous(
    vault: &Vault,
    entropy: &dyn Entropy,
    id: SourceId,
    spec: &NewSource,
) -> Result<Option<Vec<u8>>, StoreError> {
    let text = spec.previous.to_secret().map_err(|error| StoreError::Internal(error.into()))?;
    seal(vault, entropy, id, PREVIOUS, text.as_ref())
}

fn seal_verification(
    vault: &Vault,
    entropy: &dyn Entropy,
    id: SourceId,
    spec: &NewSource,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(verification) = &spec.options.verification else { return Ok(None) };
    let text = verification.secrets_text().map_err(|_| unreadable(id))?;
    seal(vault, entropy, id, VERIFICATION, text.as_ref())
}

fn unreadable(id: SourceId) -> StoreError {
    StoreError::internal(format!("the secrets of the verification of source {id} are unreadable"))
}

#[cfg(test)]
mod tests {
    use hookyard_core::entropy::SystemEntropy;

    use super::super::migrate;
    use super::*;

    #[test]
    fn a_source_of_format_1_reads_with_the_usual_options() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::migrate_to_format(&mut conn, 1).unwrap();
        let vault = Vault::new(&[7; 32]);
        let key = Secret::new("key");
        let sealed = seal(&vault, &SystemEntropy, SourceId(1), KEY, Some(&key)).unwrap();
        conn.execute_batch(
            "INSERT INTO workspaces VALUES (1, 'DEMO', 'demo');
             INSERT INTO projects VALUES (1, 1, 'demo');
             INSERT INTO datasets VALUES (1, 1, 1, 'd', 0, 0, 0, 0, 0);",
        )
        .unwrap();
        let sql =
            "INSERT INTO sources VALUES (1, 1, 1, 1, 0, 's', 'combine', '*', NULL, NULL, ?1, ?2)";
        conn.execute(sql, params![sealed, key_hash("key")]).unwrap();
        migrate::migrate(&mut conn).unwrap();
        let sources = load_sources(&conn, &vault).unwrap();
        assert_eq!((sources.len(), sources[0].spec.key.as_str()), (1, "key"));
        assert_eq!(sources[0].spec.options, SourceOptions::default());
    }
}
