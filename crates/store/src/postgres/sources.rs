//! Sources.

use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{
    Mode, NewSource, Previous, Secret, Source, SourceChange, SourceOptions, VersionsKept,
};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use super::columns::{Columns, Text, count, from_json, moment, to_json};
use super::database::Conn;
use super::{PostgresStore, audit, datasets, folders, projects};
use crate::audit::source_settings;
use crate::sealed::{self, KEY, PREVIOUS, SECRET, VERIFICATION};
use crate::vault::Vault;
use crate::{Entity, NewDataset, SourceQuery, SourceStore, StoreError};

/// The columns for [`source`], of the table `s`.
pub(super) const COLUMNS: &str = "s.id, s.workspace_id, s.project_id, s.dataset_id, s.created_ms, \
                                  s.name, s.mode, s.origins, s.folder, s.secret, s.key, s.options, \
                                  s.verification_secrets, s.previous";

#[async_trait]
impl SourceStore for PostgresStore {
    async fn create_source(
        &self,
        new: NewSource,
        now: Timestamp,
    ) -> Result<Arc<Source>, StoreError> {
        let tx = self.db.begin().await?;
        let (workspace, project) = (new.workspace, new.project);
        if !projects::has_project(&tx, workspace, project).await? {
            return Err(StoreError::NotFound(Entity::Project));
        }
        let id = tx.one("SELECT nextval('source_ids')::int4", &[]).await?;
        let (id, at) = (SourceId(id.get_as(0)?), now.as_millisecond());
        let dataset = NewDataset {
            workspace,
            project,
            name: new.name.clone(),
            folder: folders::named(&tx, workspace, project, new.folder.as_deref()).await?,
            keep: VersionsKept::default(),
        };
        let dataset = datasets::insert(&tx, &dataset, now).await?;
        let name = Text(&new.name);
        let sql = "INSERT INTO sources (id, workspace_id, project_id, dataset_id, created_ms, name, \
                   mode, origins, folder, secret, key, key_hash, options, \
                   verification_secrets, previous, previous_key_hash) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
        tx.execute(
            sql,
            &[
                &id.0,
                &workspace.0,
                &project.0,
                &dataset.0,
                &at,
                &name,
                &new.mode.as_str(),
                &Text(&new.origins),
                &new.folder.as_deref().map(Text),
                &self.seal(id, SECRET, new.secret.as_ref())?,
                &self.seal(id, KEY, Some(&Secret::new(new.key.as_str())))?,
                &key_hash(&new.key),
                &Text(&to_json(&new.options)?),
                &self.seal_verification(id, &new)?,
                &self.seal_previous(id, &new)?,
                &previous_hash(&new),
            ],
        )
        .await?;
        let source = Source { id, dataset, created_at: moment(at), spec: new };
        note(&tx, "source.create", &source, json!({ "dataset": dataset })).await?;
        tx.commit().await?;
        Ok(Arc::new(source))
    }

    async fn sources(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Arc<Source>>, StoreError> {
        let all = SourceQuery { project: Some(project), after: None, limit: usize::MAX };
        self.sources_page(workspace, all).await
    }

    async fn sources_page(
        &self,
        workspace: WorkspaceId,
        query: SourceQuery,
    ) -> Result<Vec<Arc<Source>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM sources s WHERE s.workspace_id = $1 \
             AND ($2::int4 IS NULL OR s.project_id = $2) AND s.id > $3 ORDER BY s.id LIMIT $4"
        );
        let (project, after) = (query.project.map(|id| id.0), query.after.map_or(0, |id| id.0));
        let conn = self.db.get().await?;
        let rows = conn.query(&sql, &[&workspace.0, &project, &after, &count(query.limit)]).await?;
        rows.iter().map(|row| source(row, 0, &self.vault).map(Arc::new)).collect()
    }

    async fn workspace_source(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM sources s WHERE s.id = $1 AND s.workspace_id = $2");
        let row = self.db.get().await?.opt(&sql, &[&id.0, &workspace.0]).await?;
        row.map(|row| source(&row, 0, &self.vault).map(Arc::new)).transpose()
    }

    async fn source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM sources s WHERE s.id = $1 AND s.workspace_id = $2 \
             AND s.project_id = $3"
        );
        let conn = self.db.get().await?;
        let row = conn.opt(&sql, &[&id.0, &workspace.0, &project.0]).await?;
        row.map(|row| source(&row, 0, &self.vault).map(Arc::new)).transpose()
    }

    async fn source_by_key(&self, key: &str) -> Result<Option<Arc<Source>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM sources s WHERE s.key_hash = $1 OR s.previous_key_hash = $1 \
             ORDER BY s.key_hash = $1 DESC LIMIT 1"
        );
        let row = self.db.get().await?.opt(&sql, &[&key_hash(key)]).await?;
        row.map(|row| source(&row, 0, &self.vault).map(Arc::new)).transpose()
    }

    async fn update_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
        change: SourceChange,
    ) -> Result<Arc<Source>, StoreError> {
        let tx = self.db.begin().await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM sources s WHERE s.id = $1 AND s.workspace_id = $2 \
             AND s.project_id = $3 FOR UPDATE"
        );
        let row = tx.opt(&sql, &[&id.0, &workspace.0, &project.0]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Source))?;
        let mut source = source(&row, 0, &self.vault)?;
        let before = source_settings(&source);
        source.spec.apply(change);
        self.save_source(&tx, &source).await?;
        let changed = audit::changed(&before, &source_settings(&source));
        note(&tx, "source.update", &source, changed).await?;
        tx.commit().await?;
        Ok(Arc::new(source))
    }

    async fn delete_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<bool, StoreError> {
        let tx = self.db.begin().await?;
        let sql = format!(
            "DELETE FROM sources s WHERE s.id = $1 AND s.workspace_id = $2 AND s.project_id = $3 \
             RETURNING {COLUMNS}"
        );
        let row = tx.opt(&sql, &[&id.0, &workspace.0, &project.0]).await?;
        if let Some(row) = &row {
            note(&tx, "source.delete", &source(row, 0, &self.vault)?, json!({})).await?;
        }
        tx.commit().await?;
        Ok(row.is_some())
    }
}

/// Notes a change of a source in the audit log.
async fn note(
    tx: &Conn,
    action: &str,
    source: &Source,
    mut detail: serde_json::Value,
) -> Result<(), StoreError> {
    let NewSource { workspace, project, name, .. } = &source.spec;
    detail["project"] = json!(project);
    detail["name"] = json!(name);
    audit::note(tx, *workspace, action, source.id, &detail).await
}

impl PostgresStore {
    /// Writes all changeable parts of a source.
    async fn save_source(&self, tx: &Conn, source: &Source) -> Result<(), StoreError> {
        let (id, spec) = (source.id, &source.spec);
        let sql = "UPDATE sources SET name = $2, mode = $3, origins = $4, secret = $5, key = $6, \
                   key_hash = $7, options = $8, verification_secrets = $9, previous = $10, \
                   previous_key_hash = $11 WHERE id = $1";
        tx.execute(
            sql,
            &[
                &id.0,
                &Text(&spec.name),
                &spec.mode.as_str(),
                &Text(&spec.origins),
                &self.seal(id, SECRET, spec.secret.as_ref())?,
                &self.seal(id, KEY, Some(&Secret::new(spec.key.as_str())))?,
                &key_hash(&spec.key),
                &Text(&to_json(&spec.options)?),
                &self.seal_verification(id, spec)?,
                &self.seal_previous(id, spec)?,
                &previous_hash(spec),
            ],
        )
        .await
        .map(drop)
    }

    fn seal_verification(
        &self,
        id: SourceId,
        spec: &NewSource,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(verification) = &spec.options.verification else { return Ok(None) };
        let text = verification.secrets_text().map_err(|_| unreadable(id))?;
        self.seal(id, VERIFICATION, text.as_ref())
    }

    fn seal_previous(&self, id: SourceId, spec: &NewSource) -> Result<Option<Vec<u8>>, StoreError> {
        let text = spec.previous.to_secret().map_err(|error| StoreError::Internal(error.into()))?;
        self.seal(id, PREVIOUS, text.as_ref())
    }

    fn seal(
        &self,
        id: SourceId,
        name: &str,
        secret: Option<&Secret>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        secret
            .map(|secret| self.vault.seal(&*self.entropy, &sealed::source(id, name), secret))
            .transpose()
    }
}

/// The hash for the look-up by a source's key.
fn key_hash(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}

/// The hash of the previous key: a look-up finds the source by either key.
fn previous_hash(spec: &NewSource) -> Option<Vec<u8>> {
    spec.previous.key.as_ref().map(|it| key_hash(it.value.expose()))
}

/// A source from the [`COLUMNS`], beginning with the column `at`.
pub(super) fn source(row: &Row, at: usize, vault: &Vault) -> Result<Source, StoreError> {
    let id = SourceId(row.get_as(at)?);
    let secret: Option<&[u8]> = row.get_as(at + 9)?;
    let mode = Mode::parse(&row.text(at + 6)?)
        .ok_or_else(|| StoreError::internal(format!("source {id} has an unknown mode")))?;
    let spec = NewSource {
        workspace: WorkspaceId(row.get_as(at + 1)?),
        project: ProjectId(row.get_as(at + 2)?),
        name: row.text(at + 5)?,
        mode,
        origins: row.text(at + 7)?,
        secret: secret.map(|sealed| vault.open(&sealed::source(id, SECRET), sealed)).transpose()?,
        key: vault.open(&sealed::source(id, KEY), row.get_as(at + 10)?)?.expose().to_owned(),
        folder: row.text_if(at + 8)?,
        options: options(id, &row.text(at + 11)?, row.get_as(at + 12)?, vault)?,
        previous: previous(id, row.get_as(at + 13)?, vault)?,
    };
    let dataset = DatasetId(row.get_as(at + 3)?);
    Ok(Source { id, dataset, created_at: row.moment(at + 4)?, spec })
}

fn previous(id: SourceId, sealed: Option<&[u8]>, vault: &Vault) -> Result<Previous, StoreError> {
    let Some(sealed) = sealed else { return Ok(Previous::default()) };
    let text = vault.open(&sealed::source(id, PREVIOUS), sealed)?;
    Previous::from_secret(&text).map_err(|error| StoreError::Internal(error.into()))
}

/// The settings with the secrets.
fn options(
    id: SourceId,
    json: &str,
    sealed: Option<&[u8]>,
    vault: &Vault,
) -> Result<SourceOptions, StoreError> {
    let mut options: SourceOptions = from_json(json)?;
    if let (Some(verification), Some(sealed)) = (&mut options.verification, sealed) {
        let text = vault.open(&sealed::source(id, VERIFICATION), sealed)?;
        verification.put_secrets(&text).map_err(|_| unreadable(id))?;
    }
    Ok(options)
}

fn unreadable(id: SourceId) -> StoreError {
    StoreError::internal(format!("the secrets of the verification of source {id} are unreadable"))
}
