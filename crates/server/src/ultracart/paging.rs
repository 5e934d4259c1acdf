//! Parts of lists.

/// The requested part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) limit: i32,
    pub(super) offset: i32,
}

impl Paging {
    /// How many entries to leave out.
    pub(super) fn skip(self) -> usize {
        usize::try_from(self.offset).unwrap_or_default()
    }

    /// The most entries to return.
    pub(super) fn take(self) -> usize {
        usize::try_from(self.limit).unwrap_or_default()
    }
}
