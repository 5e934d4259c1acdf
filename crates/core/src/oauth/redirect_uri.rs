//! Redirect URIs: the return addresses of an authorization.
//!
//! A registered URI is compared character by character, never as parsed: a text read differently by two
//! parsers lets codes end up at strangers. So registered URIs are so plain as to have a single reading.

use url::{Host, Url};

/// The longest URI, in characters: not all browsers and proxies take longer URIs.
pub const CHARS_MAX: usize = 2_000;

/// Checks a URI before registration: https, or plain http to the machine itself (RFC 8252, section 7.3), or a
/// private scheme with a dot, as in a reversed domain name (section 7.1).
pub fn check(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > CHARS_MAX {
        return Err(format!("must have 1 to {CHARS_MAX} characters"));
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&byte);
    if !text.bytes().all(plain) {
        return Err("must be printable ASCII without quotes, brackets and backslashes; \
                    percent-encode what else there is"
            .to_owned());
    }
    if text.contains('#') {
        return Err("must not have a fragment".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("is not an absolute URI: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not name a user".to_owned());
    }
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    match url.scheme() {
        // Other readers take the scheme's letters as written, not lowered as by the parser.
        lowered if lowered != scheme => Err("must have its scheme in lower case".to_owned()),
        "https" | "http" => check_web(&url, rest),
        private if is_reversed_domain(private) => Ok(()),
        _ => {
            Err("must begin with https://, with http:// and the machine's own address, or with a \
                  private scheme such as com.example.app:"
                .to_owned())
        }
    }
}

/// Schemes with an action, or with a read of the named thing, in some browser or system. A reader of a
/// scheme's first letters alone must not find such a scheme.
const ACTING: [&str; 14] = [
    "about",
    "blob",
    "chrome",
    "data",
    "file",
    "filesystem",
    "ftp",
    "http",
    "https",
    "jar",
    "resource",
    "view-source",
    "ws",
    "wss",
];

/// Schemes with code to run. Another scheme must not contain any of these names.
const RUNNING: [&str; 3] = ["javascript", "livescript", "vbscript"];

/// Whether a private scheme is a reversed domain name (RFC 8252, section 7.1): two labels and more, of
/// letters, digits and hyphens. No acting scheme is a top-level domain, so none can be the first label.
fn is_reversed_domain(scheme: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !RUNNING.contains(&label)
    };
    let first = scheme.split('.').next().unwrap_or_default();
    scheme.contains('.') && !ACTING.contains(&first) && scheme.split('.').all(is_label)
}

fn check_web(url: &Url, rest: &str) -> Result<(), String> {
    let authority = rest.strip_prefix("//").unwrap_or_default();
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err("must name a host".to_owned());
    }
    if authority.contains('@') {
        return Err("must not name a user".to_owned());
    }
    let here = match url.host() {
        // Parsers of URIs let more characters through. In a policy such a character is a wildcard or begins
        // another word.
        Some(Host::Domain(name)) if !name.bytes().all(is_of_a_name) => {
            return Err("must name a host of letters, digits, hyphens and dots".to_owned());
        }
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || here {
        return Ok(());
    }
    Err("must begin with https://: plain http is for the machine's own address only".to_owned())
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

/// The source expression for a checked URI in a content security policy. A policy has no words for an IPv6
/// address, nor for the target of a private scheme.
pub fn policy_source(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.origin().is_tuple() && !matches!(url.host(), Some(Host::Ipv6(_))) => {
            url.origin().ascii_serialization()
        }
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => String::new(),
    }
}

/// The URI with parameters added to the query; the URI's own parameters stay unchanged.
pub fn with_parameters(uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(parameters);
    let separator = match uri.find('?') {
        None => "?",
        Some(_) if uri.ends_with(['?', '&']) => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{}", pairs.finish())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_web_the_machine_itself_and_private_schemes_are_fine() {
        for (text, source) in [
            ("https://a.test/cb", "https://a.test"),
            ("https://a.test:8443/cb?x=1&y=%20", "https://a.test:8443"),
            ("http://127.0.0.1:4711/cb", "http://127.0.0.1:4711"),
            ("http://[::1]/cb", "http:"),
            ("http://localhost:3000/", "http://localhost:3000"),
            ("com.example.app:/back", "com.example.app:"),
            ("com.example.app://back", "com.example.app:"),
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
            assert_eq!(policy_source(text), source);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "/cb",
            "a.test/cb",
            "https:a.test",
            "https:///cb",
            "https://",
            "HTTPS://a.test/",
            "http://a.test/cb",
            "http://127.0.0.1.a.test/",
            "https://me@a.test/",
            "com.example.app://me@back",
            "https://a.test/#x",
            "https://a.test/\r\nx: y",
            "https://a.test/ b",
            "https://a.test\\@b.test/",
            "https://a.test/<script>",
            "https://é.test/",
            "https://,/cb",
            "https://*.test/cb",
            "https://a%2ctest/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "blob:https://a.test/x",
            "urn:ietf:wg:oauth:2.0:oob",
            "javascript.x:alert(1)",
            "x.javascript:alert(1)",
            "com.vbscript.app:/cb",
            "data.x:text/html,x",
            "file.x:///etc/passwd",
            "view-source.x:https://a.test/",
            "com.:/cb",
            "com..app:/cb",
            "com.a+b:/cb",
        ] {
            assert!(check(text).is_err(), "{text:?}");
        }
        assert!(check(&format!("https://a.test/{}", "a".repeat(CHARS_MAX))).is_err());
    }

    #[test]
    fn parameters_are_added_to_what_is_there() {
        let parameters = [("code", "a b&c"), ("state", "é")];
        let added = "code=a+b%26c&state=%C3%A9";
        for (uri, separator) in [
            ("https://a.test/cb", "?"),
            ("https://a.test/cb?x=1", "&"),
            ("https://a.test/cb?", ""),
            ("com.example.app:/cb", "?"),
        ] {
            assert_eq!(with_parameters(uri, &parameters), format!("{uri}{separator}{added}"));
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_read_one_way(text in r"(https?|[a-z.]{1,5}):/{0,3}[ -~]{0,20}") {
            if check(&text).is_ok() {
                let sent = with_parameters(&text, &[("code", "x")]);
                let url = Url::parse(&sent).unwrap();
                prop_assert_eq!(url.query_pairs().last().unwrap().0, "code");
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(!policy_source(&text).contains([' ', ';', ',', '*']));
                if url.scheme() == "http" {
                    let host = url.host_str().unwrap();
                    prop_assert!(host == "localhost" || host.starts_with("127.") || host == "[::1]");
                }
            }
        }
    }
}
