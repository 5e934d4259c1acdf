//! From JSON to sub-rules.

use std::sync::Arc;

use super::display::{excerpt, quoted};
use super::matchers::alternatives;
use super::{Error, Field, Rule, SubRule, path_order};
use crate::json::{Json, parse_object};
use crate::limits::{
    MAX_FIELDS_PER_RULE, MAX_FIELDS_PER_SUB_RULE, MAX_PATH_BYTES, MAX_RULE_BYTES, MAX_SUB_RULES,
};

const OR: &str = "$or";

/// Keys that no branch of an `$or` may use, so that a list of matchers is not taken for an `$or`.
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// Parses a rule. A rule that does not parse with `$or` as an operator is read again with `$or` as
/// an ordinary key, as in the original; the reported error comes from the first reading.
pub(super) fn rule(text: &str) -> Result<Rule, Error> {
    if text.len() > MAX_RULE_BYTES {
        let problem = format!("the rule is longer than {MAX_RULE_BYTES} bytes");
        return Err(Error::limit("", problem, "split it into several rules"));
    }
    let tree = parse_object(text).map_err(|error| Error {
        path: String::new(),
        value: String::new(),
        problem: format!("the rule is not a JSON object: {error}"),
        fix: "write an object of fields, such as {\"detail\": {\"state\": [\"paid\"]}}",
        is_limit: false,
    })?;
    let first = Reading::new(true).rule(&tree);
    match first {
        Err(error) if !error.is_limit && uses_or(&tree) => {
            Reading::new(false).rule(&tree).map_err(|_| error)
        }
        other => other,
    }
}

fn uses_or(tree: &Json) -> bool {
    match tree {
        Json::Object(members) => members.iter().any(|(key, value)| &**key == OR || uses_or(value)),
        _ => false,
    }
}

/// The most comparisons of paths for a rule, each of up to [`PATH_BYTES_COMPARED`]: a tenth of a
/// second. A rule at every other limit stays below; a rule with keys repeated thousands of times
/// over a large `$or` does not.
const MAX_PATH_COMPARISONS: usize = 20_000_000;

/// Bytes of two paths in a single comparison.
const PATH_BYTES_COMPARED: usize = 256;

/// One way to read a rule.
struct Reading {
    or_is_operator: bool,
    path_comparisons: usize,
    path_bytes: usize,
}

impl Reading {
    fn new(or_is_operator: bool) -> Self {
        Reading { or_is_operator, path_comparisons: 0, path_bytes: 0 }
    }
}

/// The sub-rules collected so far.
type Partial = Vec<Vec<Field>>;

impl Reading {
    fn rule(mut self, tree: &Json) -> Result<Rule, Error> {
        let partial = self.members(tree, "", false, vec![Vec::new()])?;
        let mut sub_rules = Vec::with_capacity(partial.len());
        for mut fields in partial {
            fields.sort_unstable_by(|one, other| path_order(&one.path, &other.path));
            let sub_rule = SubRule { fields };
            if sub_rules.len() > 64 || !sub_rules.contains(&sub_rule) {
                sub_rules.push(sub_rule);
            }
        }
        Ok(Rule { sub_rules })
    }

    /// Adds the members of an object to every sub-rule, in document order.
    fn members(
        &mut self,
        value: &Json,
        path: &str,
        in_branch: bool,
        mut partial: Partial,
    ) -> Result<Partial, Error> {
        let Json::Object(members) = value else {
            return Err(at(path, value, "not an object", "write an object of fields"));
        };
        if members.is_empty() {
            return Err(at(path, value, "an empty object", "name at least one field in it"));
        }
        for (key, value) in members {
            partial = self.member(path, key, value, in_branch, partial)?;
        }
        Ok(partial)
    }

    fn member(
        &mut self,
        outer: &str,
        key: &str,
        value: &Json,
        in_branch: bool,
        partial: Partial,
    ) -> Result<Partial, Error> {
        if self.or_is_operator && key == OR {
            return self.branches(outer, value, &partial);
        }
        if in_branch && RESERVED.contains(&key) {
            let problem = "the name of a matcher is used as a field inside $or";
            let mut shown = String::new();
            let _ = quoted(&mut shown, key);
            return Err(Error {
                path: outer.into(),
                value: shown,
                problem: problem.into(),
                fix: "put matchers into the list of a field, such as {\"field\": [{\"prefix\": \"x\"}]}",
                is_limit: false,
            });
        }
        let path = joined(outer, key);
        self.path_bytes = self.path_bytes.saturating_add(path.len());
        if self.path_bytes > MAX_PATH_BYTES {
            let problem = format!("the paths of the rule have more than {MAX_PATH_BYTES} bytes");
            return Err(Error::limit("", problem, "use shorter keys, or fewer fields below them"));
        }
        match value {
            Json::Object(_) => self.members(value, &path, in_branch, partial),
            Json::Array(values) => {
                let field =
                    Field { alternatives: alternatives(&path, value, values)?, path: path.into() };
                self.with_field(partial, &field)
            }
            _ => Err(at(
                &path,
                value,
                "the value of a field is not a list",
                "put it into a list, such as [\"x\"]",
            )),
        }
    }

    /// Multiplies the sub-rules by the branches of an `$or`.
    fn branches(&mut self, path: &str, value: &Json, partial: &Partial) -> Result<Partial, Error> {
        let Json::Array(branches) = value else {
            return Err(at(
                path,
                value,
                "$or is not a list",
                "write a list of two or more objects",
            ));
        };
        if branches.len() < 2 {
            let fix = "write a list of two or more objects, or leave $or out";
            return Err(at(path, value, "$or has fewer than two branches", fix));
        }
        let mut product = Vec::new();
        for branch in branches {
            if partial.len() * branches.len() > MAX_SUB_RULES {
                return Err(too_many(path));
            }
            product.extend(self.members(branch, path, true, partial.clone())?);
            let fields: usize = product.iter().map(Vec::len).sum();
            if product.len() > MAX_SUB_RULES || fields > MAX_FIELDS_PER_RULE {
                return Err(too_many(path));
            }
        }
        Ok(product)
    }

    /// Sets the field in every sub-rule; a later definition of a path replaces the earlier
    /// definition.
    fn with_field(&mut self, mut partial: Partial, field: &Field) -> Result<Partial, Error> {
        for fields in &mut partial {
            self.path_comparisons += fields.len() * (1 + field.path.len() / PATH_BYTES_COMPARED);
            match fields.iter_mut().find(|known| known.path == field.path) {
                Some(known) => known.alternatives = Arc::clone(&field.alternatives),
                None => fields.push(field.clone()),
            }
            if fields.len() > MAX_FIELDS_PER_SUB_RULE {
                let problem = format!("the rule names more than {MAX_FIELDS_PER_SUB_RULE} fields");
                return Err(Error::limit("", problem, "test fewer fields"));
            }
            if self.path_comparisons > MAX_PATH_COMPARISONS {
                return Err(too_many(&field.path));
            }
        }
        Ok(partial)
    }
}

fn too_many(path: &str) -> Error {
    let problem = format!(
        "the $or branches multiply to more than {MAX_SUB_RULES} sub-rules or \
         {MAX_FIELDS_PER_RULE} field tests"
    );
    Error::limit(path, problem, "split the rule, or use one list of values in place of an $or")
}

/// An empty outer path adds no dot: a leading empty key vanishes, as in the original.
fn joined(outer: &str, key: &str) -> String {
    if outer.is_empty() { key.into() } else { format!("{outer}.{key}") }
}

pub(super) fn at(path: &str, value: &Json, problem: &str, fix: &'static str) -> Error {
    Error {
        path: path.into(),
        value: excerpt(value),
        problem: problem.into(),
        fix,
        is_limit: false,
    }
}
