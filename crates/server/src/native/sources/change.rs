//! From a body to a request to the engine.

use std::net::IpAddr;

use hookyard_core::id::ProjectId;
use hookyard_core::model::{
    DeliveryRate, INSPECTION_SECONDS_DEFAULT, Mode, Republish, Secret, SourceOptionsChange,
    SuccessAnswer,
};
use hookyard_engine::sources::{
    Draft, NAME_DEFAULT, ORIGINS_DEFAULT, SecretChange, SourcePatch as EnginePatch, check_folder,
};
use ipnet::IpNet;
use serde::Deserialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::shape::{DeliveryRateBody, ModeBody, RepublishBody, SuccessAnswerBody};
use super::verification::NewVerification;
use crate::native::input::{Field, Object};
use crate::problem::{Code, Problem};

/// The mode of a source made here: each delivery adds a row, as senders of webhooks expect. Mammoth's API has
/// another default.
const MODE_DEFAULT: Mode = Mode::Combine;

/// A new source: absent members and nulls take the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSource {
    /// The source's project; the workspace's first project by default.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 2147483647)]
    project: Field<i32>,
    /// The source's folder, `label_` and a number.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^label_[0-9]{1,9}$")]
    folder: Field<String>,
    /// A name for people; a new source's dataset gets the name, too.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255)]
    name: Field<String>,
    /// The effect of a delivery on the rows already there; `combine` by default.
    #[serde(default)]
    #[schema(value_type = Option<ModeBody>)]
    mode: Field<ModeBody>,
    /// The browser origins that may deliver: `*`, the default, or a list of `https://host` and
    /// `https://*.host`.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2048)]
    origins: Field<String>,
    /// Whether deliveries must prove knowledge of a secret; false by default. A missing secret is made by
    /// the server. Turning this off forgets the secret.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    secure: Field<bool>,
    /// The secret, where a provider makes the secret. A given secret secures the source.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 1000)]
    secret: Field<Secret>,
    /// The answer to an accepted delivery; null for the usual answer.
    #[serde(default)]
    #[schema(value_type = Option<SuccessAnswerBody>)]
    answer: Field<Object<SuccessAnswer>>,
    /// The addresses and networks (CIDR) that may deliver; null for all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 200)]
    allowed_ips: Field<Vec<String>>,
    /// How fast deliveries may come; null for no limit.
    #[serde(default)]
    #[schema(value_type = Option<DeliveryRateBody>)]
    rate_limit: Field<Object<DeliveryRate>>,
    /// Whether a repeated delivery is stored again; false by default. A repeat has the sender's id of a
    /// delivery within the last day.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    keep_repeats: Field<bool>,
    /// For how many seconds deliveries are kept for inspection, 0 for not at all; three days unless
    /// said.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 2592000)]
    inspection_seconds: Field<u32>,
    /// How each delivery is published as an event; null for not at all.
    #[serde(default)]
    #[schema(value_type = Option<RepublishBody>)]
    republish: Field<Object<Republish>>,
    /// How deliveries prove their sender, from the first delivery on. Change the verification later by
    /// `PUT /v1/sources/{id}/verification`.
    #[serde(default)]
    #[schema(value_type = Option<NewVerification>)]
    verification: Field<Object<NewVerification>>,
}

/// A change of a source: absent members stay, null restores the default.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct SourcePatch(NewSource);

/// Settings fixed when the source is made.
const FIXED: [&str; 3] = ["project", "folder", "verification"];

impl ToSchema for SourcePatch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewSource::schemas(schemas);
    }
}

impl PartialSchema for SourcePatch {
    fn schema() -> RefOr<Schema> {
        let mut schema = NewSource::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.properties.retain(|name, _| !FIXED.contains(&name.as_str()));
            let text = "A change of a source: what is absent stays, null goes back to the default.";
            object.description = Some(text.to_owned());
        }
        schema
    }
}

impl SourcePatch {
    /// The change for the engine.
    pub(super) fn change(self) -> Result<EnginePatch, Problem> {
        let Self(body) = self;
        let given = [
            body.project != Field::Absent,
            body.folder != Field::Absent,
            !matches!(body.verification, Field::Absent),
        ];
        if let Some((field, _)) = FIXED.into_iter().zip(given).find(|(_, given)| *given) {
            let detail = match field {
                "verification" => "has a path of its own: PUT /v1/sources/{id}/verification",
                _ => "cannot be changed: a source keeps what it was made with",
            };
            return Err(Problem::of_field(Code::InvalidValue, field, detail));
        }
        body.settings()
    }
}

impl NewSource {
    /// The requested project, and the draft for the engine.
    pub(super) fn draft(mut self) -> Result<(Option<ProjectId>, Draft), Problem> {
        let project = match std::mem::take(&mut self.project) {
            Field::Value(project) => Some(ProjectId(project)),
            Field::Absent | Field::Null => None,
        };
        let folder = match std::mem::take(&mut self.folder) {
            Field::Value(folder) => {
                let refused = |detail| Problem::of_field(Code::InvalidValue, "folder", detail);
                check_folder(&folder).map_err(refused)?;
                Some(folder)
            }
            Field::Absent | Field::Null => None,
        };
        let verification = match std::mem::take(&mut self.verification) {
            Field::Value(Object(verification)) => Some(verification.verification()),
            Field::Absent | Field::Null => None,
        };
        let EnginePatch { name, mode, origins, secret, options } = self.settings()?;
        let usual = Draft::default();
        let mut draft = Draft {
            name: name.unwrap_or(usual.name),
            mode: mode.unwrap_or(MODE_DEFAULT),
            origins: origins.unwrap_or(usual.origins),
            folder,
            ..Draft::default()
        };
        draft.options.apply(options);
        draft.options.verification = verification;
        match secret {
            None | Some(SecretChange::Open) => {}
            Some(SecretChange::Secure) => draft.is_secure = true,
            Some(SecretChange::Set(secret)) => {
                draft.is_secure = true;
                draft.secret = Some(secret);
            }
        }
        Ok((project, draft))
    }

    /// The settings that can also be changed later.
    fn settings(self) -> Result<EnginePatch, Problem> {
        let Self {
            project: _,
            folder: _,
            verification: _,
            name,
            mode,
            origins,
            secure,
            secret,
            answer,
            allowed_ips,
            rate_limit,
            keep_repeats,
            inspection_seconds,
            republish,
        } = self;
        let allowed_ips = allowed_ips.or_default(Vec::new());
        let options = SourceOptionsChange {
            answer: optional(answer),
            allowed_ips: allowed_ips.as_deref().map(nets).transpose()?,
            rate_limit: optional(rate_limit),
            keep_repeats: keep_repeats.or_default(false),
            inspection_seconds: inspection_seconds.or_default(INSPECTION_SECONDS_DEFAULT),
            republish: optional(republish),
            // Verification has a path of its own.
            verification: None,
            learnt: None,
        };
        Ok(EnginePatch {
            name: name.or_default(NAME_DEFAULT.to_owned()),
            mode: mode.or_default(MODE_DEFAULT.into()).map(Mode::from),
            origins: origins.or_default(ORIGINS_DEFAULT.to_owned()),
            secret: secret_change(secure.or_default(false), secret)?,
            options,
        })
    }
}

/// Networks; a single address is a network, too.
fn nets(texts: &[String]) -> Result<Vec<IpNet>, Problem> {
    let net = |(index, text): (usize, &String)| {
        let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map_err(|_| {
            let detail = "must be an address or a network such as 192.0.2.0/24";
            Problem::of_field(Code::InvalidValue, &format!("allowed_ips[{index}]"), detail)
        })
    };
    texts.iter().enumerate().map(net).collect()
}

fn secret_change(
    secure: Option<bool>,
    secret: Field<Secret>,
) -> Result<Option<SecretChange>, Problem> {
    let clash = |detail| Err(Problem::of_field(Code::InvalidValue, "secret", detail));
    match (secure, secret) {
        (None, Field::Absent) => Ok(None),
        (Some(true), Field::Absent) => Ok(Some(SecretChange::Secure)),
        (None | Some(true), Field::Value(secret)) => Ok(Some(SecretChange::Set(secret))),
        (None | Some(false), Field::Null) | (Some(false), Field::Absent) => {
            Ok(Some(SecretChange::Open))
        }
        (Some(false), Field::Value(_)) => clash("does not go together with `secure` false"),
        (Some(true), Field::Null) => clash("cannot be taken away from a secure source"),
    }
}

/// The change of an optional value.
fn optional<T>(field: Field<Object<T>>) -> Option<Option<T>> {
    match field {
        Field::Absent => None,
        Field::Null => Some(None),
        Field::Value(Object(value)) => Some(Some(value)),
    }
}
