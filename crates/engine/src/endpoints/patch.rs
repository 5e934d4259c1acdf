//! Common parts of the changes of an endpoint.

/// How often a change is tried when others change the same endpoint meanwhile. Each failed try
/// means that another caller's change went through, so more tries indicate a loop among the
/// callers.
pub(super) const TRIES_MAX: usize = 5;

/// A change of an optional value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Leaves the value.
    #[default]
    Keep,
    /// Removes the value.
    Clear,
    /// Replaces the value.
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

/// The names of an endpoint's values in the caller's API, for errors about the values.
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
    /// The password of basic authentication, in an API whose answers hide passwords. Where answers
    /// show passwords, a missing password is made.
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
