//! Sealing everything with another key.

use std::path::Path;

use hookyard_core::entropy::Entropy;
use hookyard_core::model::Secret;
use rusqlite::{Connection, TransactionBehavior, params};

use super::{SqliteStore, connect, failed, migrate};
use crate::StoreError;
use crate::sealed::{SEALED, Sealed};
use crate::vault::Vault;

impl SqliteStore {
    /// Seals everything in a file with a new key, in one transaction. Nobody may have the file open. Returns
    /// the number of values. Values already under the new key stay readable, so the call can be repeated
    /// after a crash.
    pub fn rotate_key(
        path: &Path,
        old: &[u8; 32],
        new: &[u8; 32],
        entropy: &dyn Entropy,
    ) -> Result<usize, StoreError> {
        let mut conn = connect(path)?;
        migrate::migrate(&mut conn)?;
        // Values sealed with the old key must not stay behind in freed pages.
        conn.pragma_update(None, "secure_delete", "ON").map_err(failed)?;
        let (old, new) = (Vault::new(old), Vault::new(new));
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        // The requests help for some days only and may be large: nobody misses them.
        tx.execute("UPDATE rejections SET request = NULL WHERE request IS NOT NULL", [])
            .map_err(failed)?;
        let mut count = 0;
        for sealed in &SEALED {
            for (id, value) in sealed.values(&tx)? {
                let place = (sealed.place)(id);
                let secret = open(&old, &new, &place, &value)?;
                sealed.put(&tx, id, &new.seal(entropy, &place, &secret)?)?;
                count += 1;
            }
        }
        tx.commit().map_err(failed)?;
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
        Ok(count)
    }

    /// Whether a key opens the sealed values of the file; `true` where nothing is sealed. All values are
    /// sealed with one key, so a value of each kind is tried.
    pub fn opens_with(path: &Path, key: &[u8; 32]) -> Result<bool, StoreError> {
        let conn = connect(path)?;
        let vault = Vault::new(key);
        for sealed in &SEALED {
            let first = sealed.values(&conn)?.into_iter().next();
            if first.is_some_and(|(id, value)| vault.open(&(sealed.place)(id), &value).is_err()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn open(old: &Vault, new: &Vault, place: &str, value: &[u8]) -> Result<Secret, StoreError> {
    old.open(place, value).or_else(|error| new.open(place, value).map_err(|_| error))
}

impl Sealed {
    /// The sealed values with the numbers of the rows.
    pub(super) fn values(&self, conn: &Connection) -> Result<Vec<(i32, Vec<u8>)>, StoreError> {
        let Self { table, column, .. } = self;
        let sql = format!("SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL");
        let mut select = conn.prepare(&sql).map_err(failed)?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }

    fn put(&self, conn: &Connection, id: i32, value: &[u8]) -> Result<(), StoreError> {
        let Self { table, column, .. } = self;
        let sql = format!("UPDATE {table} SET {column} = ?2 WHERE id = ?1");
        conn.execute(&sql, params![id, value]).map(drop).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookyard_core::entropy::SystemEntropy;
    use hookyard_core::model::{EndpointSettings, Mode};
    use tempfile::TempDir;

    use super::super::Options;
    use super::*;
    use crate::contract::{self, WS};
    use crate::{CatalogStore, SourceStore, Store, TenantStore};

    const OLD: [u8; 32] = [7; 32];
    const NEW: [u8; 32] = [8; 32];

    fn store(path: &Path, key: [u8; 32]) -> Result<SqliteStore, StoreError> {
        let entropy = Arc::new(SystemEntropy);
        SqliteStore::open(Options { path: path.to_owned(), key, entropy })
    }

    fn rotate(path: &Path, old: [u8; 32]) -> Result<usize, StoreError> {
        SqliteStore::rotate_key(path, &old, &NEW, &SystemEntropy)
    }

    #[test]
    fn every_sealed_column_is_known() {
        let said = migrate::MIGRATIONS.iter().flat_map(|sql| sql.lines());
        let said = said.filter(|line| line.contains("sealed"));
        assert_eq!(said.count(), SEALED.len(), "a migration added one that is not in SEALED");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn all_that_was_sealed_opens_with_the_new_key_and_only_with_it() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("hookyard.db");
        let before = store(&path, OLD).unwrap();
        assert!(SqliteStore::opens_with(&path, &NEW).unwrap(), "nothing is sealed yet");
        before.create_workspace(contract::new_workspace(WS, "DEMO")).await.unwrap();
        let mut settings = EndpointSettings::to_url("https://x.test/h");
        settings.basic_password = Some(Secret::new("a-canary"));
        before.create_endpoint(WS, settings, Vec::new(), contract::at(0)).await.unwrap();
        let source = contract::new_source(Mode::Combine, "key-1");
        let source = before.create_source(source, contract::at(0)).await.unwrap();
        let endpoints = before.endpoints(WS).await.unwrap();
        before.close().await.unwrap();

        assert!(rotate(&path, [9; 32]).is_err(), "neither key opens it");
        assert!(SqliteStore::opens_with(&path, &OLD).unwrap(), "nothing is half done");
        assert_eq!(rotate(&path, OLD).unwrap(), 3);
        assert_eq!(rotate(&path, OLD).unwrap(), 3, "again, after a crash");
        assert!(store(&path, OLD).is_err() && !SqliteStore::opens_with(&path, &OLD).unwrap());
        assert!(SqliteStore::opens_with(&path, &NEW).unwrap());
        let after = store(&path, NEW).unwrap();
        assert_eq!(after.endpoints(WS).await.unwrap(), endpoints);
        assert_eq!(after.source_by_key("key-1").await.unwrap(), Some(source));
    }
}
