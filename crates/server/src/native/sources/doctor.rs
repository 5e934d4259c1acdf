//! `POST /v1/sources/{id}/doctor`: why a request to a source is refused.

use crate::native::input::Nothing;
use crate::native::sent::LargeBody;
use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::id::RejectionId;
use hookyard_core::model::{Source, Source as CoreSource};
use hookyard_core::provider::{Cause, Diagnosis};
use hookyard_engine::receive::{Examined, examine, examine_kept};
use hookyard_engine::work::Share;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::App;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::{input, paths};
use crate::problem::{Code, Problem};

/// The most headers of a request. Servers and proxies allow about a hundred.
const HEADERS_MAX: usize = 200;

/// The longest URL of a question; servers accept as much.
const URL_CHARS_MAX: usize = 8_192;

/// Bytes of a question beyond the request's body: headers and URL.
const QUESTION_EXTRA_BYTES: usize = 256 << 10;

/// A request, real or supposed; or the number of a kept refused request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DoctorQuestion {
    /// The number of a line of the source's log of rejections whose request is kept. Then nothing else
    /// may be given.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9223372036854775807_i64)]
    rejection: Option<u64>,
    /// The request's method; POST by default.
    #[serde(default)]
    #[schema(pattern = "^(GET|HEAD|POST|OPTIONS)$")]
    method: Option<String>,
    /// The whole URL as called by the sender, with the query; the source's own URL by default.
    #[serde(default)]
    #[schema(max_length = 8192)]
    url: Option<String>,
    /// The request's headers; required without `rejection`.
    #[serde(default)]
    #[schema(max_items = 200)]
    headers: Option<Vec<DoctorHeader>>,
    /// The request's body, byte for byte, in base64; empty by default.
    #[serde(default)]
    #[schema(required = false, content_encoding = "base64")]
    body_base64: String,
    /// The moment of arrival; now by default.
    #[serde(default, deserialize_with = "input::moment")]
    received_at: Option<Timestamp>,
}

/// A header of a request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DoctorHeader {
    /// The header's name.
    name: String,
    /// The header's value.
    value: String,
}

/// Why a request is refused.
#[derive(Serialize, ToSchema)]
struct DoctorAnswer {
    /// Whether the request is proved.
    verified: bool,
    /// The cause of a refusal: a word of a closed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<CauseWord>)]
    cause: Option<Cause>,
    /// Whether the cause is certain: the request is right after a known change, or lacks a part. Otherwise
    /// the cause was found by elimination.
    certain: bool,
    /// The finding and the advice.
    explanation: String,
    /// Seconds from the moment of the request to the signed timestamp; negative for an earlier timestamp.
    /// Present when the difference is beyond the tolerance.
    #[serde(skip_serializing_if = "Option::is_none")]
    skew_seconds: Option<i64>,
}

/// Why a request is not believed; docs/reference/providers.md says what to do about each.
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
/// Judges the request as if sent to the source. For an unproved request, usual faults are tried: a secret
/// decoded in another way, other encodings, a body written again, a URL changed by a proxy. For a kept
/// refused request (`has_request` in the log of rejections) the number is enough. Nothing is stored.
#[utoipa::path(
    post,
    path = paths::DOCTOR,
    tag = "sources",
    responses((status = 200, description = "What was found", body = DoctorAnswer)),
)]
pub(super) async fn ask_doctor(
    call: Call<Within<Write<Data>>, Arc<CoreSource>, Nothing, LargeBody<DoctorQuestion>>,
) -> Result<Response, Problem> {
    let Call { app, target: source, body, .. } = call;
    // Answers tell right signatures from wrong signatures, so a reading scope does not suffice.
    let bytes_max = app.settings.receive_bytes_max;
    let body = body.bytes(bytes_max / 3 * 4 + QUESTION_EXTRA_BYTES).await?;
    let (work, share) = (app.engine.work(), Share::Calls(source.spec.workspace));
    let parse = || input::parse::<DoctorQuestion>(&body);
    let question = work.run(share, body.len(), parse).await??;
    let found = match question.rejection {
        Some(rejection) => of_rejection(&app, &source, rejection, &question).await?,
        None => {
            let examine = || {
                let request = question.read(&app, &source)?;
                Ok::<_, Problem>(examine(&source, &request, bytes_max))
            };
            work.run_large(share, examine).await??
        }
    };
    let Diagnosis { cause, certain, explanation, skew_seconds } = found;
    let verified = cause.is_none();
    let answer = DoctorAnswer { verified, cause, certain, explanation, skew_seconds };
    Ok(Json(answer).into_response())
}

/// The fault of the request kept with a line of the source's log.
async fn of_rejection(
    app: &App,
    source: &Source,
    rejection: u64,
    question: &DoctorQuestion,
) -> Result<Diagnosis, Problem> {
    let wrong = |detail: &str| Problem::of_field(Code::InvalidValue, "rejection", detail);
    let DoctorQuestion { rejection: _, method, url, headers, body_base64, received_at } = question;
    let alone = method.is_none()
        && url.is_none()
        && headers.is_none()
        && body_base64.is_empty()
        && received_at.is_none();
    if !alone {
        return Err(wrong("the request is the one that is kept: give no other member with it"));
    }
    let id = input::at_most("rejection", Some(rejection), i64::MAX.unsigned_abs())?;
    let id = RejectionId(id.unwrap_or_default());
    let found = app.engine.rejection(source.spec.workspace, source.id, id).await?;
    let Some((line, request)) = found else {
        return Err(wrong("the source's log of rejections has no such line"));
    };
    let request = request.ok_or_else(|| {
        wrong("no request is kept with this line: they are for the newest lines, and for a while")
    })?;
    let bytes_max = app.settings.receive_bytes_max;
    let public_url = app.settings.public_url.as_deref();
    let examine = || examine_kept(source, &line, &request, public_url, bytes_max);
    Ok(app.engine.work().run_large(Share::Calls(source.spec.workspace), examine).await?)
}

impl DoctorQuestion {
    fn read(&self, app: &App, source: &Source) -> Result<Examined, Problem> {
        let wrong =
            |field: &str, detail: &str| Problem::of_field(Code::InvalidValue, field, detail);
        let Self { rejection: _, method, url, headers: given, body_base64, received_at } = self;
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
        let given = given.as_deref().ok_or_else(|| {
            wrong("headers", "is required, unless `rejection` names a request that is kept")
        })?;
        if given.len() > HEADERS_MAX {
            return Err(wrong("headers", "a request has at most 200 headers"));
        }
        let mut headers = HeaderMap::new();
        for (at, DoctorHeader { name, value }) in given.iter().enumerate() {
            let field = format!("headers[{at}]");
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong(&format!("{field}.name"), "is no name of a header"))?;
            let value = HeaderValue::from_str(value)
                .map_err(|_| wrong(&format!("{field}.value"), "is no value of a header"))?;
            headers.append(name, value);
        }
        let body =
            STANDARD.decode(body_base64).map_err(|_| wrong("body_base64", "is no base64"))?;
        let own = || {
            Some(format!("{}/webhook/data/{}", app.settings.public_url.as_ref()?, source.spec.key))
        };
        let received_at = received_at.unwrap_or_else(|| app.engine.clock().now());
        let url = url.clone().or_else(own);
        Ok(Examined { method, url, headers, body: body.into(), received_at })
    }
}

/// Examples of the file's schemas, by name.
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
