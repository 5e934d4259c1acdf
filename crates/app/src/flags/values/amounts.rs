//! Numbers, sizes and limits.

use std::str::FromStr;

use hookyard_core::model::QUOTA_TURNS_MAX;
use hookyard_core::model::QuotaSetting;
use hookyard_core::model::WorkspaceQuotas;

/// The most entries of a page, as in the native API.
const PAGE_MAX: usize = 1_000;

/// The longest merchant code: UltraCart's own have at most 5 characters; this leaves room and keeps
/// answers and logs readable.
const MERCHANT_CHARS_MAX: usize = 20;

/// The word for no limit.
const OFF: &str = "off";

/// The highest bound on connections: far more than the system gives to one process.
const CONNECTIONS_MAX: usize = 1_000_000;

/// The most queries at once: more than the cores of any likely machine.
const SQL_QUERIES_MAX: usize = 64;

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

/// A whole number, or a number of bytes.
fn amount(text: &str) -> Option<u64> {
    let size = || text.parse::<ByteSize>().ok().map(|size| size.0 as u64);
    text.parse().ok().or_else(size)
}

/// The number of an entry of the audit log.
pub(crate) fn entry_number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no number of an entry: use a whole number from 0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::values::LimitSeconds;
    use crate::flags::values::moment;

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
}
