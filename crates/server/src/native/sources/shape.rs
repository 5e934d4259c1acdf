//! A source on the wire.

use hookyard_core::id::{DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{
    DeliveryRate, Mode, NewSource, Previous, Republish, Source as CoreSource, SourceOptions,
    SuccessAnswer,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// An inbound URL.
#[derive(Serialize, ToSchema)]
pub(super) struct Source<'a> {
    /// The source's number.
    id: i32,
    /// The source's project.
    project: i32,
    /// The dataset that the source fills.
    dataset: i32,
    /// When the source was made.
    created_at: Timestamp,
    /// A name for people.
    name: &'a str,
    /// The path of the source's URL. Anybody with the path may send, so treat the path as a secret.
    path: String,
    /// Its whole URL, by `--public-url`, or else by the host of this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The effect of a delivery on the rows already there.
    mode: ModeBody,
    /// The browser origins that may deliver: `*`, or a list of `https://host` and `https://*.host`.
    origins: &'a str,
    /// Whether deliveries must prove to know a secret. The secret has a path of its own.
    secure: bool,
    /// When the previous secret ends or ended; absent without a rotation with an overlap.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_until: Option<Timestamp>,
    /// When the previous URL ends or ended; absent without a rotation with an overlap.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_key_until: Option<Timestamp>,
    /// The source's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a str>,
    /// The answer to an accepted delivery, when not the usual answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SuccessAnswerBody>)]
    answer: Option<&'a SuccessAnswer>,
    /// The networks that may deliver; an empty list for all.
    allowed_ips: Vec<String>,
    /// How fast deliveries may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DeliveryRateBody>)]
    rate_limit: Option<DeliveryRate>,
    /// Whether a repeated delivery is stored again.
    keep_repeats: bool,
    /// For how many seconds deliveries are kept for inspection.
    inspection_seconds: u32,
    /// How each delivery is published as an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RepublishBody>)]
    republish: Option<&'a Republish>,
    /// The provider whose scheme proves deliveries, or `custom`; absent where the headers of deliveries are
    /// the proof, and for open sources. Verification has a path of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
}

/// The rate of deliveries. Deliveries above the rate are answered 429.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryRate)]
pub(super) struct DeliveryRateBody {
    /// How many on the average.
    #[schema(minimum = 1, maximum = 1000000)]
    count: u32,
    /// In how many seconds; 1 unless said.
    #[serde(default)]
    #[schema(required = false, minimum = 1, maximum = 3600)]
    seconds: u32,
    /// How many at once after a quiet time; `count` unless said.
    #[schema(minimum = 1, maximum = 1000000)]
    burst: Option<u32>,
}

/// The publishing of each delivery as an event. The event type is the first present of the members; a cell
/// other than an object becomes the member `value` of an object.
#[derive(Serialize, ToSchema)]
#[schema(as = Republish)]
pub(super) struct RepublishBody {
    /// The header with the type.
    type_header: Option<String>,
    /// Where in the cell the type is, a JSON pointer such as `/data/type`.
    #[schema(max_length = 1000)]
    type_pointer: Option<String>,
    /// The type of all others; required without the other two.
    event_type: Option<String>,
    /// The action for a delivery of an unknown type; `store` by default.
    #[serde(default)]
    #[schema(required = false)]
    unknown_type: UnknownTypeBody,
}

/// The action for a delivery of an unknown event type: `store` the delivery and publish nothing, or
/// `refuse` the delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = UnknownType)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a type of the core crate, which knows no API")]
pub(super) enum UnknownTypeBody {
    Store,
    Refuse,
}

/// The effect of a delivery on the rows already there: `combine` adds a row, `replace` makes the new row
/// the only row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Mode)]
pub(super) enum ModeBody {
    Combine,
    Replace,
}

impl From<Mode> for ModeBody {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Combine => Self::Combine,
            Mode::Replace => Self::Replace,
        }
    }
}

impl From<ModeBody> for Mode {
    fn from(mode: ModeBody) -> Self {
        match mode {
            ModeBody::Combine => Self::Combine,
            ModeBody::Replace => Self::Replace,
        }
    }
}

/// The answer to an accepted delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = SuccessAnswer)]
pub(super) struct SuccessAnswerBody {
    /// The status; 201 to a POST and 200 to a GET unless said.
    #[schema(minimum = 200, maximum = 299)]
    status: Option<u16>,
    /// The media type of the body; `text/plain; charset=utf-8` unless said.
    #[schema(max_length = 200)]
    content_type: Option<String>,
    /// The body, at most 16 KiB; none unless said.
    #[serde(default)]
    #[schema(required = false)]
    body: String,
}

impl<'a> Source<'a> {
    /// A source; `base` is the public URL of this server, if known.
    pub(super) fn new(source: &'a CoreSource, base: Option<&str>) -> Self {
        let CoreSource { id, dataset, created_at, spec } = source;
        // The full pattern makes each new setting decide here about its display.
        let NewSource {
            workspace: _,
            project,
            name,
            mode,
            origins,
            secret,
            key,
            folder,
            options,
            previous,
        } = spec;
        let SourceOptions {
            answer,
            allowed_ips,
            rate_limit,
            keep_repeats,
            inspection_seconds,
            republish,
            verification,
        } = options;
        Self {
            id: id.0,
            project: project.0,
            dataset: dataset.0,
            created_at: *created_at,
            name,
            url: base.map(|base| format!("{base}/webhook/data/{key}")),
            path: format!("/webhook/data/{key}"),
            mode: (*mode).into(),
            origins,
            secure: secret.is_some() || verification.is_some(),
            folder: folder.as_deref(),
            answer: answer.as_ref(),
            allowed_ips: allowed_ips.iter().map(ToString::to_string).collect(),
            rate_limit: *rate_limit,
            keep_repeats: *keep_repeats,
            inspection_seconds: *inspection_seconds,
            republish: republish.as_ref(),
            previous_secret_until: previous.secret.as_ref().map(|it| it.until),
            previous_key_until: previous.key.as_ref().map(|it| it.until),
            provider: verification.as_ref().map(|it| it.provider.as_deref().unwrap_or("custom")),
        }
    }
}

/// Examples of the schemas of a source, by name, made as answers are made.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let source = CoreSource {
        id: SourceId(3),
        dataset: DatasetId(4),
        created_at: Timestamp::UNIX_EPOCH,
        spec: NewSource {
            workspace: WorkspaceId(1),
            project: ProjectId(1),
            name: "Orders".to_owned(),
            mode: Mode::Combine,
            origins: "*".to_owned(),
            secret: None,
            key: "g7rHe3mUqUGPEpnc4XxeDWJa".to_owned(),
            folder: None,
            options: SourceOptions::default(),
            previous: Previous::default(),
        },
    };
    let new = json!({"name": "Orders", "mode": "combine", "secure": true});
    let patch = json!({"name": "Returns", "answer": {"body": "[accepted]"}});
    vec![
        ("Source", json!(Source::new(&source, Some("https://hooks.example.com")))),
        ("NewSource", new),
        ("SourcePatch", patch),
    ]
}
