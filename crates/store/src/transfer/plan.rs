//! The tables and columns of a move, from and to.
//!
//! A table goes into its namesake, and each column into its namesake; this plan names the differences. The
//! plan must also name everything that only one of the schemas has: a move that skipped unknown tables or
//! columns would lose data.

use std::collections::{BTreeMap, BTreeSet};

use crate::StoreError;

/// How a column's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Yes or no.
    Flag,
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A list of whole numbers.
    Numbers,
    /// Text that may be compressed.
    Cell,
    /// The hash of an event's identity, from a workspace's number, a blank and an event's id.
    EventHash,
}

impl Kind {
    /// The kind of a column, from the name of the type in PostgreSQL.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Flag,
            "smallint" | "integer" | "bigint" => Self::Number,
            "text" => Self::Text,
            "bytea" => Self::Bytes,
            "integer[]" | "bigint[]" => Self::Numbers,
            _ => return None,
        })
    }
}

/// A table of the embedded store as found.
#[derive(Debug, Clone)]
pub(crate) struct Old {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// The columns of the primary key.
    pub(crate) key: Vec<String>,
}

/// A table of the database as found.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) name: String,
    /// Names and types.
    pub(crate) columns: Vec<(String, String)>,
}

/// A sequence of the database as found.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) name: String,
    /// The numbered table and column, where the database knows them.
    pub(crate) of: Option<(String, String)>,
}

/// Where a table's rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rows {
    /// A query whose parameter is the number of rows to leave out, and a query that counts all rows.
    Select {
        /// The query.
        sql: String,
        /// The count.
        count: String,
    },
    /// Where the queues stand.
    Queues,
    /// The entries of the queues.
    Chunks,
    /// Deliveries kept for inspection.
    Deliveries,
}

/// A table to move.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, Kind)>,
    pub(crate) rows: Rows,
}

/// A table moved row by row, and the differences of the columns.
struct Known {
    name: &'static str,
    /// Columns of the database without a namesake, and their expressions.
    made: &'static [(&'static str, &'static str)],
    /// Columns of the database that begin with their default.
    new: &'static [&'static str],
    /// Columns of the embedded store without a namesake in the database.
    spent: &'static [&'static str],
    /// The query that replaces the table, with its key.
    instead: Option<(&'static str, &'static str)>,
}

const fn same(name: &'static str) -> Known {
    Known { name, made: &[], new: &[], spent: &[], instead: None }
}

/// A cell, compressed when large.
const CELL: &str = "iif(size IS NULL, cell, packed)";

/// The hash of an event's identity: the embedded store finds events in another way.
const EVENT_HASH: &str = "workspace_id || ' ' || event_id";

/// All tables moved row by row, in an order in which a referenced table comes first.
const KNOWN: [Known; 31] = [
    Known { new: &["version"], ..same("workspaces") },
    same("projects"),
    same("applications"),
    same("credentials"),
    same("grants"),
    same("access_tokens"),
    same("refresh_tokens"),
    same("authorization_codes"),
    same("device_codes"),
    same("categories"),
    same("event_types"),
    same("customers"),
    Known {
        made: &[
            ("disabled", "ifnull(json_extract(settings, '$.disabled'), 0)"),
            ("reason", "disabled"),
        ],
        new: &["enabled_version"],
        ..same("endpoints")
    },
    same("endpoint_revisions"),
    Known { made: &[("id_hash", EVENT_HASH)], ..same("journal") },
    same("attempts"),
    same("dead_letters"),
    same("replays"),
    same("endpoint_gaps"),
    same("landed"),
    same("folders"),
    same("jobs"),
    same("datasets"),
    same("dataset_versions"),
    same("sources"),
    Known { made: &[("cell", CELL)], spent: &["cell", "size", "packed"], ..same("rows") },
    same("garbage"),
    // A delivery repeated after the window has two entries, and is recognised by the later entry.
    Known {
        spent: &["id"],
        instead: Some((
            "(SELECT hash, max(received_ms) AS received_ms, workspace_id FROM delivery_ids GROUP BY hash)",
            "hash",
        )),
        ..same("delivery_ids")
    },
    same("rejections"),
    same("audit"),
    Known { new: &["granted"], ..same("limit_buckets") },
];

/// The queues' tables with all columns on both sides. A start of the embedded store makes the rows from the
/// last checkpoint and the later records.
const QUEUES: [(&str, &[&str], &[&str]); 2] = [
    (
        "queues",
        &[
            "endpoint_id",
            "cursor",
            "next",
            "failures",
            "retry_ms",
            "failing_since_ms",
            "refusals",
            "again",
            "as_of_seq",
            "as_of_attempt",
            "done",
            "held",
        ],
        &[
            "endpoint_id",
            "cursor",
            "failures",
            "retry_ms",
            "since_ms",
            "again",
            "done",
            "held",
            "dead_letters",
        ],
    ),
    (
        "queue_chunks",
        &["endpoint_id", "first", "count", "lowest", "highest", "seqs"],
        &["endpoint_id", "first", "seqs", "lowest", "highest"],
    ),
];

/// Deliveries kept for inspection: several in one row of the embedded store, and a row each in the database.
const DELIVERIES: (&str, &str, &[&str], &[&str]) = (
    "delivery_chunks",
    "deliveries",
    &["id", "source_id", "count", "newest_ms", "heads_size", "heads", "bodies_size", "bodies"],
    &[
        "id",
        "source_id",
        "received_ms",
        "method",
        "query",
        "headers",
        "address",
        "bytes",
        "row_id",
        "seq",
        "in_row",
        "body",
    ],
);

/// Columns of the database's queues that begin with their default: no server owns one yet.
const QUEUES_NEW: [&str; 2] = ["owner", "epoch"];

/// Tables of the embedded store that are derived from other tables or become something else, with the
/// columns.
const DERIVED: [(&str, &[&str]); 10] = [
    ("checkpoint", &["id", "seq", "attempt_id"]),
    ("event_keys", &["first_seq", "hashes", "workspaces"]),
    ("event_ids", &["part", "first_seq", "places"]),
    ("event_ids_from", &["id", "first_seq"]),
    ("journal_shares", &["workspace_id", "bytes"]),
    ("migrations", &["version", "checksum"]),
    ("probe", &["id", "filler"]),
    ("retained", &["kind", "bytes"]),
    ("row_numbers", &["id", "last"]),
    ("serving", &["id", "schema"]),
];

/// Where a sequence goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Last {
    /// After the last number that a column ever had.
    Column(String, String),
    /// After the last attempt.
    Attempt,
    /// After the last kept delivery.
    Delivery,
    /// After the last row or version.
    Row,
}

/// All tables, in the order of the move. An error names the parts of the schemas that the plan does not know.
pub(crate) fn tables(from: &[Old], to: &[New]) -> Result<Vec<Planned>, StoreError> {
    let known: BTreeSet<&str> = KNOWN.iter().map(|known| known.name).collect();
    let queues: BTreeSet<&str> = QUEUES.iter().map(|(name, ..)| *name).collect();
    for table in from {
        let name = table.name.as_str();
        let derived = DERIVED.iter().find(|(derived, _)| *derived == name);
        if let Some((_, columns)) = derived {
            all_known(name, &table.columns, columns)?;
        } else if !known.contains(name) && !queues.contains(name) && name != DELIVERIES.0 {
            return Err(unknown(&format!("the table {name} of the data directory")));
        }
    }
    let from: BTreeMap<&str, &Old> = from.iter().map(|table| (&*table.name, table)).collect();
    let to: BTreeMap<&str, &New> = to.iter().map(|table| (&*table.name, table)).collect();
    let pair = |old: &str, new: &str| match (from.get(old), to.get(new)) {
        (Some(from), Some(to)) => Ok((*from, *to)),
        _ => Err(unknown(&format!("where the table {new} is"))),
    };
    let mut planned = Vec::new();
    for known in &KNOWN {
        let (from, to) = pair(known.name, known.name)?;
        planned.push(table(known, from, to)?);
        // Tables owned by endpoints come right after the endpoints.
        if known.name == "endpoint_revisions" {
            for ((name, old, new), rows) in QUEUES.iter().zip([Rows::Queues, Rows::Chunks]) {
                let (from, to) = pair(name, name)?;
                planned.push(queue(from, to, old, new, rows)?);
            }
        }
    }
    let (old, new, spent, columns) = DELIVERIES;
    let (from, to) = pair(old, new)?;
    planned.push(queue(from, to, spent, columns, Rows::Deliveries)?);
    Ok(planned)
}

fn unknown(what: &str) -> StoreError {
    StoreError::internal(format!(
        "this hookyard does not know {what}, and would lose it: nothing more is moved"
    ))
}

fn all_known(table: &str, found: &[String], known: &[&str]) -> Result<(), StoreError> {
    match found.iter().find(|column| !known.contains(&column.as_str())) {
        Some(column) => Err(unknown(&format!("the column {column} of the table {table}"))),
        None => Ok(()),
    }
}

fn kind(table: &str, column: &str, name: &str) -> Result<Kind, StoreError> {
    Kind::of(name).ok_or_else(|| unknown(&format!("the type {name} of {table}.{column}")))
}

fn table(known: &Known, from: &Old, to: &New) -> Result<Planned, StoreError> {
    let name = known.name;
    let mut left: BTreeSet<&str> = from.columns.iter().map(String::as_str).collect();
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for (column, type_name) in &to.columns {
        if known.new.contains(&column.as_str()) {
            continue;
        }
        let mut kind = kind(name, column, type_name)?;
        if let Some((_, made)) = known.made.iter().find(|(made, _)| made == column) {
            values.push((*made).to_owned());
            left.remove(made);
            kind = match *made {
                EVENT_HASH => Kind::EventHash,
                CELL => Kind::Cell,
                _ => kind,
            };
        } else if left.remove(column.as_str()) {
            values.push(quoted(column));
        } else {
            return Err(unknown(&format!("what is to be in {name}.{column}")));
        }
        columns.push((column.clone(), kind));
    }
    if let Some(column) = left.into_iter().find(|column| !known.spent.contains(column)) {
        return Err(unknown(&format!("the column {column} of the table {name}")));
    }
    let key = from.key.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let (source, key) = match known.instead {
        Some((source, key)) => (source.to_owned(), key.to_owned()),
        None if key.is_empty() => return Err(unknown(&format!("the key of the table {name}"))),
        None => (quoted(name), key),
    };
    let sql =
        format!("SELECT {} FROM {source} ORDER BY {key} LIMIT -1 OFFSET ?1", values.join(", "));
    let rows = Rows::Select { sql, count: format!("SELECT count(*) FROM {source}") };
    Ok(Planned { name: name.to_owned(), columns, rows })
}

/// A table whose rows are made from the records read.
fn queue(
    from: &Old,
    to: &New,
    old: &[&str],
    new: &[&str],
    rows: Rows,
) -> Result<Planned, StoreError> {
    all_known(&from.name, &from.columns, old)?;
    let mut columns = Vec::new();
    for (column, type_name) in &to.columns {
        if new.contains(&column.as_str()) {
            columns.push((column.clone(), kind(&to.name, column, type_name)?));
        } else if !QUEUES_NEW.contains(&column.as_str()) {
            return Err(unknown(&format!("what is to be in {}.{column}", to.name)));
        }
    }
    Ok(Planned { name: to.name.clone(), columns, rows })
}

/// A name quoted for both databases, whatever the characters.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Where the sequences go on.
pub(crate) fn sequences(found: &[Sequence]) -> Result<Vec<(String, Last)>, StoreError> {
    let column = |table: &str, column: &str| Last::Column(table.to_owned(), column.to_owned());
    let mut known = Vec::new();
    for Sequence { name, of } in found {
        let last = match (name.as_str(), of) {
            // Numbers of servers; none is moved.
            ("node_ids", _) => continue,
            ("endpoint_ids", _) => column("endpoints", "id"),
            ("source_ids", _) => column("sources", "id"),
            ("attempt_ids", _) => Last::Attempt,
            (_, Some((table, _))) if table == DELIVERIES.1 => Last::Delivery,
            ("row_ids", _) => Last::Row,
            (_, Some((table, numbered))) => match KNOWN.iter().any(|known| known.name == table) {
                true => column(table, numbered),
                // An empty table that the embedded store lacks.
                false => continue,
            },
            (name, None) => return Err(unknown(&format!("what the sequence {name} numbers"))),
        };
        known.push((name.clone(), last));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn from(name: &str, columns: &[&str]) -> Old {
        Old { name: name.to_owned(), columns: names(columns), key: names(&["id"]) }
    }

    fn to(name: &str, columns: &[(&str, &str)]) -> New {
        let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()));
        New { name: name.to_owned(), columns: columns.collect() }
    }

    #[test]
    fn columns_go_into_their_namesakes() {
        let old = from("workspaces", &["id", "merchant"]);
        let new =
            to("workspaces", &[("version", "bigint"), ("merchant", "text"), ("id", "integer")]);
        let planned = table(&KNOWN[0], &old, &new).unwrap();
        let sql =
            "SELECT \"merchant\", \"id\" FROM \"workspaces\" ORDER BY \"id\" LIMIT -1 OFFSET ?1";
        let count = "SELECT count(*) FROM \"workspaces\"";
        assert_eq!(planned.rows, Rows::Select { sql: sql.to_owned(), count: count.to_owned() });
        let kinds: Vec<_> = planned.columns.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds, [Kind::Text, Kind::Number]);
    }

    #[test]
    fn what_only_one_side_has_is_refused() {
        let columns = [("id", "integer"), ("merchant", "text")];
        let (old, new) = (from("projects", &["id", "merchant"]), to("projects", &columns));
        assert!(table(&KNOWN[1], &old, &new).is_ok());
        let more = from("projects", &["id", "merchant", "colour"]);
        let message = table(&KNOWN[1], &more, &new).unwrap_err().to_string();
        assert!(message.contains("the column colour of the table projects"), "{message}");
        let fewer = from("projects", &["id"]);
        let message = table(&KNOWN[1], &fewer, &new).unwrap_err().to_string();
        assert!(message.contains("projects.merchant"), "{message}");
        let message = tables(&[from("colours", &["id"])], &[]).unwrap_err().to_string();
        assert!(message.contains("the table colours"), "{message}");
        let message = tables(&[from("retained", &["kind", "rows"])], &[]).unwrap_err().to_string();
        assert!(message.contains("the column rows of the table retained"), "{message}");
        let other = Sequence { name: "colour_ids".to_owned(), of: None };
        assert!(sequences(&[other]).is_err());
    }
}
