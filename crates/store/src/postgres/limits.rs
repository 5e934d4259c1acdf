//! Turns of callers' quotas.

use std::collections::HashMap;

use async_trait::async_trait;
use hookyard_core::model::Level;
use jiff::Timestamp;

use super::PostgresStore;
use super::columns::{Columns, count};
use crate::{LimitStore, StoreError, Take, Taken, Turns};

/// A commit without a wait for the disk: see the contract.
const LAZY: &str = "SET LOCAL synchronous_commit = off";

/// [`hookyard_core::model::Quota::grant`] as a subquery, of a bucket at the level `$level`. The sums
/// stay within 64 bits: a quota has at most 10^8 turns, a day less than 10^11 microseconds.
macro_rules! grant {
    ($level:literal) => {
        concat!(
            "SELECT owing + granted * window_us / turns, granted FROM (SELECT least(wanted, ($1::int8 + \
             window_us - owing) * turns / window_us) AS granted, owing, window_us, turns FROM \
             (SELECT least(greatest(",
            $level,
            ", $1::int8) + owed * window_us / turns, $1::int8 + window_us) AS owing, * FROM asked WHERE \
             asked.key = this.key) a) b"
        )
    };
}

/// Everything in one statement, and so in one round trip. Rows are locked in the order of the keys, so that
/// two nodes with simultaneous questions do not deadlock.
const TAKE: &str = concat!(
    "WITH asked AS (SELECT * FROM unnest($2::text[], $3::int8[], $4::int8[], $5::int8[], $6::int8[]) \
     AS a (key, turns, window_us, owed, wanted)), \
     taken AS (INSERT INTO limit_buckets AS this (key, empty_us, granted) \
     SELECT this.key, new.empty_us, new.granted FROM asked this, LATERAL (",
    grant!("0::int8"),
    ") AS new (empty_us, granted) ORDER BY this.key \
     ON CONFLICT (key) DO UPDATE SET (empty_us, granted) = (",
    grant!("this.empty_us"),
    ") RETURNING key, empty_us, granted) \
     SELECT nodes.living, taken.key, taken.empty_us, taken.granted \
     FROM (SELECT count(*) AS living FROM nodes WHERE until > clock_timestamp()) nodes \
     LEFT JOIN taken ON true",
);

#[async_trait]
impl LimitStore for PostgresStore {
    async fn take_turns(&self, takes: Vec<Take>, now: Timestamp) -> Result<Turns, StoreError> {
        let keys: Vec<_> = takes.iter().map(|take| take.key.as_str()).collect();
        let numbers = |number: fn(&Take) -> i64| takes.iter().map(number).collect::<Vec<_>>();
        let turns = numbers(|take| i64::from(take.quota.turns.max(1)));
        let windows = numbers(|take| take.quota.window.micros());
        let owed = numbers(|take| i64::from(take.owed.min(take.quota.turns)));
        let wanted = numbers(|take| i64::from(take.wanted.min(take.quota.turns)));
        let conn = self.db.get().await?.within(super::BATCH_MAX);
        let now = now.as_microsecond();
        let values = [&now as _, &keys as _, &turns as _, &windows as _, &owed as _, &wanted as _];
        let mut found = HashMap::with_capacity(takes.len());
        let mut nodes = 1;
        for row in conn.transact(LAZY, TAKE, &values).await? {
            nodes = u32::try_from(row.get_as::<i64>(0)?).unwrap_or(1).max(1);
            let Some(key) = row.get_as::<Option<&str>>(1)? else { continue };
            let granted = u32::try_from(row.get_as::<i64>(3)?).unwrap_or(0);
            found.insert(key.to_owned(), Taken { granted, level: Level(row.get_as(2)?) });
        }
        let taken = takes.iter().map(|take| found.get(&take.key).copied());
        let taken = taken.collect::<Option<_>>();
        let taken = taken.ok_or_else(|| StoreError::internal("a bucket gave no answer"))?;
        Ok(Turns { taken, nodes })
    }

    async fn forget_buckets(&self, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let sql = "DELETE FROM limit_buckets WHERE key IN (SELECT key FROM limit_buckets \
                   WHERE empty_us <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";
        let conn = self.db.get().await?;
        conn.execute(sql, &[&now.as_microsecond(), &count(limit)]).await
    }
}
