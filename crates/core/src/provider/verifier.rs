//! Judging requests.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::Preset;
use super::cause::{Cause, Refusal};
use super::check::same;
use super::encoding::Encoding;
use super::handshake::{Handshake, Handshaken};
use super::jwt::Token;
use super::place::Place;
use super::pointer::Pointer;
use super::render::Filling;
use super::request::{Request, Sight, VALUES_MAX};
use super::spec::{Algorithm, Scheme, Stamp, Unit};
use crate::moment;
use crate::secret::Secret;

/// The most individually signed items of a body. Adyen sends one to six.
const ITEMS_MAX: usize = 100;

/// The longest body of a handshake, in bytes.
pub const HANDSHAKE_BYTES_MAX: usize = 16 << 10;

/// How far the clock of a token's maker may be ahead or behind for `exp` and `nbf`.
const TOKEN_LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// A scheme with a source's keys, ready to judge requests.
#[derive(Debug, Clone)]
pub struct Verifier<'v> {
    pub(super) scheme: Cow<'v, Scheme>,
    pub(super) preset: Option<&'static Preset>,
    pub(super) secrets: &'v [Secret],
    pub(super) handshake_secret: Option<&'v Secret>,
    pub(super) settings: &'v BTreeMap<String, String>,
}

/// The verdict on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// A proved delivery.
    Delivery,
    /// A handshake.
    Handshake(Handshaken),
}

impl Verifier<'_> {
    /// The answer to a handshake, if the head of a request is enough. Nothing of the request is stored.
    pub fn handshake_in_head(&self, head: &Request<'_>) -> Option<Result<Handshaken, Refusal>> {
        let found = self.handshakes().find(|handshake| {
            handshake.is_in_head() && !handshake.proof && handshake.is(&self.filling(head))
        })?;
        self.answer(found, head).transpose()
    }

    /// The number of body bytes to read before [`Verifier::judge`]: a whole delivery's, a handshake's, or
    /// none at all.
    pub fn reads(&self, head: &Request<'_>, bytes_max: usize) -> usize {
        if *head.method != Method::POST {
            return 0;
        }
        let sight = Sight::whole(head);
        let places = &self.scheme.signature.from;
        let signed = places.iter().any(|place| !place.is_in_head() || sight.value(place).is_some());
        if signed {
            return bytes_max;
        }
        let begins = self.handshakes().any(|handshake| {
            let open = handshake.learns.is_none() || self.secrets.is_empty();
            open && !handshake.proof && handshake.may_begin(&self.filling(head))
        });
        if begins { HANDSHAKE_BYTES_MAX.min(bytes_max) } else { 0 }
    }

    /// Judges a request with its body.
    pub fn judge(&self, request: &Request<'_>, now: Timestamp) -> Result<Judged, Refusal> {
        // Handshakes are short, and a large delivery shall not be searched for a handshake.
        let short = request.body.len() <= HANDSHAKE_BYTES_MAX;
        let mut handshakes = self.handshakes().filter(|_| short);
        if let Some(handshake) = handshakes.find(|it| it.is(&self.filling(request))) {
            if handshake.proof {
                self.verify(request, now)?;
            }
            if let Some(answered) = self.answer(handshake, request)? {
                return Ok(Judged::Handshake(answered));
            }
        }
        self.verify(request, now).map(|()| Judged::Delivery)
    }

    /// Whether the request is proved.
    pub fn verify(&self, request: &Request<'_>, now: Timestamp) -> Result<(), Refusal> {
        let keys = self.keys();
        if keys.is_empty() {
            let detail = "no secret is set, or none that can be read";
            return Err(Refusal::new(Cause::NoSecret, detail));
        }
        let attempt = Attempt { scheme: &self.scheme, keys: &keys, settings: self.settings };
        attempt.verify(request, Some(now))
    }

    /// Whether the URL is signed, and so whether the server must know the public URL.
    pub fn covers_url(&self) -> bool {
        self.scheme.covers_url()
    }

    /// Where the signature or token may be.
    pub fn places(&self) -> &[Place] {
        &self.scheme.signature.from
    }

    /// The query's parameters for secrets: such parameters are no data.
    pub fn secret_parameters(&self) -> impl Iterator<Item = &str> {
        let token = self.scheme.algorithm == Algorithm::Token;
        let places = self.scheme.signature.from.iter().filter(move |_| token);
        places.filter_map(|place| match place {
            Place::Query(name) => Some(name.as_str()),
            _ => None,
        })
    }

    pub(super) fn keys(&self) -> Vec<Vec<u8>> {
        self.secrets.iter().flat_map(|secret| self.scheme.key.keys(secret.expose())).collect()
    }

    fn handshakes(&self) -> impl Iterator<Item = &'static Handshake> {
        self.preset.into_iter().flat_map(|preset| &preset.handshakes)
    }

    fn filling<'a>(&'a self, request: &'a Request<'a>) -> Filling<'a> {
        let sight = Sight::whole(request);
        Filling { sight, stamp: None, settings: self.settings, mac: None }
    }

    /// Answers a handshake; `None` for a handshake with a secret other than the source's.
    fn answer(
        &self,
        handshake: &'static Handshake,
        request: &Request<'_>,
    ) -> Result<Option<Handshaken>, Refusal> {
        let keys = self.keys();
        let mac = |encoding: Encoding, bytes: &[u8]| {
            let tag = self.scheme.algorithm.mac(keys.first()?, &[Cow::Borrowed(bytes)])?;
            Some(encoding.encode(&tag))
        };
        let sight = Sight::whole(request);
        let filling = Filling { sight, stamp: None, settings: self.settings, mac: Some(&mac) };
        if let Some(place) = &handshake.secret {
            let Some(secret) = self.handshake_secret else {
                let detail = "no handshake secret is set";
                return Err(Refusal::new(Cause::NoSecret, detail));
            };
            let sent = sight.value(place).unwrap_or_default();
            if !same(sent.as_bytes(), secret.expose().as_bytes()) {
                return Err(Refusal::new(Cause::WrongToken, place.to_string()));
            }
        }
        let Some(learnt) = handshake.learnt(&filling) else {
            // A teaching handshake without a secret is no handshake.
            return match handshake.learns {
                Some(_) => Ok(None),
                None => handshake.answer.fill(&filling).map(Handshaken::Answer).map(Some),
            };
        };
        let answer = handshake.answer.fill(&filling)?;
        if self.secrets.is_empty() {
            return Ok(Some(Handshaken::Learn(learnt, answer)));
        }
        let learnt = learnt.expose().as_bytes();
        let known = self.secrets.iter().any(|secret| same(secret.expose().as_bytes(), learnt));
        Ok(known.then_some(Handshaken::Answer(answer)))
    }
}

/// A try to prove a request: the doctor makes several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'t> {
    pub(super) scheme: &'t Scheme,
    pub(super) keys: &'t [Vec<u8>],
    pub(super) settings: &'t BTreeMap<String, String>,
}

impl Attempt<'_> {
    /// Whether the request is proved; without a time, at any age.
    pub(super) fn verify(
        &self,
        request: &Request<'_>,
        now: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let scheme = self.scheme;
        let bodiless = [Method::GET, Method::HEAD].contains(request.method);
        if bodiless && scheme.algorithm != Algorithm::Token && !scheme.covers_url() {
            let detail = "this scheme signs bodies, and the request has none";
            return Err(Refusal::new(Cause::NotSigned, detail));
        }
        if scheme.any_port && scheme.covers_url() {
            return self.verify_any_port(request, now);
        }
        self.verify_as_called(request, now)
    }

    /// Tries the URL unchanged, and then with the port left out or the default port written out. The first
    /// refusal is reported.
    fn verify_any_port(
        &self,
        request: &Request<'_>,
        now: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let first = match self.verify_as_called(request, now) {
            Err(refusal) if refusal.cause == Cause::WrongSignature => refusal,
            other => return other,
        };
        let Some(other) = request.url.and_then(with_other_port) else { return Err(first) };
        let other = Request { url: Some(&other), ..*request };
        self.verify_as_called(&other, now).map_err(|_| first)
    }

    fn verify_as_called(
        &self,
        request: &Request<'_>,
        now: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let scheme = self.scheme;
        let whole = Sight::whole(request);
        let Some(each) = &scheme.each else { return self.verify_one(whole, now) };
        let items = Pointer::parse(each).and_then(|each| each.items(request.body, ITEMS_MAX));
        let items = items.filter(|items| !items.is_empty()).ok_or_else(|| {
            let detail = format!("`{each}` is no list of 1 to {ITEMS_MAX} items");
            Refusal::new(Cause::UnreadableBody, detail)
        })?;
        items.into_iter().enumerate().try_for_each(|(at, item)| {
            self.verify_one(Sight { item: Some(item), ..whole }, now).map_err(|refusal| {
                let detail = format!("item {at}: {}", refusal.detail);
                Refusal { detail, ..refusal }
            })
        })
    }

    fn verify_one(&self, sight: Sight<'_>, now: Option<Timestamp>) -> Result<(), Refusal> {
        let found = self.signatures(&sight)?;
        let claims;
        let mut sight = sight;
        match self.scheme.algorithm {
            Algorithm::Token => self.token(&found)?,
            algorithm if algorithm.is_jwt() => {
                claims = self.jwt(&found, now)?;
                sight.claims = Some(&claims);
                self.stamp(&sight, now)?;
            }
            _ => self.signed(&sight, &found, now)?,
        }
        self.body_hash(&sight)
    }

    /// The possible signatures, as written.
    fn signatures(&self, sight: &Sight<'_>) -> Result<Vec<String>, Refusal> {
        let part = &self.scheme.signature;
        let places = || part.from.iter().map(Place::to_string).collect::<Vec<_>>().join(", ");
        let values = part.from.iter().map(|place| sight.values(place));
        let Some(values) = values.into_iter().find(|values| !values.is_empty()) else {
            return Err(Refusal::new(Cause::MissingSignature, places()));
        };
        let entries = values.iter().flat_map(|value| part.entries(value));
        let entries: Vec<_> = entries.take(VALUES_MAX).map(str::to_owned).collect();
        if entries.is_empty() {
            let detail = match part.prefix.as_str() {
                "" => format!("{} is empty", places()),
                prefix => format!("nothing in {} starts with `{prefix}`", places()),
            };
            return Err(Refusal::new(Cause::MalformedSignature, detail));
        }
        Ok(entries)
    }

    fn token(&self, found: &[String]) -> Result<(), Refusal> {
        let pairs = found.iter().flat_map(|token| self.keys.iter().map(move |key| (token, key)));
        let right = pairs.fold(false, |right, (token, key)| same(token.as_bytes(), key) | right);
        if right {
            Ok(())
        } else {
            Err(Refusal::new(Cause::WrongToken, "the token is another one"))
        }
    }

    fn signed(
        &self,
        sight: &Sight<'_>,
        found: &[String],
        now: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let encoding = self.scheme.encoding;
        let signatures: Vec<_> = found.iter().filter_map(|text| encoding.decode(text)).collect();
        if signatures.is_empty() {
            let word = if encoding == Encoding::Hex { "hexadecimal" } else { "base64" };
            let detail = format!("the signature is not {word}");
            return Err(Refusal::new(Cause::MalformedSignature, detail));
        }
        let stamp = self.stamp(sight, now)?;
        let filling =
            Filling { sight: *sight, stamp: stamp.as_deref(), settings: self.settings, mac: None };
        let parts = match &self.scheme.signed {
            Some(template) => filling.fill(template)?,
            None => Vec::new(),
        };
        let algorithm = self.scheme.algorithm;
        if self.keys.iter().any(|key| algorithm.verify(key, &parts, &signatures)) {
            return Ok(());
        }
        let detail = "the signature is not of this request with this secret";
        Err(Refusal::new(Cause::WrongSignature, detail))
    }

    /// The token's claims, after the checks of signature and times.
    fn jwt(&self, found: &[String], now: Option<Timestamp>) -> Result<Vec<u8>, Refusal> {
        let tokens: Vec<_> = found.iter().filter_map(|text| Token::parse(text)).collect();
        if tokens.is_empty() {
            let detail = "the signature is no JSON Web Token";
            return Err(Refusal::new(Cause::MalformedSignature, detail));
        }
        let is_right = |token: &&Token<'_>| {
            self.keys.iter().any(|key| token.is_signed(self.scheme.algorithm, key))
        };
        let token = tokens.iter().find(is_right).ok_or_else(|| {
            let detail = "the token is not signed with this key by this algorithm";
            Refusal::new(Cause::WrongSignature, detail)
        })?;
        let claims = token.claims().to_vec();
        // A present value other than a number must not count as absent (RFC 7519 sections 4.1.4 and 4.1.5).
        let moment = |name: &str| match Pointer::member(name).find(&claims) {
            None => Ok(None),
            Some(json) => numeric_date(json).map(Some).ok_or_else(|| {
                let detail = format!("the claim `{name}` is no number of seconds");
                Refusal::new(Cause::MalformedTimestamp, detail)
            }),
        };
        let (from, until) = (moment("nbf")?, moment("exp")?);
        if let Some(now) = now {
            let early = from.is_some_and(|from| from.duration_since(now) > TOKEN_LEEWAY);
            let late = until.is_some_and(|until| now.duration_since(until) > TOKEN_LEEWAY);
            if early || late {
                let detail = "the token is not valid yet, or no longer";
                return Err(Refusal::new(Cause::StaleTimestamp, detail));
            }
        }
        Ok(claims)
    }

    /// The timestamp as written, if close enough to now; `None` for a scheme without a timestamp.
    fn stamp(&self, sight: &Sight<'_>, now: Option<Timestamp>) -> Result<Option<String>, Refusal> {
        let Some(stamp) = &self.scheme.timestamp else { return Ok(None) };
        let part = stamp.part();
        let values = part.from.iter().flat_map(|place| sight.values(place));
        let text =
            values.into_iter().find_map(|value| part.entries(&value).next().map(str::to_owned));
        let Some(text) = text else {
            let places: Vec<_> = part.from.iter().map(Place::to_string).collect();
            return Err(Refusal::new(Cause::MissingTimestamp, places.join(", ")));
        };
        let then = stamp.read(&text).ok_or_else(|| {
            Refusal::new(Cause::MalformedTimestamp, format!("it is not in {}", stamp.unit.words()))
        })?;
        if let Some(now) = now {
            let skew = then.duration_since(now);
            if skew.abs() > SignedDuration::from_secs(i64::from(stamp.tolerance_seconds)) {
                let seconds = skew.as_secs();
                let detail = format!(
                    "it is {} s {} now, and at most {} s are allowed",
                    seconds.unsigned_abs(),
                    if seconds < 0 { "before" } else { "after" },
                    stamp.tolerance_seconds
                );
                let refusal = Refusal::new(Cause::StaleTimestamp, detail);
                return Err(Refusal { skew_seconds: Some(seconds), ..refusal });
            }
        }
        Ok(Some(text))
    }

    fn body_hash(&self, sight: &Sight<'_>) -> Result<(), Refusal> {
        let Some(rule) = &self.scheme.body_hash else { return Ok(()) };
        let Some(text) = sight.value(&rule.from) else {
            let covered = sight.request.body.is_empty() || sight.request.is_form();
            if rule.unless_form && covered {
                return Ok(());
            }
            return Err(Refusal::new(Cause::MissingPart, rule.from.to_string()));
        };
        let hash = Sha256::digest(sight.request.body);
        let right = rule.encoding.decode(&text).is_some_and(|signed| same(&signed, &hash));
        if right { Ok(()) } else { Err(Refusal::new(Cause::WrongBodyHash, rule.from.to_string())) }
    }
}

/// A URL without the port, or with the scheme's default port if none is written.
fn with_other_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let port = authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let other = match port {
        Some((host, _)) => host.to_owned(),
        None => format!("{authority}:{}", if scheme == "http" { 80 } else { 443 }),
    };
    Some(format!("{scheme}://{other}{target}"))
}

impl Stamp {
    /// The moment in the text.
    fn read(&self, text: &str) -> Option<Timestamp> {
        match self.unit {
            Unit::Seconds => numeric_date(text),
            Unit::Milliseconds => Timestamp::from_millisecond(text.parse().ok()?).ok(),
            Unit::Rfc3339 => moment::timestamp(text),
        }
    }
}

/// A JSON number of seconds since 1970, with or without a fraction (RFC 7519, `NumericDate`). A number beyond
/// all moments gives the last or the first moment.
fn numeric_date(text: &str) -> Option<Timestamp> {
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let seconds = text.parse::<f64>().ok().filter(|seconds| is_number && seconds.is_finite())?;
    let past = seconds < 0.0;
    let beyond = if past { Timestamp::MIN } else { Timestamp::MAX };
    let since = SignedDuration::try_from_secs_f64(seconds).ok();
    let moment = since.and_then(|since| Timestamp::from_duration(since).ok());
    Some(moment.unwrap_or(beyond))
}

impl Unit {
    fn words(self) -> &'static str {
        match self {
            Self::Seconds => "Unix seconds",
            Self::Milliseconds => "Unix milliseconds",
            Self::Rfc3339 => "the form of RFC 3339",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_left_out_or_written_out() {
        for (url, other) in [
            ("https://a.example:8443/b?c=d:1", "https://a.example/b?c=d:1"),
            ("https://a.example/b:2", "https://a.example:443/b:2"),
            ("http://a.example?b", "http://a.example:80?b"),
            ("https://[::1]:8443/", "https://[::1]/"),
            ("https://[::1]/", "https://[::1]:443/"),
        ] {
            assert_eq!(with_other_port(url).as_deref(), Some(other), "{url}");
        }
        assert_eq!(with_other_port("nowhere"), None);
    }

    #[test]
    fn numeric_dates_are_numbers() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        for (text, moment) in [
            ("1700000000", at(1_700_000_000)),
            ("17e8", at(1_700_000_000)),
            ("-1", at(-1)),
            ("1.5", Timestamp::from_millisecond(1_500).ok()),
            ("1e300", Some(Timestamp::MAX)),
            ("-1e300", Some(Timestamp::MIN)),
        ] {
            assert_eq!(numeric_date(text), moment, "{text}");
        }
        for text in
            ["", "soon", "\"1700000000\"", "null", "true", "[]", "nan", "inf", "+1", "1e999"]
        {
            assert_eq!(numeric_date(text), None, "{text}");
        }
    }
}
