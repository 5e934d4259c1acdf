use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{RateLimit, RateUnit, Secret};
use crate::json_pointer;
use crate::provider::{Fault, Verification};

/// What a source's owner decides through the native API alone: the Mammoth API cannot say it and
/// leaves it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceOptions {
    /// What an accepted delivery is answered, where that is not the usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<SuccessAnswer>,
    /// The addresses that may deliver; none for all.
    #[serde(skip_serializing_if = "Vec::is_empty", with = "nets")]
    pub allowed_ips: Vec<IpNet>,
    /// How fast deliveries may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<DeliveryRate>,
    /// Whether a delivery that comes again is stored again.
    pub keep_repeats: bool,
    /// For how many seconds deliveries are kept for inspection, at most
    /// [`INSPECTION_SECONDS_MAX`]; 0 for not at all.
    pub inspection_seconds: u32,
    /// How each delivery is published as an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub republish: Option<Republish>,
    /// How deliveries are proved, where they are not by the headers that they come with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

/// The inspection that nobody asked for: over a weekend, since what is wrong is found out later.
pub const INSPECTION_SECONDS_DEFAULT: u32 = 3 * 24 * 3_600;

/// The longest inspection, 30 days: it is for finding faults, the dataset is for keeping data.
pub const INSPECTION_SECONDS_MAX: u32 = 30 * 24 * 3_600;

/// The most entries of a list of addresses. A provider publishes a few dozen; each is looked at for
/// each request.
pub const ALLOWED_IPS_MAX: usize = 200;

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            answer: None,
            allowed_ips: Vec::new(),
            rate_limit: None,
            keep_repeats: false,
            inspection_seconds: INSPECTION_SECONDS_DEFAULT,
            republish: None,
            verification: None,
        }
    }
}

/// A change of [`SourceOptions`]; `None` leaves what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceOptionsChange {
    /// The new answer; `Some(None)` for the usual.
    pub answer: Option<Option<SuccessAnswer>>,
    /// The addresses that may deliver; none for all.
    pub allowed_ips: Option<Vec<IpNet>>,
    /// The new rate limit; `Some(None)` for no limit.
    pub rate_limit: Option<Option<DeliveryRate>>,
    /// Whether a delivery that comes again is stored again.
    pub keep_repeats: Option<bool>,
    /// For how many seconds deliveries are kept for inspection.
    pub inspection_seconds: Option<u32>,
    /// How each delivery is published; `Some(None)` for not at all.
    pub republish: Option<Option<Republish>>,
    /// The new verification; `Some(None)` for the usual.
    pub verification: Option<Option<Verification>>,
    /// The secret that a handshake brought. It counts while the verification has none.
    pub learnt: Option<Secret>,
}

impl SourceOptions {
    /// Makes the change.
    pub fn apply(&mut self, change: SourceOptionsChange) {
        let SourceOptionsChange {
            answer,
            allowed_ips,
            rate_limit,
            keep_repeats,
            inspection_seconds,
            republish,
            verification,
            learnt,
        } = change;
        set(&mut self.answer, answer);
        set(&mut self.allowed_ips, allowed_ips);
        set(&mut self.rate_limit, rate_limit);
        set(&mut self.keep_repeats, keep_repeats);
        set(&mut self.inspection_seconds, inspection_seconds);
        set(&mut self.republish, republish);
        set(&mut self.verification, verification);
        if let (Some(learnt), Some(verification)) = (learnt, &mut self.verification)
            && verification.secrets.is_empty()
        {
            verification.secrets.push(learnt);
        }
    }

    /// Checks the limits; the answer names the member at fault and says what is wrong with it.
    pub fn check(&self) -> Result<(), (String, String)> {
        let Self {
            answer,
            allowed_ips,
            rate_limit,
            keep_repeats: _,
            inspection_seconds,
            republish,
            verification,
        } = self;
        let inside = |parent: &'static str| {
            move |(member, message): (&str, String)| (format!("{parent}.{member}"), message)
        };
        answer.as_ref().map_or(Ok(()), SuccessAnswer::check).map_err(inside("answer"))?;
        if allowed_ips.len() > ALLOWED_IPS_MAX {
            let message = format!("must have at most {ALLOWED_IPS_MAX} entries");
            return Err(("allowed_ips".to_owned(), message));
        }
        if let Some(rate) = rate_limit {
            let wrong = |message| ("rate_limit".to_owned(), message);
            rate.limit().check().map_err(wrong)?;
        }
        if *inspection_seconds > INSPECTION_SECONDS_MAX {
            let message = format!("must be at most {INSPECTION_SECONDS_MAX}");
            return Err(("inspection_seconds".to_owned(), message));
        }
        if let Some(verification) = verification {
            let wrong = |fault: Fault| (fault.member.to_owned(), fault.message);
            verification.check().map_err(wrong)?;
        }
        republish.as_ref().map_or(Ok(()), Republish::check).map_err(inside("republish"))
    }
}

fn set<T>(value: &mut T, change: Option<T>) {
    if let Some(change) = change {
        *value = change;
    }
}

/// How fast deliveries may come: `count` in `seconds` on the average, `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryRate {
    /// How many.
    pub count: u32,
    /// In how many seconds.
    #[serde(default = "one")]
    pub seconds: u32,
    /// How many at once after a quiet time; `count` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

fn one() -> u32 {
    1
}

impl DeliveryRate {
    /// The limit of a bucket.
    pub fn limit(&self) -> RateLimit {
        let Self { count, seconds, burst } = *self;
        RateLimit { unit: RateUnit::Requests, count, seconds, burst }
    }
}

/// How a delivery is published as an event: its type is the first of these that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Republish {
    /// The header that says the type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_header: Option<String>,
    /// Where in the cell the type is, a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_pointer: Option<String>,
    /// The type of all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// What to do about a delivery whose type the workspace does not have, or that says none.
    pub unknown_type: UnknownType,
}

/// What to do about a delivery whose event type is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownType {
    /// It is stored, and nothing is published.
    #[default]
    Store,
    /// It is refused as malformed, and nothing is stored.
    Refuse,
}

impl Republish {
    /// Checks the limits; the answer names the member at fault and says what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { type_header, type_pointer, event_type, unknown_type: _ } = self;
        if let Some(name) = type_header
            && HeaderName::from_bytes(name.as_bytes()).is_err()
        {
            return Err(("type_header", "must be the name of a header".to_owned()));
        }
        if let Some(pointer) = type_pointer {
            json_pointer::check(pointer).map_err(|message| ("type_pointer", message))?;
        }
        if type_header.is_none() && type_pointer.is_none() && event_type.is_none() {
            let message = "is required without a type_header and a type_pointer";
            return Err(("event_type", message.to_owned()));
        }
        Ok(())
    }
}

/// Networks as text. One address is a network, too.
mod nets {
    use super::{Deserialize, IpNet};
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(nets: &[IpNet], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(nets.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

/// The longest body of a [`SuccessAnswer`], in bytes. What senders ask for is a word or a short
/// document.
pub const ANSWER_BODY_BYTES_MAX: usize = 16 << 10;

/// The longest content type of a [`SuccessAnswer`], in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 200;

/// What an accepted delivery is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuccessAnswer {
    /// The status, 200 to 299; absent for 201 to a POST and 200 to a GET.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The media type of the body; `text/plain; charset=utf-8` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The body, at most [`ANSWER_BODY_BYTES_MAX`].
    pub body: String,
}

impl SuccessAnswer {
    /// Checks the limits; the answer names the member at fault and says what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(status) = self.status
            && !(200..=299).contains(&status)
        {
            return Err(("status", format!("must be from 200 to 299, and is {status}")));
        }
        if let Some(content_type) = &self.content_type {
            let sound = content_type.len() <= CONTENT_TYPE_BYTES_MAX
                && content_type.contains('/')
                && HeaderValue::from_str(content_type).is_ok();
            if !sound {
                let most = CONTENT_TYPE_BYTES_MAX;
                let message = format!("must be a media type of at most {most} bytes");
                return Err(("content_type", message));
            }
        }
        if self.body.len() > ANSWER_BODY_BYTES_MAX {
            let (most, bytes) = (ANSWER_BODY_BYTES_MAX, self.body.len());
            return Err(("body", format!("must have at most {most} bytes, and has {bytes}")));
        }
        if matches!(self.status, Some(204 | 205)) && !self.body.is_empty() {
            let message = "must be empty, for an answer with this status has no body";
            return Err(("body", message.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_limits() {
        let usual = SuccessAnswer::default();
        let with = |status, content_type: &str, body: &str| SuccessAnswer {
            status: Some(status),
            content_type: Some(content_type.to_owned()),
            body: body.to_owned(),
        };
        assert_eq!(usual.check(), Ok(()));
        assert_eq!(with(202, "text/plain", "[accepted]").check(), Ok(()));
        assert_eq!(with(204, "text/plain", "").check(), Ok(()));
        let long = "x".repeat(ANSWER_BODY_BYTES_MAX + 1);
        for (wrong, member) in [
            (with(199, "text/plain", ""), "status"),
            (with(302, "text/plain", ""), "status"),
            (with(200, "text", ""), "content_type"),
            (with(200, "text/plain\r\nx: y", ""), "content_type"),
            (with(204, "text/plain", "x"), "body"),
            (with(200, "text/plain", &long), "body"),
        ] {
            assert_eq!(wrong.check().unwrap_err().0, member, "{wrong:?}");
        }
    }

    #[test]
    fn options_read_what_an_older_hookyard_wrote() {
        let empty: SourceOptions = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, SourceOptions::default());
        let options = SourceOptions {
            allowed_ips: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            ..SourceOptions::default()
        };
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<SourceOptions>(&text).unwrap(), options);
    }

    #[test]
    fn options_have_limits() {
        let usual = SourceOptions::default;
        assert_eq!(usual().check(), Ok(()));
        let republish = |wrong: Republish| SourceOptions { republish: Some(wrong), ..usual() };
        let rate = DeliveryRate { count: 0, seconds: 1, burst: None };
        let pointer =
            |text: &str| Republish { type_pointer: Some(text.to_owned()), ..Republish::default() };
        let header = Republish { type_header: Some("a b".to_owned()), ..Republish::default() };
        assert_eq!(republish(pointer("/type")).check(), Ok(()));
        for (wrong, member) in [
            (SourceOptions { rate_limit: Some(rate), ..usual() }, "rate_limit"),
            (
                SourceOptions { inspection_seconds: INSPECTION_SECONDS_MAX + 1, ..usual() },
                "inspection_seconds",
            ),
            (SourceOptions { allowed_ips: vec![IpNet::default(); 201], ..usual() }, "allowed_ips"),
            (republish(Republish::default()), "republish.event_type"),
            (republish(pointer("type")), "republish.type_pointer"),
            (republish(header), "republish.type_header"),
        ] {
            assert_eq!(wrong.check().unwrap_err().0, member);
        }
    }
}
