//! Options of an endpoint that only the native API can set.

use hookyard_core::entropy::Entropy;
use hookyard_core::model::{
    Concurrency, ContentEncoding, CustomHeader, DeliveryMethod, EndpointOptions, NativeAuth,
    OAuth2Client, PayloadFormat, RateLimit, RetryRule, Secret, TIMEOUT_SECONDS, check_retry_rules,
};
use hookyard_core::signature::signer;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;

use super::patch::Patch;
use super::signing::OVERLAP_DEFAULT;
use crate::Error;

/// The most custom headers of an endpoint, and the most bytes of all together: with Hookyard's
/// headers, all must fit the 8 KiB read by common servers.
const HEADERS_MAX: usize = 20;
const HEADERS_BYTES_MAX: usize = 4 << 10;

/// The longest token, client id, client secret and scope, in bytes: tokens go into a header, and
/// servers commonly read 8 KiB of headers.
const CREDENTIAL_BYTES_MAX: usize = 4 << 10;

/// Header names that no endpoint may set: headers of the connection and the message (RFC 9110,
/// 9112), Hookyard's headers, and headers with credentials, which have separate settings.
const RESERVED: [&str; 26] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "range",
    "set-cookie",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-authorization-basic",
    "x-ultracart-request-id",
];

/// Reserved starts of header names.
const RESERVED_STARTS: [&str; 5] = ["proxy-", "sec-", "webhook-", "svix-", "x-hookyard-"];

/// A caller's change of the options; `None` and [`Patch::Keep`] leave the present value.
#[derive(Debug, Clone, Default)]
pub struct OptionsChange {
    /// The secret to sign with. A present secret goes on signing for a day. A new endpoint without
    /// a given secret gets a generated secret.
    pub signing_secret: Option<Secret>,
    /// The start of the names of the signature's headers.
    pub signing_prefix: Option<String>,
    /// The complete new set of custom headers. A header whose value is `None` keeps the present
    /// value.
    pub headers: Option<Vec<CustomHeader>>,
    /// The `Content-Encoding` of deliveries.
    pub encoding: Option<ContentEncoding>,
    /// Authentication that the UltraCart API does not know. A secret of `None` keeps the present
    /// secret.
    pub auth: Patch<NativeAuth>,
    /// Whether any certificate is taken for the receiver's.
    pub danger_accept_invalid_certs: Option<bool>,
    /// The complete new list of retry rules.
    pub retry: Option<Vec<RetryRule>>,
    /// How fast the receiver takes deliveries.
    pub rate_limit: Patch<RateLimit>,
    /// How many bundles may be in flight at once.
    pub concurrency: Option<u32>,
    /// The place of the ordering key in an event's object.
    pub order_key: Patch<String>,
    /// The form of the body.
    pub format: Option<PayloadFormat>,
    /// The method of requests.
    pub method: Option<DeliveryMethod>,
    /// The seconds that an exchange may take.
    pub timeout_seconds: Patch<u8>,
}

impl OptionsChange {
    /// Applies the change and checks the result. An [`Error::Invalid`] names `signing.secret`,
    /// `signing.prefix`, `headers[0].name`, `auth.token` and so on.
    pub(super) fn apply(
        self,
        mut options: EndpointOptions,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<EndpointOptions, Error> {
        let Self {
            signing_secret,
            signing_prefix,
            headers,
            encoding,
            auth,
            danger_accept_invalid_certs,
            retry,
            rate_limit,
            concurrency,
            order_key,
            format,
            method,
            timeout_seconds,
        } = self;
        if let Some(prefix) = signing_prefix {
            signer::check_prefix(&prefix)
                .map_err(|error| Error::invalid("signing.prefix", error.to_string()))?;
            options.signing.prefix = prefix;
        }
        if let Some(secret) = signing_secret {
            signer::check_secret(&secret)
                .map_err(|error| Error::invalid("signing.secret", error.to_string()))?;
            options.signing.rotate(secret, now, OVERLAP_DEFAULT);
        } else if options.signing.keys.is_empty() {
            let secret = signer::generate_symmetric(entropy);
            options.signing.rotate(secret, now, OVERLAP_DEFAULT);
        }
        if let Some(headers) = headers {
            options.headers = with_kept_values(headers, &options.headers);
        }
        options.encoding = encoding.unwrap_or(options.encoding);
        options.auth = changed_auth(auth, options.auth);
        options.danger_accept_invalid_certs =
            danger_accept_invalid_certs.unwrap_or(options.danger_accept_invalid_certs);
        options.retry = retry.unwrap_or(options.retry);
        options.rate_limit = rate_limit.apply(options.rate_limit);
        options.concurrency = changed_concurrency(concurrency, order_key, options.concurrency)?;
        options.format = format.unwrap_or(options.format);
        options.method = method.unwrap_or(options.method);
        options.timeout_seconds = timeout_seconds.apply(options.timeout_seconds);
        check_timeout(options.timeout_seconds)?;
        check_headers(&options)?;
        check_flow(&options)?;
        check_auth(options.auth.as_ref())?;
        Ok(options)
    }
}

fn changed_concurrency(
    bundles: Option<u32>,
    order_key: Patch<String>,
    before: Option<Concurrency>,
) -> Result<Option<Concurrency>, Error> {
    let (known, path) = match before {
        Some(Concurrency { bundles, order_key }) => (bundles, Some(order_key.into())),
        None => (1, None),
    };
    let order_key = order_key.apply(path);
    Concurrency::new(bundles.unwrap_or(known), order_key.as_deref())
        .map_err(|(field, message)| Error::invalid(field, message))
}

fn with_kept_values(mut headers: Vec<CustomHeader>, before: &[CustomHeader]) -> Vec<CustomHeader> {
    for header in &mut headers {
        header.name.make_ascii_lowercase();
        let known = before.iter().find(|known| known.name == header.name);
        if header.value.is_none() {
            header.value = known.and_then(|known| known.value.clone());
        }
    }
    headers
}

/// A secret stays only with its kind of authentication, and a client secret only with the same
/// token endpoint. Otherwise anybody with the right to change endpoints could have the secret sent
/// to another server.
fn changed_auth(patch: Patch<NativeAuth>, before: Option<NativeAuth>) -> Option<NativeAuth> {
    let mut after = patch.apply(before.clone())?;
    match (&mut after, before) {
        (NativeAuth::Bearer { token }, Some(NativeAuth::Bearer { token: known })) => {
            *token = token.take().or(known);
        }
        (NativeAuth::OAuth2(client), Some(NativeAuth::OAuth2(known)))
            if client.token_url == known.token_url =>
        {
            client.client_secret = client.client_secret.take().or(known.client_secret);
        }
        _ => {}
    }
    Some(after)
}

fn check_timeout(seconds: Option<u8>) -> Result<(), Error> {
    if seconds.is_none_or(|seconds| TIMEOUT_SECONDS.contains(&seconds)) {
        return Ok(());
    }
    let (least, most) = (TIMEOUT_SECONDS.start(), TIMEOUT_SECONDS.end());
    Err(Error::invalid("timeout_seconds", format!("must be {least} to {most} seconds")))
}

fn check_flow(options: &EndpointOptions) -> Result<(), Error> {
    check_retry_rules(&options.retry).map_err(|message| Error::invalid("retry", message))?;
    let limit = options.rate_limit.as_ref().map_or(Ok(()), RateLimit::check);
    limit.map_err(|message| Error::invalid("rate_limit", message))
}

fn check_headers(options: &EndpointOptions) -> Result<(), Error> {
    let headers = &options.headers;
    if headers.len() > HEADERS_MAX {
        let message = format!("must be at most {HEADERS_MAX}, not {}", headers.len());
        return Err(Error::invalid("headers", message));
    }
    let mut bytes = 0;
    for (index, header) in headers.iter().enumerate() {
        let field = |part| format!("headers[{index}].{part}");
        let name = HeaderName::try_from(&header.name).map_err(|_| {
            Error::invalid(field("name"), "must be letters, digits and hyphens, as headers are")
        })?;
        if is_reserved(&name, &options.signing.prefix) {
            let message = format!("{name} cannot be set: the delivery itself sets or forbids it");
            return Err(Error::invalid(field("name"), message));
        }
        if headers[..index].iter().any(|earlier| earlier.name == header.name) {
            return Err(Error::invalid(field("name"), format!("{name} is there twice")));
        }
        let Some(value) = &header.value else {
            return Err(Error::invalid(field("value"), "is required"));
        };
        if !value.expose().is_ascii() || HeaderValue::from_str(value.expose()).is_err() {
            return Err(Error::invalid(field("value"), "must be printable ASCII on one line"));
        }
        bytes += header.name.len() + value.expose().len();
    }
    if bytes > HEADERS_BYTES_MAX {
        let message = format!("must have at most {HEADERS_BYTES_MAX} bytes together, not {bytes}");
        return Err(Error::invalid("headers", message));
    }
    Ok(())
}

fn is_reserved(name: &HeaderName, prefix: &str) -> bool {
    let name = name.as_str();
    let signature = name.strip_prefix(prefix);
    RESERVED.contains(&name)
        || RESERVED_STARTS.iter().any(|start| name.starts_with(start))
        || signature.is_some_and(|end| ["id", "timestamp", "signature"].contains(&end))
}

fn check_auth(auth: Option<&NativeAuth>) -> Result<(), Error> {
    match auth {
        None => Ok(()),
        Some(NativeAuth::Bearer { token }) => {
            let token = required("auth.token", token.as_ref())?;
            let plain = token.bytes().all(|byte| byte.is_ascii_graphic());
            let message = "must be printable ASCII without blanks";
            if plain { Ok(()) } else { Err(Error::invalid("auth.token", message)) }
        }
        Some(NativeAuth::OAuth2(client)) => check_client(client),
    }
}

fn check_client(client: &OAuth2Client) -> Result<(), Error> {
    let OAuth2Client { token_url, client_id, client_secret, scope, credentials_in_body: _ } =
        client;
    let url = url::Url::parse(token_url)
        .map_err(|error| Error::invalid("auth.token_url", error.to_string()))?;
    crate::net::check_url(&url).map_err(|reason| Error::invalid("auth.token_url", reason))?;
    required("auth.client_secret", client_secret.as_ref())?;
    let texts =
        [("auth.client_id", client_id.as_str()), ("auth.scope", scope.as_deref().unwrap_or("-"))];
    for (field, text) in texts {
        if text.is_empty() || text.len() > CREDENTIAL_BYTES_MAX {
            let message = format!("must have 1 to {CREDENTIAL_BYTES_MAX} bytes");
            return Err(Error::invalid(field, message));
        }
    }
    Ok(())
}

fn required<'a>(field: &str, secret: Option<&'a Secret>) -> Result<&'a str, Error> {
    let text = secret.map_or("", Secret::expose);
    match text.len() {
        0 => Err(Error::invalid(field, "is required")),
        1..=CREDENTIAL_BYTES_MAX => Ok(text),
        _ => Err(Error::invalid(field, format!("must have at most {CREDENTIAL_BYTES_MAX} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::entropy::SystemEntropy;

    use super::*;

    fn apply(change: OptionsChange, before: EndpointOptions) -> Result<EndpointOptions, Error> {
        change.apply(before, Timestamp::UNIX_EPOCH, &SystemEntropy)
    }

    fn field(change: OptionsChange) -> String {
        match apply(change, EndpointOptions::default()) {
            Err(Error::Invalid { field, .. }) => field,
            other => panic!("expected an invalid field, got {other:?}"),
        }
    }

    fn header(name: &str, value: Option<&str>) -> CustomHeader {
        CustomHeader { name: name.to_owned(), value: value.map(Secret::new) }
    }

    fn headers(headers: Vec<CustomHeader>) -> OptionsChange {
        OptionsChange { headers: Some(headers), ..OptionsChange::default() }
    }

    fn auth(auth: NativeAuth) -> OptionsChange {
        OptionsChange { auth: Patch::Set(auth), ..OptionsChange::default() }
    }

    fn client(token_url: &str, secret: Option<&str>) -> NativeAuth {
        NativeAuth::OAuth2(OAuth2Client {
            token_url: token_url.to_owned(),
            client_id: "c".to_owned(),
            client_secret: secret.map(Secret::new),
            scope: None,
            credentials_in_body: false,
        })
    }

    #[test]
    fn a_secret_is_made_once() {
        let first = apply(OptionsChange::default(), EndpointOptions::default()).unwrap();
        assert!(first.signing.keys[0].secret.expose().starts_with("whsec_"));
        assert_eq!(apply(OptionsChange::default(), first.clone()).unwrap(), first);
    }

    #[test]
    fn headers_of_others_are_refused() {
        for name in [
            "Authorization",
            "COOKIE",
            "Host",
            "connection",
            "Transfer-Encoding",
            "content-length",
            "Content-Type",
            "proxy-authorization",
            "Webhook-Id",
            "svix-signature",
            "traceparent",
            "x-ultracart-request-id",
            "X-Authorization-Basic",
            "te",
            "upgrade",
            "sec-fetch-mode",
        ] {
            assert_eq!(field(headers(vec![header(name, Some("1"))])), "headers[0].name", "{name}");
        }
        let prefixed = OptionsChange {
            signing_prefix: Some("acme-".to_owned()),
            ..headers(vec![header("acme-id", Some("1"))])
        };
        assert_eq!(field(prefixed), "headers[0].name");
    }

    #[test]
    fn headers_cannot_be_injected() {
        for name in ["", "a b", "a:", "a\r\nb", "a\nb", "a\0", "é", "a\t"] {
            let change = headers(vec![header("x-ok", Some("1")), header(name, Some("1"))]);
            assert_eq!(field(change), "headers[1].name", "{name:?}");
        }
        for value in ["a\r\nX: y", "a\nb", "a\rb", "\0", "\u{7f}", "é"] {
            assert_eq!(field(headers(vec![header("x-a", Some(value))])), "headers[0].value");
        }
        for token in ["a\r\nX: y", "a b", "é", ""] {
            let token = Some(Secret::new(token));
            assert_eq!(field(auth(NativeAuth::Bearer { token })), "auth.token");
        }
        let prefix = Some("a\r\n-".to_owned());
        let change = OptionsChange { signing_prefix: prefix, ..OptionsChange::default() };
        assert_eq!(field(change), "signing.prefix");
        let secret = Some(Secret::new("whsec_x\r\n"));
        let change = OptionsChange { signing_secret: secret, ..OptionsChange::default() };
        assert_eq!(field(change), "signing.secret");
    }

    #[test]
    fn headers_are_bounded() {
        let many = |count| (0..count).map(|i| header(&format!("x-{i}"), Some("1"))).collect();
        assert!(apply(headers(many(20)), EndpointOptions::default()).is_ok());
        assert_eq!(field(headers(many(21))), "headers");
        let long = "v".repeat(HEADERS_BYTES_MAX);
        assert_eq!(field(headers(vec![header("x", Some(&long))])), "headers");
        assert_eq!(field(headers(many(1).into_iter().chain(many(1)).collect())), "headers[1].name");
        assert_eq!(field(headers(vec![header("x", None)])), "headers[0].value");
    }

    #[test]
    fn values_that_are_not_named_stay() {
        let before = apply(headers(vec![header("X-A", Some("1"))]), EndpointOptions::default());
        let after = apply(headers(vec![header("x-a", None)]), before.unwrap()).unwrap();
        assert_eq!(after.headers, [header("x-a", Some("1"))]);
    }

    #[test]
    fn a_secret_stays_with_its_token_endpoint() {
        let set = auth(client("https://t.test/a", Some("s")));
        let before = apply(set, EndpointOptions::default()).unwrap();
        let same = apply(auth(client("https://t.test/a", None)), before.clone()).unwrap();
        assert_eq!(same, before);
        let moved = apply(auth(client("https://evil.test/", None)), before.clone());
        assert!(
            matches!(moved, Err(Error::Invalid { field, .. }) if field == "auth.client_secret")
        );
        let token = apply(auth(NativeAuth::Bearer { token: None }), before);
        assert!(matches!(token, Err(Error::Invalid { field, .. }) if field == "auth.token"));
        assert_eq!(field(auth(client("ftp://t.test/", Some("s")))), "auth.token_url");
    }

    #[test]
    fn concurrency_and_its_key_go_together() {
        let change = |concurrency, order_key| OptionsChange {
            concurrency,
            order_key,
            ..OptionsChange::default()
        };
        let set = |path: &str| Patch::Set(path.to_owned());
        let before = apply(change(Some(4), set("a.b")), EndpointOptions::default()).unwrap();
        assert_eq!(before.concurrency, Concurrency::new(4, Some("a.b")).unwrap());
        let more = apply(change(Some(8), Patch::Keep), before.clone()).unwrap();
        assert_eq!(more.concurrency, Concurrency::new(8, Some("a.b")).unwrap());
        let other = apply(change(None, set("c")), before.clone()).unwrap();
        assert_eq!(other.concurrency, Concurrency::new(4, Some("c")).unwrap());
        assert_eq!(apply(OptionsChange::default(), before.clone()).unwrap(), before);
        let one = apply(change(Some(1), Patch::Clear), before.clone()).unwrap();
        assert_eq!(one.concurrency, None);
        for (change, field) in [
            (change(Some(0), Patch::Keep), "concurrency"),
            (change(Some(33), Patch::Keep), "concurrency"),
            (change(Some(1), Patch::Keep), "order_key"),
            (change(None, Patch::Clear), "order_key"),
            (change(None, set("a[0]")), "order_key"),
        ] {
            let refused = apply(change, before.clone());
            assert!(matches!(&refused, Err(Error::Invalid { field: f, .. }) if f == field));
        }
    }

    #[test]
    fn rules_and_limits_are_checked_and_replaced_whole() {
        let rule = |after| RetryRule {
            status: "404".parse().unwrap(),
            action: hookyard_core::model::RetryAction::Drop,
            after,
        };
        let limit = |count| RateLimit {
            unit: hookyard_core::model::RateUnit::Events,
            count,
            seconds: 1,
            burst: None,
        };
        let change = |after, count| OptionsChange {
            retry: Some(vec![rule(after)]),
            rate_limit: Patch::Set(limit(count)),
            ..OptionsChange::default()
        };
        let entropy = SystemEntropy;
        let apply =
            |change: OptionsChange, options| change.apply(options, Timestamp::UNIX_EPOCH, &entropy);
        let both = apply(change(Some(2), 5), EndpointOptions::default()).unwrap();
        assert_eq!((&*both.retry, both.rate_limit), (&[rule(Some(2))][..], Some(limit(5))));
        assert_eq!(apply(OptionsChange::default(), both.clone()).unwrap(), both);
        for (after, count, at) in [(Some(0), 5, "retry"), (None, 0, "rate_limit")] {
            let refused = apply(change(after, count), both.clone());
            assert!(
                matches!(&refused, Err(Error::Invalid { field, .. }) if field == at),
                "{refused:?}"
            );
        }
        let none = OptionsChange {
            retry: Some(Vec::new()),
            rate_limit: Patch::Clear,
            ..OptionsChange::default()
        };
        let cleared = apply(none, both).unwrap();
        assert_eq!((cleared.retry.len(), cleared.rate_limit), (0, None));
    }
}
