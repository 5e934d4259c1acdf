//! The sub-rules behind a key of an index.

/// A list of sub-rules, most often a single sub-rule.
#[derive(Clone, Default)]
pub(super) enum List {
    #[default]
    None,
    One(u32),
    #[expect(clippy::box_collection, reason = "keeps the common single entry at 16 bytes")]
    Many(Box<Vec<u32>>),
}

impl List {
    pub(super) fn push(&mut self, id: u32) {
        match self {
            List::None => *self = List::One(id),
            List::One(first) => *self = List::Many(Box::new(vec![*first, id])),
            List::Many(ids) => ids.push(id),
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        match self {
            List::One(only) if *only == id => *self = List::None,
            List::Many(ids) => {
                if let Some(at) = ids.iter().position(|other| *other == id) {
                    ids.swap_remove(at);
                }
                if let [only] = ids[..] {
                    *self = List::One(only);
                }
            }
            _ => {}
        }
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            List::None => &[],
            List::One(id) => std::slice::from_ref(id),
            List::Many(ids) => ids,
        }
    }
}

/// The entry behind a key.
pub(super) enum Posting {
    List(List),
    /// Many sub-rules, told apart by a second field.
    Node(u32),
}

impl Default for Posting {
    fn default() -> Self {
        Posting::List(List::None)
    }
}

impl Posting {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Posting::List(list) if list.as_slice().is_empty())
    }
}
