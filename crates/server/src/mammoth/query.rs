//! Query parameters, read and checked; faults are collected.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::error::Problem;

/// The most digits of a number in a list of ids; more than any id has.
const ID_DIGITS_MAX: usize = 15;

/// The parameters of a request. An empty value counts as absent, except for numbers. Unknown parameters are
/// ignored, but a parameter without a name is a mistake.
pub(crate) struct Query {
    values: HashMap<String, Vec<String>>,
    problems: Vec<Problem>,
}

/// The part of a list to show.
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
        // An empty page has no next page: every next page would be empty, too.
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

/// The order of two things by several keys, each compared by its field. Things equal by all keys are in the
/// order of the field `id`.
pub(crate) fn compare(keys: &[SortKey], by: impl Fn(&str) -> Ordering) -> Ordering {
    let by_key = |key: &SortKey| {
        let order = by(&key.field);
        if key.descending { order.reverse() } else { order }
    };
    let differing = keys.iter().map(by_key).find(|order| order.is_ne());
    differing.unwrap_or_else(|| by("id"))
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

    /// The single value of a parameter, also when empty.
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

    /// A parameter's value, if present and not empty.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// A number within bounds. An empty value is none.
    pub(crate) fn number(&mut self, name: &str, default: u64, most: u64) -> u64 {
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

    /// All values of a repeatable parameter; `None` without the parameter.
    pub(crate) fn all(&mut self, name: &str) -> Option<Vec<String>> {
        let values = self.values.get(name)?.iter().filter(|value| !value.is_empty());
        let values: Vec<_> = values.cloned().collect();
        (!values.is_empty()).then_some(values)
    }

    /// One of the given words; the first word by default.
    pub(crate) fn choice(&mut self, name: &str, words: &[&'static str]) -> &'static str {
        let first = words.first().copied().unwrap_or_default();
        let Some(text) = self.text(name) else { return first };
        let found = words.iter().find(|word| **word == text).copied();
        found.unwrap_or_else(|| {
            self.problem(name, format!("Expected {}", words.join(", ")));
            first
        })
    }

    /// A moment; the time of the day and the zone, which is UTC, may be left out.
    pub(crate) fn moment(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?;
        let at = moment(&text);
        if at.is_none() {
            self.problem(name, "Expected a moment as in RFC 3339");
        }
        at
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

    /// A comma list of at most `most` ids, in the given order; `None` without the parameter.
    pub(crate) fn id_list(&mut self, name: &str, most: usize) -> Option<Vec<i64>> {
        let words = self.words(name)?;
        if words.len() > most {
            self.problem(name, format!("Expected at most {most} ids"));
            return None;
        }
        let ids: Option<Vec<i64>> = words.iter().map(|word| list_id(word.trim())).collect();
        if ids.is_none() {
            self.problem(name, "Expected a comma-separated list of `int`");
        }
        ids
    }

    /// Notes a missing parameter, unless another fault of the parameter is noted.
    pub(crate) fn missing(&mut self, name: &str) {
        if self.problems.iter().all(|problem| problem.key != name) {
            self.problem(name, "Expected a comma-separated list of `int`, got nothing");
        }
    }

    /// A truth value, in the spellings of all clients; false by default.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let Some(text) = self.text(name) else { return false };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => return true,
            "false" | "0" => {}
            _ => self.problem(name, "Expected `bool`"),
        }
        false
    }

    /// A range of moments, `(from:2026-01-31T12:00:00Z,to:2026-02-01T00:00:00Z)`; either may be left
    /// out, and so may the time of the day and the zone, which is UTC.
    pub(crate) fn range(&mut self, name: &str) -> Range {
        let Some(text) = self.text(name) else { return Range::default() };
        range(&text).unwrap_or_else(|| {
            self.problem(name, "Expected `(from:MOMENT,to:MOMENT)` with moments as in RFC 3339");
            Range::default()
        })
    }
}

/// A range of moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Range {
    /// At or after this moment.
    pub(crate) from: Option<Timestamp>,
    /// Before this moment.
    pub(crate) until: Option<Timestamp>,
}

impl Range {
    pub(crate) fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

fn range(text: &str) -> Option<Range> {
    let mut range = Range::default();
    for part in text.strip_prefix('(')?.strip_suffix(')')?.split(',') {
        let (bound, at) = part.trim().split_once(':')?;
        let at = moment(at.trim().trim_matches(['\'', '"']))?;
        match bound.trim() {
            "from" => range.from = Some(at),
            // The last moment counts too, and moments are kept to the millisecond.
            "to" => range.until = Some(at.checked_add(SignedDuration::from_millis(1)).ok()?),
            _ => return None,
        }
    }
    Some(range)
}

fn moment(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<Timestamp>();
    zoned
        .or_else(|_| text.parse::<DateTime>()?.to_zoned(TimeZone::UTC).map(|at| at.timestamp()))
        .ok()
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

    #[test]
    fn ranges_are_read() {
        let read = |text: &str| range(text).map(|range| (range.from, range.until));
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let whole = "(from:2026-01-31T12:00:00Z,to:'2026-02-01')";
        let expected = (at("2026-01-31T12:00:00Z"), at("2026-02-01T00:00:00.001Z"));
        assert_eq!(read(whole), Some(expected));
        assert_eq!(read("(from:2026-01-31T12:00:00)"), Some((at("2026-01-31T12:00:00Z"), None)));
        for wrong in ["2026-01-31", "(2026-01-31)", "(from:yesterday)", "(at:2026-01-31)", "()"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let range = range(whole).unwrap();
        assert!(range.has("2026-02-01T00:00:00Z".parse().unwrap()));
        assert!(!range.has("2026-02-01T00:00:01Z".parse().unwrap()));
    }

    #[test]
    fn repeated_values_words_and_moments_are_read() {
        let query = "a=1&a=&a=x,y&b=&sort=name&order=up&at=2026-02-01&on=tomorrow&late=";
        let mut query = Query::parse(query);
        assert_eq!(query.all("a"), Some(vec!["1".to_owned(), "x,y".to_owned()]));
        assert_eq!((query.all("b"), query.all("c")), (None, None));
        let words = ["size", "name"];
        assert_eq!([query.choice("sort", &words), query.choice("none", &words)], ["name", "size"]);
        assert_eq!(query.choice("order", &words), "size");
        assert_eq!(query.moment("at"), Some("2026-02-01T00:00:00Z".parse().unwrap()));
        assert_eq!((query.moment("on"), query.moment("late")), (None, None));
        assert_eq!(faults(query), ["order", "on"]);
    }

    #[test]
    fn lists_and_flags_are_read_in_all_spellings() {
        let mut query = Query::parse("ids=3,1,3&many=1,2,3&bad=x&yes=True&no=False&what=maybe");
        assert_eq!(query.id_list("ids", 3), Some(vec![3, 1, 3]));
        assert_eq!(query.id_list("many", 2), None);
        assert_eq!(query.id_list("bad", 2), None);
        query.missing("bad");
        query.missing("none");
        assert!(query.flag("yes") && !query.flag("no") && !query.flag("what") && !query.flag("x"));
        assert_eq!(faults(query), ["many", "bad", "none", "what"]);
    }
}
