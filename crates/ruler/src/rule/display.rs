//! Alternatives as rule text, for errors and explanations.

use std::fmt::{self, Write};

use crate::json::Json;
use crate::matcher::{Bound, Excluded, Matcher, Range};

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matcher::Text(text) => quoted(f, text),
            Matcher::Number(number) => write!(f, "{number}"),
            Matcher::NumberText(text) => f.write_str(text),
            Matcher::Ip(address) => write!(f, "\"{address}\""),
            Matcher::True => f.write_str("true"),
            Matcher::False => f.write_str("false"),
            Matcher::Null => f.write_str("null"),
            Matcher::Prefix(text) => named(f, "prefix", text),
            Matcher::Suffix(text) => named(f, "suffix", text),
            Matcher::Equals(text) => named(f, IGNORE_CASE, text.text()),
            Matcher::PrefixIgnoreCase(text) => within(f, "prefix", text.text()),
            Matcher::SuffixIgnoreCase(text) => within(f, "suffix", text.text()),
            Matcher::Wildcard(pattern) => named(f, "wildcard", &pattern.to_string()),
            Matcher::Range(range) => write!(f, "{range}"),
            Matcher::Cidr(block) => write!(f, "{{\"cidr\": \"{block}\"}}"),
            Matcher::Exists => f.write_str("{\"exists\": true}"),
            Matcher::Absent => f.write_str("{\"exists\": false}"),
            Matcher::AnythingBut(excluded) => write!(f, "{{\"anything-but\": {excluded}}}"),
        }
    }
}

const IGNORE_CASE: &str = "equals-ignore-case";

fn named(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    write!(f, "{{\"{name}\": ")?;
    quoted(f, text)?;
    f.write_str("}")
}

fn within(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    write!(f, "{{\"{name}\": ")?;
    named(f, IGNORE_CASE, text)?;
    f.write_str("}")
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{\"numeric\": [")?;
        let bound = |f: &mut fmt::Formatter<'_>, operator: &str, bound: &Bound| {
            let equal = if bound.inclusive { "=" } else { "" };
            write!(f, "\"{operator}{equal}\", {}", bound.at)
        };
        if let Some(low) = &self.low {
            bound(f, ">", low)?;
        }
        if let Some(high) = &self.high {
            f.write_str(if self.low.is_some() { ", " } else { "" })?;
            bound(f, "<", high)?;
        }
        f.write_str("]}")
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Excluded::Texts(all) => list(f, all, |f, text| quoted(f, text)),
            Excluded::Numbers(all) => list(f, all, |f, number| write!(f, "{number}")),
            Excluded::Prefixes(all) => sub(f, "prefix", all, |f, text| quoted(f, text)),
            Excluded::Suffixes(all) => sub(f, "suffix", all, |f, text| quoted(f, text)),
            Excluded::Equals(all) => sub(f, IGNORE_CASE, all, |f, one| quoted(f, one.text())),
            Excluded::Wildcards(all) => {
                sub(f, "wildcard", all, |f, one| quoted(f, &one.to_string()))
            }
        }
    }
}

type Print<'a, T> = fn(&mut fmt::Formatter<'a>, &T) -> fmt::Result;

fn sub<'a, T>(
    f: &mut fmt::Formatter<'a>,
    name: &str,
    all: &[T],
    print: Print<'a, T>,
) -> fmt::Result {
    write!(f, "{{\"{name}\": ")?;
    list(f, all, print)?;
    f.write_str("}")
}

fn list<'a, T>(f: &mut fmt::Formatter<'a>, all: &[T], print: Print<'a, T>) -> fmt::Result {
    f.write_str("[")?;
    for (nth, one) in all.iter().enumerate() {
        f.write_str(if nth > 0 { ", " } else { "" })?;
        print(f, one)?;
    }
    f.write_str("]")
}

/// Writes a JSON string.
pub(crate) fn quoted(f: &mut impl Write, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\0'..='\u{1f}' => write!(f, "\\u{:04x}", u32::from(c))?,
            _ => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// As much of a value as is worth printing in an error.
const EXCERPT_CHARS: usize = 80;

/// The JSON text of a value, cut when long.
pub(super) fn excerpt(value: &Json) -> String {
    let mut text = Excerpt { text: String::new(), room: EXCERPT_CHARS };
    if write_json(&mut text, value).is_err() {
        text.text.push_str("...");
    }
    text.text
}

/// Refuses to grow past `room`, which ends the printing of however large a value.
struct Excerpt {
    text: String,
    room: usize,
}

impl Write for Excerpt {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(c);
        }
        Ok(())
    }
}

fn write_json(f: &mut Excerpt, value: &Json) -> fmt::Result {
    match value {
        Json::Null => f.write_str("null"),
        Json::Bool(value) => write!(f, "{value}"),
        Json::Number(text) => f.write_str(text),
        Json::Text(text) => quoted(f, text),
        Json::Array(values) => {
            f.write_str("[")?;
            for (nth, value) in values.iter().enumerate() {
                f.write_str(if nth > 0 { "," } else { "" })?;
                write_json(f, value)?;
            }
            f.write_str("]")
        }
        Json::Object(members) => {
            f.write_str("{")?;
            for (nth, (key, value)) in members.iter().enumerate() {
                f.write_str(if nth > 0 { "," } else { "" })?;
                quoted(f, key)?;
                f.write_str(":")?;
                write_json(f, value)?;
            }
            f.write_str("}")
        }
    }
}
