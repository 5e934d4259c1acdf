//! How many rows operators may hand on at a time.
//!
//! The memory of sorting, grouping and joining is counted, and that of single batches on their way
//! between operators is not. A batch is a number of rows; so that number follows from how long a row's
//! texts may become, and from how many expressions make something of each.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Error;

/// Rows of a batch whose texts are short: enough that its fixed cost does not count.
const ROWS_MAX: usize = 1_024;

/// What a row takes at least, whatever its texts.
const ROW_BYTES_MIN: usize = 64;

/// Bytes that any text may become when texts are put together: an address, a line of a report.
const MADE_BYTES_MIN: usize = 16 << 10;

/// The longest text that a query may meet, known better as its tables become known. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Room {
    /// The room for texts of a query's own, which are at most as long as this.
    pub(super) fn new(longest: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(longest)))
    }

    /// Takes in the longest text of a table.
    pub(super) fn widen(&self, longest: usize) {
        self.0.fetch_max(longest, Ordering::Relaxed);
    }

    /// Bytes that a text made of others may have: twice the longest, so that two fit together.
    pub(super) fn made(&self) -> usize {
        self.0.load(Ordering::Relaxed).saturating_mul(2).saturating_add(MADE_BYTES_MIN)
    }

    /// Rows of a batch such that all `expressions` over them stay within half the memory of the query,
    /// whether each makes a text as long as it may, if it `makes` any, or hands on the longest.
    pub(super) fn rows(
        &self,
        memory: usize,
        expressions: usize,
        makes: bool,
    ) -> Result<usize, Error> {
        let longest = self.0.load(Ordering::Relaxed);
        let text = if makes { self.made() } else { longest.max(ROW_BYTES_MIN) };
        let row = text.saturating_mul(expressions.saturating_add(1));
        if row > memory {
            return Err(Error::Limit(format!(
                "a row may have a text of {longest} bytes, and {expressions} expressions over it need more \
                 memory than one query may have: use fewer of them, or leave such rows out"
            )));
        }
        Ok((memory / 2 / row).clamp(1, ROWS_MAX))
    }
}

impl PartialEq for Room {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Room {}

impl Hash for Room {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: usize = 128 << 20;

    #[test]
    fn batches_get_smaller_as_texts_get_longer() {
        let room = Room::new(10);
        let rows = |expressions, makes| room.rows(MEMORY, expressions, makes).ok();
        assert_eq!((rows(20, false), rows(0, true)), (Some(1_024), Some(1_024)));
        room.widen(1 << 20);
        assert_eq!((rows(0, false), rows(7, false)), (Some(64), Some(8)));
        room.widen(10);
        assert_eq!((rows(126, false), rows(200, false)), (Some(1), None));
        assert_eq!((rows(7, true), rows(70, true)), (Some(3), None));
    }
}
