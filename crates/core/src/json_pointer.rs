//! JSON Pointer (RFC 6901) over text, without building values from it.

use std::borrow::Cow;

use crate::json::{Scanner, without_repeats};

/// The longest pointer, in bytes.
pub const POINTER_BYTES_MAX: usize = 1_000;

/// Checks that a text is a pointer; the answer says what is wrong.
pub fn check(pointer: &str) -> Result<(), String> {
    if pointer.len() > POINTER_BYTES_MAX {
        return Err(format!("must have at most {POINTER_BYTES_MAX} bytes"));
    }
    if !pointer.starts_with('/') {
        return Err("must be a JSON pointer such as /data/type".to_owned());
    }
    let mut rest = pointer;
    while let Some(tilde) = rest.find('~') {
        if !matches!(rest.as_bytes().get(tilde + 1), Some(b'0' | b'1')) {
            return Err("must have only 0 or 1 after a ~ (RFC 6901)".to_owned());
        }
        rest = &rest[tilde + 1..];
    }
    Ok(())
}

/// The text of the string at a place; `None` when there is nothing, or something else. Of a member that
/// is there twice the last one counts.
pub fn string_at<'a>(json: &'a [u8], pointer: &str) -> Option<Cow<'a, str>> {
    match without_repeats(json) {
        Cow::Borrowed(json) => first_string_at(json, pointer),
        Cow::Owned(json) => first_string_at(&json, pointer).map(|it| it.into_owned().into()),
    }
}

fn first_string_at<'a>(json: &'a [u8], pointer: &str) -> Option<Cow<'a, str>> {
    let mut scanner = Scanner::new(json);
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match scanner.peek()? {
            b'{' => enter_object(&mut scanner, &step)?,
            b'[' => enter_array(&mut scanner, &step)?,
            _ => return None,
        }
    }
    match scanner.peek()? {
        b'"' => scanner.text().ok(),
        _ => None,
    }
}

/// Goes to the value of a member.
fn enter_object(scanner: &mut Scanner<'_>, name: &str) -> Option<()> {
    scanner.expect(b'{').ok()?;
    if scanner.peek()? == b'}' {
        return None;
    }
    while *scanner.key().ok()? != *name.as_bytes() {
        scanner.skip_value().ok()?;
        if !scanner.take(b',') {
            return None;
        }
    }
    Some(())
}

fn enter_array(scanner: &mut Scanner<'_>, index: &str) -> Option<()> {
    let canonical = index == "0" || !index.starts_with(['0', '+']);
    let index: usize = canonical.then(|| index.parse().ok()).flatten()?;
    scanner.expect(b'[').ok()?;
    for _ in 0..index {
        if scanner.peek()? == b']' {
            return None;
        }
        scanner.skip_value().ok()?;
        if !scanner.take(b',') {
            return None;
        }
    }
    (scanner.peek()? != b']').then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_are_found_where_the_pointer_says() {
        let json = br#" {"type":"a","d":{"a/b":{"m~n":["x","y\u0041"]}},"n":1,"":{"":"e"},"e":[]}"#;
        for (pointer, found) in [
            ("/type", Some("a")),
            ("/d/a~1b/m~0n/0", Some("x")),
            ("/d/a~1b/m~0n/1", Some("yA")),
            ("//", Some("e")),
            ("/n", None),
            ("/d", None),
            ("/type/x", None),
            ("/d/a~1b/m~0n/2", None),
            ("/d/a~1b/m~0n/01", None),
            ("/d/a~1b/m~0n/-", None),
            ("/e/0", None),
            ("/nope", None),
        ] {
            assert_eq!(string_at(json, pointer).as_deref(), found, "{pointer}");
        }
        let twice = br#"{"\ud800":0,"d":{"x":"1"},"d":{"x":"2","x":"3"}}"#;
        assert_eq!(string_at(twice, "/d/x").as_deref(), Some("3"));
        assert_eq!(string_at(b"[[\"x\"]]", "/0/0").as_deref(), Some("x"));
    }

    #[test]
    fn pointers_have_a_form() {
        for pointer in ["/", "/a", "/a~0b~1c/0"] {
            assert_eq!(check(pointer), Ok(()));
        }
        let long = format!("/{}", "x".repeat(POINTER_BYTES_MAX));
        for pointer in ["", "a", "$.a", "/a~", "/a~2", &long] {
            assert!(check(pointer).is_err(), "{pointer}");
        }
    }

    proptest! {
        #[test]
        fn serde_finds_the_same(keys in prop::collection::vec("[a-c/~\"]{0,2}", 1..4), text in "\\PC{0,8}") {
            let mut value = serde_json::Value::from(text);
            let mut pointer = String::new();
            for key in keys.iter().rev() {
                let mut object = serde_json::Map::new();
                object.insert(format!("{key}!"), 1.into());
                object.insert(key.clone(), value);
                value = object.into();
                pointer = format!("/{}{pointer}", key.replace('~', "~0").replace('/', "~1"));
            }
            let json = value.to_string();
            prop_assert_eq!(check(&pointer), Ok(()));
            let found = string_at(json.as_bytes(), &pointer);
            prop_assert_eq!(found.as_deref(), value.pointer(&pointer).and_then(|v| v.as_str()));
        }

        #[test]
        fn junk_is_survived(junk in prop::collection::vec(prop::sample::select(&br#"{}[]",:\ a1"#[..]), 0..40)) {
            let _ = string_at(&junk, "/a/1/a");
        }
    }
}
