//! Why a rule was refused.

use std::fmt;

/// Why a rule was refused: the place, the value there, the problem and the fix.
///
/// ```
/// use hookyard_ruler::Rule;
///
/// let error = Rule::parse(r#"{"detail": {"total": [{"numeric": [">", "5"]}]}}"#).unwrap_err();
/// assert_eq!(error.path(), "detail.total");
/// assert_eq!(error.value(), r#""5""#);
/// assert_eq!(
///     error.to_string(),
///     "detail.total: the bound of a numeric range is not a number, in \"5\" \
///      (write a number after the operator, such as [\">\", 5])"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) problem: String,
    pub(crate) fix: &'static str,
    /// A limit is not a matter of how the rule is read, so no other reading is tried.
    pub(crate) is_limit: bool,
}

impl Error {
    pub(crate) fn limit(path: &str, problem: String, fix: &'static str) -> Error {
        Error { path: path.into(), value: String::new(), problem, fix, is_limit: true }
    }

    /// The path of the field at fault, keys joined with dots; empty for the rule as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The JSON text at fault, shortened when long; empty unless the fault is a single value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The problem.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The fix: the text to write instead.
    pub fn fix(&self) -> &str {
        self.fix
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)?;
        if !self.value.is_empty() {
            write!(f, ", in {}", self.value)?;
        }
        write!(f, " ({})", self.fix)
    }
}

impl std::error::Error for Error {}
