//! Query parameters: read, checked, and what is wrong with them collected.

use std::collections::{HashMap, HashSet};

use super::error::Problem;

/// The most digits of a number in a list of ids; more than any id has.
const ID_DIGITS_MAX: usize = 15;

/// The parameters of a request. An empty value counts as absent, except where a number is asked
/// for; parameters that nobody asks for are ignored, but one without a name is a mistake.
pub(crate) struct Query {
    values: HashMap<String, Vec<String>>,
    problems: Vec<Problem>,
}

/// Which part of a list to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) limit: usize,
    pub(crate) offset: u64,
}

impl Page {
    /// The page's part of a whole list, and where the next page starts if there is more.
    pub(crate) fn cut<T>(&self, items: Vec<T>) -> (Vec<T>, Option<u64>) {
        let total = items.len() as u64;
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let shown: Vec<T> = items.into_iter().skip(skipped).take(self.limit).collect();
        let end = self.offset.saturating_add(self.limit as u64);
        // A page of nothing has no next one: it would have nothing for ever.
        let next = (self.limit > 0 && end < total).then_some(end);
        (shown, next)
    }
}

/// One key of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SortKey {
    pub(crate) field: String,
    pub(crate) descending: bool,
}

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        let mut values: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            values.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        let nameless = values.contains_key("");
        let mut query = Self { values, problems: Vec::new() };
        if nameless {
            query.problem("", "Expected a name before `=`");
        }
        query
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    pub(crate) fn problem(&mut self, name: &str, message: impl Into<String>) {
        let message = message.into();
        self.problems.push(Problem { message, key: name.to_owned(), source: "query" });
    }

    /// The one value of a parameter, also when it is empty.
    fn raw(&mut self, name: &str) -> Option<String> {
        match self.values.get(name).map(Vec::as_slice) {
            None => None,
            Some([value]) => Some(value.clone()),
            Some(_) => {
                self.problem(name, "Expected one value");
                None
            }
        }
    }

    /// A parameter's value, if it is there and not empty.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// A number within bounds. An empty value is none.
    fn number(&mut self, name: &str, default: u64, most: u64) -> u64 {
        let Some(text) = self.raw(name) else { return default };
        match text.parse::<i128>() {
            Err(_) => self.problem(name, "Expected `int`, got `str`"),
            Ok(number) if number < 0 => self.problem(name, "Expected `int` >= 0"),
            Ok(number) => match u64::try_from(number) {
                Ok(number) if number <= most => return number,
                _ => self.problem(name, format!("Expected `int` <= {most}")),
            },
        }
        default
    }

    /// `limit` and `offset`.
    pub(crate) fn page(&mut self, default: usize, most: usize) -> Page {
        let limit = self.number("limit", default as u64, most as u64);
        let offset = self.number("offset", 0, i32::MAX.unsigned_abs().into());
        Page { limit: usize::try_from(limit).unwrap_or(default), offset }
    }

    /// A comma list of words; `None` when there is no such filter.
    pub(crate) fn words(&mut self, name: &str) -> Option<Vec<String>> {
        Some(self.text(name)?.split(',').map(str::to_owned).collect())
    }

    /// A comma list of ids; `None` when there is no such filter.
    pub(crate) fn ids(&mut self, name: &str) -> Option<HashSet<i64>> {
        let words = self.words(name)?;
        let ids: Option<HashSet<i64>> = words.iter().map(|word| list_id(word)).collect();
        if ids.is_none() {
            self.problem(name, "Expected a comma-separated list of `int`");
        }
        ids
    }

    /// An order: `(field:direction)`, joined by commas.
    pub(crate) fn sort(&mut self, fields: &[&str]) -> Vec<SortKey> {
        let Some(text) = self.text("sort") else { return Vec::new() };
        let keys: Option<Vec<_>> =
            text.split(',').map(|key| sort_key(key.trim(), fields)).collect();
        keys.unwrap_or_else(|| {
            let message =
                format!("Expected `(field:asc|desc)` with a field of {}", fields.join(", "));
            self.problem("sort", message);
            Vec::new()
        })
    }

    /// Refuses filters whose grammar is not known, instead of ignoring what the caller wants.
    pub(crate) fn refuse(&mut self, names: &[&str]) {
        for name in names {
            if self.text(name).is_some() {
                self.problem(name, "Filtering by this is not supported");
            }
        }
    }
}

fn list_id(word: &str) -> Option<i64> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (1..=ID_DIGITS_MAX).contains(&word.len())).then(|| word.parse().ok())?
}

fn sort_key(key: &str, fields: &[&str]) -> Option<SortKey> {
    let (field, direction) = key.strip_prefix('(')?.strip_suffix(')')?.split_once(':')?;
    let descending = match direction {
        "asc" => false,
        "desc" => true,
        _ => return None,
    };
    fields.contains(&field).then(|| SortKey { field: field.to_owned(), descending })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(query: Query) -> Vec<String> {
        query.into_problems().into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn pages_are_bounded() {
        let page = |query: &str| {
            let mut query = Query::parse(query);
            let page = query.page(50, 100);
            (page.limit, page.offset, faults(query))
        };
        assert_eq!(page(""), (50, 0, vec![]));
        assert_eq!(page("limit=0&offset=2147483647"), (0, 2_147_483_647, vec![]));
        assert_eq!(page("limit=100"), (100, 0, vec![]));
        for wrong in ["limit=101", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "limit=1.0"]
        {
            assert_eq!(page(wrong).2, ["limit"], "{wrong}");
        }
        for wrong in ["offset=-1", "offset=2147483648", "offset=99999999999999999999999999999999"] {
            assert_eq!(page(wrong).2, ["offset"], "{wrong}");
        }
        assert_eq!(page("limit=x&offset=x").2, ["limit", "offset"]);
    }

    #[test]
    fn lists_are_read_and_empty_is_absent() {
        let mut query = Query::parse("id=1,2,999999999999999&name=a%2Cb&mode=&bad=a&worse=1,&x=-1");
        assert_eq!(query.ids("id"), Some([1, 2, 999_999_999_999_999].into()));
        assert_eq!(query.words("name").unwrap(), ["a", "b"]);
        assert_eq!(query.words("mode"), None);
        for name in ["bad", "worse", "x"] {
            assert_eq!(query.ids(name), None);
        }
        assert_eq!(faults(query), ["bad", "worse", "x"]);
    }

    #[test]
    fn only_a_nameless_parameter_is_a_mistake_by_itself() {
        assert_eq!(faults(Query::parse("unknown=1&&x")), [] as [&str; 0]);
        assert_eq!(faults(Query::parse("limit=1&=x")), [""]);
    }

    #[test]
    fn orders_are_read() {
        let sort = |text: &str| {
            let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let mut query = Query::parse(&format!("sort={encoded}"));
            let keys = query.sort(&["id", "name"]);
            (keys.len(), faults(query).len())
        };
        assert_eq!(sort("(name:desc), (id:asc)"), (2, 0));
        assert_eq!(sort(""), (0, 0));
        for wrong in ["id", "(id)", "(id:up)", "(key:asc)", "(id:asc),", "(id:asc)(name:asc)"] {
            assert_eq!(sort(wrong), (0, 1), "{wrong}");
        }
    }
}
