use hookyard_core::entropy::{self, Entropy};
use hookyard_core::model::{
    ApiVersion, AuthKind, Catalogue, EndpointSettings, PayloadFormat, Secret, Subscription,
};
use hookyard_core::readable::{UNREADABLE, is_readable};

use super::options::OptionsChange;
use super::patch::{FieldNames, Patch};
use super::subscriptions::{RequestedSubscription, resolve};
use crate::Error;

/// The longest name, in characters. Newer clients refuse to read longer text
/// (docs/spec/ultracart.md#webhook).
const NAME_CHARS_MAX: usize = 80;

/// The longest note, in characters. Newer clients refuse to read longer text
/// (docs/spec/ultracart.md#webhook).
const COMMENTS_CHARS_MAX: usize = 2_000;

/// Hexadecimal digits of a generated user (docs/spec/ultracart.md#choices).
const USERNAME_DIGITS: usize = 16;

/// Hexadecimal digits of a generated password: 128 bits (docs/spec/ultracart.md#choices).
const PASSWORD_DIGITS: usize = 32;

/// A caller's settings for a new or a present endpoint; `None` and [`Patch::Keep`] leave the
/// present value, or the default.
#[derive(Debug, Clone)]
pub struct EndpointChange {
    /// The caller's names of the values.
    pub names: &'static FieldNames,
    /// The target.
    pub url: Option<String>,
    /// The name for people.
    pub name: Patch<String>,
    /// The note for people.
    pub comments: Patch<String>,
    /// How deliveries prove the sender.
    pub auth: Option<AuthKind>,
    /// The user of basic authentication. Empty: a user is made when needed, unless
    /// `basic_as_given`.
    pub basic_username: Option<String>,
    /// The password of basic authentication. Empty: a password is made when needed, unless
    /// `basic_as_given`.
    pub basic_password: Option<Secret>,
    /// Whether an empty user or password is meant: many receivers take a key as the user and look at
    /// no password, or the other way round (RFC 7617 lets both be empty).
    pub basic_as_given: bool,
    /// The key for Amazon SQS.
    pub iam_access_key: Option<String>,
    /// The secret for Amazon SQS.
    pub iam_secret_key: Option<Secret>,
    /// The date of the object model.
    pub api_version: Option<ApiVersion>,
    /// The most events of a bundle; kept as submitted, limited at delivery.
    pub maximum_events: Option<i32>,
    /// The most bytes of a bundle; kept as submitted, limited at delivery.
    pub maximum_size: Option<i32>,
    /// Whether bundles are compressed.
    pub compress_events: Option<bool>,
    /// Whether nothing is queued or sent.
    pub disabled: Option<bool>,
    /// The complete new set of subscriptions.
    pub subscriptions: Option<Vec<RequestedSubscription>>,
    /// The customer of a new endpoint; a present endpoint keeps its customer.
    pub customer: Option<String>,
    /// The only revision to change; `None` changes the newest.
    pub if_revision: Option<u32>,
    /// Options of the native API alone.
    pub options: OptionsChange,
}

impl EndpointChange {
    /// The bytes of all rules in the change.
    pub(super) fn rule_bytes(&self) -> usize {
        let bytes = |subscription: &RequestedSubscription| match &subscription.rule {
            Patch::Set(rule) => rule.len(),
            Patch::Keep | Patch::Clear => 0,
        };
        self.subscriptions.iter().flatten().map(bytes).sum()
    }

    /// A change of nothing.
    pub fn none(names: &'static FieldNames) -> Self {
        Self {
            names,
            url: None,
            name: Patch::Keep,
            comments: Patch::Keep,
            auth: None,
            basic_username: None,
            basic_password: None,
            basic_as_given: false,
            iam_access_key: None,
            iam_secret_key: None,
            api_version: None,
            maximum_events: None,
            maximum_size: None,
            compress_events: None,
            disabled: None,
            subscriptions: None,
            customer: None,
            if_revision: None,
            options: OptionsChange::default(),
        }
    }
}

/// An endpoint as a change would leave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) settings: EndpointSettings,
    pub(super) subscriptions: Vec<Subscription>,
}

impl Draft {
    /// Whether every subscribed event type is of the only category without customer data
    /// (docs/spec/ultracart.md#choices).
    pub(super) fn is_items_only(&self, catalogue: &Catalogue) -> bool {
        self.subscriptions.iter().filter(|subscription| subscription.active).all(|subscription| {
            catalogue
                .by_id(subscription.event_type)
                .is_some_and(|(category, _)| category.name == "item")
        })
    }

    /// Whether any event is wanted.
    pub(super) fn is_subscribed(&self) -> bool {
        self.subscriptions.iter().any(|subscription| subscription.active)
    }

    /// Applies a change but for its options, by the merge rules of
    /// docs/spec/ultracart.md#writing.
    pub(super) fn changed(
        self,
        change: EndpointChange,
        catalogue: &Catalogue,
        entropy: &dyn Entropy,
    ) -> Result<Self, Error> {
        let EndpointChange {
            names,
            url,
            name,
            comments,
            auth,
            basic_username,
            basic_password,
            basic_as_given,
            iam_access_key,
            iam_secret_key,
            api_version,
            maximum_events,
            maximum_size,
            compress_events,
            disabled,
            subscriptions,
            customer: _,
            if_revision: _,
            options: _,
        } = change;
        let old = self.settings;
        let mut settings = EndpointSettings {
            url: url.unwrap_or(old.url),
            name: name.or_clear().apply(old.name),
            comments: comments.or_clear().apply(old.comments),
            auth: auth.unwrap_or(old.auth),
            basic_username: after(basic_username, old.basic_username, basic_as_given, |user| {
                user.is_empty()
            }),
            basic_password: after(basic_password, old.basic_password, basic_as_given, |secret| {
                secret.expose().is_empty()
            }),
            iam_access_key: iam_access_key.or(old.iam_access_key),
            iam_secret_key: iam_secret_key.or(old.iam_secret_key),
            api_version: api_version.or(old.api_version),
            maximum_events: maximum_events.unwrap_or(old.maximum_events),
            maximum_size: maximum_size.unwrap_or(old.maximum_size),
            compress_events: compress_events.unwrap_or(old.compress_events),
            disabled: disabled.unwrap_or(old.disabled),
            options: old.options,
        };
        drop_empty(&mut settings);
        generate_credentials(&mut settings, entropy);
        check(names, &settings)?;
        let subscriptions = match subscriptions {
            Some(requested) => resolve(names, requested, &self.subscriptions, catalogue)?,
            None => self.subscriptions,
        };
        Ok(Self { settings, subscriptions })
    }
}

/// A part of basic authentication after a change; an empty part is absent unless meant. A present
/// part that was meant to be empty stays.
fn after<T>(
    change: Option<T>,
    old: Option<T>,
    as_given: bool,
    is_empty: impl Fn(&T) -> bool,
) -> Option<T> {
    match change {
        None => old,
        Some(value) => (as_given || !is_empty(&value)).then_some(value),
    }
}

/// Treats empty credentials of the other kinds as absent.
fn drop_empty(settings: &mut EndpointSettings) {
    settings.iam_access_key.take_if(|text| text.is_empty());
    settings.iam_secret_key.take_if(|secret| secret.expose().is_empty());
}

/// Basic authentication always has a user and a password.
fn generate_credentials(settings: &mut EndpointSettings, entropy: &dyn Entropy) {
    if settings.auth != AuthKind::Basic {
        return;
    }
    settings.basic_username.get_or_insert_with(|| entropy::hex(entropy, USERNAME_DIGITS));
    settings
        .basic_password
        .get_or_insert_with(|| Secret::new(entropy::hex(entropy, PASSWORD_DIGITS)));
}

fn check(names: &FieldNames, settings: &EndpointSettings) -> Result<(), Error> {
    check_length(names.name, settings.name.as_deref(), NAME_CHARS_MAX)?;
    if !settings.name.as_deref().is_none_or(is_readable) {
        return Err(Error::invalid(names.name, UNREADABLE));
    }
    check_length(names.comments, settings.comments.as_deref(), COMMENTS_CHARS_MAX)?;
    check_maximum(names.maximum_events, settings.maximum_events)?;
    check_maximum(names.maximum_size, settings.maximum_size)?;
    if settings.basic_username.as_deref().is_some_and(|user| user.contains(':')) {
        let message = "must not contain a colon: a receiver splits user and password at the first";
        return Err(Error::invalid(names.basic_username, message));
    }
    Ok(())
}

/// Some settings make sense with the bundle format alone.
pub(super) fn check_payload(settings: &EndpointSettings) -> Result<(), Error> {
    if settings.options.format == PayloadFormat::Bundle {
        return Ok(());
    }
    if settings.compress_events {
        let message = "must be `bundle` with compress_events; use the encoding `gzip` instead";
        return Err(Error::invalid("format", message));
    }
    if settings.dataset().is_some() {
        return Err(Error::invalid("format", "must be `bundle` where a dataset is the target"));
    }
    Ok(())
}

fn check_length(field: &str, text: Option<&str>, max: usize) -> Result<(), Error> {
    let length = text.map_or(0, |text| text.chars().count());
    if length > max {
        let message = format!("must have at most {max} characters, not {length}");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

fn check_maximum(field: &str, value: i32) -> Result<(), Error> {
    if value < 0 {
        return Err(Error::invalid(field, format!("must not be negative, and is {value}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_names::NAMES;
    use super::*;
    use hookyard_core::catalogue::initial;
    use hookyard_core::entropy::SystemEntropy;

    fn draft() -> Draft {
        let settings = EndpointSettings::to_url("https://x.test/h");
        Draft { settings, subscriptions: Vec::new() }
    }

    fn none() -> EndpointChange {
        EndpointChange::none(&NAMES)
    }

    fn apply(draft: Draft, change: EndpointChange) -> Result<Draft, Error> {
        draft.changed(change, initial(), &SystemEntropy)
    }

    fn field(result: Result<Draft, Error>) -> String {
        match result {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("expected an invalid field, got {other:?}"),
        }
    }

    #[test]
    fn a_change_of_nothing_changes_nothing() {
        assert_eq!(apply(draft(), none()).unwrap(), draft());
    }

    #[test]
    fn what_a_change_cannot_say_stays() {
        let mut before = draft();
        before.settings.options.danger_accept_invalid_certs = true;
        before.settings.options.signing.prefix = "svix-".to_owned();
        let moved = EndpointChange { url: Some("https://y.test/".to_owned()), ..none() };
        let after = apply(before.clone(), moved).unwrap();
        assert_eq!(after.settings.options, before.settings.options);
    }

    #[test]
    fn basic_gets_credentials_once() {
        let basic = EndpointChange { auth: Some(AuthKind::Basic), ..none() };
        let first = apply(draft(), basic.clone()).unwrap();
        let user = first.settings.basic_username.clone().unwrap();
        let password = first.settings.basic_password.clone().unwrap();
        assert_eq!((user.len(), password.expose().len()), (16, 32));
        assert_eq!(apply(first.clone(), basic).unwrap(), first, "kept when they are there");

        let reset = EndpointChange {
            basic_password: Some(Secret::new("")),
            basic_username: Some("me".to_owned()),
            ..none()
        };
        let again = apply(first, reset).unwrap().settings;
        assert_eq!(again.basic_username.as_deref(), Some("me"));
        assert_ne!(again.basic_password, Some(password), "an empty password asks for a new one");
    }

    #[test]
    fn an_empty_part_of_basic_authentication_may_be_meant() {
        let meant = EndpointChange {
            auth: Some(AuthKind::Basic),
            basic_username: Some(String::new()),
            basic_password: Some(Secret::new("")),
            basic_as_given: true,
            ..none()
        };
        let first = apply(draft(), meant).unwrap();
        let settings = &first.settings;
        assert_eq!(settings.basic_username.as_deref(), Some(""));
        assert_eq!(settings.basic_password.as_ref().unwrap().expose(), "");
        assert_eq!(apply(first.clone(), none()).unwrap(), first, "it stays what it is");
        let asked = EndpointChange { basic_username: Some(String::new()), ..none() };
        let user = apply(first, asked).unwrap().settings.basic_username.unwrap();
        assert_eq!(user.len(), 16, "to others empty asks for one");
    }

    #[test]
    fn none_gets_no_credentials() {
        let settings = apply(draft(), none()).unwrap().settings;
        assert_eq!((settings.basic_username, settings.basic_password), (None, None));
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let name = |length| EndpointChange { name: Patch::Set("é".repeat(length)), ..none() };
        assert!(apply(draft(), name(80)).is_ok());
        assert_eq!(field(apply(draft(), name(81))), "name");
        let hidden = EndpointChange { name: Patch::Set("a\u{200b}b".to_owned()), ..none() };
        assert_eq!(field(apply(draft(), hidden)), "name");
        let note = |length| EndpointChange { comments: Patch::Set("x".repeat(length)), ..none() };
        assert!(apply(draft(), note(2_000)).is_ok());
        assert_eq!(field(apply(draft(), note(2_001))), "merchant_comments");
        let events = |count| EndpointChange { maximum_events: Some(count), ..none() };
        assert!(apply(draft(), events(i32::MAX)).is_ok());
        assert_eq!(field(apply(draft(), events(-1))), "maximum_events");
        let size = EndpointChange { maximum_size: Some(-1), ..none() };
        assert_eq!(field(apply(draft(), size)), "maximum_size");
        let user = EndpointChange { basic_username: Some("a:b".to_owned()), ..none() };
        assert_eq!(field(apply(draft(), user)), "basic_username");
    }

    #[test]
    fn clearing_and_empty_take_texts_away() {
        let named = EndpointChange { name: Patch::Set("n".to_owned()), ..none() };
        let named = apply(draft(), named).unwrap();
        for patch in [Patch::Clear, Patch::Set(String::new())] {
            let change = EndpointChange { name: patch, ..none() };
            assert_eq!(apply(named.clone(), change).unwrap().settings.name, None);
        }
    }
}
