//! The paths known to a machine, as a trie of dot-separated steps.
//!
//! An event may spell a path in any mix of nesting and dots; walking the trie step by step makes
//! all spellings arrive at the same node.

use std::collections::HashMap;

use crate::limits::narrow;

/// The number of a path named by a rule.
pub(crate) type FieldId = u32;

/// A node of the trie.
pub(crate) type NodeId = u32;

const NONE: u32 = u32::MAX;

/// Nodes with more children look children up by hash.
const MANY_CHILDREN: usize = 8;

pub(crate) struct Paths {
    nodes: Vec<Node>,
    free_nodes: Vec<NodeId>,
    field_count: u32,
    free_fields: Vec<FieldId>,
    /// How many paths have an empty step ([`has_empty_step`]). Only when some do, the empty keys of
    /// events count, as in the original.
    empty_steps: usize,
}

#[derive(Default)]
struct Node {
    field: Option<FieldId>,
    children: Children,
}

enum Children {
    Few(Vec<(Box<[u8]>, NodeId)>),
    Many(HashMap<Box<[u8]>, NodeId, foldhash::fast::RandomState>),
}

impl Default for Children {
    fn default() -> Self {
        Children::Few(Vec::new())
    }
}

impl Children {
    #[inline]
    fn get(&self, step: &[u8]) -> Option<NodeId> {
        match self {
            Children::Few(list) => list.iter().find(|(key, _)| **key == *step).map(|(_, at)| *at),
            Children::Many(map) => map.get(step).copied(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Children::Few(list) => list.is_empty(),
            Children::Many(map) => map.is_empty(),
        }
    }

    fn insert(&mut self, step: &[u8], node: NodeId) {
        if let Children::Few(list) = self
            && list.len() >= MANY_CHILDREN
        {
            *self = Children::Many(list.drain(..).collect());
        }
        match self {
            Children::Few(list) => list.push((step.into(), node)),
            Children::Many(map) => {
                map.insert(step.into(), node);
            }
        }
    }

    fn remove(&mut self, step: &[u8]) {
        match self {
            Children::Few(list) => list.retain(|(key, _)| **key != *step),
            Children::Many(map) => {
                map.remove(step);
            }
        }
    }

    /// Whether a key with a dot could lead on: a child is the text before a dot of the key.
    #[inline]
    fn may_lead_on(&self, key: &[u8]) -> bool {
        match self {
            Children::Few(list) => list
                .iter()
                .any(|(step, _)| key.get(step.len()) == Some(&b'.') && key.starts_with(step)),
            Children::Many(_) => memchr::memchr(b'.', key).is_some(),
        }
    }
}

impl Paths {
    pub(crate) const ROOT: NodeId = 0;

    pub(crate) fn new() -> Self {
        Paths {
            nodes: vec![Node::default()],
            free_nodes: Vec::new(),
            field_count: 0,
            free_fields: Vec::new(),
            empty_steps: 0,
        }
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    /// One more than the highest field number in use.
    pub(crate) fn field_count(&self) -> usize {
        self.field_count as usize
    }

    /// The field at a node.
    #[inline]
    pub(crate) fn field(&self, node: NodeId) -> Option<FieldId> {
        self.node(node)?.field
    }

    /// Whether longer paths pass through a node.
    #[inline]
    pub(crate) fn leads_on(&self, node: NodeId) -> bool {
        self.node(node).is_some_and(|node| !node.children.is_empty())
    }

    /// The node behind a key of an event.
    #[inline]
    pub(crate) fn follow(&self, from: NodeId, key: &[u8]) -> Option<NodeId> {
        let children = &self.node(from)?.children;
        match children.get(key) {
            Some(_) if key.is_empty() && self.empty_steps == 0 => None,
            None if children.may_lead_on(key) => self.walk(from, key),
            found => found,
        }
    }

    fn walk(&self, from: NodeId, path: &[u8]) -> Option<NodeId> {
        path.split(|byte| *byte == b'.')
            .try_fold(from, |at, step| self.node(at)?.children.get(step))
    }

    /// The field of a path, if any rule names it.
    pub(crate) fn find(&self, path: &str) -> Option<FieldId> {
        self.field(self.walk(Self::ROOT, path.as_bytes())?)
    }

    /// The field of a path, made if need be.
    pub(crate) fn intern(&mut self, path: &str) -> FieldId {
        let mut at = Self::ROOT;
        for step in path.as_bytes().split(|byte| *byte == b'.') {
            let next = self.node(at).and_then(|node| node.children.get(step));
            at = next.unwrap_or_else(|| self.grow(at, step));
        }
        if let Some(field) = self.field(at) {
            return field;
        }
        let field = self.free_fields.pop().unwrap_or_else(|| {
            self.field_count += 1;
            self.field_count - 1
        });
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.field = Some(field);
        }
        self.empty_steps += usize::from(has_empty_step(path));
        field
    }

    fn grow(&mut self, parent: NodeId, step: &[u8]) -> NodeId {
        let id = self.free_nodes.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            narrow(self.nodes.len() - 1)
        });
        if let Some(node) = self.nodes.get_mut(parent as usize) {
            node.children.insert(step, id);
        }
        id
    }

    /// Forgets a path that no rule names any more, and the steps that led only to the path.
    pub(crate) fn remove(&mut self, path: &str) {
        let steps: Vec<&[u8]> = path.as_bytes().split(|byte| *byte == b'.').collect();
        let mut trail = vec![Self::ROOT];
        for step in &steps {
            let at = trail.last().copied().unwrap_or(NONE);
            let Some(next) = self.node(at).and_then(|node| node.children.get(step)) else { return };
            trail.push(next);
        }
        let leaf =
            trail.pop().and_then(|id| self.nodes.get_mut(id as usize).map(|node| (id, node)));
        let Some((mut id, node)) = leaf else { return };
        let Some(field) = node.field.take() else { return };
        self.free_fields.push(field);
        self.empty_steps -= usize::from(has_empty_step(path));
        for step in steps.iter().rev() {
            let unused =
                self.node(id).is_some_and(|node| node.field.is_none() && node.children.is_empty());
            let Some(parent) = trail.pop().filter(|_| unused) else { return };
            self.free_nodes.push(id);
            if let Some(node) = self.nodes.get_mut(parent as usize) {
                node.children.remove(step);
            }
            id = parent;
        }
    }
}

/// Whether a path has an empty step, other than empty steps at the end.
fn has_empty_step(path: &str) -> bool {
    let kept = path.trim_end_matches('.');
    path.is_empty() || !kept.is_empty() && kept.split('.').any(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_path_meet() {
        let mut paths = Paths::new();
        let field = paths.intern("a.b.c");
        let follow = |keys: &[&str]| {
            keys.iter().try_fold(Paths::ROOT, |at, key| paths.follow(at, key.as_bytes()))
        };
        for keys in [&["a", "b", "c"][..], &["a.b", "c"], &["a", "b.c"], &["a.b.c"]] {
            assert_eq!(follow(keys).and_then(|at| paths.field(at)), Some(field), "{keys:?}");
        }
        assert_eq!(follow(&["a.x"]), None);
        assert_eq!(follow(&["a."]), None);
        assert_eq!(paths.find("a.b.c"), Some(field));
        assert_eq!(paths.find("a.b"), None);
    }

    #[test]
    fn removal_frees_the_steps() {
        let mut paths = Paths::new();
        let field = paths.intern("a.b");
        paths.intern("a");
        paths.remove("a.b");
        assert_eq!(paths.find("a.b"), None);
        assert!(paths.find("a").is_some());
        assert_eq!(paths.intern("x.y"), field, "the number is used again");
        paths.remove("a");
        paths.remove("x.y");
        assert!(!paths.leads_on(Paths::ROOT));
    }

    #[test]
    fn wide_nodes_work_like_narrow_ones() {
        let mut paths = Paths::new();
        let fields: Vec<_> = (0..100).map(|nth| paths.intern(&format!("k{nth}.x"))).collect();
        let at = paths.follow(Paths::ROOT, b"k57.x").unwrap();
        assert_eq!(paths.field(at), Some(fields[57]));
        (0..100).for_each(|nth| paths.remove(&format!("k{nth}.x")));
        assert!(!paths.leads_on(Paths::ROOT));
    }
}
