//! The URL of this server for people, devices and senders.

use axum::http::HeaderMap;
use axum::http::header::HOST;

use crate::Settings;

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
