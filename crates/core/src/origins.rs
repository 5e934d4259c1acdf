//! Which browser origins may deliver to a source (docs/spec/mammoth.md#origins).
//!
//! The list is text as its owner wrote it: `*`, or entries of the forms `scheme://host[:port]` and
//! `scheme://*.domain[:port]`, separated by commas or blanks. An entry of any other form allows
//! nobody; an empty list allows no browser at all.

/// What a list says of one origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every origin is allowed.
    Any,
    /// This origin is allowed by name.
    Listed,
    /// It is not allowed.
    Refused,
}

/// Judges the value of an `Origin` header against a source's list.
pub fn judge(list: &str, origin: &str) -> Verdict {
    if entries(list).any(|entry| entry == "*") {
        return Verdict::Any;
    }
    // `null` and whatever else names no host matches only `*`.
    let Some(origin) = Location::parse(origin) else { return Verdict::Refused };
    let listed = !origin.host.starts_with('*')
        && entries(list).filter_map(Location::parse).any(|entry| entry.covers(&origin));
    if listed { Verdict::Listed } else { Verdict::Refused }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|entry| !entry.is_empty())
}

/// The three parts that make two origins the same, in lower case.
#[derive(Debug, PartialEq, Eq)]
struct Location {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Location {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://")?;
        let (host, port) = split_port(authority)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let foreign = |c: char| matches!(c, '/' | '?' | '#' | '@' | ':' | '[' | ']' | '\\');
        let plain = !host.contains(|c: char| foreign(c) || c.is_whitespace() || c.is_control());
        let inner = host.strip_prefix("*.").unwrap_or(host);
        let sound = !scheme.is_empty() && !inner.is_empty() && !inner.contains('*');
        // A browser leaves the port out when it is the scheme's own.
        let default = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let port = port.or(default);
        ((bracketed || plain) && sound).then(|| Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port,
        })
    }

    /// Whether this entry of a list allows the origin. A wildcard stands for one or more labels: it
    /// covers subdomains and not the domain itself.
    fn covers(&self, origin: &Self) -> bool {
        let host = match self.host.strip_prefix('*') {
            Some(suffix) => origin.host.strip_suffix(suffix).is_some_and(|label| !label.is_empty()),
            None => self.host == origin.host,
        };
        host && self.scheme == origin.scheme && self.port == origin.port
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    // The colons of an IPv6 literal are inside its brackets.
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority[after_host..].rfind(':') {
        None => Some((authority, None)),
        Some(colon) => {
            let (host, port) = authority.split_at(after_host + colon);
            Some((host, Some(port[1..].parse().ok()?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_star_allows_everyone() {
        for origin in ["https://a.example", "null", "", "file://"] {
            assert_eq!(judge("*", origin), Verdict::Any, "{origin}");
            assert_eq!(judge("https://b.example, *", origin), Verdict::Any, "{origin}");
        }
    }

    #[test]
    fn listed_origins_are_allowed() {
        let list =
            "https://a.example, https://*.b.example HTTP://Dev.Example:8080/,http://[::1]:3000";
        for origin in [
            "https://a.example",
            "https://A.example",
            "https://a.example:443",
            "https://x.b.example",
            "https://x.y.b.example",
            "http://dev.example:8080",
            "http://[::1]:3000",
        ] {
            assert_eq!(judge(list, origin), Verdict::Listed, "{origin}");
        }
    }

    #[test]
    fn others_are_refused() {
        let list = "https://a.example, https://*.b.example, http://dev.example:8080";
        for origin in [
            "null",
            "",
            "http://a.example",
            "https://a.example:8443",
            "https://a.example.evil.test",
            "https://evila.example",
            "https://b.example",
            "https://xb.example",
            "https://*.b.example",
            "https://.b.example:80",
            "https://evil.test/https://a.example",
            "https://a.example@evil.test",
            "https://evil.test#.b.example",
            "http://dev.example",
            "https://a.example https://b.example",
        ] {
            assert_eq!(judge(list, origin), Verdict::Refused, "{origin}");
        }
    }

    #[test]
    fn an_empty_or_unreadable_list_allows_nobody() {
        for list in ["", " , ", "a.example", "https://", "https://*", "https://*.", "https://a*b"] {
            assert_eq!(judge(list, "https://a.example"), Verdict::Refused, "{list}");
        }
    }

    proptest! {
        #[test]
        fn what_is_listed_is_allowed_in_any_case_and_place(
            host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}",
            port in proptest::option::of(1_u16..),
            before in "[ ,]{0,3}",
            upper in any::<bool>(),
        ) {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let origin = format!("https://{host}{port}");
            let entry = if upper { origin.to_uppercase() } else { origin.clone() };
            let list = format!("http://other.test{before},{entry}/ ");
            prop_assert_eq!(judge(&list, &origin), Verdict::Listed);
            let sub = format!("https://sub.{host}{port}");
            prop_assert_eq!(judge(&list, &sub), Verdict::Refused);
            let wildcard = format!("https://*.{host}{port}");
            prop_assert_eq!(judge(&wildcard, &sub), Verdict::Listed);
            prop_assert_eq!(judge(&wildcard, &origin), Verdict::Refused);
        }

        #[test]
        fn a_wildcard_allows_only_its_own_subdomains(list in "https://\\*\\.[a-z]{1,5}\\.[a-z]{2}", origin in "\\PC{0,40}") {
            let domain = list.strip_prefix("https://*").unwrap();
            if judge(&list, &origin) == Verdict::Listed {
                let host = origin.to_ascii_lowercase();
                let host = host.trim_end_matches('/').trim_end_matches(":443").to_owned();
                prop_assert!(host.starts_with("https://") && host.ends_with(domain));
            }
        }

        #[test]
        fn no_text_breaks_it(list in "\\PC*", origin in "\\PC*") {
            judge(&list, &origin);
        }
    }
}
