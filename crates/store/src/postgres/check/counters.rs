//! Whether what is counted agrees with the records.

use std::collections::BTreeMap;

use super::records::{Held, Sum};
use crate::StoreError;
use crate::check::{self, FINDINGS_MAX, Looking, Report};
use crate::postgres::columns::{Columns, count};
use crate::postgres::database::Conn;

/// Counters of one page.
const PAGE: i64 = 5_000;

/// Datasets and the versions kept beside the visible ones, with their counters.
const DATASETS: &str = "SELECT id::int8, version_id, rows, suspended, bytes FROM datasets \
                        WHERE id > $1::int8 ORDER BY id LIMIT $2";
const VERSIONS: &str = "SELECT id, id, rows, suspended, bytes FROM dataset_versions \
                        WHERE id > $1 ORDER BY id LIMIT $2";

/// Endpoints whose number of dead letters is another.
const LETTERS: &str = "
SELECT q.endpoint_id, q.dead_letters, coalesce(d.letters, 0) FROM queues q LEFT JOIN (
    SELECT endpoint_id, count(*) AS letters FROM dead_letters GROUP BY endpoint_id
) d ON d.endpoint_id = q.endpoint_id
WHERE q.dead_letters <> coalesce(d.letters, 0) ORDER BY q.endpoint_id LIMIT $1";

/// Dead letters without an event, which nobody can have delivered again.
const ALONE: &str = "
SELECT d.seq, d.endpoint_id FROM dead_letters d
WHERE NOT EXISTS (SELECT FROM journal j WHERE j.seq = d.seq) ORDER BY d.seq LIMIT $1";

/// Compares the counters with the records.
pub(super) async fn look(
    conn: &Conn,
    held: Held,
    report: &mut Report,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    looking("counters", 0)?;
    datasets(conn, "datasets", DATASETS, &held, report).await?;
    datasets(conn, "dataset_versions", VERSIONS, &held, report).await?;
    shares(conn, &held, report).await?;
    retained(conn, &held, report).await?;
    numbers(conn, &held, report).await?;
    let most = count(FINDINGS_MAX + 1);
    for row in conn.query(LETTERS, &[&most]).await? {
        let (endpoint, said, found): (i32, i64, i64) =
            (row.get_as(0)?, row.get_as(1)?, row.get_as(2)?);
        let problem =
            format!("endpoint {endpoint}: {said} dead letters are counted, and {found} are there");
        report.find("queues", u64::try_from(endpoint).ok(), problem);
    }
    for row in conn.query(ALONE, &[&most]).await? {
        let endpoint: i32 = row.get_as(1)?;
        let problem =
            format!("endpoint {endpoint} has a dead letter of an event that is not there");
        report.find("dead_letters", Some(row.unsigned(0)?), problem);
    }
    Ok(())
}

async fn datasets(
    conn: &Conn,
    part: &str,
    sql: &str,
    held: &Held,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut last = i64::MIN;
    loop {
        let rows = conn.query(sql, &[&last, &PAGE]).await?;
        for row in &rows {
            last = row.get_as(0)?;
            let said = (row.get_as(2)?, row.get_as(3)?, row.get_as(4)?);
            let found = held.versions.get(&row.get_as(1)?).copied().unwrap_or_default();
            if said != found {
                report.find(part, Some(last.cast_unsigned()), check::rows_differ(said, found));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// The events of each workspace in each partition.
async fn shares(conn: &Conn, held: &Held, report: &mut Report) -> Result<(), StoreError> {
    let sql = "SELECT workspace_id, first, bytes, items FROM journal_shares";
    let mut said: BTreeMap<(i32, i64), Sum> = BTreeMap::new();
    for row in conn.query(sql, &[]).await? {
        let sum = Sum { bytes: row.get_as(2)?, items: row.get_as(3)? };
        said.insert((row.get_as(0)?, row.get_as(1)?), sum);
    }
    let mut keys: Vec<_> = said.keys().chain(held.events.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    for key @ (workspace, first) in keys {
        let said = said.get(&key).copied().unwrap_or_default();
        let found = held.events.get(&key).copied().unwrap_or_default();
        if said != found {
            let problem = format!(
                "workspace {workspace}, partition {first}: {} events of {} bytes are counted, and {} of \
                 {} bytes are there",
                said.items, said.bytes, found.items, found.bytes
            );
            report.find("journal_shares", u64::try_from(workspace).ok(), problem);
        }
    }
    Ok(())
}

/// The bytes that retention counts, while the first partition is there. A batch that goes over a border is
/// counted for the first of its partitions, so the sum is exact until that one is dropped.
async fn retained(conn: &Conn, held: &Held, report: &mut Report) -> Result<(), StoreError> {
    let sql = "SELECT coalesce(sum(bytes), 0)::int8, coalesce(sum(items), 0)::int8 FROM retained \
               WHERE kind = $1";
    let sum = |sum: &Sum, more: &Sum| Sum {
        bytes: sum.bytes + more.bytes,
        items: sum.items + more.items,
    };
    let events = held.events.values().fold(Sum::default(), |all, more| sum(&all, more));
    let first =
        conn.one("SELECT EXISTS (SELECT FROM partitions WHERE kind = 0 AND first <= 1)", &[]);
    let all_events: bool = first.await?.get_as(0)?;
    let kinds: [(i32, _, _, _); 2] =
        [(0, "events", events, all_events), (1, "attempts", held.attempts, held.first_attempt)];
    for (kind, what, found, exact) in kinds {
        let row = conn.one(sql, &[&kind]).await?;
        let said = Sum { bytes: row.get_as(0)?, items: row.get_as(1)? };
        if exact && said != found {
            let problem = format!(
                "{} {what} of {} bytes are counted, and {} of {} bytes are there",
                said.items, said.bytes, found.items, found.bytes
            );
            report.find("retained", Some(kind.unsigned_abs().into()), problem);
        }
    }
    Ok(())
}

/// Whether the next event gets a number that no event has.
async fn numbers(conn: &Conn, held: &Held, report: &mut Report) -> Result<(), StoreError> {
    let given: i64 = conn.one("SELECT seq FROM sequencer", &[]).await?.get_as(0)?;
    if given < held.last_event {
        let problem = format!(
            "the last number given out is {given}, and the journal has event {}",
            held.last_event
        );
        report.find("sequencer", None, problem);
    }
    Ok(())
}
