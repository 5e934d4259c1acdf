//! The tree of the names that columns have, and the walk along it through a cell.

use std::borrow::Cow;
use std::collections::HashMap;

use super::DEPTH_MAX;
use crate::json::{Damaged, Scanner};

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
/// names, and an empty key is `\e`.
pub(super) fn part(key: &str, top: bool) -> Cow<'_, str> {
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

/// The number of a node; [`Tree::ROOT`] stands for the whole cell.
pub(super) type NodeId = usize;

#[derive(Debug, Clone, Default)]
struct Node {
    column: Option<usize>,
    members: HashMap<Box<str>, NodeId>,
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

    pub(super) fn member(&self, node: NodeId, key: &str) -> Option<NodeId> {
        self.nodes[node].members.get(key).copied()
    }

    pub(super) fn add_member(&mut self, node: NodeId, key: &str) -> NodeId {
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
    fn member(&mut self, node: NodeId, path: &Path, key: &str) -> Option<NodeId>;

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
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}{}", self.prefix, part(key, self.depth == 0))
    }

    /// Bytes of a member's name, without those that escaping adds.
    pub(super) fn bytes_with(&self, key: &str) -> usize {
        self.prefix.len() + key.len()
    }
}

/// Takes a visitor through the leaves of a cell in their order.
pub(super) fn walk<'a>(cell: &'a [u8], visitor: &mut impl Visitor<'a>) -> Result<(), Damaged> {
    let mut scanner = Scanner::new(cell);
    if scanner.at_members() {
        return members(&mut scanner, Tree::ROOT, &mut Path::default(), visitor);
    }
    let json = scanner.value()?;
    if json.first() != Some(&b'{') {
        visitor.leaf(Tree::ROOT, &|| VALUE.to_owned(), json);
    }
    Ok(())
}

fn members<'a>(
    scanner: &mut Scanner<'a>,
    node: NodeId,
    path: &mut Path,
    visitor: &mut impl Visitor<'a>,
) -> Result<(), Damaged> {
    scanner.expect(b'{')?;
    loop {
        let key = scanner.key_lossy()?;
        match visitor.member(node, path, &key) {
            None => {
                let json = scanner.value()?;
                visitor.stray(&|| path.name(&key), json);
            }
            Some(member) if path.depth + 1 < DEPTH_MAX && scanner.at_members() => {
                let length = path.prefix.len();
                let part = part(&key, path.depth == 0);
                path.prefix.push_str(&part);
                path.prefix.push('.');
                path.depth += 1;
                members(scanner, member, path, visitor)?;
                path.prefix.truncate(length);
                path.depth -= 1;
            }
            Some(member) => {
                let json = scanner.value()?;
                visitor.leaf(member, &|| path.name(&key), json);
            }
        }
        if !scanner.take(b',') {
            return scanner.expect(b'}');
        }
    }
}
