//! The settings of an endpoint beyond the UltraCart API, on the wire.

use hookyard_core::model::{
    AuthKind, ContentEncoding, CustomHeader, DeliveryMethod, EndpointSettings, NativeAuth,
    OAuth2Client, PayloadFormat, RateLimit, RetryRule, SIGNING_PREFIX_DEFAULT, Secret,
};
use hookyard_engine::endpoints::{EndpointChange, OptionsChange, Patch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::kind::Kind;
use crate::native::input::{Field, Object};
use crate::problem::{Code, Problem};

/// The proof of the sender in deliveries: the members of the kind; absent members stay. Secrets are written
/// here and never shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthPatch {
    #[serde(default)]
    #[schema(value_type = Kind, required = false)]
    kind: Field<Kind>,
    /// The user of `basic`, without a colon; may be empty.
    username: Option<String>,
    /// The password of `basic`; may be empty.
    #[schema(value_type = Option<String>, write_only)]
    password: Option<Secret>,
    /// The key of `aws_iam`.
    access_key: Option<String>,
    /// The secret of `aws_iam`.
    #[schema(value_type = Option<String>, write_only)]
    secret_key: Option<Secret>,
    /// The token of `bearer`.
    #[schema(value_type = Option<String>, write_only)]
    token: Option<Secret>,
    /// The token endpoint of `oauth2`.
    token_url: Option<String>,
    /// The client of `oauth2`.
    client_id: Option<String>,
    /// The client's secret. A change of `token_url` requires the secret again.
    #[schema(value_type = Option<String>, write_only)]
    client_secret: Option<Secret>,
    /// The scopes that `oauth2` requests, separated by spaces.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    scope: Field<String>,
    /// Whether client and secret go into the form instead of `Authorization: Basic`.
    credentials_in_body: Option<bool>,
}

/// How deliveries are signed (Standard Webhooks).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SigningPatch {
    /// The prefix of the three header names; `webhook-` by default.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    prefix: Field<String>,
    /// The secret, `whsec_` or `whsk_`; made by the server by default. The present secret goes on signing
    /// for a day.
    #[schema(value_type = Option<String>, write_only)]
    secret: Option<Secret>,
}

/// A header that every delivery carries.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderEntry {
    /// The header's name.
    name: String,
    /// The header's value, never shown; the old value stays when absent.
    #[schema(value_type = Option<String>, write_only)]
    value: Option<Secret>,
}

/// A status and the action for the status. The first of an endpoint's rules with the status counts.
#[derive(Serialize, ToSchema)]
#[schema(as = RetryRule)]
pub(super) struct RetryRuleBody {
    /// A status from 300 to 599, or a range such as `500-599`.
    status: String,
    action: RetryActionBody,
    /// The number of failures before the action.
    #[schema(minimum = 1, maximum = 100)]
    after: Option<u32>,
}

/// What to do about an answer: try again by the schedule, give the events up, disable the endpoint,
/// or look for the event at fault and park it as a dead letter.
#[derive(Serialize, ToSchema)]
#[schema(as = RetryAction)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a type of the core crate, which knows no API")]
enum RetryActionBody {
    Retry,
    Drop,
    Disable,
    Park,
}

/// At most `count` units in `seconds` on the average, and at most `burst` at once.
#[derive(Serialize, ToSchema)]
#[schema(as = RateLimit)]
pub(super) struct RateLimitBody {
    unit: RateUnitBody,
    #[schema(minimum = 1, maximum = 1000000)]
    count: u32,
    /// 1 unless said.
    #[schema(required = false, minimum = 1, maximum = 3600)]
    seconds: u32,
    /// `count` unless said.
    #[schema(minimum = 1, maximum = 1000000)]
    burst: Option<u32>,
}

/// The unit of a rate limit.
#[derive(Serialize, ToSchema)]
#[schema(as = RateUnit)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a type of the core crate, which knows no API")]
enum RateUnitBody {
    Requests,
    Events,
}

/// The `Content-Encoding` of deliveries.
#[derive(Serialize, ToSchema)]
#[schema(as = ContentEncoding)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes a type of the core crate, which knows no API")]
pub(super) enum EncodingBody {
    Identity,
    Gzip,
}

/// The form of a delivery's body.
#[derive(Serialize, ToSchema)]
#[schema(as = PayloadFormat)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "describes a type of the core crate, which knows no API")]
pub(super) enum FormatBody {
    Bundle,
    Standard,
    Data,
    Cloudevents,
    CloudeventsBatch,
    CloudeventsBinary,
}

/// The method of deliveries.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryMethod)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "describes a type of the core crate, which knows no API")]
pub(super) enum MethodBody {
    Post,
    Put,
    Patch,
}

/// The options of a patch beside `auth`.
pub(super) struct OptionFields {
    pub(super) signing: Field<Object<SigningPatch>>,
    pub(super) headers: Field<Vec<Object<HeaderEntry>>>,
    pub(super) encoding: Field<ContentEncoding>,
    pub(super) danger_accept_invalid_certs: Field<bool>,
    pub(super) retry: Field<Vec<Object<RetryRule>>>,
    pub(super) rate_limit: Field<Object<RateLimit>>,
    pub(super) concurrency: Field<u32>,
    pub(super) order_key: Field<String>,
    pub(super) format: Field<PayloadFormat>,
    pub(super) method: Field<DeliveryMethod>,
    pub(super) timeout_seconds: Field<u8>,
}

impl OptionFields {
    pub(super) fn change(self) -> OptionsChange {
        let (signing_prefix, signing_secret) = match self.signing {
            Field::Absent => (None, None),
            Field::Null => (Some(SIGNING_PREFIX_DEFAULT.to_owned()), None),
            Field::Value(Object(signing)) => {
                (signing.prefix.or_default(SIGNING_PREFIX_DEFAULT.to_owned()), signing.secret)
            }
        };
        let header = |Object(HeaderEntry { name, value })| CustomHeader { name, value };
        let headers = self.headers.or_default(Vec::new());
        let retry = self.retry.or_default(Vec::new());
        OptionsChange {
            signing_secret,
            signing_prefix,
            headers: headers.map(|all| all.into_iter().map(header).collect()),
            encoding: self.encoding.or_default(ContentEncoding::Identity),
            auth: Patch::Keep,
            danger_accept_invalid_certs: self.danger_accept_invalid_certs.or_default(false),
            retry: retry.map(|all| all.into_iter().map(|Object(rule)| rule).collect()),
            rate_limit: match self.rate_limit.patch() {
                Patch::Keep => Patch::Keep,
                Patch::Clear => Patch::Clear,
                Patch::Set(Object(limit)) => Patch::Set(limit),
            },
            concurrency: self.concurrency.or_default(1),
            order_key: self.order_key.patch(),
            format: self.format.or_default(PayloadFormat::default()),
            method: self.method.or_default(DeliveryMethod::default()),
            timeout_seconds: self.timeout_seconds.patch(),
        }
    }
}

/// The `auth` of a patch, as a part of a change.
pub(super) fn apply_auth(
    auth: Field<Object<AuthPatch>>,
    change: EndpointChange,
    current: Option<&EndpointSettings>,
) -> Result<EndpointChange, Problem> {
    match auth {
        Field::Absent => Ok(change),
        Field::Null => Ok(with_kind(change, AuthKind::None, Patch::Clear)),
        Field::Value(Object(auth)) => auth.apply(change, current),
    }
}

fn with_kind(change: EndpointChange, kind: AuthKind, native: Patch<NativeAuth>) -> EndpointChange {
    let options = OptionsChange { auth: native, ..change.options };
    EndpointChange { auth: Some(kind), options, ..change }
}

impl AuthPatch {
    fn apply(
        mut self,
        change: EndpointChange,
        current: Option<&EndpointSettings>,
    ) -> Result<EndpointChange, Problem> {
        let given = std::mem::take(&mut self.kind).required("auth.kind")?;
        let kind = given.unwrap_or_else(|| current.map_or(Kind::None, Kind::of));
        self.check_members(kind)?;
        let native = match kind {
            Kind::Bearer => Patch::Set(self.bearer(current)?),
            Kind::Oauth2 => Patch::Set(NativeAuth::OAuth2(self.oauth2(current)?)),
            Kind::None | Kind::Basic | Kind::ApiUser | Kind::AwsIam => Patch::Clear,
        };
        let change = with_kind(change, kind.core(), native);
        Ok(EndpointChange {
            basic_username: self.username,
            basic_password: self.password,
            basic_as_given: true,
            iam_access_key: self.access_key,
            iam_secret_key: self.secret_key,
            ..change
        })
    }

    /// A member of another kind would be without effect.
    fn check_members(&self, kind: Kind) -> Result<(), Problem> {
        let members = [
            ("auth.username", self.username.is_some(), Kind::Basic),
            ("auth.password", self.password.is_some(), Kind::Basic),
            ("auth.access_key", self.access_key.is_some(), Kind::AwsIam),
            ("auth.secret_key", self.secret_key.is_some(), Kind::AwsIam),
            ("auth.token", self.token.is_some(), Kind::Bearer),
            ("auth.token_url", self.token_url.is_some(), Kind::Oauth2),
            ("auth.client_id", self.client_id.is_some(), Kind::Oauth2),
            ("auth.client_secret", self.client_secret.is_some(), Kind::Oauth2),
            ("auth.scope", self.scope != Field::Absent, Kind::Oauth2),
            ("auth.credentials_in_body", self.credentials_in_body.is_some(), Kind::Oauth2),
        ];
        match members.into_iter().find(|(_, there, of)| *there && *of != kind) {
            Some((field, ..)) => {
                let detail = "belongs to another kind of authentication";
                Err(Problem::of_field(Code::InvalidValue, field, detail))
            }
            None => Ok(()),
        }
    }

    fn bearer(&mut self, current: Option<&EndpointSettings>) -> Result<NativeAuth, Problem> {
        let known = current.and_then(|settings| settings.options.auth.as_ref());
        let token = self.token.take();
        if token.is_none() && !matches!(known, Some(NativeAuth::Bearer { token: Some(_) })) {
            return Err(required("auth.token"));
        }
        Ok(NativeAuth::Bearer { token })
    }

    fn oauth2(&mut self, current: Option<&EndpointSettings>) -> Result<OAuth2Client, Problem> {
        let known = match current.and_then(|settings| settings.options.auth.as_ref()) {
            Some(NativeAuth::OAuth2(client)) => Some(client),
            _ => None,
        };
        let token_url = self.token_url.take().or_else(|| known.map(|old| old.token_url.clone()));
        let client_id = self.client_id.take().or_else(|| known.map(|old| old.client_id.clone()));
        let known_scope = known.and_then(|old| old.scope.clone());
        let token_url = token_url.ok_or_else(|| required("auth.token_url"))?;
        let client_secret = self.client_secret.take();
        if client_secret.is_none() && known.is_none_or(|old| old.token_url != token_url) {
            return Err(required("auth.client_secret"));
        }
        Ok(OAuth2Client {
            token_url,
            client_id: client_id.ok_or_else(|| required("auth.client_id"))?,
            client_secret,
            scope: match std::mem::take(&mut self.scope) {
                Field::Absent => known_scope,
                Field::Null => None,
                Field::Value(scope) => Some(scope),
            },
            credentials_in_body: self
                .credentials_in_body
                .unwrap_or_else(|| known.is_some_and(|old| old.credentials_in_body)),
        })
    }
}

fn required(field: &str) -> Problem {
    Problem::of_field(Code::InvalidValue, field, "is required with this kind")
}
