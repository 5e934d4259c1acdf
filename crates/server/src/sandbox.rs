//! Limits on browsers' use of answers.
//!
//! Strangers decide about parts of answers: a source's owner sets the source's answer, and rows, bodies and
//! texts come from anywhere. On the origin of the pages where people type credentials, no such part may
//! become a page with scripts, nor a script or a style of a page.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// A document in an origin of its own, without scripts, forms and loaded parts.
pub(crate) const POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// The header alone decides the type of an answer, and browsers do not guess.
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The browser's purpose of a request (Fetch Metadata).
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The purposes for which an answer would run, or change the look of a page.
const ACTIVE: [&[u8]; 10] = [
    b"script",
    b"style",
    b"worker",
    b"sharedworker",
    b"serviceworker",
    b"audioworklet",
    b"paintworklet",
    b"xslt",
    b"object",
    b"embed",
];

/// A type that no browser runs or uses as a style.
const INERT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers are for their callers alone, and many contain a secret: keys in paths, passwords, tokens.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Confines an answer without a policy of its own, and keeps the answer out of caches. Every answer passes
/// here.
pub(crate) fn confine(answer: &mut HeaderMap) {
    answer.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    answer.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    answer.entry(CACHE_CONTROL).or_insert(NO_STORE);
}

/// Makes plain text of an answer that a browser wants to run or to use as a style: a policy with the
/// server's own scripts would let such an answer through.
pub(crate) fn disarm(asked: &HeaderMap, answer: &mut HeaderMap) {
    let destination = asked.get(DESTINATION).map(HeaderValue::as_bytes);
    if destination.is_some_and(|wanted| ACTIVE.contains(&wanted)) {
        answer.insert(CONTENT_TYPE, INERT);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::{Value, json};

    use crate::mammoth::tests::{Api, PAIR};
    use crate::native::tests::walk;
    use crate::test_server::{Answer, SIMPLE_KEY, TestServer};
    use crate::{mammoth, ultracart};

    fn assert_confined(answer: &Answer, what: &str) {
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{what}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'"), "{what}: {policy}");
        let is_page = answer
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.to_str().unwrap_or_default().starts_with("text/html"));
        assert!(is_page || policy == super::POLICY, "{what}: {policy}");
    }

    #[tokio::test]
    async fn every_answer_is_confined() {
        let server = TestServer::start().await;
        let native = walk::operations().into_iter().map(|operation| operation.path);
        let below = |path: &str| format!("{}{path}", ultracart::BASE_PATH);
        let ultracart = ultracart::routes().into_iter().map(|(path, _)| below(path));
        let paths =
            ["/livez", "/readyz", "/", "/nothing", "/webhook", "/webhook/data/none", "/rest"];
        let others = paths.map(str::to_owned).into_iter().chain(mammoth::routes());
        let paths: Vec<_> = native.chain(ultracart).chain(others).collect();
        for path in paths {
            for key in ["", SIMPLE_KEY] {
                for method in ["GET", "POST", "TRACE"] {
                    let path = path.replace(['{', '}', '*'], "");
                    let request = Request::builder().method(method).uri(&path);
                    let request = request.header("x-ultracart-simple-key", key);
                    let answer = server.send(request.body(Body::empty()).unwrap()).await;
                    assert_confined(&answer, &format!("{method} {path}"));
                }
            }
        }
    }

    #[tokio::test]
    async fn a_sources_answer_is_no_script_on_this_origin() {
        let api = Api::start().await;
        let page = "<script>alert(1)</script>";
        let body = json!({"name": "s", "answer": {"content_type": "text/html", "body": page}});
        let headers = [PAIR[0], PAIR[1], ("content-type", "application/json")];
        let made = api.send("POST", "/v1/sources", &headers, body.to_string()).await;
        let made: Value = serde_json::from_str(&made.body).unwrap();
        let target = made["path"].as_str().unwrap();
        for (destination, kind) in [
            ("document", "text/html"),
            ("iframe", "text/html"),
            ("empty", "text/html"),
            ("script", "text/plain; charset=utf-8"),
            ("style", "text/plain; charset=utf-8"),
            ("worker", "text/plain; charset=utf-8"),
            ("sharedworker", "text/plain; charset=utf-8"),
            ("serviceworker", "text/plain; charset=utf-8"),
            ("object", "text/plain; charset=utf-8"),
            ("embed", "text/plain; charset=utf-8"),
        ] {
            for prefix in ["", "/api/v1", "/api/v2"] {
                let headers = [("sec-fetch-dest", destination)];
                let target = format!("{prefix}{target}?a=1");
                let answer = api.send("GET", &target, &headers, "").await;
                assert_eq!((answer.status.as_u16(), &*answer.body), (200, page), "{destination}");
                assert_eq!(answer.headers["content-type"], kind, "{destination}");
                assert_confined(&answer, destination);
            }
        }
    }
}
