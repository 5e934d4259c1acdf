//! The tree of the names that columns have, and the walk along it through a cell.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::DEPTH_MAX;
use crate::json::{Damaged, Scanner, repeats};

/// The column with a row's batch.
pub const BATCH: &str = "_batch";

/// The column with the moment a row was accepted.
pub const RECEIVED_AT: &str = "_received_at";

/// The column with a row's whole text.
pub const CELL: &str = "_cell";

/// The column of cells that are no objects.
pub const VALUE: &str = "_value";

/// The column with an object of what has no column of its own.
pub const REST: &str = "_rest";

/// Names that no key at the top of a cell gets as they are.
const TAKEN: [&str; 5] = [BATCH, RECEIVED_AT, CELL, VALUE, REST];

/// The part of a column's name that stands for one key. Each path has a name of its own: a dot or a
/// backslash in a key gets a backslash before it, so does a key at the top that is one of our own
/// names, an empty key is `\e`, and half of a surrogate pair in a key is its escape in JSON, `\ud800`.
pub(super) fn part(key: &[u8], top: bool) -> Cow<'_, str> {
    let Ok(key) = std::str::from_utf8(key) else { return Cow::Owned(odd_part(key)) };
    if key.is_empty() {
        Cow::Borrowed(r"\e")
    } else if key.contains(['.', '\\']) {
        Cow::Owned(key.replace('\\', r"\\").replace('.', r"\."))
    } else if top && TAKEN.contains(&key) {
        Cow::Owned(format!(r"\{key}"))
    } else {
        Cow::Borrowed(key)
    }
}

/// The same for a key that is no text.
fn odd_part(key: &[u8]) -> String {
    let mut part = String::with_capacity(key.len() + 8);
    let mut rest = key;
    while !rest.is_empty() {
        let text = rest.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        part.push_str(&text.replace('\\', r"\\").replace('.', r"\."));
        rest = &rest[text.len()..];
        match rest {
            // The three bytes that UTF-8 would have for U+D800 to U+DFFF.
            [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, after @ ..] => {
                let unit = 0xd000 | u32::from(high & 0x3f) << 6 | u32::from(low & 0x3f);
                part.push_str(&format!("\\u{unit:04x}"));
                rest = after;
            }
            [_, after @ ..] => {
                part.push(char::REPLACEMENT_CHARACTER);
                rest = after;
            }
            [] => {}
        }
    }
    part
}

/// The number of a node; [`Tree::ROOT`] stands for the whole cell.
pub(super) type NodeId = usize;

#[derive(Debug, Clone, Default)]
struct Node {
    column: Option<usize>,
    members: HashMap<Box<[u8]>, NodeId>,
}

/// Keys by keys, down to columns.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Tree {
    pub(super) const ROOT: NodeId = 0;

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn member(&self, node: NodeId, key: &[u8]) -> Option<NodeId> {
        self.nodes[node].members.get(key).copied()
    }

    pub(super) fn add_member(&mut self, node: NodeId, key: &[u8]) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node::default());
        self.nodes[node].members.insert(key.into(), id);
        id
    }

    pub(super) fn column(&self, node: NodeId) -> Option<usize> {
        self.nodes[node].column
    }

    pub(super) fn set_column(&mut self, node: NodeId, column: usize) {
        self.nodes[node].column = Some(column);
    }

    /// The same tree with some columns only, renumbered by `keep`, and no node that leads to none.
    pub(super) fn project(&self, keep: &dyn Fn(usize) -> Option<usize>) -> Self {
        let mut projected = Self { nodes: Vec::new() };
        projected.copy(self, Self::ROOT, keep);
        projected
    }

    fn copy(&mut self, from: &Self, node: NodeId, keep: &dyn Fn(usize) -> Option<usize>) -> NodeId {
        let id = self.nodes.len();
        let column = from.nodes[node].column.and_then(keep);
        self.nodes.push(Node { column, members: HashMap::new() });
        for (key, member) in &from.nodes[node].members {
            let before = self.nodes.len();
            let copied = self.copy(from, *member, keep);
            if self.nodes[copied].column.is_none() && self.nodes[copied].members.is_empty() {
                self.nodes.truncate(before);
            } else {
                self.nodes[id].members.insert(key.clone(), copied);
            }
        }
        id
    }
}

/// Who follows a walk.
pub(super) trait Visitor<'a> {
    /// Goes to a member of a node; `None` when it is not known and its value is a stray.
    fn member(&mut self, node: NodeId, path: &Path, key: &[u8]) -> Option<NodeId>;

    /// A leaf of a known path.
    fn leaf(&mut self, node: NodeId, name: &dyn Fn() -> String, json: &'a [u8]);

    /// A value of a path that is not known.
    fn stray(&mut self, name: &dyn Fn() -> String, json: &'a [u8]);
}

/// The name of the object that a walk is in, with a dot at its end, or nothing at the top.
#[derive(Debug, Default)]
pub(super) struct Path {
    prefix: String,
    depth: usize,
}

impl Path {
    /// The name of a member.
    pub(super) fn name(&self, key: &[u8]) -> String {
        format!("{}{}", self.prefix, part(key, self.depth == 0))
    }

    /// Bytes of a member's name, without those that escaping adds.
    pub(super) fn bytes_with(&self, key: &[u8]) -> usize {
        self.prefix.len() + key.len()
    }
}

/// Takes a visitor through the leaves of a cell in their order; of members of one name through the last.
pub(super) fn walk<'a>(cell: &'a [u8], visitor: &mut impl Visitor<'a>) -> Result<(), Damaged> {
    let mut scanner = Scanner::new(cell);
    if scanner.at_members() {
        let mut walk = Walk { scanner, repeats: repeats(cell), path: Path::default(), visitor };
        return walk.members(Tree::ROOT);
    }
    let json = scanner.value()?;
    if json.first() != Some(&b'{') {
        visitor.leaf(Tree::ROOT, &|| VALUE.to_owned(), json);
    }
    Ok(())
}

struct Walk<'w, 'a, V> {
    scanner: Scanner<'a>,
    /// Members that others take the place of, ascending.
    repeats: Vec<Range<usize>>,
    path: Path,
    visitor: &'w mut V,
}

impl<'a, V: Visitor<'a>> Walk<'_, 'a, V> {
    fn members(&mut self, node: NodeId) -> Result<(), Damaged> {
        self.scanner.expect(b'{')?;
        loop {
            self.pass_repeats();
            let key = self.scanner.key()?;
            let top = self.path.depth == 0;
            match self.visitor.member(node, &self.path, &key) {
                None => {
                    let json = self.scanner.value()?;
                    self.visitor.stray(&|| self.path.name(&key), json);
                }
                Some(member) if self.path.depth + 1 < DEPTH_MAX && self.scanner.at_members() => {
                    let length = self.path.prefix.len();
                    self.path.prefix.push_str(&part(&key, top));
                    self.path.prefix.push('.');
                    self.path.depth += 1;
                    self.members(member)?;
                    self.path.prefix.truncate(length);
                    self.path.depth -= 1;
                }
                Some(member) => {
                    let json = self.scanner.value()?;
                    self.visitor.leaf(member, &|| self.path.name(&key), json);
                }
            }
            if !self.scanner.take(b',') {
                return self.scanner.expect(b'}');
            }
        }
    }

    /// Goes on to the next member that counts.
    fn pass_repeats(&mut self) {
        self.scanner.peek();
        while let Ok(found) =
            self.repeats.binary_search_by_key(&self.scanner.at(), |repeat| repeat.start)
        {
            self.scanner.skip_to(self.repeats[found].end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_part_of_its_own() {
        for (key, expected) in [
            (&b""[..], r"\e"),
            (b"a.b\\", r"a\.b\\"),
            (b"_cell", r"\_cell"),
            (b"\xed\xa0\x80", r"\ud800"),
            (b"x.\xed\xbf\xbfy\\", r"x\.\udfffy\\"),
            (b"\xff", "\u{fffd}"),
        ] {
            assert_eq!(part(key, true), expected);
        }
    }
}
