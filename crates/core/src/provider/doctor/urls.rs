//! URLs that a sender may have meant.

use http::HeaderName;
use http::header::HOST;

use crate::provider::request::Request;

/// Headers in which a proxy says for which host a request was.
const HOST_HEADERS: [HeaderName; 2] = [HeaderName::from_static("x-forwarded-host"), HOST];

/// URLs like the one that the server takes for its own, the likely ones first.
pub(super) fn candidates(request: &Request<'_>) -> Vec<String> {
    let Some(own) = request.url else { return Vec::new() };
    let Some((scheme, rest)) = own.split_once("://") else { return Vec::new() };
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let mut hosts = vec![authority.to_owned()];
    for name in HOST_HEADERS {
        hosts.extend(
            request.headers.get(name).and_then(|host| Some(host.to_str().ok()?.to_owned())),
        );
    }
    if let Some((bare, _)) = authority.rsplit_once(':') {
        hosts.push(bare.to_owned());
    }
    let slash = match path.strip_suffix('/') {
        Some(bare) => bare.to_owned(),
        None => format!("{path}/"),
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut found = Vec::new();
    for host in &hosts {
        for (scheme, port) in
            [(scheme, ""), ("https", ""), ("http", ""), ("https", ":443"), ("http", ":80")]
        {
            for path in [path, &slash] {
                for query in [query.as_str(), ""] {
                    let url = format!("{scheme}://{host}{port}{path}{query}");
                    if url != own && !found.contains(&url) {
                        found.push(url);
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::testing::headers;
    use http::Method;

    #[test]
    fn the_usual_mistakes_are_among_them() {
        let headers = headers(&[("host", "inner:8080"), ("x-forwarded-host", "outer.example")]);
        let request = Request {
            method: &Method::POST,
            headers: &headers,
            url: Some("http://a.example:81/webhook/data/k?x=1"),
            query: "x=1",
            body: b"",
        };
        let found = candidates(&request);
        for url in [
            "https://a.example:81/webhook/data/k?x=1",
            "http://a.example/webhook/data/k?x=1",
            "http://a.example:81/webhook/data/k/?x=1",
            "http://a.example:81/webhook/data/k",
            "https://outer.example/webhook/data/k?x=1",
            "http://inner:8080/webhook/data/k?x=1",
        ] {
            assert!(found.iter().any(|it| it == url), "{url}");
        }
        assert!(found.len() <= 80, "{}", found.len());
        assert!(candidates(&Request { url: None, ..request }).is_empty());
        assert!(!candidates(&Request { url: Some("http://a"), ..request }).is_empty());
    }
}
