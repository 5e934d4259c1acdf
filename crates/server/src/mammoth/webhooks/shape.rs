//! How a source looks on the wire (docs/spec/mammoth.md#representation,
//! docs/spec/mammoth.md#fields).

use hookyard_core::model::{Secret, Source};
use serde::{Serialize, Serializer};

use super::super::call::Place;

/// The choice of optional members. Generated clients require the five other members, so `fields` cannot
/// leave the five out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields {
    origins: bool,
    secret: bool,
    /// Whether the secret is masked.
    masked: bool,
}

/// The text in place of a secret, for callers with reading scopes only.
const MASK: &str = "********";

impl Fields {
    /// All members.
    pub(super) const STANDARD: Self = Self { origins: true, secret: true, masked: false };

    /// Reads `fields`: a set (`__standard`, `__full`, `__min`) or names. Unknown names count for
    /// nothing.
    pub(super) fn parse(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::STANDARD };
        let names: Vec<_> = text.split(',').map(str::trim).collect();
        let all = names.iter().any(|name| matches!(*name, "__standard" | "__full"));
        Self {
            origins: all || names.contains(&"origins"),
            secret: all || names.contains(&"secret"),
            masked: false,
        }
    }

    /// Whether the caller sees the secret of a source.
    pub(super) fn shows_secret(self, source: &Source) -> bool {
        self.secret && !self.masked && source.spec.secret.is_some()
    }

    /// The members visible to a caller.
    pub(super) fn shown_to(self, place: Place) -> Self {
        Self { masked: !place.shows_secrets, ..self }
    }
}

/// A source in this API's form.
#[derive(Debug, Serialize)]
pub(super) struct Webhook {
    id: i32,
    name: String,
    mode: &'static str,
    uri: String,
    ds_id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    origins: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Shown>,
}

/// A secret or the mask, or `null` without a secret.
#[derive(Debug)]
struct Shown(Option<Secret>);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().map(Secret::expose).serialize(serializer)
    }
}

impl Webhook {
    pub(super) fn new(source: &Source, fields: Fields) -> Self {
        let spec = &source.spec;
        Self {
            id: source.id.0,
            name: spec.name.clone(),
            mode: spec.mode.as_str(),
            uri: uri(source),
            ds_id: source.dataset.0,
            origins: fields.origins.then(|| spec.origins.clone()),
            secret: fields.secret.then(|| {
                let mask = |secret: Secret| if fields.masked { Secret::new(MASK) } else { secret };
                Shown(spec.secret.clone().map(mask))
            }),
        }
    }
}

/// The path in a shown source; the singular is the documented form.
pub(super) fn uri(source: &Source) -> String {
    format!("/webhook/data/{}", source.spec.key)
}

/// The answer with one webhook.
#[derive(Debug, Serialize)]
pub(in super::super) struct Details {
    webhook: Webhook,
}

impl Details {
    pub(super) fn new(source: &Source, fields: Fields) -> Self {
        Self { webhook: Webhook::new(source, fields) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_decide_about_the_optional_members_only() {
        let shown = |text| {
            let fields = Fields::parse(text);
            (fields.origins, fields.secret)
        };
        assert_eq!(shown(None), (true, true));
        assert_eq!(shown(Some("__standard")), (true, true));
        assert_eq!(shown(Some("id,__full")), (true, true));
        assert_eq!(shown(Some("__min")), (false, false));
        assert_eq!(shown(Some("id,name")), (false, false));
        assert_eq!(shown(Some("url, origins")), (true, false));
        assert_eq!(shown(Some("secret")), (false, true));
    }
}
