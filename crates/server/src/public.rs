//! The URL of this server for people, devices and senders.

use axum::http::HeaderMap;
use axum::http::header::HOST;

use crate::{App, Settings};

/// The longest host name that is repeated in answers: the longest of DNS, and a port.
const HOST_CHARS_MAX: usize = 260;

/// The public URL without a slash at the end: the operator's setting, or else http and the host that the
/// request names. `None` without either.
pub(crate) fn url(settings: &Settings, headers: &HeaderMap) -> Option<String> {
    if let Some(url) = &settings.public_url {
        return Some(url.clone());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let sound = !host.is_empty() && host.len() <= HOST_CHARS_MAX && host.bytes().all(usual);
    sound.then(|| format!("http://{host}"))
}

impl App {
    /// A path of this server as callers see the path: behind the path of the public URL, if the URL has one.
    pub(crate) fn link(&self, path: &str) -> String {
        let prefix = self.settings.public_url.as_deref().map_or("", path_of);
        format!("{prefix}{path}")
    }
}

/// The path of a URL, without a slash at the end.
fn path_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or("", |at| url[host + at..].trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn the_path_is_behind_the_host() {
        assert_eq!(path_of("https://hooks.example.com"), "");
        assert_eq!(path_of("https://hooks.example.com:8443/"), "");
        assert_eq!(path_of("http://[::1]:80/in/here/"), "/in/here");
    }
}
