//! `POST /v1/sources/{id}/doctor`: why a request to a source is refused.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::model::{Scope, Source};
use hookyard_core::provider::{Cause, Diagnosis, Request, diagnose, diagnose_default};
use hookyard_engine::receive::{self, Head, Standing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::source;
use crate::App;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// The most headers of a request. Servers and proxies allow about a hundred.
const HEADERS_MAX: usize = 200;

/// The longest URL that is looked at; servers take as much.
const URL_CHARS_MAX: usize = 8_192;

/// Bytes of a question beyond the body that it is about: headers and URL.
const QUESTION_EXTRA_BYTES: usize = 256 << 10;

/// A request as it came, or would have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DoctorQuestion {
    /// Its method; POST unless said.
    #[serde(default)]
    #[schema(pattern = "^(GET|HEAD|POST|OPTIONS)$")]
    method: Option<String>,
    /// Its whole URL as the sender called it, with the query; the source's own unless said.
    #[serde(default)]
    #[schema(max_length = 8192)]
    url: Option<String>,
    /// Its headers.
    #[schema(max_items = 200)]
    headers: Vec<DoctorHeader>,
    /// Its body, byte by byte, in base64; none unless said.
    #[serde(default)]
    #[schema(required = false, content_encoding = "base64")]
    body_base64: String,
    /// When it came; now unless said.
    #[serde(default)]
    received_at: Option<Timestamp>,
}

/// A header of a request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DoctorHeader {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}

/// Why a request is refused.
#[derive(Serialize, ToSchema)]
struct DoctorAnswer {
    /// Whether it is proved.
    verified: bool,
    /// Why not: one of a closed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<CauseWord>)]
    cause: Option<Cause>,
    /// Whether the reason is proved: a change was found with which the request is right, or something
    /// is missing. Else it is what is left.
    certain: bool,
    /// What was found and what to do about it.
    explanation: String,
    /// How many seconds the signed timestamp is after the moment of the request; negative when it is
    /// before. Present when that is too far.
    #[serde(skip_serializing_if = "Option::is_none")]
    skew_seconds: Option<i64>,
}

/// Why a request is not believed; docs/providers.md says what to do about each.
#[derive(ToSchema)]
#[schema(as = VerificationCause, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the words of `Cause`, which the core writes")]
enum CauseWord {
    NoSecret,
    MissingSignature,
    MalformedSignature,
    MissingTimestamp,
    MalformedTimestamp,
    StaleTimestamp,
    MissingPart,
    UnreadableBody,
    UnknownUrl,
    NotSigned,
    WrongBodyHash,
    WrongToken,
    WrongSignature,
    OtherProvider,
    SecretEncoding,
    SignatureEncoding,
    OtherAlgorithm,
    BodyChanged,
    WrongUrl,
    WrongSecret,
}

/// Find out why a request is refused
///
/// The request is judged as if it came to the source, and when it is not proved, what usually goes
/// wrong is tried: the secret decoded in other ways, other encodings, a body that was written again, a
/// URL as a proxy changes it. Nothing is stored.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/doctor",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    request_body = DoctorQuestion,
    responses((status = 200, description = "What was found", body = DoctorAnswer)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn ask_doctor(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // Answers tell right signatures from wrong ones, so asking is not for readers.
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    input::check_kind(&headers, &[input::JSON])?;
    let bytes_max = app.settings.receive_bytes_max;
    let body = input::whole(body, bytes_max / 3 * 4 + QUESTION_EXTRA_BYTES).await?;
    let question: DoctorQuestion = input::parse(&body)?;
    let asked = Asked::read(question, &app, &source)?;
    let now = asked.received_at.unwrap_or_else(|| app.engine.clock().now());
    let Diagnosis { cause, certain, explanation, skew_seconds } = asked.diagnose(&source, now);
    let verified = cause.is_none();
    let answer = DoctorAnswer { verified, cause, certain, explanation, skew_seconds };
    Ok(Json(answer).into_response())
}

/// A question whose parts were read.
struct Asked {
    method: Method,
    url: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
    received_at: Option<Timestamp>,
}

impl Asked {
    fn read(question: DoctorQuestion, app: &App, source: &Source) -> Result<Self, Problem> {
        let wrong =
            |field: &str, detail: &str| Problem::of_field(Code::InvalidValue, field, detail);
        let DoctorQuestion { method, url, headers: given, body_base64, received_at } = question;
        let method = match method.as_deref().unwrap_or("POST") {
            "POST" => Method::POST,
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            "OPTIONS" => Method::OPTIONS,
            _ => return Err(wrong("method", "must be GET, HEAD, POST or OPTIONS")),
        };
        if url.as_ref().is_some_and(|url| url.chars().count() > URL_CHARS_MAX) {
            return Err(wrong("url", "has more than 8192 characters"));
        }
        if given.len() > HEADERS_MAX {
            return Err(wrong("headers", "a request has at most 200 headers"));
        }
        let mut headers = HeaderMap::new();
        for (at, DoctorHeader { name, value }) in given.into_iter().enumerate() {
            let field = format!("headers[{at}]");
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong(&format!("{field}.name"), "is no name of a header"))?;
            let value = HeaderValue::from_str(&value)
                .map_err(|_| wrong(&format!("{field}.value"), "is no value of a header"))?;
            headers.append(name, value);
        }
        let body =
            STANDARD.decode(body_base64).map_err(|_| wrong("body_base64", "is no base64"))?;
        let own = || {
            Some(format!("{}/webhook/data/{}", app.settings.public_url.as_ref()?, source.spec.key))
        };
        Ok(Self { method, url: url.or_else(own), headers, body, received_at })
    }

    fn diagnose(&self, source: &Source, now: Timestamp) -> Diagnosis {
        let url = self.url.as_deref();
        let query = url.and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
        let (method, headers) = (&self.method, &self.headers);
        let request = Request { method, headers, url, query, body: &self.body };
        if let Some(verification) = &source.spec.options.verification {
            return match verification.verifier() {
                Some(verifier) => diagnose(&verifier, &request, now),
                None => certain(Some(Cause::NoSecret), "the provider is not known to this version"),
            };
        }
        let Some(secret) = &source.spec.secret else {
            return certain(None, "the source is open: it asks for no proof");
        };
        if receive::standing(source, Head { method, headers, query }) == Standing::Proven {
            return certain(None, "the request shows the source's secret");
        }
        diagnose_default(secret, &request, now)
    }
}

fn certain(cause: Option<Cause>, explanation: &str) -> Diagnosis {
    Diagnosis { cause, certain: true, explanation: explanation.to_owned(), skew_seconds: None }
}

/// Examples of the schemas of this file, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let headers = json!([{"name": "x-hub-signature-256", "value": "sha256=00"}]);
    vec![("DoctorQuestion", json!({"headers": headers, "body_base64": "eyJpZCI6MX0="}))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::PartialSchema;

    #[test]
    fn the_document_lists_every_cause() {
        let schema = serde_json::to_value(CauseWord::schema()).unwrap();
        let words: Vec<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(schema["enum"], json!(words));
    }
}
