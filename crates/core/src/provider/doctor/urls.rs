//! Candidates for the URL used by a sender.

use std::borrow::Cow;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::form::FIELDS_MAX;
use crate::provider::request::Request;

/// Headers with the original host, set by proxies.
const HOST_HEADERS: [&str; 2] = ["x-forwarded-host", "host"];

/// Headers with the original path or whole URL, set by proxies: nginx, IIS, Traefik and Envoy.
const TARGET_HEADERS: [&str; 5] = [
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-forwarded-uri",
    "x-envoy-original-path",
];

/// The header with the removed start of the path, set by proxies.
const PREFIX_HEADER: &str = "x-forwarded-prefix";

/// The header with the original port, set by proxies.
const PORT_HEADER: &str = "x-forwarded-port";

/// The most URLs tried: each hashes the body once.
const URLS_MAX: usize = 200;

/// URLs similar to the server's own URL for the request, the likely URLs first.
pub(super) fn candidates(request: &Request<'_>) -> Vec<String> {
    let Some(own) = request.url else { return Vec::new() };
    let Some((scheme, rest)) = own.split_once("://") else { return Vec::new() };
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut found = Vec::new();
    let mut add = |url: String| {
        if found.len() < URLS_MAX && url != own && !found.contains(&url) {
            found.push(url);
        }
    };
    for value in TARGET_HEADERS.iter().filter_map(|name| first(request.headers, name)) {
        if value.contains("://") {
            add(value.to_owned());
        }
    }
    let hosts = hosts(request.headers, authority);
    for target in targets(request.headers, target) {
        for host in &hosts {
            for scheme in [scheme, "https", "http"] {
                add(format!("{scheme}://{host}{target}"));
            }
            // The default port, written out.
            if !host.contains(':') {
                add(format!("https://{host}:443{target}"));
                add(format!("http://{host}:80{target}"));
            }
        }
    }
    found
}

/// The possible hosts, with ports.
fn hosts(headers: &HeaderMap, own: &str) -> Vec<String> {
    let mut hosts = vec![own.to_owned()];
    hosts.extend(HOST_HEADERS.iter().filter_map(|name| first(headers, name)).map(str::to_owned));
    let port = first(headers, PORT_HEADER);
    for at in 0..hosts.len() {
        let bare = hosts[at].rsplit_once(':').map_or(&hosts[at][..], |(bare, _)| bare).to_owned();
        hosts.extend(port.map(|port| format!("{bare}:{port}")));
        hosts.push(bare);
    }
    hosts
}

/// The possible paths with queries, the likely paths first.
fn targets(headers: &HeaderMap, own: &str) -> Vec<String> {
    let mut targets = vec![own.to_owned()];
    for value in TARGET_HEADERS.iter().filter_map(|name| first(headers, name)) {
        if value.starts_with('/') {
            targets.push(value.to_owned());
        }
    }
    if let Some(prefix) = first(headers, PREFIX_HEADER) {
        targets.push(format!("{}{own}", prefix.trim_end_matches('/')));
    }
    let (path, query) =
        own.split_once('?').map_or((own, None), |(path, query)| (path, Some(query)));
    let slash = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
    if let Some(query) = query {
        targets.push(format!("{slash}?{query}"));
        targets.push(path.to_owned());
    }
    targets.push(slash);
    // Some frameworks undo or rewrite escapes before the sender's library signs the URL.
    for at in 0..targets.len() {
        targets.extend(respelled(&targets[at]));
    }
    targets
}

/// A target with escapes undone, and a target with the query in the form encoding.
fn respelled(target: &str) -> Vec<String> {
    let decoded = percent_decode_str(target).decode_utf8().ok();
    let decoded = decoded.filter(|decoded| decoded != target).map(Cow::into_owned);
    let form = target.split_once('?').map(|(path, query)| {
        let pairs = form_urlencoded::parse(query.as_bytes()).take(FIELDS_MAX);
        let start = path.len() + 1;
        let mut written = form_urlencoded::Serializer::for_suffix(format!("{path}?"), start);
        written.extend_pairs(pairs);
        written.finish()
    });
    decoded.into_iter().chain(form.filter(|form| form != target)).collect()
}

/// The value of a header, the first of a list: the outermost proxy's.
fn first<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    let first = value.split(',').next().unwrap_or_default().trim();
    (!first.is_empty()).then_some(first)
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
        assert!(found.len() <= URLS_MAX, "{}", found.len());
        assert!(candidates(&Request { url: None, ..request }).is_empty());
        assert!(!candidates(&Request { url: Some("http://a"), ..request }).is_empty());
    }

    #[test]
    fn escapes_are_undone_and_written_anew() {
        let headers = headers(&[]);
        let request = Request {
            method: &Method::POST,
            headers: &headers,
            url: Some("https://a.example:8443/k?C=sip%3A1%40h&b=~x y"),
            query: "C=sip%3A1%40h&b=~x y",
            body: b"",
        };
        let found = candidates(&request);
        for url in [
            "https://a.example:8443/k?C=sip:1@h&b=~x y",
            "https://a.example/k?C=sip:1@h&b=~x y",
            "https://a.example:8443/k?C=sip%3A1%40h&b=%7Ex+y",
        ] {
            assert!(found.iter().any(|it| it == url), "{url} {found:?}");
        }
    }

    #[test]
    fn what_proxies_say_of_the_url_is_believed() {
        let headers = headers(&[
            ("x-forwarded-host", "outer.example, inner.example"),
            ("x-forwarded-port", "8443"),
            ("x-forwarded-prefix", "/hooks/"),
            ("x-original-uri", "/public/k?x=1"),
            ("x-original-url", "https://whole.example/k"),
        ]);
        let request = Request {
            method: &Method::POST,
            headers: &headers,
            url: Some("http://127.0.0.1:8080/webhook/data/k?x=1"),
            query: "x=1",
            body: b"",
        };
        let found = candidates(&request);
        for url in [
            "https://whole.example/k",
            "https://outer.example/hooks/webhook/data/k?x=1",
            "https://outer.example:8443/webhook/data/k?x=1",
            "https://outer.example/public/k?x=1",
        ] {
            assert!(found.iter().any(|it| it == url), "{url} {found:?}");
        }
        assert!(found.len() <= URLS_MAX, "{}", found.len());
    }
}
