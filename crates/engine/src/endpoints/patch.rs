//! What the changes of an endpoint have in common.

/// How often a change is tried when others change the same endpoint meanwhile. Each failed try means
/// that another caller's change went through, so more than this is a loop among the callers.
pub(super) const TRIES_MAX: usize = 5;

/// What a change does to a value that may be absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Leaves it.
    #[default]
    Keep,
    /// Takes it away.
    Clear,
    /// Replaces it.
    Set(T),
}

impl<T> Patch<T> {
    /// The value after the change.
    pub(super) fn apply(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Keep => current,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl Patch<String> {
    /// Setting an empty text takes the text away: absent and empty are the same to every reader.
    pub(super) fn or_clear(self) -> Self {
        match self {
            Self::Set(text) if text.is_empty() => Self::Clear,
            other => other,
        }
    }
}

/// What the caller's API calls the values of an endpoint, for errors that name them.
#[derive(Debug, Clone, Copy)]
pub struct FieldNames {
    /// The target.
    pub url: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// The note for people.
    pub comments: &'static str,
    /// The user of basic authentication.
    pub basic_username: &'static str,
    /// The password of basic authentication, where no answer shows one. Where answers do, one is made
    /// when it is missing.
    pub hidden_password: Option<&'static str>,
    /// The secret for Amazon SQS.
    pub iam_secret_key: &'static str,
    /// The most events of a bundle.
    pub maximum_events: &'static str,
    /// The most bytes of a bundle.
    pub maximum_size: &'static str,
    /// The event type of a subscription, below the subscription's own path.
    pub event_type: &'static str,
    /// The rule of a subscription, below the subscription's own path.
    pub rule: &'static str,
}
