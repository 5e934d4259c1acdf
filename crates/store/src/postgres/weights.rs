//! What rows weigh, as retention counts them, and which of them are pinned.

use super::attempts;
use super::partitions::{ATTEMPTS, JOURNAL, Kind};
use crate::retention::ROW_OVERHEAD;

/// How many numbers the events of a chunk of live events span at most; the index `queue_chunks_wide`
/// has the others.
const CHUNK_SPAN: i64 = 16_384;

/// The bytes of an event, as retention counts.
pub(super) const JOURNAL_WEIGHT: &str = "octet_length(event_id) + octet_length(source) \
     + octet_length(attributes) + octet_length(object)";

/// Statements that weigh all rows anew, for rows that did not come one by one.
pub(super) fn weigh_again() -> [String; 3] {
    let [journal, attempts] =
        [(JOURNAL, JOURNAL_WEIGHT), (ATTEMPTS, attempts::WEIGHT)].map(|(kind, weight)| {
            let Kind { id, table, key, .. } = kind;
            format!(
                "UPDATE retained SET bytes = 0, items = 0 WHERE kind = {id}; \
             UPDATE retained r SET bytes = w.bytes, items = w.items FROM ( \
               SELECT p.first, count(*) AS items, sum({weight} + {ROW_OVERHEAD}) AS bytes \
               FROM partitions p JOIN {table} t ON t.{key} >= p.first AND t.{key} < p.until \
               WHERE p.kind = {id} GROUP BY p.first) w \
             WHERE r.kind = {id} AND r.slot = 0 AND r.first = w.first"
            )
        });
    let shares = format!(
        "DELETE FROM journal_shares; \
         INSERT INTO journal_shares (workspace_id, first, bytes, items) \
         SELECT j.workspace_id, p.first, sum({JOURNAL_WEIGHT} + {ROW_OVERHEAD}), count(*) \
         FROM partitions p JOIN journal j ON j.seq >= p.first AND j.seq < p.until \
         WHERE p.kind = {} GROUP BY j.workspace_id, p.first",
        JOURNAL.id
    );
    [journal, attempts, shares]
}

/// Selects the pinned events of a range, in a queue or a dead letter; $1 is the first and $2 after the last.
pub(super) fn pinned() -> String {
    format!(
        "SELECT seq FROM dead_letters WHERE seq >= $1 AND seq < $2 UNION ALL \
         SELECT seq FROM (SELECT endpoint_id, first, seqs FROM queue_chunks \
           WHERE lowest > $1 - {CHUNK_SPAN} AND lowest < $2 AND highest >= $1 \
           AND highest - lowest < {CHUNK_SPAN} \
           UNION ALL SELECT endpoint_id, first, seqs FROM queue_chunks \
           WHERE highest - lowest >= {CHUNK_SPAN} AND lowest < $2 AND highest >= $1) c \
         JOIN queues q ON q.endpoint_id = c.endpoint_id CROSS JOIN LATERAL \
         unnest(c.seqs[greatest(q.cursor - c.first, 0)::int + 1 : ]) seq \
         WHERE seq >= $1 AND seq < $2"
    )
}
