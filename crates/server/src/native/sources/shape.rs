//! A source on the wire.

use hookyard_core::id::{DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{Mode, NewSource, Source as CoreSource, SourceOptions, SuccessAnswer};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// An inbound URL.
#[derive(Serialize, ToSchema)]
pub(super) struct Source<'a> {
    /// Its number.
    id: i32,
    /// The project that it is in.
    project: i32,
    /// The dataset that it fills.
    dataset: i32,
    /// When it was made.
    created_at: Timestamp,
    /// A name for people.
    name: &'a str,
    /// The path of its URL. Whoever knows it may send, so treat it as a secret.
    path: String,
    /// What a delivery does to the rows that are there.
    mode: ModeBody,
    /// The browser origins that may deliver: `*`, or a list of `https://host` and `https://*.host`.
    origins: &'a str,
    /// Whether deliveries must prove to know a secret. The secret has a path of its own.
    secure: bool,
    /// The folder that it is shown in.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<&'a str>,
    /// What an accepted delivery is answered, where that is not the usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SuccessAnswerBody>)]
    answer: Option<&'a SuccessAnswer>,
}

/// What a delivery does to the rows that are there: `combine` adds one, `replace` makes it the only
/// one.
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

/// What an accepted delivery is answered.
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
    pub(super) fn new(source: &'a CoreSource) -> Self {
        let CoreSource { id, dataset, created_at, spec } = source;
        // Whoever adds a setting decides here how it is shown.
        let NewSource { workspace: _, project, name, mode, origins, secret, key, folder, options } =
            spec;
        let SourceOptions { answer } = options;
        Self {
            id: id.0,
            project: project.0,
            dataset: dataset.0,
            created_at: *created_at,
            name,
            path: format!("/webhook/data/{key}"),
            mode: (*mode).into(),
            origins,
            secure: secret.is_some(),
            folder: folder.as_deref(),
            answer: answer.as_ref(),
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
        },
    };
    let new = json!({"name": "Orders", "mode": "combine", "secure": true});
    let patch = json!({"name": "Returns", "answer": {"body": "[accepted]"}});
    vec![("Source", json!(Source::new(&source))), ("NewSource", new), ("SourcePatch", patch)]
}
