use std::sync::Arc;

use hookyard_core::model::{Attempt, Delivery, Event, Header};

/// The most bytes of one page of events, attempts, deliveries or audit entries: some thousands of the usual
/// kilobyte. Several callers at once can hold as much in memory without harm. A page always has a first
/// entry, however large.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// Some entries of a list, up to the number asked for and up to [`PAGE_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries in their order.
    pub entries: Vec<T>,
    /// Whether the list goes on behind the last entry. A page with `more` has an entry.
    pub more: bool,
}

impl<T> Page<T> {
    /// A page of an empty list.
    pub const EMPTY: Self = Self { entries: Vec::new(), more: false };
}

/// An entry with a size in a page.
pub(crate) trait Weight {
    /// The bytes of the entry's texts.
    fn bytes(&self) -> usize;
}

impl Weight for Arc<Event> {
    fn bytes(&self) -> usize {
        self.object.len() + self.attributes.len() + self.id.len() + self.source.len()
    }
}

impl Weight for Attempt {
    fn bytes(&self) -> usize {
        let record = &self.record;
        let outcome = &record.outcome;
        let texts = [Some(&record.url), outcome.response.as_ref(), outcome.error.as_ref()];
        let numbers = record.events.len() + record.entries.len() + record.event_types.len();
        texts.into_iter().flatten().chain(&record.order_ids).map(String::len).sum::<usize>()
            + headers(&record.request_headers)
            + headers(&outcome.response_headers)
            + numbers * size_of::<u64>()
    }
}

impl Weight for Delivery {
    fn bytes(&self) -> usize {
        self.query.len() + headers(&self.headers)
    }
}

fn headers(headers: &[Header]) -> usize {
    headers.iter().map(|header| header.name.len() + header.value.len()).sum()
}

/// A page under construction.
pub(crate) struct Filling<T> {
    page: Page<T>,
    limit: usize,
    room: usize,
}

impl<T: Weight> Filling<T> {
    /// A page of at most `limit` entries.
    pub(crate) fn new(limit: usize) -> Self {
        Self { page: Page::EMPTY, limit, room: PAGE_BYTES_MAX }
    }

    /// Adds the list's next entry; returns whether there was room. A refused entry makes the page full, with
    /// `more`.
    pub(crate) fn add(&mut self, entry: T) -> bool {
        let bytes = entry.bytes();
        let first = self.page.entries.is_empty();
        if self.page.entries.len() >= self.limit || (bytes > self.room && !first) {
            self.page.more = !first;
            return false;
        }
        self.room = self.room.saturating_sub(bytes);
        self.page.entries.push(entry);
        true
    }

    /// The page.
    pub(crate) fn done(self) -> Page<T> {
        self.page
    }

    /// The page of entries read one by one.
    pub(crate) fn of<E>(
        limit: usize,
        entries: impl IntoIterator<Item = Result<T, E>>,
    ) -> Result<Page<T>, E> {
        let mut filling = Self::new(limit);
        for entry in entries {
            if !filling.add(entry?) {
                break;
            }
        }
        Ok(filling.done())
    }
}

/// The number of entries to read for a page: the entry beyond the limit shows that the list goes on.
pub(crate) fn read_for(limit: usize) -> usize {
    limit.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    impl Weight for usize {
        fn bytes(&self) -> usize {
            *self
        }
    }

    fn page(limit: usize, sizes: &[usize]) -> (usize, bool) {
        let sizes = sizes.iter().map(|size| Ok::<_, Infallible>(*size));
        let Ok(page) = Filling::of(limit, sizes);
        (page.entries.len(), page.more)
    }

    #[test]
    fn a_page_ends_at_its_entries_or_its_bytes() {
        let half = PAGE_BYTES_MAX / 2;
        assert_eq!(page(2, &[]), (0, false));
        assert_eq!(page(2, &[1, 1]), (2, false));
        assert_eq!(page(2, &[1, 1, 1]), (2, true));
        assert_eq!(page(9, &[half, half]), (2, false));
        assert_eq!(page(9, &[half, half, 1]), (2, true));
        assert_eq!(page(9, &[half + 1, half]), (1, true));
        assert_eq!(page(9, &[3 * half]), (1, false), "one entry always fits");
        assert_eq!(page(9, &[3 * half, 1]), (1, true));
        assert_eq!(page(0, &[1]), (0, false), "nobody can go on from nothing");
    }
}
