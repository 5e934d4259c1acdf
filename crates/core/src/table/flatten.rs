use super::Inference;
use super::tree::{NodeId, Path, Tree, Visitor, walk};
use crate::json::Damaged;

/// Splits cells by some of the inferred columns. Members outside the columns are not looked at.
#[derive(Debug, Clone)]
pub struct Flattener {
    tree: Tree,
    columns: usize,
    rest: bool,
}

/// The leaves of a single cell, each as JSON text. The buffers are kept from row to row, so most rows need no
/// allocation.
#[derive(Debug, Default)]
pub struct Leaves<'a> {
    values: Vec<Option<&'a [u8]>>,
    rest: Vec<u8>,
}

impl<'a> Leaves<'a> {
    /// The value of a column, by the column's place in the request.
    pub fn value(&self, place: usize) -> Option<&'a [u8]> {
        self.values.get(place).copied().flatten()
    }

    /// The object of members without a column, as JSON text.
    pub fn rest(&self) -> Option<&[u8]> {
        (!self.rest.is_empty()).then_some(self.rest.as_slice())
    }
}

impl Flattener {
    /// All inferred columns, in order, and the rest.
    pub fn whole(inference: &Inference) -> Self {
        Self { tree: inference.tree().clone(), columns: inference.columns().len(), rest: true }
    }

    /// Some columns by their numbers in the inference, in the given order, without the rest.
    pub fn of(inference: &Inference, columns: &[usize]) -> Self {
        let keep = |column| columns.iter().position(|wanted| *wanted == column);
        Self { tree: inference.tree().project(&keep), columns: columns.len(), rest: false }
    }

    /// Splits a cell. Of a repeated key the last value counts.
    pub fn flatten<'a>(&self, cell: &'a [u8], into: &mut Leaves<'a>) -> Result<(), Damaged> {
        into.values.clear();
        into.values.resize(self.columns, None);
        into.rest.clear();
        walk(cell, &mut Split { flattener: self, leaves: into })?;
        if !into.rest.is_empty() {
            into.rest.push(b'}');
        }
        Ok(())
    }
}

struct Split<'f, 'a> {
    flattener: &'f Flattener,
    leaves: &'f mut Leaves<'a>,
}

impl<'a> Visitor<'a> for Split<'_, 'a> {
    fn member(&mut self, node: NodeId, _path: &Path, key: &[u8]) -> Option<NodeId> {
        self.flattener.tree.member(node, key)
    }

    fn leaf(&mut self, node: NodeId, name: &dyn Fn() -> String, json: &'a [u8]) {
        match self.flattener.tree.column(node) {
            Some(column) => self.leaves.values[column] = Some(json),
            None => self.stray(name, json),
        }
    }

    fn stray(&mut self, name: &dyn Fn() -> String, json: &'a [u8]) {
        if self.flattener.rest {
            let rest = &mut self.leaves.rest;
            rest.push(if rest.is_empty() { b'{' } else { b',' });
            member(rest, &name(), json);
        }
    }
}

/// Appends a member of an object.
pub(super) fn member(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    // A text always has a JSON text, and a vector takes it.
    let _ = serde_json::to_writer(&mut *out, name);
    out.push(b':');
    out.extend_from_slice(json);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::id::BatchId;
    use crate::table::{COLUMNS_MAX, Stamp};

    fn infer<T: AsRef<[u8]>>(cells: &[T]) -> Inference {
        let mut inference = Inference::default();
        for (batch, cell) in (1..).zip(cells) {
            let at = Stamp { batch: BatchId(batch), received_at: Timestamp::UNIX_EPOCH };
            inference.add(at, cell.as_ref()).unwrap();
        }
        inference
    }

    fn text(leaf: Option<&[u8]>) -> Option<&str> {
        leaf.map(|json| std::str::from_utf8(json).unwrap())
    }

    #[test]
    fn a_cell_is_taken_apart() {
        let cells =
            [r#"{"a":{"b":1.50,"c":"x"},"d":[1, 2]}"#, r#"{"d":null,"a":{"b":2},"a":{"b":3}}"#];
        let inference = infer(&cells);
        let (whole, mut leaves) = (Flattener::whole(&inference), Leaves::default());
        whole.flatten(cells[0].as_bytes(), &mut leaves).unwrap();
        let found = [0, 1, 2, 3].map(|column| text(leaves.value(column)));
        assert_eq!(found, [Some("1.50"), Some(r#""x""#), Some("[1, 2]"), None]);
        whole.flatten(cells[1].as_bytes(), &mut leaves).unwrap();
        let found = [0, 1, 2].map(|column| text(leaves.value(column)));
        assert_eq!(found, [Some("3"), None, Some("null")]);
        whole.flatten(br#"{"a":{"b":1,"x":5},"a":2}"#, &mut leaves).unwrap();
        assert_eq!((leaves.value(0), text(leaves.rest())), (None, Some(r#"{"a":2}"#)));

        let some = Flattener::of(&inference, &[2, 0]);
        some.flatten(cells[0].as_bytes(), &mut leaves).unwrap();
        assert_eq!([0, 1].map(|column| text(leaves.value(column))), [Some("[1, 2]"), Some("1.50")]);
        assert_eq!(leaves.rest(), None);
    }

    #[test]
    fn what_has_no_column_is_in_the_rest() {
        let inference = infer(&[r#"{"a":{"b":1}}"#]);
        let mut leaves = Leaves::default();
        let cell = br#"{"a":{"b":1,"c\"":[2]},"d.e":{"f":3}}"#;
        Flattener::whole(&inference).flatten(cell, &mut leaves).unwrap();
        assert_eq!(text(leaves.rest()), Some(r#"{"a.c\"":[2],"d\\.e":{"f":3}}"#));
        Flattener::whole(&inference).flatten(b"7", &mut leaves).unwrap();
        assert_eq!(text(leaves.rest()), Some(r#"{"_value":7}"#));
    }

    proptest! {
        /// Every leaf is in its column or in the rest, byte for byte.
        #[test]
        fn nothing_is_lost(
            keys in prop::collection::hash_set("[a-z]{1,3}", 1..20),
            number in any::<i64>(),
            wide in any::<bool>(),
        ) {
            let keys: Vec<_> = keys.into_iter().collect();
            let members: Vec<_> = keys.iter().map(|key| format!(r#""{key}":{{"v":{number}}}"#)).collect();
            let cell = format!("{{{}}}", members.join(","));
            let full: Vec<_> = (0..COLUMNS_MAX).map(|n| format!(r#""0{n}":0"#)).collect();
            let full = format!("{{{}}}", full.join(","));
            let first = if wide { full } else { "{}".to_owned() };
            let inference = infer(&[first.as_bytes(), cell.as_bytes()]);
            let mut leaves = Leaves::default();
            Flattener::whole(&inference).flatten(cell.as_bytes(), &mut leaves).unwrap();
            for key in &keys {
                let name = format!("{key}.v");
                let column = inference.columns().iter().position(|column| column.name == name);
                match column {
                    Some(column) => {
                        let expected = number.to_string();
                        prop_assert_eq!(text(leaves.value(column)), Some(expected.as_str()));
                    }
                    None => {
                        let rest = text(leaves.rest()).unwrap();
                        let expected = format!(r#""{key}":{{"v":{number}}}"#);
                        prop_assert!(rest.contains(&expected), "{} lacks {}", rest, expected);
                    }
                }
            }
        }
    }
}
