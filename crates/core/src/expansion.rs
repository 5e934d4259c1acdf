//! Expansions: the optional parts of an object, sent to a subscription only on request.
//!
//! A category lists the expandable paths; a subscription lists the wanted paths
//! (docs/spec/ultracart.md#bodies). Everything outside the category's paths is always sent.

use std::collections::BTreeMap;

use crate::json::{Damaged, Scanner};

/// How deep arrays may be nested along an expandable path. As deep as serde_json reads.
const DEPTH_MAX: usize = 128;

/// The paths of a subscription's expansion, as written: a comma list of dotted paths. A path may end in
/// brackets with functions, such as `pricing,content.thumbnails[filter(100,100,"png", true)]`. Functions are
/// not part of the path.
pub fn paths(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (item, after) = rest.split_at(item_length(rest));
            rest = after.strip_prefix(',').unwrap_or(after);
            let path = item.split('[').next().unwrap_or_default().trim();
            if !path.is_empty() {
                return Some(path);
            }
        }
        None
    })
}

/// The length of the first item: up to a comma outside of brackets.
fn item_length(list: &str) -> usize {
    let mut open = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in list.bytes().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(mark), _) => quote = quote.filter(|_| byte != mark),
            (None, b'"' | b'\'') if open > 0 => quote = Some(byte),
            (None, b'[' | b'(') => open += 1,
            (None, b']' | b')') => open = open.saturating_sub(1),
            (None, b',') if open == 0 => return at,
            _ => {}
        }
    }
    list.len()
}

/// The parts left out for a subscription: a tree of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    root: Fields,
}

type Fields = BTreeMap<String, Branch>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Branch {
    /// Leave the field out.
    Drop,
    /// Keep the field, but leave out something inside.
    Inside(Fields),
}

impl Filter {
    /// The filter of a subscription: `expandable` are the category's paths, `list` the subscription's
    /// request. A request for `a.b` gives `a` and `a.b`, but no other expandable part of `a`. A request for
    /// `a` gives `a` without the expandable parts. Paths unknown to the category are skipped.
    pub fn new(expandable: &[String], list: &str) -> Self {
        let wanted: Vec<&str> =
            paths(list).filter(|path| expandable.iter().any(|known| known == path)).collect();
        let mut root = Fields::new();
        for path in expandable {
            if !wanted.iter().any(|wanted| leads_to(path, wanted)) {
                leave_out(&mut root, path);
            }
        }
        Self { root }
    }

    /// Whether objects stay unchanged.
    pub fn keeps_all(&self) -> bool {
        self.root.is_empty()
    }

    /// Appends the subscription's part of an object to `out`. Kept text stays unchanged, byte for byte. An
    /// array's elements are each treated as if in the array's place. Fails, with `out` unchanged, when the
    /// object is not JSON or has arrays nested more than 128 deep at an expandable path.
    pub fn apply(&self, object: &[u8], out: &mut Vec<u8>) -> Result<(), Damaged> {
        if self.keeps_all() {
            out.extend_from_slice(object);
            return Ok(());
        }
        let before = out.len();
        let mut pass = Pass { scanner: Scanner::new(object), text: object, copied: 0, out };
        let done = pass.value(&self.root, 0);
        match done {
            Ok(()) => pass.copy_up_to(object.len()),
            Err(Damaged) => out.truncate(before),
        }
        done
    }
}

/// Whether `wanted` is `path` or inside `path`.
fn leads_to(path: &str, wanted: &str) -> bool {
    wanted.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn leave_out(fields: &mut Fields, path: &str) {
    match path.split_once('.') {
        None => {
            fields.insert(path.to_owned(), Branch::Drop);
        }
        Some((first, rest)) => {
            let branch = fields.entry(first.to_owned());
            if let Branch::Inside(inner) = branch.or_insert_with(|| Branch::Inside(Fields::new())) {
                leave_out(inner, rest);
            }
        }
    }
}

/// One pass over an object. Text is copied lazily, in the longest runs possible.
struct Pass<'a, 'o> {
    scanner: Scanner<'a>,
    text: &'a [u8],
    /// Everything before this offset was copied or left out.
    copied: usize,
    out: &'o mut Vec<u8>,
}

impl Pass<'_, '_> {
    fn copy_up_to(&mut self, end: usize) {
        self.out.extend_from_slice(&self.text[self.copied..end]);
        self.copied = end;
    }

    fn value(&mut self, fields: &Fields, depth: usize) -> Result<(), Damaged> {
        if depth > DEPTH_MAX {
            return Err(Damaged);
        }
        match self.scanner.peek() {
            Some(b'{') => self.object(fields, depth),
            Some(b'[') => self.array(fields, depth),
            _ => self.scanner.skip_value(),
        }
    }

    fn array(&mut self, fields: &Fields, depth: usize) -> Result<(), Damaged> {
        self.scanner.expect(b'[')?;
        if self.scanner.take(b']') {
            return Ok(());
        }
        loop {
            self.value(fields, depth + 1)?;
            if !self.scanner.take(b',') {
                return self.scanner.expect(b']');
            }
        }
    }

    fn object(&mut self, fields: &Fields, depth: usize) -> Result<(), Damaged> {
        self.scanner.expect(b'{')?;
        if self.scanner.take(b'}') {
            return Ok(());
        }
        let mut kept_any = false;
        loop {
            let start = self.scanner.at();
            let key = self.scanner.key()?;
            let known = std::str::from_utf8(&key).ok().and_then(|key| fields.get(key));
            match known {
                Some(Branch::Drop) => {
                    // The comma before the member goes with it or, as long as nothing was kept,
                    // the one after it.
                    self.copy_up_to(start - usize::from(kept_any));
                    self.scanner.skip_value()?;
                    let more = self.scanner.peek() == Some(b',');
                    self.copied = self.scanner.at() + usize::from(more && !kept_any);
                }
                Some(Branch::Inside(inner)) => {
                    self.value(inner, depth + 1)?;
                    kept_any = true;
                }
                None => {
                    self.scanner.skip_value()?;
                    kept_any = true;
                }
            }
            if !self.scanner.take(b',') {
                return self.scanner.expect(b'}');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn owned(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    fn filtered(expandable: &[&str], list: &str, object: &str) -> String {
        let mut out = Vec::new();
        Filter::new(&owned(expandable), list).apply(object.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn functions_are_not_part_of_the_path() {
        let list = r#" pricing ,content.multimedia.thumbnails[filter(100,100,"p,]\"ng", true),
            filter(360,360, 'x]')],, shipping.cases,[x],last[unclosed,a"#;
        let expected = ["pricing", "content.multimedia.thumbnails", "shipping.cases", "last"];
        assert_eq!(paths(list).collect::<Vec<_>>(), expected);
        assert_eq!(paths("").count() + paths(" , ").count(), 0);
    }

    #[test]
    fn only_what_was_asked_for_is_sent() {
        let expandable = ["billing", "item", "shipping", "shipping.tracking", "shipping.cost"];
        let object = r#"{"billing":{"x":1},"id":7,"item":[1],"shipping":{"a":1,"cost":2,"tracking":3,"z":4}}"#;
        assert_eq!(filtered(&expandable, "", object), r#"{"id":7}"#);
        let expected = r#"{"id":7,"item":[1]}"#;
        assert_eq!(filtered(&expandable, "item,nonsense,id,item.sku", object), expected);
        let expected = r#"{"id":7,"shipping":{"a":1,"z":4}}"#;
        assert_eq!(filtered(&expandable, "shipping", object), expected);
        let expected = r#"{"id":7,"shipping":{"a":1,"tracking":3,"z":4}}"#;
        assert_eq!(filtered(&expandable, "shipping.tracking", object), expected);
        assert_eq!(filtered(&[], "", object), object);
    }

    #[test]
    fn a_parent_that_cannot_be_expanded_is_always_sent() {
        let object = r#"{"settings":{"gift":{"a":1},"terms":2},"settingsx":0}"#;
        let expected = r#"{"settings":{"terms":2},"settingsx":0}"#;
        assert_eq!(filtered(&["settings.gift"], "", object), expected);
        assert_eq!(filtered(&["settings.gift"], "settings.gift", object), object);
    }

    #[test]
    fn arrays_are_transparent_and_blanks_stay() {
        let object =
            "{ \"items\" : [ { \"x\" : 1 , \"n\" : 1 } , [ { \"x\":2 } ] , 3 ] , \"b\":{ } }";
        let expected = "{ \"items\" : [ { \"n\" : 1 } , [ {} ] , 3 ] , \"b\":{ } }";
        let out = filtered(&["items", "items.x"], "items", object);
        assert_eq!(
            serde_json::from_str::<Value>(&out).unwrap(),
            serde_json::from_str::<Value>(expected).unwrap()
        );
        assert_eq!(filtered(&["q"], "", object), object);
    }

    #[test]
    fn escaped_keys_are_recognised() {
        assert_eq!(filtered(&["secret"], "", r#"{"\u0073ecret":1,"a":2}"#), r#"{"a":2}"#);
        assert_eq!(filtered(&["a.b"], "", r#"{"a.b":1}"#), r#"{"a.b":1}"#);
    }

    #[test]
    fn keys_that_are_no_text_stay() {
        let object = r#"{"\ud800":1,"secret":2,"b":3}"#;
        assert_eq!(filtered(&["secret"], "", object), r#"{"\ud800":1,"b":3}"#);
    }

    #[test]
    fn depth_is_bounded_only_where_it_is_looked_into() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let elsewhere = format!(r#"{{"b":{deep},"a":{deep}}}"#);
        assert_eq!(filtered(&["a"], "", &elsewhere), format!(r#"{{"b":{deep}}}"#));
        let inside = format!(r#"{{"a":{deep}}}"#);
        let mut out = b"kept".to_vec();
        let filter = Filter::new(&owned(&["a.b"]), "");
        assert_eq!(filter.apply(inside.as_bytes(), &mut out), Err(Damaged));
        assert_eq!(out, b"kept");
    }

    /// What the filter is meant to do, the slow way.
    fn naive(value: &Value, prefix: &str, expandable: &[String], wanted: &[String]) -> Value {
        let kept = |path: &String| {
            !expandable.contains(path)
                || wanted.iter().any(|want| {
                    expandable.contains(want)
                        && (want == path || want.starts_with(&format!("{path}.")))
                })
        };
        match value {
            Value::Array(items) => {
                items.iter().map(|item| naive(item, prefix, expandable, wanted)).collect()
            }
            Value::Object(members) => {
                let mut result = Map::new();
                for (key, member) in members {
                    let path =
                        if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    if kept(&path) {
                        result.insert(key.clone(), naive(member, &path, expandable, wanted));
                    }
                }
                Value::Object(result)
            }
            other => other.clone(),
        }
    }

    fn objects() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-c\"\\\\,{}\\[\\]:é]{0,6}".prop_map(Value::from),
        ];
        let values = leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"]", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        });
        prop::collection::btree_map("[a-c]", values, 0..4)
            .prop_map(|members| members.into_iter().collect())
    }

    fn path_lists() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[a-c](\\.[a-c]){0,2}", 0..6)
    }

    proptest! {
        #[test]
        fn equals_the_naive_filter(
            object in objects(),
            expandable in path_lists(),
            wanted in path_lists(),
            pretty in any::<bool>(),
        ) {
            let text = if pretty { format!("{object:#}") } else { object.to_string() };
            let filter = Filter::new(&expandable, &wanted.join(","));
            let mut out = Vec::new();
            filter.apply(text.as_bytes(), &mut out).unwrap();
            let result: Value = serde_json::from_slice(&out).unwrap();
            let expected = naive(&object, "", &expandable, &wanted);
            prop_assert_eq!(&result, &expected);
            if expected == object {
                prop_assert_eq!(out, text.into_bytes());
            }
        }

        #[test]
        fn junk_is_survived(junk in prop::collection::vec(prop::sample::select(&br#"{}[]",:\ a1"#[..]), 0..40)) {
            let filter = Filter::new(&owned(&["a", "1.a"]), "");
            let mut out = Vec::new();
            if filter.apply(&junk, &mut out).is_err() {
                prop_assert!(out.is_empty());
            }
        }
    }

    #[test]
    fn the_catalogue_filters_a_whole_order() {
        let catalogue = crate::catalogue::initial();
        let (category, _) = catalogue.by_name("order_create").unwrap();
        let object = json!({"order_id": "D-1", "billing": {"city": "x"}, "item": [{"sku": 1}]});
        let expandable: Vec<&str> = category.expansions.iter().map(String::as_str).collect();
        let out = filtered(&expandable, "item,summary", &object.to_string());
        assert_eq!(
            serde_json::from_str::<Value>(&out).unwrap(),
            json!({"order_id": "D-1", "item": [{"sku": 1}]})
        );
    }
}
