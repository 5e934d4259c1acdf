//! Handshakes: requests by a provider to ask whether a URL is meant for the provider's deliveries.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;

use super::cause::{Cause, Refusal};
use super::place::Place;
use super::render::Filling;
use super::template::Template;
use crate::secret::Secret;

/// The longest answer to a handshake, in bytes. The longest known challenges have a few hundred.
const ANSWER_BYTES_MAX: usize = 8 << 10;

/// The longest secret from a handshake, in bytes.
const LEARNT_BYTES_MAX: usize = 1000;

/// How a handshake is recognised and answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// The provider's name for the handshake.
    pub name: String,
    /// The request's method.
    #[serde(default = "post")]
    pub method: String,
    /// Places with required values.
    #[serde(default)]
    pub when: BTreeMap<Place, String>,
    /// Places with any required content.
    #[serde(default)]
    pub present: Vec<Place>,
    /// The place of the source's handshake secret.
    #[serde(default)]
    pub secret: Option<Place>,
    /// Whether a handshake is signed like a delivery, and answered only with a right signature.
    #[serde(default)]
    pub proof: bool,
    /// The place of a secret for the signatures of later deliveries. A source without a secret learns the
    /// secret; later handshakes with another secret are refused.
    #[serde(default)]
    pub learns: Option<Place>,
    /// The answer.
    pub answer: Reply,
}

fn post() -> String {
    "POST".to_owned()
}

/// The template of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reply {
    /// The status; 0 for 200.
    pub status: u16,
    /// The media type; `text/plain` when a body has none.
    pub content_type: Option<String>,
    /// The body.
    pub body: Option<Template>,
    /// The body as a JSON object of strings.
    pub json: BTreeMap<String, Template>,
    /// Headers.
    pub headers: BTreeMap<String, Template>,
}

/// An answer, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The media type of the body, if any.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
    /// More headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The outcome of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshaken {
    /// Send the answer and store nothing.
    Answer(Answer),
    /// Keep the secret as the source's, then send the answer.
    Learn(Secret, Answer),
}

impl Handshake {
    /// Whether the request may be the handshake, as far as the head tells.
    pub(super) fn may_begin(&self, filling: &Filling<'_>) -> bool {
        let in_head = |place: &&Place| place.is_in_head();
        let sight = &filling.sight;
        sight.request.method.as_str() == self.method
            && self
                .when
                .iter()
                .filter(|(place, _)| place.is_in_head())
                .all(|(place, wanted)| sight.value(place).as_deref() == Some(wanted))
            && self.places().filter(in_head).all(|place| sight.value(place).is_some())
    }

    /// Whether the head alone tells.
    pub(super) fn is_in_head(&self) -> bool {
        self.places().chain(self.when.keys()).all(Place::is_in_head)
    }

    /// Whether the request is the handshake.
    pub(super) fn is(&self, filling: &Filling<'_>) -> bool {
        let sight = &filling.sight;
        self.may_begin(filling)
            && self.when.iter().all(|(place, wanted)| sight.value(place).as_deref() == Some(wanted))
            && self.places().all(|place| sight.value(place).is_some())
    }

    /// The places with any required content.
    fn places(&self) -> impl Iterator<Item = &Place> {
        self.present.iter().chain(&self.secret).chain(&self.learns)
    }

    /// The secret in the request.
    pub(super) fn learnt(&self, filling: &Filling<'_>) -> Option<Secret> {
        let value = filling.sight.value(self.learns.as_ref()?)?;
        (value.len() <= LEARNT_BYTES_MAX).then(|| Secret::new(value))
    }
}

impl Reply {
    /// The answer to the request.
    pub(super) fn fill<'a>(&'a self, filling: &Filling<'a>) -> Result<Answer, Refusal> {
        let mut content_type = self.content_type.clone();
        let mut body = String::new();
        if let Some(template) = &self.body {
            body = filling.text(template)?;
            content_type.get_or_insert_with(|| "text/plain; charset=utf-8".to_owned());
        } else if !self.json.is_empty() {
            let members: Result<BTreeMap<_, _>, _> = self
                .json
                .iter()
                .map(|(name, template)| Ok((name, filling.text(template)?)))
                .collect();
            body = serde_json::to_string(&members?).map_err(|_| unanswerable())?;
            content_type.get_or_insert_with(|| "application/json".to_owned());
        }
        let mut headers = Vec::new();
        for (name, template) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unanswerable())?;
            let value = filling.text(template)?;
            headers.push((name, HeaderValue::from_str(&value).map_err(|_| unanswerable())?));
        }
        let bytes = body.len() + headers.iter().map(|(_, value)| value.len()).sum::<usize>();
        if bytes > ANSWER_BYTES_MAX {
            return Err(unanswerable());
        }
        let status = if self.status == 0 { 200 } else { self.status };
        Ok(Answer { status, content_type, body, headers })
    }
}

fn unanswerable() -> Refusal {
    Refusal::new(
        Cause::UnreadableBody,
        "the handshake cannot be answered: what it sends is too long",
    )
}

/// The methods of handshakes.
pub(super) const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS];
