//! A tree of JSON, for rules only: in document order, with duplicate keys and number spelling.

use super::{JsonError, Scanner, Span, decode};
use crate::limits::{MAX_DEPTH, MAX_STRING_CHARS};

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// The number as written.
    Number(Box<str>),
    Text(Box<str>),
    Array(Vec<Json>),
    Object(Vec<(Box<str>, Json)>),
}

/// A container whose end has not been reached.
enum Open {
    Array(Vec<Json>),
    Object(Vec<(Box<str>, Json)>, Box<str>),
}

/// Reads the object at the start of `text`; like the original, ignores the text after the object.
pub(crate) fn parse_object(text: &str) -> Result<Json, JsonError> {
    let mut scanner = Scanner::new(text.as_bytes());
    if scanner.next_token() != b'{' {
        return scanner.fail("expected an object");
    }
    Builder { text, scanner, open: Vec::new() }.build()
}

/// Builds without recursion, so that depth costs no stack.
struct Builder<'a> {
    text: &'a str,
    scanner: Scanner<'a>,
    open: Vec<Open>,
}

impl Builder<'_> {
    fn build(mut self) -> Result<Json, JsonError> {
        loop {
            let Some(mut value) = self.begin()? else { continue };
            loop {
                match self.end(value)? {
                    End::Next => break,
                    End::Closed(container) if self.open.is_empty() => return Ok(container),
                    End::Closed(container) => value = container,
                }
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container with content.
    fn begin(&mut self) -> Result<Option<Json>, JsonError> {
        match self.scanner.next_token() {
            open @ (b'{' | b'[') => {
                self.scanner.pos += 1;
                if self.open.len() >= MAX_DEPTH {
                    return self.scanner.fail("nested deeper than 1,000 levels");
                }
                self.begin_container(open == b'{')
            }
            b'"' => {
                self.scanner.pos += 1;
                let span = self.scanner.string()?;
                Ok(Some(Json::Text(self.decoded(span)?)))
            }
            b'-' | b'0'..=b'9' => {
                let start = self.scanner.pos;
                self.scanner.number()?;
                let text = self.text.get(start..self.scanner.pos).unwrap_or_default();
                Ok(Some(Json::Number(text.into())))
            }
            first => {
                self.scanner.literal()?;
                Ok(Some(if first == b'n' { Json::Null } else { Json::Bool(first == b't') }))
            }
        }
    }

    fn begin_container(&mut self, object: bool) -> Result<Option<Json>, JsonError> {
        let next = self.scanner.next_token();
        if object && next == b'}' {
            self.scanner.pos += 1;
            return Ok(Some(Json::Object(Vec::new())));
        }
        if !object && next == b']' {
            self.scanner.pos += 1;
            return Ok(Some(Json::Array(Vec::new())));
        }
        let open = if object {
            let key = self.scanner.key()?;
            Open::Object(Vec::new(), self.decoded(key)?)
        } else {
            Open::Array(Vec::new())
        };
        self.open.push(open);
        Ok(None)
    }

    /// Puts a finished value into the innermost container and reads the comma or the end after the
    /// value.
    fn end(&mut self, value: Json) -> Result<End, JsonError> {
        let next = self.scanner.next_token();
        self.scanner.pos += 1;
        match (self.open.pop(), next) {
            // Only an empty top-level object gets here: no container is open.
            (None, _) => Ok(End::Closed(value)),
            (Some(Open::Array(mut values)), b',' | b']') => {
                values.push(value);
                if next == b']' {
                    return Ok(End::Closed(Json::Array(values)));
                }
                self.open.push(Open::Array(values));
                Ok(End::Next)
            }
            (Some(Open::Object(mut members, key)), b',' | b'}') => {
                members.push((key, value));
                if next == b'}' {
                    return Ok(End::Closed(Json::Object(members)));
                }
                let key = self.scanner.key()?;
                let key = self.decoded(key)?;
                self.open.push(Open::Object(members, key));
                Ok(End::Next)
            }
            _ => {
                self.scanner.pos -= 1;
                self.scanner.fail("expected a comma or the end of the object or array")
            }
        }
    }

    fn decoded(&self, span: Span) -> Result<Box<str>, JsonError> {
        if span.end - span.start > MAX_STRING_CHARS {
            return Err(JsonError::new(span.start, "string longer than 20,000,000 characters"));
        }
        let raw = self.text.get(span.start..span.end).unwrap_or_default();
        if !span.escaped {
            return Ok(raw.into());
        }
        let mut out = Vec::with_capacity(raw.len());
        decode(raw.as_bytes(), &mut out);
        let text = String::from_utf8(out);
        text.map(Into::into).map_err(|_| JsonError::new(span.start, "text is not UTF-8"))
    }
}

enum End {
    /// A comma: the container goes on.
    Next,
    /// The container is complete.
    Closed(Json),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_duplicates_and_number_spelling() {
        let tree = parse_object(r#" {"b":1.50,"a":[true,null,"x\n"],"b":{}} trailing"#).unwrap();
        let Json::Object(members) = tree else { panic!("not an object") };
        assert_eq!(members[0], ("b".into(), Json::Number("1.50".into())));
        let list = vec![Json::Bool(true), Json::Null, Json::Text("x\n".into())];
        assert_eq!(members[1], ("a".into(), Json::Array(list)));
        assert_eq!(members[2], ("b".into(), Json::Object(Vec::new())));
    }

    #[test]
    fn refuses_bad_syntax() {
        for text in ["", "[]", "{", "{\"a\":1", "{\"a\":[1}", "{\"a\":1]", "{\"a\":1,}", "{a:1}"] {
            assert!(parse_object(text).is_err(), "{text}");
        }
    }
}
