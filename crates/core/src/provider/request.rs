//! A request as a verifier sees it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method};

use super::place::Place;

/// The most values of one place that are looked at: a sender that rotates keys sends two or three.
pub(super) const VALUES_MAX: usize = 20;

/// A request as a verifier sees it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The whole URL as the sender called it, where it is known.
    pub url: Option<&'a str>,
    /// The query as it came, without the question mark.
    pub query: &'a str,
    /// The body as it came over the wire.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// Whether the body says that it is an urlencoded form.
    pub(super) fn is_form(&self) -> bool {
        let value = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

/// A request, or one item of it, with what was proved about it so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) request: &'a Request<'a>,
    /// The item, where each is signed by itself.
    pub(super) item: Option<&'a str>,
    /// The claims of the token, once its signature is right.
    pub(super) claims: Option<&'a [u8]>,
}

impl<'a> Sight<'a> {
    pub(super) fn whole(request: &'a Request<'a>) -> Self {
        Self { request, item: None, claims: None }
    }

    /// The values at a place, at most twenty.
    pub(super) fn values(&self, place: &Place) -> Vec<Cow<'a, str>> {
        let headers = self.request.headers;
        match place {
            Place::HeaderOr(first, second) => {
                let name = if headers.contains_key(first) { first } else { second };
                self.values(&Place::Header(name.clone()))
            }
            Place::Header(name) => headers
                .get_all(name.as_str())
                .iter()
                .take(VALUES_MAX)
                .filter_map(|value| value.to_str().ok().map(Cow::Borrowed))
                .collect(),
            Place::HeaderFamily(stem) => headers
                .iter()
                .filter(|(name, _)| in_family(name, stem))
                .take(VALUES_MAX)
                .filter_map(|(_, value)| value.to_str().ok().map(Cow::Borrowed))
                .collect(),
            Place::Query(name) => form_urlencoded::parse(self.request.query.as_bytes())
                .filter(|(key, _)| key == name)
                .take(VALUES_MAX)
                .map(|(_, value)| value)
                .collect(),
            Place::Json(pointer) => pointer.text(self.request.body).into_iter().collect(),
            Place::Item(pointer) => {
                self.item.and_then(|item| pointer.text(item.as_bytes())).into_iter().collect()
            }
            Place::Claim(name) => {
                let member = super::pointer::Pointer::member(name);
                self.claims.and_then(|claims| member.text(claims)).into_iter().collect()
            }
            Place::Bearer => {
                credentials(headers, "bearer").map(Cow::Borrowed).into_iter().collect()
            }
            Place::Basic => basic(headers).map(Cow::Owned).into_iter().collect(),
        }
    }

    /// The first value at a place.
    pub(super) fn value(&self, place: &Place) -> Option<Cow<'a, str>> {
        self.values(place).into_iter().next()
    }
}

fn in_family(name: &HeaderName, stem: &str) -> bool {
    name.as_str().strip_prefix(stem).is_some_and(|rest| {
        !rest.is_empty() && rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn credentials<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let (name, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn basic(headers: &HeaderMap) -> Option<String> {
    String::from_utf8(STANDARD.decode(credentials(headers, "basic")?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::headers;

    #[test]
    fn values_are_found_in_their_places() {
        let headers = headers(&[
            ("x-a", "1"),
            ("x-docusign-signature-1", "s1"),
            ("x-docusign-signature-12", "s2"),
            ("x-docusign-signature-x", "no"),
            ("authorization", "Basic dTpw"),
            ("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8"),
        ]);
        let request = Request {
            method: &Method::POST,
            headers: &headers,
            url: None,
            query: "a=1&hub.challenge=x%20y+z&a=2",
            body: br#"{"k":7}"#,
        };
        let mut sight = Sight::whole(&request);
        let find = |sight: &Sight<'_>, place: &str| sight.values(&place.parse().unwrap()).join("|");
        assert_eq!(find(&sight, "header:X-A"), "1");
        assert_eq!(find(&sight, "header:X-DocuSign-Signature-*"), "s1|s2");
        assert_eq!(find(&sight, "header:X-A|X-B") + &find(&sight, "header:X-B|X-A"), "11");
        assert_eq!(find(&sight, "query:hub.challenge"), "x y z");
        assert_eq!(find(&sight, "query:a"), "1|2");
        assert_eq!(find(&sight, "json:/k"), "7");
        assert_eq!(find(&sight, "basic"), "u:p");
        assert_eq!(find(&sight, "bearer"), "");
        assert_eq!(find(&sight, "item:/k") + &find(&sight, "claim:iat"), "");
        assert!(request.is_form());
        sight.item = Some(r#"{"k":8}"#);
        sight.claims = Some(br#"{"iat":9}"#);
        assert_eq!(find(&sight, "item:/k") + &find(&sight, "claim:iat"), "89");
    }
}
