//! The presets against requests that another program signed (`vectors/make.py`).
#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::model::Secret;
use hookyard_core::provider::{
    Answer, Cause, Evidence, Handshaken, Judged, Preset, Refusal, Request, Verification, diagnose,
    preset, presets,
};
use http::{HeaderMap, HeaderName, Method};
use jiff::Timestamp;
use serde::Deserialize;

/// One request and what is to come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    provider: String,
    name: String,
    secrets: Vec<String>,
    method: String,
    url: Option<String>,
    headers: Vec<(String, String)>,
    body_base64: String,
    now: i64,
    expect: Expected,
    /// What the doctor finds, where it finds more than the verifier.
    diagnosis: Option<Cause>,
    /// The id by which the delivery is known when it is sent again.
    delivery_id: Option<String>,
    handshake_secret: Option<String>,
    header: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    Word(String),
    Answer(Expectation),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    status: u16,
    content_type: Option<String>,
    body: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    learnt: Option<String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("vectors/providers.json")).unwrap()
}

impl Case {
    fn verification(&self) -> Verification {
        Verification {
            provider: Some(self.provider.clone()),
            secrets: self.secrets.iter().map(Secret::new).collect(),
            handshake_secret: self.handshake_secret.as_ref().map(Secret::new),
            header: self.header.clone(),
            settings: self.settings.clone(),
            ..Verification::default()
        }
    }

    /// Calls `with` with the request.
    fn request<T>(&self, with: impl FnOnce(&Request<'_>, Timestamp) -> T) -> T {
        let method: Method = self.method.parse().unwrap();
        let headers: HeaderMap = self
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        let body = STANDARD.decode(&self.body_base64).unwrap();
        let url = self.url.as_deref();
        let query = url.and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
        let request = Request { method: &method, headers: &headers, url, query, body: &body };
        with(&request, Timestamp::from_second(self.now).unwrap())
    }

    /// What comes of it, in the order in which a server asks.
    fn judged(&self) -> Result<Judged, Refusal> {
        let verification = self.verification();
        let verifier = verification.verifier().unwrap();
        self.request(|request, now| {
            let head = Request { body: b"", ..*request };
            if let Some(answered) = verifier.handshake_in_head(&head) {
                return answered.map(Judged::Handshake);
            }
            // A server reads no more of the body than the verifier asks for.
            let most = verifier.reads(&head, 10 << 20);
            let body = request.body;
            let body = if body.len() <= most { body } else { b"" };
            verifier.judge(&Request { body, ..*request }, now)
        })
    }
}

impl Expectation {
    fn is(&self, handshaken: &Handshaken) -> bool {
        let (learnt, answer) = match handshaken {
            Handshaken::Answer(answer) => (None, answer),
            Handshaken::Learn(secret, answer) => (Some(secret.expose()), answer),
        };
        let Answer { status, content_type, body, headers } = answer;
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        learnt == self.learnt.as_deref()
            && *status == self.status
            && *content_type == self.content_type
            && *body == self.body
            && headers == self.headers
    }
}

#[test]
fn every_request_is_judged_as_it_should() {
    for case in cases() {
        let judged = case.judged();
        let name = format!("{}: {}", case.provider, case.name);
        match (&case.expect, judged) {
            (Expected::Word(word), Ok(Judged::Delivery)) => assert_eq!(word, "verified", "{name}"),
            (Expected::Word(word), Err(refusal)) => {
                assert_eq!(*word, refusal.cause.to_string(), "{name}: {refusal}");
            }
            (Expected::Answer(wanted), Ok(Judged::Handshake(answer))) => {
                assert!(wanted.is(&answer), "{name}: {answer:?}");
            }
            (_, judged) => panic!("{name}: {judged:?}"),
        }
    }
}

#[test]
fn the_doctor_finds_the_reason() {
    let mut found = BTreeSet::new();
    for case in cases() {
        let verification = case.verification();
        let verifier = verification.verifier().unwrap();
        let diagnosis = case.request(|request, now| diagnose(&verifier, request, None, now));
        let name = format!("{}: {}: {}", case.provider, case.name, diagnosis.explanation);
        let Expected::Word(word) = &case.expect else { continue };
        if word == "verified" {
            assert_eq!(diagnosis.cause, None, "{name}");
            continue;
        }
        let told = Cause::parse(word).unwrap();
        let wanted = case.diagnosis.unwrap_or(match told {
            Cause::WrongSignature | Cause::WrongToken | Cause::WrongBodyHash => Cause::WrongSecret,
            told => told,
        });
        assert_eq!(diagnosis.cause, Some(wanted), "{name}");
        assert_eq!(
            diagnosis.skew_seconds.is_some(),
            case.request(|request, now| {
                verifier.judge(request, now).unwrap_err().skew_seconds.is_some()
            }),
            "{name}"
        );
        assert!(
            !case.secrets.iter().any(|secret| {
                secret.len() > 8 && diagnosis.explanation.contains(secret.as_str())
            }),
            "{name}"
        );
        found.insert(told);
        found.insert(wanted);
    }
    let missing: Vec<_> = Cause::ALL.into_iter().filter(|cause| !found.contains(cause)).collect();
    assert_eq!(missing, [] as [Cause; 0], "no vector has these");
}

#[test]
fn every_preset_has_vectors() {
    let cases = cases();
    for preset in presets() {
        let words: BTreeSet<_> = cases
            .iter()
            .filter(|case| case.provider == preset.name)
            .filter_map(|case| match &case.expect {
                Expected::Word(word) => Some(word.as_str()),
                Expected::Answer(_) => None,
            })
            .collect();
        let wrong = words.contains("wrong_signature") || words.contains("wrong_token");
        assert!(words.contains("verified") && wrong, "{}: {words:?}", preset.name);
        assert!(words.contains("missing_signature"), "{}", preset.name);
        let stale = preset.scheme.timestamp.is_some();
        assert!(!stale || words.contains("stale_timestamp"), "{}", preset.name);
        let answered = cases.iter().filter(|case| case.provider == preset.name);
        let answered = answered.filter(|case| matches!(case.expect, Expected::Answer(_))).count();
        assert!(answered >= preset.handshakes.len(), "{} handshakes", preset.name);
    }
    assert!(cases.iter().all(|case| preset(&case.provider).is_some()));
}

#[test]
fn what_verifies_may_be_set() {
    for case in cases() {
        if matches!(&case.expect, Expected::Word(word) if word == "verified") {
            let name = format!("{}: {}", case.provider, case.name);
            assert_eq!(case.verification().check(), Ok(()), "{name}");
        }
    }
}

#[test]
fn a_delivery_is_known_by_the_id_that_its_provider_gives_it() {
    let mut named = 0;
    for case in cases() {
        let Some(wanted) = &case.delivery_id else { continue };
        let preset = preset(&case.provider).unwrap();
        case.request(|request, _| {
            let found = preset.delivery_id(request);
            assert_eq!(found.as_deref(), Some(&wanted[..]), "{}: {}", case.provider, case.name);
        });
        named += 1;
    }
    assert!(named > 0);
}

/// Around the table in docs/reference/providers.md.
const BEGIN: &str = "<!-- providers -->\n";
const END: &str = "<!-- end of providers -->\n";

fn table() -> String {
    let mut table = "| provider | name | signs | secret | handshakes | evidence |\n".to_owned();
    table.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for preset in presets() {
        table.push_str(&line(preset));
    }
    table
}

fn line(preset: &Preset) -> String {
    let Preset { name, title, secret, note, evidence, scheme, handshakes, .. } = preset;
    let algorithm = scheme.algorithm.as_str();
    let signed = scheme.signed.as_ref().map(ToString::to_string);
    let signed = match signed {
        Some(signed) if signed.len() > 100 => format!("{algorithm}: fields of each item"),
        Some(signed) => format!("{algorithm}: `{}`", signed.replace('|', "\\|")),
        None => algorithm.to_owned(),
    };
    let handshakes: Vec<_> = handshakes.iter().map(|handshake| handshake.name.as_str()).collect();
    let evidence = match evidence {
        Evidence::Vendor(url) => format!("[vendor]({url})"),
        Evidence::PublicSource => "public".to_owned(),
        Evidence::NoVendor => "none".to_owned(),
        Evidence::General => "general".to_owned(),
    };
    let note = note.as_ref().map(|note| format!(". {note}")).unwrap_or_default();
    let handshakes = handshakes.join(", ");
    format!("| {title} | `{name}` | {signed} | {secret}{note} | {handshakes} | {evidence} |\n")
}

/// `UPDATE_DOCS=1` writes the table.
#[test]
fn the_documentation_has_every_provider() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/providers.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    assert!(
        text == wanted,
        "run with UPDATE_DOCS=1 to write the table of docs/reference/providers.md"
    );
    for cause in Cause::ALL {
        assert!(
            text.contains(&format!("`{cause}`")),
            "docs/reference/providers.md does not explain {cause}"
        );
    }
}
