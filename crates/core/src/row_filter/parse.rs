use std::cmp::Ordering::{Equal, Greater, Less};

use super::{
    CONDITIONS_MAX, Condition, FILTER_BYTES_MAX, Filter, FilterError, Number, STEPS_MAX, Scalar,
    Step, Test, VALUES_MAX,
};

const OPERATORS: &str = "eq, ne, lt, le, gt, ge, in, contains, starts_with, exists or missing";

pub(super) fn filter(text: &str) -> Result<Filter, FilterError> {
    let mut reader = Reader { text, at: 0 };
    if text.len() > FILTER_BYTES_MAX {
        return reader.fault(format!("a filter has at most {FILTER_BYTES_MAX} bytes"));
    }
    let mut conditions = Vec::new();
    loop {
        if conditions.len() == CONDITIONS_MAX {
            return reader.fault(format!("a filter has at most {CONDITIONS_MAX} conditions"));
        }
        conditions.push(reader.condition()?);
        reader.blanks();
        if reader.rest().is_empty() {
            return Ok(Filter { conditions });
        }
        let at = reader.at;
        if reader.word() != "and" {
            reader.at = at;
            return reader.fault("expected `and` and another condition, or the end");
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fault<T>(&self, message: impl Into<String>) -> Result<T, FilterError> {
        Err(FilterError { at: self.at, message: message.into() })
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Takes this byte, if it is the next one.
    fn take(&mut self, byte: char) -> bool {
        let found = self.rest().starts_with(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes as many characters as there are of a kind.
    fn run(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|character| !of(character)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Skips blanks and takes a word; empty when there is none.
    fn word(&mut self) -> &'a str {
        self.blanks();
        self.run(|character| character.is_ascii_alphabetic() || character == '_')
    }

    fn condition(&mut self) -> Result<Condition, FilterError> {
        let path = self.path()?;
        self.blanks();
        let at = self.at;
        let operator = self.word();
        let (negated, test) = match operator {
            "exists" => (false, Test::Exists),
            "missing" => (true, Test::Exists),
            "eq" => (false, Test::AnyOf(vec![self.scalar()?])),
            "ne" => (true, Test::AnyOf(vec![self.scalar()?])),
            "lt" => (false, Test::Order(&[Less], self.ordered()?)),
            "le" => (false, Test::Order(&[Less, Equal], self.ordered()?)),
            "gt" => (false, Test::Order(&[Greater], self.ordered()?)),
            "ge" => (false, Test::Order(&[Greater, Equal], self.ordered()?)),
            "in" => (false, Test::AnyOf(self.list()?)),
            "contains" => (false, Test::Contains(self.scalar()?)),
            "starts_with" => (false, Test::StartsWith(self.string()?)),
            _ => {
                self.at = at;
                return self.fault(format!("expected an operator: {OPERATORS}"));
            }
        };
        Ok(Condition { path, negated, test })
    }

    fn path(&mut self) -> Result<Vec<Step>, FilterError> {
        self.blanks();
        if !self.take('$') {
            return self.fault("expected a path, such as `$.order.id` or `$.items[0]`");
        }
        let mut path = Vec::new();
        loop {
            let at = self.at;
            if self.take('.') {
                path.push(self.name()?);
            } else if self.take('[') {
                path.push(self.bracket()?);
            } else {
                return Ok(path);
            }
            if path.len() > STEPS_MAX {
                self.at = at;
                return self.fault(format!("a path has at most {STEPS_MAX} steps"));
            }
        }
    }

    fn name(&mut self) -> Result<Step, FilterError> {
        let of_name = |character: char| character.is_alphanumeric() || "_-".contains(character);
        let name = self.run(of_name);
        if name.is_empty() {
            return self.fault("expected a name; write others as `[\"a name\"]`");
        }
        Ok(Step::Member(name.to_owned()))
    }

    fn bracket(&mut self) -> Result<Step, FilterError> {
        self.blanks();
        let step = if self.take('*') {
            Step::Each
        } else if self.rest().starts_with('"') {
            Step::Member(self.string()?)
        } else {
            let at = self.at;
            let digits = self.run(|character| character.is_ascii_digit());
            let Ok(place) = digits.parse() else {
                self.at = at;
                return self.fault("expected a number from 0, a string in `\"` or `*`");
            };
            Step::Element(place)
        };
        self.blanks();
        if self.take(']') { Ok(step) } else { self.fault("expected `]`") }
    }

    /// A number or a text.
    fn ordered(&mut self) -> Result<Scalar, FilterError> {
        self.blanks();
        let at = self.at;
        match self.scalar()? {
            scalar @ (Scalar::Number(_) | Scalar::Text(_)) => Ok(scalar),
            Scalar::Null | Scalar::Bool(_) => {
                self.at = at;
                self.fault("expected a number or a string in `\"`: nothing else has an order")
            }
        }
    }

    fn list(&mut self) -> Result<Vec<Scalar>, FilterError> {
        self.blanks();
        if !self.take('[') {
            return self.fault("expected a list, such as `[\"paid\", \"shipped\"]`");
        }
        let mut values = Vec::new();
        loop {
            if values.len() == VALUES_MAX {
                return self.fault(format!("a list has at most {VALUES_MAX} values"));
            }
            values.push(self.scalar()?);
            self.blanks();
            if self.take(']') {
                return Ok(values);
            }
            if !self.take(',') {
                return self.fault("expected `,` or `]`");
            }
        }
    }

    fn scalar(&mut self) -> Result<Scalar, FilterError> {
        self.blanks();
        if self.rest().starts_with('"') {
            return self.string().map(Scalar::Text);
        }
        let at = self.at;
        let token =
            self.run(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
        match token {
            "null" => Ok(Scalar::Null),
            "true" => Ok(Scalar::Bool(true)),
            "false" => Ok(Scalar::Bool(false)),
            _ => match Number::parse(token.as_bytes()).filter(|_| is_json(token)) {
                Some(number) => Ok(Scalar::Number(number)),
                None => {
                    self.at = at;
                    self.fault("expected a string in `\"`, a number, true, false or null")
                }
            },
        }
    }

    fn string(&mut self) -> Result<String, FilterError> {
        self.blanks();
        let inner = self.rest().strip_prefix('"');
        let Some(inner) = inner else { return self.fault("expected a string in `\"`") };
        let mut escaped = false;
        let end = inner.find(|character| {
            let ends = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { return self.fault("the string has no end") };
        let quoted = &self.rest()[..end + 2];
        match serde_json::from_str(quoted) {
            Ok(string) => {
                self.at += quoted.len();
                Ok(string)
            }
            Err(_) => self.fault("the string is not one of JSON"),
        }
    }
}

/// Whether a token is the text of a JSON value.
fn is_json(token: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(token).is_ok()
}
