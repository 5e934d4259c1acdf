//! The values of a field's list.

use std::sync::Arc;

use super::Error;
use super::parse::at;
use crate::fold::IgnoreCase;
use crate::ip::{Address, Cidr, CidrError};
use crate::json::Json;
use crate::limits::{MAX_VALUES_PER_LIST, MAX_WILDCARDS_PER_PATTERN};
use crate::matcher::{Bound, Excluded, Matcher, Range};
use crate::number::Number;
use crate::wildcard::{Wildcard, WildcardError};

const IGNORE_CASE: &str = "equals-ignore-case";
const A_STRING: &str = "write a string";
const A_MATCHER: &str = "use one of exactly, prefix, suffix, equals-ignore-case, wildcard, numeric, exists, cidr, anything-but";

/// Reads the list of a field.
pub(super) fn alternatives(
    path: &str,
    list: &Json,
    values: &[Json],
) -> Result<Arc<[Matcher]>, Error> {
    check_count(path, list, values)?;
    let mut read = Vec::with_capacity(values.len());
    for value in values {
        read.push(alternative(path, value)?);
    }
    read.sort_unstable();
    read.dedup();
    Ok(read.into())
}

fn check_count(path: &str, list: &Json, values: &[Json]) -> Result<(), Error> {
    if values.is_empty() {
        return Err(at(path, list, "an empty list", "list at least one value"));
    }
    if values.len() > MAX_VALUES_PER_LIST {
        let problem = format!("the list holds more than {MAX_VALUES_PER_LIST} values");
        return Err(Error::limit(path, problem, "split the rule, or use a pattern"));
    }
    Ok(())
}

fn alternative(path: &str, value: &Json) -> Result<Matcher, Error> {
    Ok(match value {
        Json::Null => Matcher::Null,
        Json::Bool(true) => Matcher::True,
        Json::Bool(false) => Matcher::False,
        Json::Number(text) => match Number::parse(text.as_bytes()) {
            Some(number) => Matcher::Number(number),
            None => Matcher::NumberText(text.clone()),
        },
        Json::Text(text) => match Address::parse(text.as_bytes()) {
            Some(address) => Matcher::Ip(address),
            None => Matcher::Text(text.clone()),
        },
        Json::Array(_) => {
            let fix = "list plain values: strings, numbers, true, false, null or matchers";
            return Err(at(path, value, "a list inside the list of values", fix));
        }
        Json::Object(members) => {
            let (name, argument) = only_member(path, value, members)?;
            return matcher(path, value, name, argument);
        }
    })
}

fn only_member<'a>(
    path: &str,
    value: &Json,
    members: &'a [(Box<str>, Json)],
) -> Result<(&'a str, &'a Json), Error> {
    match members {
        [(name, argument)] => Ok((name, argument)),
        [] => Err(at(path, value, "a matcher without a name", A_MATCHER)),
        _ => Err(at(
            path,
            value,
            "a matcher with more than one name",
            "give each matcher an object of its own",
        )),
    }
}

fn matcher(path: &str, whole: &Json, name: &str, argument: &Json) -> Result<Matcher, Error> {
    match name {
        "exactly" => Ok(Matcher::Text(text(path, argument, A_STRING)?.into())),
        "prefix" | "suffix" => affix(path, name, argument),
        IGNORE_CASE => Ok(Matcher::Equals(IgnoreCase::new(text(path, argument, A_STRING)?))),
        "wildcard" => wildcard(path, argument).map(Matcher::Wildcard),
        "numeric" => numeric(path, argument),
        "exists" => match argument {
            Json::Bool(true) => Ok(Matcher::Exists),
            Json::Bool(false) => Ok(Matcher::Absent),
            _ => Err(at(path, argument, "exists takes true or false", "write true or false")),
        },
        "cidr" => cidr(path, argument),
        "anything-but" => anything_but(path, argument).map(Matcher::AnythingBut),
        _ => Err(at(path, whole, "an unknown matcher", A_MATCHER)),
    }
}

fn text<'a>(path: &str, value: &'a Json, fix: &'static str) -> Result<&'a str, Error> {
    match value {
        Json::Text(text) => Ok(text),
        _ => Err(at(path, value, "the pattern is not a string", fix)),
    }
}

fn affix(path: &str, name: &str, argument: &Json) -> Result<Matcher, Error> {
    const FIX: &str = "write a string or {\"equals-ignore-case\": \"x\"}";
    let prefix = name == "prefix";
    if let Json::Object(members) = argument {
        let (inner, pattern) = only_member(path, argument, members)?;
        if inner != IGNORE_CASE {
            return Err(at(path, argument, "an unknown kind of prefix or suffix", FIX));
        }
        let folded = IgnoreCase::new(text(path, pattern, A_STRING)?);
        return Ok(if prefix {
            Matcher::PrefixIgnoreCase(folded)
        } else {
            Matcher::SuffixIgnoreCase(folded)
        });
    }
    let affix = text(path, argument, FIX)?.into();
    Ok(if prefix { Matcher::Prefix(affix) } else { Matcher::Suffix(affix) })
}

fn wildcard(path: &str, argument: &Json) -> Result<Wildcard, Error> {
    let pattern = text(path, argument, A_STRING)?;
    let read = Wildcard::parse(pattern).map_err(|error| match error {
        WildcardError::Consecutive(place) => {
            let problem = format!("two * in a row at byte {place}");
            at(path, argument, &problem, "write one *, or \\\\* for the character itself")
        }
        WildcardError::Escape(place) => {
            let problem = format!("a backslash before neither * nor backslash at byte {place}");
            at(
                path,
                argument,
                &problem,
                "write \\\\\\\\ for a backslash (both are escaped in JSON)",
            )
        }
    })?;
    if read.stars() > MAX_WILDCARDS_PER_PATTERN {
        let problem = format!("a pattern with more than {MAX_WILDCARDS_PER_PATTERN} *");
        return Err(Error::limit(path, problem, "use fewer *"));
    }
    Ok(read)
}

fn cidr(path: &str, argument: &Json) -> Result<Matcher, Error> {
    let block = text(path, argument, "write a string such as \"10.0.0.0/8\"")?;
    let (problem, fix) = match Cidr::parse(block) {
        Ok(block) => return Ok(Matcher::Cidr(block)),
        Err(CidrError::Slash) => {
            ("a block without exactly one slash", "write address/bits, such as \"10.0.0.0/8\"")
        }
        Err(CidrError::Address) => (
            "a block whose address is not an IPv4 or IPv6 literal",
            "write it as in \"10.0.0.0/8\"",
        ),
        Err(CidrError::Bits) => {
            ("a block whose size is not a number", "write address/bits, such as \"10.0.0.0/8\"")
        }
        Err(CidrError::BitsRange) => (
            "a block of too many bits",
            "write 0 to 31 bits for IPv4 or 0 to 127 for IPv6, or the plain address for one host",
        ),
    };
    Err(at(path, argument, problem, fix))
}

const A_RANGE: &str =
    "write [\"=\", n], [\"<\", n], [\">\", n] or [\">\", low, \"<\", high], also with <= and >=";

fn numeric(path: &str, argument: &Json) -> Result<Matcher, Error> {
    let Json::Array(terms) = argument else {
        return Err(at(path, argument, "numeric takes a list", A_RANGE));
    };
    match &terms[..] {
        [Json::Text(operator), number] => single(path, argument, operator, number),
        [Json::Text(lower), low, Json::Text(upper), high]
            if lower.starts_with('>') && upper.starts_with('<') =>
        {
            let range = Range {
                low: Some(bound(path, argument, lower, low)?),
                high: Some(bound(path, argument, upper, high)?),
            };
            if range.low.map(|low| low.at) >= range.high.map(|high| high.at) {
                let fix = "write the lower bound first, and strictly below the upper one";
                return Err(at(path, argument, "a range whose bounds are not in order", fix));
            }
            Ok(Matcher::Range(range))
        }
        _ => Err(at(path, argument, "not a numeric range", A_RANGE)),
    }
}

fn single(path: &str, whole: &Json, operator: &str, number: &Json) -> Result<Matcher, Error> {
    if operator == "=" {
        return Ok(Matcher::Number(comparable(path, number)?));
    }
    let bound = bound(path, whole, operator, number)?;
    let (range, edge) = if operator.starts_with('<') {
        (Range { low: None, high: Some(bound) }, Number::LOWEST)
    } else {
        (Range { low: Some(bound), high: None }, Number::HIGHEST)
    };
    if bound.at == edge {
        let fix = "use \"=\" for this number, which is the last there is";
        return Err(at(path, whole, "a range beyond the last number", fix));
    }
    Ok(Matcher::Range(range))
}

fn bound(path: &str, whole: &Json, operator: &str, number: &Json) -> Result<Bound, Error> {
    let inclusive = match operator {
        "<" | ">" => false,
        "<=" | ">=" => true,
        _ => return Err(at(path, whole, "an unknown numeric operator", A_RANGE)),
    };
    Ok(Bound { at: comparable(path, number)?, inclusive })
}

fn comparable(path: &str, value: &Json) -> Result<Number, Error> {
    let Json::Number(text) = value else {
        let problem = "the bound of a numeric range is not a number";
        return Err(at(
            path,
            value,
            problem,
            "write a number after the operator, such as [\">\", 5]",
        ));
    };
    Number::parse(text.as_bytes()).ok_or_else(|| {
        let problem = "a number that cannot be compared, as no double is written so";
        at(path, value, problem, "use at most 15 digits")
    })
}

fn anything_but(path: &str, argument: &Json) -> Result<Excluded, Error> {
    match argument {
        Json::Text(text) => Ok(Excluded::Texts([text.clone()].into())),
        Json::Number(_) => Ok(Excluded::Numbers([comparable(path, argument)?].into())),
        Json::Array(values) => {
            check_count(path, argument, values)?;
            excluded_values(path, argument, values)
        }
        Json::Object(members) => {
            let (name, patterns) = only_member(path, argument, members)?;
            excluded_patterns(path, argument, name, patterns)
        }
        Json::Null | Json::Bool(_) => Err(at(path, argument, MIXED, MIXED_FIX)),
    }
}

const MIXED: &str = "anything-but takes strings, or numbers, or one matcher";
const MIXED_FIX: &str = "write one string or number, a list of strings, a list of numbers, or {\"prefix\": \"x\"} (also suffix, equals-ignore-case, wildcard)";

fn excluded_values(path: &str, list: &Json, values: &[Json]) -> Result<Excluded, Error> {
    let mut texts = Vec::new();
    let mut numbers = Vec::new();
    for value in values {
        match value {
            Json::Text(text) => texts.push(text.clone()),
            Json::Number(_) => numbers.push(comparable(path, value)?),
            _ => return Err(at(path, value, MIXED, MIXED_FIX)),
        }
    }
    if !texts.is_empty() && !numbers.is_empty() {
        let fix =
            "write two alternatives only if you mean either; a list is all strings or all numbers";
        return Err(at(path, list, "anything-but with strings and numbers mixed", fix));
    }
    if texts.is_empty() {
        Ok(Excluded::Numbers(sorted(numbers)))
    } else {
        Ok(Excluded::Texts(sorted(texts)))
    }
}

fn excluded_patterns(
    path: &str,
    whole: &Json,
    name: &str,
    patterns: &Json,
) -> Result<Excluded, Error> {
    let patterns = match patterns {
        Json::Array(list) => {
            check_count(path, patterns, list)?;
            &list[..]
        }
        one => std::slice::from_ref(one),
    };
    let affixes = || {
        let read = |one| match text(path, one, A_STRING)? {
            "" => Err(at(path, one, "an empty prefix or suffix excludes every string", A_STRING)),
            affix => Ok(affix.into()),
        };
        patterns.iter().map(read).collect::<Result<Vec<Box<str>>, Error>>().map(sorted)
    };
    match name {
        "prefix" => affixes().map(Excluded::Prefixes),
        "suffix" => affixes().map(Excluded::Suffixes),
        IGNORE_CASE => {
            let read = |one| text(path, one, A_STRING).map(IgnoreCase::new);
            let all: Result<Vec<_>, Error> = patterns.iter().map(read).collect();
            all.map(sorted).map(Excluded::Equals)
        }
        "wildcard" => {
            let all: Result<Vec<_>, Error> =
                patterns.iter().map(|one| wildcard(path, one)).collect();
            all.map(sorted).map(Excluded::Wildcards)
        }
        _ => Err(at(path, whole, MIXED, MIXED_FIX)),
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Box<[T]> {
    values.sort_unstable();
    values.dedup();
    values.into()
}
