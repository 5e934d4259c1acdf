//! The parameters of the lists of datasets and folders, equal for both.

use std::cmp::Ordering;
use std::collections::HashSet;

use hookyard_core::model::{Dataset, Folder};
use jiff::Timestamp;

use super::call::Call;
use super::fields::Fields;
use super::query::{Page, Query, Range, SortKey, compare};

/// The default length of a list and, below, the most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 100;

const SORT_FIELDS: [&str; 5] = ["id", "name", "created_at", "updated_at", "status"];

/// The entries of a list.
pub(super) trait Listed {
    fn id(&self) -> i32;
    fn name(&self) -> &str;
    fn created_at(&self) -> Timestamp;
    fn updated_at(&self) -> Timestamp;
}

impl Listed for Dataset {
    fn id(&self) -> i32 {
        self.id.0
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }
}

impl Listed for Folder {
    fn id(&self) -> i32 {
        self.id.0
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }
}

/// The query of a list.
pub(super) struct Listing {
    pub(super) fields: Fields,
    pub(super) page: Page,
    sort: Vec<SortKey>,
    ids: Option<HashSet<i64>>,
    names: Option<Vec<String>>,
    statuses: Option<Vec<String>>,
    makers: Option<Vec<String>>,
    created: Range,
    updated: Range,
}

impl Listing {
    pub(super) fn read(query: &mut Query) -> Self {
        Self {
            fields: Fields::parse(query.text("fields").as_deref()),
            ids: query.ids("id"),
            names: query.words("name"),
            statuses: query.words("status"),
            makers: query.words("created_by"),
            created: query.range("created_at"),
            updated: query.range("updated_at"),
            page: query.page(LIMIT_DEFAULT, LIMIT_MAX),
            sort: query.sort(&SORT_FIELDS),
        }
    }

    /// The page's part of a whole list in the requested order, and the path and query of the next page;
    /// empty on the last page.
    pub(super) fn cut<T: Listed>(&self, call: &Call, mut all: Vec<T>) -> (Vec<T>, String) {
        all.retain(|one| self.admits(one));
        all.sort_by(|left, right| self.order(left, right));
        let (shown, next) = self.page.cut(all);
        (shown, next.map(|offset| call.page_at(offset)).unwrap_or_default())
    }

    /// Whether all conditions hold, each by any value of the condition's list.
    fn admits(&self, one: &impl Listed) -> bool {
        let Self { ids, names, statuses, makers, created, updated, .. } = self;
        ids.as_ref().is_none_or(|ids| ids.contains(&one.id().into()))
            && names.as_ref().is_none_or(|names| names.iter().any(|name| name == one.name()))
            // No other status occurs: rows are readable as soon as accepted.
            && statuses.as_ref().is_none_or(|statuses| statuses.iter().any(|word| word == "ready"))
            // The makers of datasets and folders are not kept.
            && makers.is_none()
            && created.has(one.created_at())
            && updated.has(one.updated_at())
    }

    fn order<T: Listed>(&self, left: &T, right: &T) -> Ordering {
        compare(&self.sort, |field| match field {
            "name" => left.name().cmp(right.name()),
            "created_at" => left.created_at().cmp(&right.created_at()),
            "updated_at" => left.updated_at().cmp(&right.updated_at()),
            "status" => Ordering::Equal,
            _ => left.id().cmp(&right.id()),
        })
    }
}
