//! The secret itself as the proof: in a header, as a bearer token, as a basic password or in the
//! query.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

use super::{same, text};

/// The header for the secret.
pub const HEADER: HeaderName = HeaderName::from_static("x-webhook-secret");
/// The same under the vendor's name.
pub const VENDOR_HEADER: HeaderName = HeaderName::from_static("x-mammoth-webhook-secret");
/// The query parameter for the secret, for senders that take a URL and nothing else.
pub const QUERY_PARAMETER: &str = "secret";

/// Whether the headers or the query carry the secret. `in_query` are the values that the query
/// gives for [`QUERY_PARAMETER`].
pub fn verify<'a>(
    headers: &HeaderMap,
    in_query: impl IntoIterator<Item = &'a str>,
    secret: &str,
) -> bool {
    let is_secret = |candidate: &str| same(candidate.as_bytes(), secret.as_bytes());
    let plain = [text(headers, &HEADER), text(headers, &VENDOR_HEADER), bearer(headers)];
    plain.into_iter().flatten().any(is_secret)
        || basic_password(headers).is_some_and(|password| same(&password, secret.as_bytes()))
        || in_query.into_iter().any(is_secret)
}

/// The token of `Authorization: Bearer`; the scheme's name is in any case.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials(headers, "bearer")
}

/// The password of `Authorization: Basic`, whoever the user is.
fn basic_password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let decoded = STANDARD.decode(credentials(headers, "basic")?).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (name, rest) = text(headers, &AUTHORIZATION)?.trim().split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::headers;

    const SECRET: &str = "V36QXDxGiwSa";

    #[test]
    fn each_place_is_enough() {
        // `u:V36QXDxGiwSa` and `:V36QXDxGiwSa` in base64.
        for (name, value) in [
            ("x-webhook-secret", SECRET),
            ("x-mammoth-webhook-secret", SECRET),
            ("authorization", "Bearer V36QXDxGiwSa"),
            ("authorization", "bearer  V36QXDxGiwSa"),
            ("authorization", "Basic dTpWMzZRWER4R2l3U2E="),
            ("authorization", "Basic OlYzNlFYRHhHaXdTYQ=="),
        ] {
            assert!(verify(&headers(&[(name, value)]), [], SECRET), "{name}: {value}");
        }
        assert!(verify(&headers(&[]), ["x", SECRET], SECRET));
    }

    #[test]
    fn a_secret_need_not_be_ascii() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, http::HeaderValue::from_bytes("ключ".as_bytes()).unwrap());
        assert!(verify(&headers, [], "ключ"));
    }

    #[test]
    fn nothing_else_is() {
        for (name, value) in [
            ("x-webhook-secret", "V36QXDxGiws"),
            ("x-webhook-secret", ""),
            ("x-webhook-secret", "v36qxdxgiwsa"),
            ("authorization", SECRET),
            ("authorization", "Bearer"),
            ("authorization", "Token V36QXDxGiwSa"),
            // `V36QXDxGiwSa` and `V36QXDxGiwSa:x`: the user counts for nothing.
            ("authorization", "Basic VjM2UVhEeEdpd1Nh"),
            ("authorization", "Basic VjM2UVhEeEdpd1NhOng="),
            ("authorization", "Basic !"),
        ] {
            assert!(!verify(&headers(&[(name, value)]), [], SECRET), "{name}: {value}");
        }
        assert!(!verify(&headers(&[]), [""], SECRET));
    }
}
