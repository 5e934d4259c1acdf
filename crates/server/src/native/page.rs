//! Pages of lists: how many entries, and where the next page begins.

use hookyard_store::Page as StorePage;
use serde::Serialize;

use crate::problem::{Code, Problem};

/// The pages of one list.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageSize {
    /// Entries of a page when the request sets no limit.
    pub(super) default: usize,
    /// The most entries of a page.
    pub(super) max: usize,
}

/// The most entries of one page, within the bounds of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(usize);

impl PageSize {
    /// The limit of a request.
    pub(super) fn limit(self, asked: Option<usize>) -> Result<Limit, Problem> {
        let Self { default, max } = self;
        let limit = asked.unwrap_or(default);
        if !(1..=max).contains(&limit) {
            let detail = format!("must be 1 to {max}, not {limit}");
            return Err(Problem::of_field(Code::InvalidValue, "limit", detail));
        }
        Ok(Limit(limit))
    }
}

impl Limit {
    /// The number, as written in a query.
    pub(super) fn get(self) -> usize {
        self.0
    }

    /// How many entries to look for: the one beyond the page tells whether there is another page.
    pub(super) fn and_one(self) -> usize {
        self.0 + 1
    }
}

/// Some entries of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    pub(super) entries: Vec<T>,
    /// Whether the list goes on behind the last entry.
    more: bool,
}

impl<T> Page<T> {
    /// The first `limit` entries of a search for [`Limit::and_one`] entries.
    pub(super) fn cut(mut found: Vec<T>, limit: Limit) -> Self {
        let more = found.len() > limit.get();
        found.truncate(limit.get());
        Self { entries: found, more }
    }

    /// The path and query of the next page; `None` on the last one. `query` is the query of the page
    /// behind an entry. Parameters without a value are left out.
    pub(super) fn next<Q: Serialize>(
        &self,
        path: &str,
        query: impl FnOnce(&T) -> Q,
    ) -> Option<String> {
        let last = self.entries.last().filter(|_| self.more)?;
        Some(next_page(path, &query(last)))
    }
}

impl<T> From<StorePage<T>> for Page<T> {
    fn from(StorePage { entries, more }: StorePage<T>) -> Self {
        Self { entries, more }
    }
}

/// Entries, and whether more entries follow.
impl<T> From<(Vec<T>, bool)> for Page<T> {
    fn from((entries, more): (Vec<T>, bool)) -> Self {
        Self { entries, more }
    }
}

/// A path with a query. Parameters without a value are left out.
pub(super) fn next_page(path: &str, query: &impl Serialize) -> String {
    // Queries are structures of numbers, texts and words, which always have a form.
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    format!("{path}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Query {
        name: Option<&'static str>,
        after: Option<u32>,
        limit: Option<usize>,
    }

    const SIZE: PageSize = PageSize { default: 2, max: 3 };

    fn next(found: &[u32], limit: Limit) -> (usize, Option<String>) {
        let page = Page::cut(found.to_vec(), limit);
        let query = |last: &u32| Query { name: None, after: Some(*last), limit: Some(limit.get()) };
        (page.entries.len(), page.next("/v1/things", query))
    }

    #[test]
    fn an_entry_beyond_the_page_is_the_only_sign_of_another() {
        let limit = SIZE.limit(None).unwrap();
        assert_eq!((limit.get(), limit.and_one()), (2, 3));
        assert_eq!(next(&[], limit), (0, None));
        assert_eq!(next(&[7, 8], limit), (2, None));
        let second = "/v1/things?after=8&limit=2".to_owned();
        assert_eq!(next(&[7, 8, 9], limit), (2, Some(second)));
    }

    #[test]
    fn limits_are_within_the_bounds_of_the_list() {
        assert_eq!(SIZE.limit(Some(3)).unwrap().get(), 3);
        for wrong in [0, 4, usize::MAX] {
            let problem = SIZE.limit(Some(wrong)).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("limit"), "{wrong}");
            assert_eq!(problem.detail, format!("must be 1 to 3, not {wrong}"));
        }
    }

    #[test]
    fn queries_are_written_as_they_are_read() {
        let query = Query { name: Some("a&b c"), after: None, limit: None };
        assert_eq!(next_page("/v1/things", &query), "/v1/things?name=a%26b+c");
    }
}
