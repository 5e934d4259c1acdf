//! Messages for values of a wrong form, without the words of the deserializer.
//!
//! The deserializer has no other description of a fault than its words, so the words are taken apart here.
//! Values of callers are left out of the messages: a value may be a secret.

/// The path of the root in `serde_path_to_error`.
pub(super) const ROOT: &str = ".";

/// Whole numbers by the names of their types, as callers know the numbers.
const WHOLE_NUMBERS: [(&str, &str); 10] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number of 0 or more"),
    ("usize", "a whole number of 0 or more"),
    ("i8", "a whole number from -128 to 127"),
    ("i16", "a whole number from -32768 to 32767"),
    ("i32", "a whole number from -2147483648 to 2147483647"),
    ("i64", "a whole number"),
    ("isize", "a whole number"),
];

/// Faults without a value or a name in their words.
const FIXED: [(&str, &str); 10] = [
    ("invalid digit found in string", "must be a whole number, such as 10"),
    ("cannot parse integer from empty string", "must be a whole number, such as 10"),
    ("number too large to fit in target type", "is too large: use a smaller number"),
    ("number too small to fit in target type", "is too small: use a larger number"),
    ("provided string was not `true` or `false`", "must be `true` or `false`"),
    ("number out of range", "is out of range: use a number nearer to 0"),
    ("recursion limit exceeded", "is nested too deep: use fewer levels"),
    ("lone leading surrogate in hex escape", HALF_A_CHARACTER),
    ("unexpected end of hex escape", HALF_A_CHARACTER),
    ("expected value", "must be one of the words in the documentation of the member"),
];

const HALF_A_CHARACTER: &str = r"has half a character: write both `\u` escapes of the pair";

/// The field and the message for a fault at `path`. Words without a known form are Hookyard's own.
pub(super) fn explain(path: &str, words: &str) -> (String, String) {
    let words = without_place(words);
    if let Some(name) = quoted(words, "missing field `") {
        return (member(path, name), "is required".to_owned());
    }
    if let Some(name) = quoted(words, "duplicate field `") {
        return (member(path, name), "is there more than once".to_owned());
    }
    let fixed = FIXED.iter().find(|(fault, _)| *fault == words);
    let message = fixed.map(|(_, message)| (*message).to_owned()).or_else(|| message(words));
    (path.to_owned(), message.unwrap_or_else(|| words.to_owned()))
}

fn message(words: &str) -> Option<String> {
    if words.starts_with("unknown field `") {
        let known = words.rsplit_once(", expected ").map_or("", |(_, known)| known);
        return Some(match known {
            "" => "is not known here: leave it out".to_owned(),
            known => format!("is not known here: use {known}"),
        });
    }
    if words.starts_with("data did not match any variant of untagged enum") {
        return Some("must have one of the forms in the documentation of the member".to_owned());
    }
    let (found, wanted) = words.rsplit_once(", expected ")?;
    if found.starts_with("unknown variant `") {
        return Some(format!("must be {wanted}"));
    }
    if found.starts_with("invalid length ") {
        return Some(format!("has the wrong number of values: use {wanted}"));
    }
    let wanted = wanted_form(wanted);
    if found.starts_with("invalid value: ") {
        return Some(format!("must be {wanted}"));
    }
    let found = found_form(found.strip_prefix("invalid type: ")?);
    Some(match found.filter(|found| !(*found == "a number" && wanted.contains("number"))) {
        Some(found) => format!("must be {wanted}, not {found}"),
        None => format!("must be {wanted}"),
    })
}

/// The form that a type reads.
fn wanted_form(words: &str) -> &str {
    if let Some((_, form)) = WHOLE_NUMBERS.iter().find(|(name, _)| *name == words) {
        return form;
    }
    match words {
        "string or map" | "variant identifier" | "field identifier" | "unit" => "a string",
        "a boolean" => "`true` or `false`",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        // The name of a type behind its kind is nothing for callers.
        words if words.starts_with("enum ") => "a string",
        words if words.starts_with("struct ") => "an object",
        words if words.starts_with("internally tagged enum ") => "an object",
        words if words.starts_with("tuple struct ") => "a list",
        words => words,
    }
}

/// The form of the value, without the value.
fn found_form(words: &str) -> Option<&'static str> {
    const FORMS: [(&str, &str); 10] = [
        ("string", "a string"),
        ("boolean", "a boolean"),
        ("integer", "a number"),
        ("floating point", "a number"),
        ("number", "a number"),
        ("null", "null"),
        ("unit value", "null"),
        ("Option value", "null"),
        ("sequence", "a list"),
        ("map", "an object"),
    ];
    FORMS.iter().find(|(start, _)| words.starts_with(start)).map(|(_, form)| *form)
}

/// The words without the line and the column, which do not help beside the field's name.
fn without_place(words: &str) -> &str {
    let Some((before, place)) = words.rsplit_once(" at line ") else { return words };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_place = place
        .split_once(" column ")
        .is_some_and(|(line, column)| is_number(line) && is_number(column));
    if is_place { before } else { words }
}

fn quoted<'a>(words: &'a str, start: &str) -> Option<&'a str> {
    words.strip_prefix(start)?.strip_suffix('`')
}

/// The path of a member of the object at `path`, which may be the member's own already.
fn member(path: &str, name: &str) -> String {
    match path {
        ROOT => name.to_owned(),
        path if path.rsplit('.').next() == Some(name) => path.to_owned(),
        path => format!("{path}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::value::RawValue;

    use crate::native::input::{Field, Object, parse, query};

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Store,
        Refuse,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        size: u8,
        text: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Known {
        #[serde(default)]
        text: Field<String>,
        count: Option<u32>,
        signed: Option<i32>,
        real: Option<f64>,
        flag: Option<bool>,
        word: Option<Word>,
        list: Option<Vec<String>>,
        inner: Option<Object<Inner>>,
        plain: Option<Inner>,
        map: Option<BTreeMap<String, String>>,
        any: Option<Box<RawValue>>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Asked {
        limit: Option<u32>,
        flag: Option<bool>,
        word: Option<Word>,
    }

    #[test]
    fn bodies_are_refused_in_plain_words() {
        for (body, field, expected) in [
            (r#"{"text": {}}"#, "text", "must be a string, not an object"),
            (r#"{"text": ["very secret"]}"#, "text", "must be a string, not a list"),
            (
                r#"{"count": "very secret"}"#,
                "count",
                "must be a whole number from 0 to 4294967295, not a string",
            ),
            (r#"{"count": -1}"#, "count", "must be a whole number from 0 to 4294967295"),
            (r#"{"count": 1.5}"#, "count", "must be a whole number from 0 to 4294967295"),
            (
                r#"{"signed": 3000000000}"#,
                "signed",
                "must be a whole number from -2147483648 to 2147483647",
            ),
            (r#"{"real": true}"#, "real", "must be a number, not a boolean"),
            (r#"{"real": 1e999}"#, "real", "is out of range: use a number nearer to 0"),
            (r#"{"flag": 1}"#, "flag", "must be `true` or `false`, not a number"),
            (r#"{"word": "drop"}"#, "word", "must be `store` or `refuse`"),
            (
                r#"{"word": 1}"#,
                "word",
                "must be one of the words in the documentation of the member",
            ),
            (r#"{"word": {"store": 1}}"#, "word.store", "must be a string, not a number"),
            (r#"{"list": "a"}"#, "list", "must be a list, not a string"),
            (r#"{"list": [null]}"#, "list[0]", "must be a string, not null"),
            (r#"{"inner": []}"#, "inner", "must be an object, not a list"),
            (r#"{"plain": 1}"#, "plain", "must be an object, not a number"),
            (r#"{"map": "a"}"#, "map", "must be an object, not a string"),
            (r#"{"inner": {"size": 1}}"#, "inner.text", "is required"),
            (r#"{"inner": {"size": 1, "size": 1}}"#, "inner.size", "is there more than once"),
            (r#"{"inner": {"sice": 1}}"#, "inner.sice", "is not known here: use `size` or `text`"),
            (r#"{"text": "\ud800"}"#, "text", super::HALF_A_CHARACTER),
            ("[]", "", "must be an object, not a list"),
        ] {
            let problem = parse::<Known>(body.as_bytes()).err().unwrap();
            let found = (problem.field.as_deref().unwrap_or_default(), problem.detail.as_str());
            assert_eq!(found, (field, expected), "{body}");
        }
    }

    #[test]
    fn queries_are_refused_in_plain_words() {
        for (raw, field, expected) in [
            ("limit=x", "limit", "must be a whole number, such as 10"),
            ("limit=", "limit", "must be a whole number, such as 10"),
            ("limit=-1", "limit", "must be a whole number, such as 10"),
            ("limit=99999999999", "limit", "is too large: use a smaller number"),
            ("flag=yes", "flag", "must be `true` or `false`"),
            ("word=drop", "word", "must be `store` or `refuse`"),
            ("nope=1", "nope", "is not known here: use one of `limit`, `flag`, `word`"),
        ] {
            let problem = query::<Asked>(Some(raw)).err().unwrap();
            let found = (problem.field.as_deref().unwrap_or_default(), problem.detail.as_str());
            assert_eq!(found, (field, expected), "{raw}");
        }
    }

    #[test]
    fn own_words_stay() {
        let own = "must be a moment as RFC 3339 writes it, such as 2026-11-21T10:00:00Z";
        assert_eq!(super::explain("a", &format!("{own} at line 1 column 5")).1, own);
        assert_eq!(super::explain("a", "stands at line x").1, "stands at line x");
        let forged = "unknown field `a, expected `b``, expected `c`";
        assert_eq!(super::explain("a", forged).1, "is not known here: use `c`");
    }
}
