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

/// The longest URL that is looked at; servers take as much.
const URL_CHARS_MAX: usize = 8_192;

/// Bytes of a question beyond the body that it is about: headers and URL.
const QUESTION_EXTRA_BYTES: usize = 256 << 10;

/// A request as it came, or would have; or the number of one that was refused and is kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DoctorQuestion {
    /// The number of a line of the source's log of rejections whose request is kept. Then nothing else
    /// may be given.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9223372036854775807_i64)]
    rejection: Option<u64>,
    /// Its method; POST unless said.
    #[serde(default)]
    #[schema(pattern = "^(GET|HEAD|POST|OPTIONS)$")]
    method: Option<String>,
    /// Its whole URL as the sender called it, with the query; the source's own unless said.
    #[serde(default)]
    #[schema(max_length = 8192)]
    url: Option<String>,
    /// Its headers; required without `rejection`.
    #[serde(default)]
    #[schema(max_items = 200)]
    headers: Option<Vec<DoctorHeader>>,
    /// Its body, byte by byte, in base64; none unless said.
    #[serde(default)]
    #[schema(required = false, content_encoding = "base64")]
    body_base64: String,
    /// When it came; now unless said.
    #[serde(default, deserialize_with = "input::moment")]
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
/// The request is judged as if it came to the source, and when it is not proved, what usually goes
/// wrong is tried: the secret decoded in other ways, other encodings, a body that was written again, a
/// URL as a proxy changes it. Of a refused request that is kept (`has_request` in the log of
/// rejections) the number is enough. Nothing is stored.
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
    // Answers tell right signatures from wrong ones, so asking is not for readers.
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

/// What is wrong with the request that is kept with a line of the source's log.
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
