//! Sealing everything with another key.

use hookyard_core::entropy::Entropy;
use hookyard_core::model::Secret;

use super::columns::{Columns, Param};
use super::database::{Conn, Database};
use super::{PROOF, PROOF_PLACE, PostgresStore, migrate};
use crate::StoreError;
use crate::sealed::{SEALED, Sealed};
use crate::vault::Vault;

/// Rows sealed anew between two looks at the database.
const SLICE: i64 = 1_000;

impl PostgresStore {
    /// Seals everything with a new key, in one transaction. Returns the number of values. Refused while a
    /// node lives, because the node would go on with the old key. Values already sealed with the new key stay
    /// readable, so a run whose end was not seen can be repeated.
    pub async fn rotate_key(
        url: &Secret,
        old: &[u8; 32],
        new: &[u8; 32],
        entropy: &dyn Entropy,
    ) -> Result<usize, StoreError> {
        let database = Database::new(url.expose())?;
        migrate::migrate(database.get().await?).await?;
        let tx = database.get().await?.within(migrate::PATIENCE).begin().await?;
        // Nodes that come now wait for this transaction, and then find another key's proof.
        let proof = tx.one("SELECT key_proof FROM installation FOR UPDATE", &[]).await?;
        let alive = "SELECT EXISTS (SELECT FROM nodes WHERE until > clock_timestamp())";
        if tx.one(alive, &[]).await?.get_as(0)? {
            return Err(StoreError::Conflict(
                "servers are running on the database: stop them first (one that was killed counts \
                 until its lease ends)"
                    .to_owned(),
            ));
        }
        let keys = Keys { old: Vault::new(old), new: Vault::new(new), entropy };
        if let Some(sealed) = proof.get_as::<Option<&[u8]>>(0)? {
            keys.open(PROOF_PLACE, sealed)?;
        }
        let proof = keys.new.seal(entropy, PROOF_PLACE, &Secret::new(PROOF))?;
        tx.execute("UPDATE installation SET key_proof = $1", &[&proof]).await?;
        let mut count = 0;
        for sealed in &SEALED {
            count += sealed.renew(&tx, &keys).await?;
        }
        tx.batch("UPDATE rejections SET request = NULL WHERE request IS NOT NULL").await?;
        tx.commit().await?;
        database.close();
        Ok(count)
    }
}

struct Keys<'a> {
    old: Vault,
    new: Vault,
    entropy: &'a dyn Entropy,
}

impl Keys<'_> {
    fn open(&self, place: &str, sealed: &[u8]) -> Result<Secret, StoreError> {
        let opened = self.old.open(place, sealed);
        opened.or_else(|error| self.new.open(place, sealed).map_err(|_| error))
    }
}

impl Sealed {
    /// Seals the column anew. Returns the number of the column's values.
    async fn renew(&self, tx: &Conn, keys: &Keys<'_>) -> Result<usize, StoreError> {
        let Self { table, column, place } = self;
        let select = format!(
            "SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL AND id > $1 \
             ORDER BY id LIMIT $2"
        );
        let update = format!(
            "UPDATE {table} SET {column} = new.sealed \
             FROM unnest($1::int4[], $2::bytea[]) AS new (id, sealed) WHERE {table}.id = new.id"
        );
        let (mut count, mut last) = (0, i32::MIN);
        loop {
            let values: [Param<'_>; 2] = [&last, &SLICE];
            let rows = tx.query(&select, &values).await?;
            let (mut ids, mut sealed) = (Vec::new(), Vec::new());
            for row in &rows {
                let (id, place) = (row.get_as(0)?, place(row.get_as(0)?));
                let secret = keys.open(&place, row.get_as(1)?)?;
                ids.push(id);
                sealed.push(keys.new.seal(keys.entropy, &place, &secret)?);
            }
            let Some(end) = ids.last() else { return Ok(count) };
            last = *end;
            count += ids.len();
            tx.execute(&update, &[&ids, &sealed]).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::migrate::MIGRATIONS;
    use super::*;

    #[test]
    fn every_sealed_column_is_known() {
        let said = MIGRATIONS.iter().flat_map(|sql| sql.lines());
        let said = said.filter(|line| line.contains("sealed")).count();
        assert_eq!(said, SEALED.len() + 2, "a migration added one that is not in SEALED");
    }
}
