//! A request as seen by a verifier.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method};

use super::place::Place;
use crate::body;
use crate::form::FIELDS_MAX;
use crate::form::multipart::{self, Part};
use crate::signature::text_of as text;

/// The most values looked at in a place: a sender with rotating keys sends two or three.
pub(super) const VALUES_MAX: usize = 20;

/// A request as seen by a verifier.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The whole URL as called by the sender, if known.
    pub url: Option<&'a str>,
    /// The query as received, without the question mark.
    pub query: &'a str,
    /// The body as received over the wire.
    pub body: &'a [u8],
}

impl Request<'_> {
    fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the body is declared as an urlencoded form.
    pub(super) fn is_form(&self) -> bool {
        body::essence(self.content_type()) == "application/x-www-form-urlencoded"
    }

    /// The values of a field of the form that the body is, if it is one.
    fn fields(&self, wanted: &str) -> Vec<String> {
        let bytes = body::without_mark(self.body);
        if self.is_form() {
            let pairs = form_urlencoded::parse(bytes).take(FIELDS_MAX);
            let values = pairs.filter(|(name, _)| name == wanted).take(VALUES_MAX);
            return values.map(|(_, value)| value.into_owned()).collect();
        }
        if body::essence(self.content_type()) != "multipart/form-data" {
            return Vec::new();
        }
        let parts = multipart::parse(self.content_type(), bytes).unwrap_or_default();
        let values = parts.into_iter().filter_map(|(name, part)| match part {
            Part::Text(text) if name == wanted => Some(text),
            _ => None,
        });
        values.take(VALUES_MAX).collect()
    }
}

/// A request, or a single item of the body, with the facts proved so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) request: &'a Request<'a>,
    /// The item, where each is signed by itself.
    pub(super) item: Option<&'a str>,
    /// The token's claims, after the check of the signature.
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
                .filter_map(|value| text(value).map(Cow::Borrowed))
                .collect(),
            Place::HeaderFamily(stem) => headers
                .iter()
                .filter(|(name, _)| in_family(name, stem))
                .take(VALUES_MAX)
                .filter_map(|(_, value)| text(value).map(Cow::Borrowed))
                .collect(),
            Place::Query(name) => form_urlencoded::parse(self.request.query.as_bytes())
                .filter(|(key, _)| key == name)
                .take(VALUES_MAX)
                .map(|(_, value)| value)
                .collect(),
            Place::Form(name) => self.request.fields(name).into_iter().map(Cow::Owned).collect(),
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
    let (name, rest) = text(headers.get(AUTHORIZATION)?)?.trim().split_once(' ')?;
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
        assert_eq!(find(&sight, "form:k"), "");
        sight.item = Some(r#"{"k":8}"#);
        sight.claims = Some(br#"{"iat":9}"#);
        assert_eq!(find(&sight, "item:/k") + &find(&sight, "claim:iat"), "89");
    }

    #[test]
    fn fields_are_found_in_forms_of_both_kinds() {
        let multipart = "--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nx y\r\n--B\r\n\
            Content-Disposition: form-data; name=\"t\"; filename=\"f\"\r\n\r\nz\r\n--B--";
        for (kind, body) in [
            ("application/x-www-form-urlencoded", "\u{feff}t=x+y&u=1"),
            ("multipart/form-data; boundary=B", multipart),
        ] {
            let headers = headers(&[("content-type", kind)]);
            let request = Request {
                method: &Method::POST,
                headers: &headers,
                url: None,
                query: "t=query",
                body: body.as_bytes(),
            };
            let place = "form:t".parse().unwrap();
            assert_eq!(Sight::whole(&request).values(&place), ["x y"], "{kind}");
        }
    }

    #[test]
    fn values_of_headers_are_utf_8() {
        let mut headers = HeaderMap::new();
        headers.insert("x-gitlab-token", http::HeaderValue::from_bytes("tök".as_bytes()).unwrap());
        let request =
            Request { method: &Method::POST, headers: &headers, url: None, query: "", body: b"" };
        let place = "header:x-gitlab-token".parse().unwrap();
        assert_eq!(Sight::whole(&request).values(&place), ["tök"]);
    }
}
