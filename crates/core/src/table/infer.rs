use super::tree::{NodeId, Path, Tree, Visitor, walk};
use super::{COLUMNS_MAX, Column, Kind, NAME_BYTES_MAX, Seen, Stamp};
use crate::json::Damaged;

/// The most keys remembered, including keys of objects between the top and a leaf.
const NODES_MAX: usize = 4 * COLUMNS_MAX;

/// The facts about a dataset's columns from the rows read so far. Memory grows with the columns and not with
/// the rows.
#[derive(Debug, Clone, Default)]
pub struct Inference {
    tree: Tree,
    columns: Vec<Column>,
    rows: u64,
    rest: u64,
    seen: Option<Seen>,
}

impl Inference {
    /// Adds a row; rows come in the order of their batches. A damaged row counts only up to the damage.
    pub fn add(&mut self, at: Stamp, cell: &[u8]) -> Result<(), Damaged> {
        let mut look = Look { inference: self, at, strays: false };
        walk(cell, &mut look)?;
        let strays = look.strays;
        self.rest += u64::from(strays);
        self.rows += 1;
        self.seen = Some(Seen { first: self.seen.map_or(at, |seen| seen.first), last: at });
        Ok(())
    }

    /// The columns in the order of first appearance.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The number of rows added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows with a leaf outside all columns, because of the module's limits.
    pub fn rest(&self) -> u64 {
        self.rest
    }

    /// The first and the last row.
    pub fn seen(&self) -> Option<Seen> {
        self.seen
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }
}

struct Look<'i> {
    inference: &'i mut Inference,
    at: Stamp,
    strays: bool,
}

impl<'a> Visitor<'a> for Look<'_> {
    fn member(&mut self, node: NodeId, path: &Path, key: &[u8]) -> Option<NodeId> {
        let Inference { tree, columns, .. } = &mut *self.inference;
        tree.member(node, key).or_else(|| {
            let room = columns.len() < COLUMNS_MAX
                && tree.len() < NODES_MAX
                && path.bytes_with(key) <= NAME_BYTES_MAX;
            room.then(|| tree.add_member(node, key))
        })
    }

    fn leaf(&mut self, node: NodeId, name: &dyn Fn() -> String, json: &'a [u8]) {
        let Inference { tree, columns, .. } = &mut *self.inference;
        let column = match tree.column(node) {
            Some(column) => column,
            None if columns.len() < COLUMNS_MAX => {
                tree.set_column(node, columns.len());
                columns.push(Column::new(name(), self.at));
                columns.len() - 1
            }
            None => {
                self.strays = true;
                return;
            }
        };
        columns[column].add(Kind::of(json), self.at);
    }

    fn stray(&mut self, _name: &dyn Fn() -> String, _json: &'a [u8]) {
        self.strays = true;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::id::BatchId;

    fn stamp(batch: u64) -> Stamp {
        Stamp { batch: BatchId(batch), received_at: Timestamp::UNIX_EPOCH }
    }

    fn infer<T: AsRef<str>>(cells: &[T]) -> Inference {
        let mut inference = Inference::default();
        for (batch, cell) in (1..).zip(cells) {
            inference.add(stamp(batch), cell.as_ref().as_bytes()).unwrap();
        }
        inference
    }

    fn shown(inference: &Inference) -> Vec<(&str, &str)> {
        let columns = inference.columns().iter();
        columns.map(|column| (column.name.as_str(), column.kind.as_str())).collect()
    }

    #[test]
    fn leaves_become_columns_named_by_their_paths() {
        let cell = r#"{"id":7,"a":{"b":{"c":true,"d":[1]},"e":{}},"":1,"a.b":"x","_cell":null}"#;
        let expected = [
            ("id", "integer"),
            ("a.b.c", "boolean"),
            ("a.b.d", "json"),
            ("a.e", "json"),
            (r"\e", "integer"),
            (r"a\.b", "string"),
            (r"\_cell", "null"),
        ];
        assert_eq!(shown(&infer(&[cell])), expected);
        assert_eq!(
            shown(&infer(&["[1]", "{}", r#"{"_value":1}"#])),
            [("_value", "json"), (r"\_value", "integer")]
        );
    }

    #[test]
    fn drift_is_shown_where_it_happened() {
        let cells = [
            r#"{"n":null}"#,
            r#"{"n":1}"#,
            r#"{"n":9007199254740993,"late":1}"#,
            r#"{"n":0.5}"#,
            r#"{}"#,
            r#"{"n":"x"}"#,
            r#"{"n":[]}"#,
        ];
        let inference = infer(&cells);
        let n = &inference.columns()[0];
        let changes: Vec<_> =
            n.changes.iter().map(|c| (c.at.batch.0, c.from.as_str(), c.to.as_str())).collect();
        let expected = [(4, "integer", "decimal"), (6, "decimal", "string"), (7, "string", "json")];
        assert_eq!(changes, expected);
        assert_eq!((n.rows, n.nulls, n.seen.first.batch.0, n.seen.last.batch.0), (5, 1, 1, 7));
        let late = &inference.columns()[1];
        assert_eq!((late.rows, late.seen.first.batch.0, late.seen.last.batch.0), (1, 3, 3));
        assert_eq!(inference.rows(), 7);
    }

    #[test]
    fn a_key_twice_counts_once() {
        let inference = infer(&[r#"{"a":1,"a":"x"}"#]);
        let a = &inference.columns()[0];
        assert_eq!((a.rows, a.kind), (1, Kind::String));
        assert_eq!(shown(&infer(&[r#"{"a":{"b":1},"a":2}"#])), [("a", "integer")]);
        assert_eq!(shown(&infer(&[r#"{"a":"x","a":1}"#])), [("a", "integer")]);
        let halves = infer(&[r#"{"\ud800":1,"\ud801":2}"#]);
        assert_eq!(shown(&halves), [(r"\ud800", "integer"), (r"\ud801", "integer")]);
    }

    #[test]
    fn columns_names_and_depth_are_bounded() {
        let many = |from: usize, count: usize| {
            let members: Vec<_> = (from..from + count).map(|n| format!(r#""k{n}":1"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        let mut inference = infer(&[many(0, COLUMNS_MAX), many(1, COLUMNS_MAX)]);
        assert_eq!((inference.columns().len(), inference.rest()), (COLUMNS_MAX, 1));
        for batch in 10..1_000 {
            let nested = format!(r#"{{"x{batch}":{{"y":{{"z":1}}}}}}"#);
            inference.add(stamp(batch), nested.as_bytes()).unwrap();
        }
        assert!(inference.tree().len() <= NODES_MAX);

        let long = format!(r#"{{"{}":1,"a":{{"{0}":1}}}}"#, "k".repeat(NAME_BYTES_MAX));
        let inference = infer(&[long]);
        assert_eq!((inference.columns().len(), inference.rest()), (1, 1));

        let deep = format!("{}1{}", r#"{"a":"#.repeat(20), "}".repeat(20));
        let inference = infer(&[deep]);
        assert_eq!(shown(&inference), [("a.a.a.a.a.a.a.a", "json")]);
    }

    #[test]
    fn objects_without_columns_do_not_fill_the_memory() {
        let mut inference = Inference::default();
        let long = "k".repeat(NAME_BYTES_MAX);
        for batch in 0..10_000 {
            let cell = format!(r#"{{"x{batch}":{{"{long}":1}}}}"#);
            inference.add(stamp(batch), cell.as_bytes()).unwrap();
        }
        assert!(inference.tree().len() <= NODES_MAX);
        assert_eq!((inference.columns().len(), inference.rest()), (0, 10_000));
    }

    fn json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(
                |n| serde_json::Number::from_f64(n).map_or(serde_json::Value::Null, Into::into)
            ),
            "[a-c.\\\\\"]{0,3}".prop_map(Into::into),
        ];
        leaf.prop_recursive(depth, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
                prop::collection::vec(("[a-c._\\\\]{0,2}", inner), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_order_of_rows_makes_no_kinds(mut cells in prop::collection::vec(json(4), 1..8)) {
            let kinds = |cells: &[serde_json::Value]| {
                let texts: Vec<_> = cells.iter().map(ToString::to_string).collect();
                let inference = infer(&texts);
                let mut all: Vec<_> = inference.columns().iter()
                    .map(|column| (column.name.clone(), column.kind, column.rows, column.nulls)).collect();
                all.sort_by(|a, b| a.0.cmp(&b.0));
                let names: std::collections::HashSet<_> = all.iter().map(|one| &one.0).collect();
                assert_eq!(names.len(), all.len(), "a name is there twice");
                all
            };
            let before = kinds(&cells);
            cells.reverse();
            prop_assert_eq!(before, kinds(&cells));
        }

        #[test]
        fn junk_is_survived(junk in prop::collection::vec(prop::sample::select(&br#"{}[]",:\ a1"#[..]), 0..40)) {
            let _ = Inference::default().add(stamp(1), &junk);
        }
    }
}
