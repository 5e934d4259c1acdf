//! The values of settings, each parsed from a person's text.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use hookyard_core::model::{QUOTA_TURNS_MAX, QuotaSetting, WorkspaceQuotas};
use hookyard_engine::access::OVERLAP_MAX;
use hookyard_engine::deliver::ApiUserHost;
use hookyard_tables::sql::Form;
use http::HeaderValue;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use tracing::level_filters::LevelFilter;
use url::Url;

/// A range of addresses that is open to deliveries although not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Net(pub(crate) IpNet);

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let net =
            text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()));
        net.map(Self).map_err(|_| {
            format!("`{text}` is no range of addresses: write one such as 10.0.0.0/8 or fd00::/8")
        })
    }
}

/// A port, or a range of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ports(pub(crate) RangeInclusive<u16>);

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let range = port(from).zip(port(to)).filter(|(from, to)| from <= to);
        range.map(|(from, to)| Self(from..=to)).ok_or_else(|| {
            format!("`{text}` is no port from 1 to 65535: write one such as 443, or 8000-8999")
        })
    }
}

/// A host that may get the API user's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialHost(pub(crate) ApiUserHost);

impl FromStr for CredentialHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim().parse().map(Self)
    }
}

/// Where to listen: an address or the name of a host, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    Address(SocketAddr),
    Name(String, u16),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
                && name.bytes().any(|byte| byte.is_ascii_alphabetic())
        };
        let parts = text.rsplit_once(':').filter(|(name, _)| is_name(name));
        let named =
            parts.and_then(|(name, port)| Some(Self::Name(name.to_owned(), port.parse().ok()?)));
        named.ok_or_else(|| {
            format!(
                "`{text}` is nowhere to listen: write an address or the name of a host and a port, \
                 as in 127.0.0.1:8080, [::1]:8080 or localhost:8080"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl Listen {
    /// The addresses to try, IPv4 first: most callers of `localhost` connect by IPv4.
    #[expect(clippy::disallowed_methods, reason = "it is the operator who says where to listen")]
    pub(crate) async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = match self {
            Self::Address(address) => return Ok(vec![*address]),
            Self::Name(name, port) => (name.as_str(), *port),
        };
        let mut found: Vec<_> = tokio::net::lookup_host((name, port)).await?.collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        Ok(found)
    }
}

/// The URL of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebUrl(pub(crate) Url);

impl FromStr for WebUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.filter(|url| url.path() == "/" && url.query().is_none());
        url.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no server: write scheme, host and port, as in http://sqs.local:9324"
            )
        })
    }
}

/// The public URL of this server, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl(pub(crate) String);

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sound = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        // Kept as written: providers sign the URL to the letter.
        let url = Url::parse(text).ok().filter(sound);
        url.map(|_| Self(text.trim_end_matches('/').to_owned())).ok_or_else(|| {
            format!(
                "`{text}` is no public URL: write scheme and host, and a path if a proxy adds one, \
                 as in https://hooks.example.com"
            )
        })
    }
}

/// The `User-Agent` of deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserAgent(pub(crate) HeaderValue);

/// The longest `User-Agent`, in bytes: longer than those of browsers.
const USER_AGENT_BYTES_MAX: usize = 200;

impl FromStr for UserAgent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let sound = printable && !text.trim().is_empty() && text.len() <= USER_AGENT_BYTES_MAX;
        let value = sound.then(|| HeaderValue::from_str(text).ok()).flatten();
        value.map(Self).ok_or_else(|| {
            format!(
                "must be 1 to {USER_AGENT_BYTES_MAX} characters of printable ASCII on a single line"
            )
        })
    }
}

/// Bytes, written as a number, optionally with `KiB`, `MiB` or `GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) usize);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = match text {
            _ if text.ends_with("KiB") => (&text[..text.len() - 3], 1 << 10),
            _ if text.ends_with("MiB") => (&text[..text.len() - 3], 1 << 20),
            _ if text.ends_with("GiB") => (&text[..text.len() - 3], 1 << 30),
            _ => (text, 1),
        };
        let bytes = digits.trim().parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
        bytes.filter(|bytes| *bytes > 0).map(Self).ok_or_else(|| {
            format!("`{text}` is no size: write bytes above 0, such as 1048576, 64KiB or 10MiB")
        })
    }
}

/// The most entries of a page, as in the native API.
const PAGE_MAX: usize = 1_000;

/// Entries of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageLimit(pub(crate) usize);

impl FromStr for PageLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
        limit
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no length of a page: use 1 to {PAGE_MAX}"))
    }
}

/// The longest permitted time in days: a century, so that no date is out of range.
const DAYS_MAX: i64 = 36_500;

/// How long something is kept, in whole days, or `forever`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days(pub(crate) Option<i64>);

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self(None));
        }
        let days = text.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
        days.map(|days| Self(Some(days))).ok_or_else(|| {
            format!("`{text}` is no time to keep: use whole days from 1 to {DAYS_MAX}, or forever")
        })
    }
}

/// The shortest life of an access token, in seconds: a shorter life ends before the first use.
const TOKEN_SECONDS_MIN: i32 = 60;

/// The life of an access token, in whole seconds. Clients keep the life in 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenSeconds(pub(crate) i32);

impl FromStr for TokenSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|seconds| *seconds >= TOKEN_SECONDS_MIN);
        seconds.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no life of a token: use whole seconds from {TOKEN_SECONDS_MIN} to {}",
                i32::MAX
            )
        })
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is no log format: use human or json")),
        }
    }
}

/// The least important level of logged lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLevel(pub(crate) LevelFilter);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = match text {
            "off" => LevelFilter::OFF,
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            _ => {
                return Err(format!(
                    "`{text}` is no log level: use off, error, warn, info, debug or trace"
                ));
            }
        };
        Ok(Self(level))
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zone(pub(crate) jiff::tz::TimeZone);

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        jiff::tz::TimeZone::get(text).map(Self).map_err(|_| {
            format!("`{text}` is no known time zone: use a name such as UTC or America/New_York")
        })
    }
}

/// The longest merchant code: UltraCart's own have at most 5 characters; this leaves room and keeps
/// answers and logs readable.
const MERCHANT_CHARS_MAX: usize = 20;

/// UltraCart's name of a workspace: a short upper-case code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merchant(pub(crate) String);

impl FromStr for Merchant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let letters = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if letters && (1..=MERCHANT_CHARS_MAX).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{text}` is no merchant code: use 1 to {MERCHANT_CHARS_MAX} letters A-Z and digits"
        ))
    }
}

/// The number of a workspace or project: 1 or more, as both compatible APIs demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) i32);

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .ok()
            .filter(|number| *number >= 1)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no id: use a whole number from 1 to {}", i32::MAX))
    }
}

/// The number of an entry of the audit log.
pub(crate) fn entry_number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no number of an entry: use a whole number from 0"))
}

/// A moment with its offset from UTC.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("`{text}` is no moment: write it as 2027-01-31T00:00:00Z"))
}

/// How long a rotated credential is still good, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverlapSeconds(pub(crate) SignedDuration);

impl FromStr for OverlapSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let most = OVERLAP_MAX.as_secs();
        let seconds = text.parse().ok().filter(|seconds| (0..=most).contains(seconds));
        seconds
            .map(|seconds| Self(SignedDuration::from_secs(seconds)))
            .ok_or_else(|| format!("`{text}` is no overlap: use whole seconds from 0 to {most}"))
    }
}

/// The longest drain, in seconds: service managers usually wait far less.
const DRAIN_SECONDS_MAX: u64 = 3600;

/// How long a stopping server may take, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrainSeconds(pub(crate) u64);

impl FromStr for DrainSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|seconds| *seconds <= DRAIN_SECONDS_MAX).map(Self).ok_or_else(
            || {
                format!(
                    "`{text}` is no time to drain: use whole seconds from 0 to {DRAIN_SECONDS_MAX}"
                )
            },
        )
    }
}

/// How many requests a caller may make in a window; `None` for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) Option<u32>);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == OFF {
            return Ok(Self(None));
        }
        let turns = text.parse().ok().filter(|turns| (1..=QUOTA_TURNS_MAX).contains(turns));
        turns.map(|turns| Self(Some(turns))).ok_or_else(|| {
            format!("`{text}` is no limit: use a whole number from 1 to {QUOTA_TURNS_MAX}, or off")
        })
    }
}

/// How much a workspace may have of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) QuotaSetting);

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            OFF => Ok(Self(QuotaSetting::Off)),
            "default" => Ok(Self(QuotaSetting::Default)),
            _ => amount(text).map(|amount| Self(QuotaSetting::At(amount))).ok_or_else(|| {
                format!(
                    "`{text}` is no amount: use a whole number, one with KiB, MiB or GiB, off, or \
                     default for the installation's default"
                )
            }),
        }
    }
}

/// A whole number, or a number of bytes.
fn amount(text: &str) -> Option<u64> {
    let size = || text.parse::<ByteSize>().ok().map(|size| size.0 as u64);
    text.parse().ok().or_else(size)
}

/// A quota of workspaces without quotas of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DefaultQuota {
    /// The quota's name in the API.
    pub(crate) name: String,
    pub(crate) amount: u64,
}

impl FromStr for DefaultQuota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (given, number) = text.split_once('=').unwrap_or((text, ""));
        let name = given.trim().replace('-', "_");
        if WorkspaceQuotas::default().of_name(&name).is_none() {
            let names = WorkspaceQuotas::default().named().map(|(name, _)| name.replace('_', "-"));
            return Err(format!("`{given}` is no quota: use one of {}", names.join(", ")));
        }
        let amount = amount(number.trim()).ok_or_else(|| {
            format!(
                "`{number}` is no amount: use a whole number or one with KiB, MiB or GiB, as in \
                 {given}=100"
            )
        })?;
        Ok(Self { name, amount })
    }
}

/// The word for no limit.
const OFF: &str = "off";

/// The highest bound on connections: far more than the system gives to one process.
const CONNECTIONS_MAX: usize = 1_000_000;

/// Connections at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connections(pub(crate) usize);

impl FromStr for Connections {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| (1..=CONNECTIONS_MAX).contains(number));
        number.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no number of connections: use a whole one from 1 to {CONNECTIONS_MAX}"
            )
        })
    }
}

/// Connections at once from one address; `None` for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressConnections(pub(crate) Option<usize>);

impl FromStr for AddressConnections {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == OFF {
            return Ok(Self(None));
        }
        let number = text.parse().map(|Connections(number)| Self(Some(number)));
        number.map_err(|reason| format!("{reason}, or off"))
    }
}

/// The longest wait for a caller, in seconds: an hour.
const LIMIT_SECONDS_MAX: u32 = 3_600;

/// How long callers are waited for, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitSeconds(pub(crate) u32);

impl FromStr for LimitSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|it| (1..=LIMIT_SECONDS_MAX).contains(it));
        seconds.map(Self).ok_or_else(|| {
            format!("`{text}` is no time to wait: use whole seconds from 1 to {LIMIT_SECONDS_MAX}")
        })
    }
}

/// Leases, in seconds. A shorter lease would end in pauses that are no outage: a renewal has two fifths of
/// the lease. A longer lease would delay a takeover too much.
const LEASE_SECONDS: RangeInclusive<u64> = 3..=300;

/// How long a server may be silent, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseSeconds(pub(crate) u64);

impl FromStr for LeaseSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|seconds| LEASE_SECONDS.contains(seconds));
        seconds.map(Self).ok_or_else(|| {
            let (least, most) = LEASE_SECONDS.into_inner();
            format!("`{text}` is no lease: use whole seconds from {least} to {most}")
        })
    }
}

/// The longest time until an endpoint is disabled: a year. Whoever wants more wants no end.
const DISABLE_DAYS_MAX: u64 = 365;

/// After how many days of failure an endpoint is disabled; 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DisableDays(u64);

impl DisableDays {
    /// The same as a time; `None` for never.
    pub(crate) fn duration(self) -> Option<Duration> {
        (self.0 > 0).then(|| Duration::from_secs(self.0 * 24 * 60 * 60))
    }
}

impl FromStr for DisableDays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let days = text.parse().ok().filter(|days| *days <= DISABLE_DAYS_MAX);
        days.map(Self).ok_or_else(|| {
            format!("`{text}` is no time to fail: use whole days from 0 to {DISABLE_DAYS_MAX}")
        })
    }
}

/// The longest time of a query: whoever waits longer wants an export.
const SQL_SECONDS_MAX: u64 = 3600;

/// How long a query may take, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SqlSeconds(pub(crate) u64);

impl FromStr for SqlSeconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse().ok().filter(|seconds| (1..=SQL_SECONDS_MAX).contains(seconds));
        seconds.map(Self).ok_or_else(|| {
            format!("`{text}` is no time to answer: use whole seconds from 1 to {SQL_SECONDS_MAX}")
        })
    }
}

/// The most queries at once: more than the cores of any likely machine.
const SQL_QUERIES_MAX: usize = 64;

/// How many queries may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SqlQueries(pub(crate) usize);

impl FromStr for SqlQueries {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = text.parse().ok().filter(|count| (1..=SQL_QUERIES_MAX).contains(count));
        count
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no number of queries: use 1 to {SQL_QUERIES_MAX}"))
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlOutput {
    Table,
    Csv,
    Json,
    Ndjson,
}

impl SqlOutput {
    /// The form to ask for.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Table | Self::Json => Form::Json,
            Self::Csv => Form::Csv,
            Self::Ndjson => Form::Ndjson,
        }
    }
}

impl FromStr for SqlOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(format!("`{text}` is no form: use table, csv, json or ndjson")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_entries_are_refused_with_the_form_to_use() {
        assert_eq!(entry_number("7"), Ok(7));
        assert_eq!(moment("2027-01-31T00:00:00Z").unwrap().as_second(), 1_801_353_600);
        for text in ["x", "-1", "", "1.5"] {
            assert!(
                entry_number(text).unwrap_err().ends_with("use a whole number from 0"),
                "{text}"
            );
        }
        for text in ["x", "", "2027-01-31", "2027-01-31T00:00:00"] {
            assert!(
                moment(text).unwrap_err().ends_with("write it as 2027-01-31T00:00:00Z"),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn where_to_listen_is_an_address_or_a_name() {
        let read = |text: &str| text.parse::<Listen>();
        for address in ["127.0.0.1:8080", "[::1]:0", "0.0.0.0:80"] {
            assert_eq!(read(address), Ok(Listen::Address(address.parse().unwrap())), "{address}");
        }
        let named = read("localhost:8080").unwrap();
        assert_eq!(
            (&named, named.to_string().as_str()),
            (&Listen::Name("localhost".into(), 8080), "localhost:8080")
        );
        let addresses = named.addresses().await.unwrap();
        assert_eq!(addresses[0], "127.0.0.1:8080".parse().unwrap());
        for text in [
            "localhost",
            ":8080",
            "localhost:",
            "a b:1",
            "1.2.3:80",
            "localhost:70000",
            "http://a:1",
        ] {
            assert!(read(text).unwrap_err().contains("localhost:8080"), "{text}");
        }
    }

    #[test]
    fn sizes_take_units_and_refuse_nothing_and_overflow() {
        assert_eq!("64KiB".parse(), Ok(ByteSize(65_536)));
        assert_eq!("10 MiB".parse(), Ok(ByteSize(10 << 20)));
        assert_eq!("7".parse(), Ok(ByteSize(7)));
        for text in ["", "0", "-1", "1GB", "99999999999999999MiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn days_are_whole_and_bounded() {
        assert_eq!("30".parse(), Ok(Days(Some(30))));
        assert_eq!("forever".parse(), Ok(Days(None)));
        assert_eq!("2GiB".parse(), Ok(ByteSize(2 << 30)));
        for text in ["", "0", "-1", "1.5", "36501", "Forever", "30d"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
    }

    #[test]
    fn tokens_live_a_minute_at_least() {
        assert_eq!("60".parse(), Ok(TokenSeconds(60)));
        for text in ["", "59", "-1", "2147483648", "1h"] {
            assert!(text.parse::<TokenSeconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn public_urls_are_kept_to_the_letter() {
        for (text, kept) in [
            ("https://hooks.example.com", "https://hooks.example.com"),
            ("https://Hooks.example.com:443/in/", "https://Hooks.example.com:443/in"),
        ] {
            assert_eq!(text.parse(), Ok(PublicUrl(kept.to_owned())));
        }
        for text in
            ["", "hooks.example.com", "ftp://a", "https://a?b", "https://a#b", "https://u:p@a"]
        {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn user_agents_are_header_values() {
        assert_eq!("Acme Webhooks/1.0".parse::<UserAgent>().unwrap().0, "Acme Webhooks/1.0");
        for text in ["", " ", "a\nb", "é", &"a".repeat(201)] {
            assert!(text.parse::<UserAgent>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn ranges_take_single_addresses() {
        assert_eq!("127.0.0.1".parse::<Net>().unwrap().0.to_string(), "127.0.0.1/32");
        assert_eq!(" fd00::/8".parse::<Net>().unwrap().0.to_string(), "fd00::/8");
        assert!("localhost".parse::<Net>().unwrap_err().contains("no range of addresses"));
    }

    #[test]
    fn merchants_and_numbers_are_bounded() {
        assert!("DEMO2".parse::<Merchant>().is_ok());
        for text in ["", "demo", "DE MO", "ABCDEFGHIJKLMNOPQRSTU"] {
            assert!(text.parse::<Merchant>().is_err(), "{text}");
        }
        assert!("1".parse::<Number>().is_ok());
        for text in ["0", "-3", "2147483648", "x"] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_days_are_no_end() {
        assert_eq!("0".parse::<DisableDays>().unwrap().duration(), None);
        let five = "5".parse::<DisableDays>().unwrap();
        assert_eq!(five.duration(), Some(hookyard_engine::deliver::DISABLE_AFTER_DEFAULT));
        for text in ["366", "-1", "1.5", "x"] {
            assert!(text.parse::<DisableDays>().is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_numbers_or_off() {
        assert_eq!("1000".parse(), Ok(Rate(Some(1_000))));
        assert_eq!("off".parse(), Ok(Rate(None)));
        assert_eq!("off".parse(), Ok(AddressConnections(None)));
        assert_eq!("7".parse(), Ok(AddressConnections(Some(7))));
        for text in ["0", "-1", "1.5", "", "none", "100000001"] {
            assert!(text.parse::<Rate>().unwrap_err().contains("100000000, or off"), "{text}");
            assert!(text.parse::<AddressConnections>().unwrap_err().ends_with("or off"), "{text}");
        }
        for text in ["0", "3601", "x", "off"] {
            assert!(text.parse::<LimitSeconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_queries_may_use_is_bounded() {
        assert_eq!(("30".parse(), "4".parse()), (Ok(SqlSeconds(30)), Ok(SqlQueries(4))));
        for text in ["0", "3601", "1.5", "-1", ""] {
            assert!(text.parse::<SqlSeconds>().is_err(), "{text}");
        }
        for text in ["0", "65", "x", ""] {
            assert!(text.parse::<SqlQueries>().is_err(), "{text}");
        }
        assert!("xml".parse::<SqlOutput>().unwrap_err().contains("table, csv"));
    }

    #[test]
    fn zones_are_known_without_the_systems_database() {
        assert!("America/New_York".parse::<Zone>().is_ok());
        assert!("Mars/Olympus".parse::<Zone>().is_err());
    }
}
