//! The paths of the native API. Routers, the OpenAPI document, links and tests take them from here.

use std::fmt::Display;
use std::ops::Deref;

/// A path with this many variable parts, each written as a name in braces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<const PARTS: usize>(&'static str);

impl<const PARTS: usize> Path<PARTS> {
    /// The path of a pattern. A pattern with another number of names in braces does not compile.
    const fn new(pattern: &'static str) -> Self {
        let (text, mut at, mut names) = (pattern.as_bytes(), 0, 0);
        while at < text.len() {
            if text[at] == b'{' {
                names += 1;
            }
            at += 1;
        }
        assert!(names == PARTS, "the pattern has another number of names");
        Self(pattern)
    }

    /// The path of a thing, made from the thing's numbers in the order of the names.
    pub(crate) fn of(self, parts: [&dyn Display; PARTS]) -> String {
        let mut path = String::with_capacity(self.0.len());
        let mut parts = parts.into_iter();
        for piece in self.0.split('{') {
            let Some((_name, rest)) = piece.split_once('}') else {
                path.push_str(piece);
                continue;
            };
            if let Some(part) = parts.next() {
                path.push_str(&part.to_string());
            }
            path.push_str(rest);
        }
        path
    }
}

impl Deref for Path<0> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

/// The pattern, for the router and the OpenAPI document.
impl<const PARTS: usize> From<Path<PARTS>> for String {
    fn from(path: Path<PARTS>) -> Self {
        path.0.to_owned()
    }
}

// Events of the journal.
pub(crate) const EVENTS: Path<0> = Path::new("/v1/events");
pub(crate) const EVENT_BATCHES: Path<0> = Path::new("/v1/event-batches");
pub(crate) const EVENT: Path<1> = Path::new("/v1/events/{id}");

// Endpoints with their subscriptions and signing secrets.
pub(crate) const ENDPOINTS: Path<0> = Path::new("/v1/endpoints");
pub(crate) const ENDPOINT: Path<1> = Path::new("/v1/endpoints/{id}");
pub(crate) const SUBSCRIPTIONS: Path<1> = Path::new("/v1/endpoints/{id}/subscriptions");
pub(crate) const SUBSCRIPTION: Path<2> = Path::new("/v1/endpoints/{id}/subscriptions/{event_type}");
pub(crate) const SIGNING_SECRET: Path<1> = Path::new("/v1/endpoints/{id}/secret");
pub(crate) const SIGNING_SECRET_ROTATE: Path<1> = Path::new("/v1/endpoints/{id}/secret/rotate");
pub(crate) const ATTEMPTS: Path<1> = Path::new("/v1/endpoints/{id}/attempts");
pub(crate) const ATTEMPT: Path<2> = Path::new("/v1/endpoints/{id}/attempts/{request_id}");
pub(crate) const DEAD_LETTERS: Path<1> = Path::new("/v1/endpoints/{id}/dead-letters");
pub(crate) const DEAD_LETTERS_REDELIVER: Path<1> =
    Path::new("/v1/endpoints/{id}/dead-letters/redeliver");
pub(crate) const DEAD_LETTER: Path<2> = Path::new("/v1/endpoints/{id}/dead-letters/{seq}");
pub(crate) const DEAD_LETTER_REDELIVER: Path<2> =
    Path::new("/v1/endpoints/{id}/dead-letters/{seq}/redeliver");
pub(crate) const REPLAYS: Path<1> = Path::new("/v1/endpoints/{id}/replays");
pub(crate) const REPLAY: Path<2> = Path::new("/v1/endpoints/{id}/replays/{replay}");
pub(crate) const REPLAY_PAUSE: Path<2> = Path::new("/v1/endpoints/{id}/replays/{replay}/pause");
pub(crate) const REPLAY_RESUME: Path<2> = Path::new("/v1/endpoints/{id}/replays/{replay}/resume");
pub(crate) const REPLAY_CANCEL: Path<2> = Path::new("/v1/endpoints/{id}/replays/{replay}/cancel");
pub(crate) const RECOVER: Path<1> = Path::new("/v1/endpoints/{id}/recover");

// The customers of the workspace, whose endpoints get their own events.
pub(crate) const CUSTOMERS: Path<0> = Path::new("/v1/customers");
pub(crate) const CUSTOMER: Path<1> = Path::new("/v1/customers/{customer}");

// Event types for publishing, and rules over event types.
pub(crate) const EVENT_TYPES: Path<0> = Path::new("/v1/event-types");
pub(crate) const RULES_TEST: Path<0> = Path::new("/v1/rules/test");

// Sources, and the arrivals at sources.
pub(crate) const SOURCES: Path<0> = Path::new("/v1/sources");
pub(crate) const SOURCE: Path<1> = Path::new("/v1/sources/{id}");
pub(crate) const SOURCE_KEY_ROTATE: Path<1> = Path::new("/v1/sources/{id}/key/rotate");
pub(crate) const SOURCE_KEY_PREVIOUS: Path<1> = Path::new("/v1/sources/{id}/key/previous");
pub(crate) const SOURCE_SECRET: Path<1> = Path::new("/v1/sources/{id}/secret");
pub(crate) const SOURCE_SECRET_ROTATE: Path<1> = Path::new("/v1/sources/{id}/secret/rotate");
pub(crate) const SOURCE_SECRET_PREVIOUS: Path<1> = Path::new("/v1/sources/{id}/secret/previous");
pub(crate) const VERIFICATION: Path<1> = Path::new("/v1/sources/{id}/verification");
pub(crate) const VERIFICATION_SECRETS: Path<1> = Path::new("/v1/sources/{id}/verification/secrets");
pub(crate) const VERIFICATION_LEARNT: Path<1> = Path::new("/v1/sources/{id}/verification/learnt");
pub(crate) const DELIVERIES: Path<1> = Path::new("/v1/sources/{id}/deliveries");
pub(crate) const DELIVERY: Path<2> = Path::new("/v1/sources/{id}/deliveries/{delivery}");
pub(crate) const REJECTIONS: Path<1> = Path::new("/v1/sources/{id}/rejections");
pub(crate) const REJECTION: Path<2> = Path::new("/v1/sources/{id}/rejections/{rejection}");
pub(crate) const DOCTOR: Path<1> = Path::new("/v1/sources/{id}/doctor");
pub(crate) const PROVIDERS: Path<0> = Path::new("/v1/providers");
pub(crate) const PROVIDER: Path<1> = Path::new("/v1/providers/{name}");

// Datasets with rows and versions, and the folders of datasets.
pub(crate) const DATASETS: Path<0> = Path::new("/v1/datasets");
pub(crate) const DATASET: Path<1> = Path::new("/v1/datasets/{id}");
pub(crate) const DATASET_TRASH: Path<1> = Path::new("/v1/datasets/{id}/trash");
pub(crate) const DATASET_RESTORE: Path<1> = Path::new("/v1/datasets/{id}/restore");
pub(crate) const ROWS: Path<1> = Path::new("/v1/datasets/{id}/rows");
pub(crate) const BATCHES: Path<1> = Path::new("/v1/datasets/{id}/batches");
pub(crate) const BATCHES_CHANGE: Path<1> = Path::new("/v1/datasets/{id}/batches/change");
pub(crate) const BATCH: Path<2> = Path::new("/v1/datasets/{id}/batches/{batch}");
pub(crate) const BATCH_SUSPEND: Path<2> = Path::new("/v1/datasets/{id}/batches/{batch}/suspend");
pub(crate) const BATCH_RESTORE: Path<2> = Path::new("/v1/datasets/{id}/batches/{batch}/restore");
pub(crate) const VERSIONS: Path<1> = Path::new("/v1/datasets/{id}/versions");
pub(crate) const VERSION: Path<2> = Path::new("/v1/datasets/{id}/versions/{version}");
pub(crate) const VERSION_ROWS: Path<2> = Path::new("/v1/datasets/{id}/versions/{version}/rows");
pub(crate) const VERSION_RESTORE: Path<2> =
    Path::new("/v1/datasets/{id}/versions/{version}/restore");
pub(crate) const DATASET_EXPORT: Path<1> = Path::new("/v1/datasets/{id}/export");
pub(crate) const DATASET_SCHEMA: Path<1> = Path::new("/v1/datasets/{id}/schema");
pub(crate) const SQL: Path<0> = Path::new("/v1/sql");
pub(crate) const FOLDERS: Path<0> = Path::new("/v1/folders");
pub(crate) const FOLDER: Path<1> = Path::new("/v1/folders/{id}");
pub(crate) const FOLDER_TRASH: Path<1> = Path::new("/v1/folders/{id}/trash");

// Callers: credentials and applications.
pub(crate) const APPLICATIONS: Path<0> = Path::new("/v1/applications");
pub(crate) const APPLICATION: Path<1> = Path::new("/v1/applications/{id}");
pub(crate) const GRANTS: Path<1> = Path::new("/v1/applications/{id}/grants");
pub(crate) const GRANT: Path<2> = Path::new("/v1/applications/{id}/grants/{grant}");
pub(crate) const CREDENTIALS: Path<0> = Path::new("/v1/credentials");
pub(crate) const CREDENTIAL: Path<1> = Path::new("/v1/credentials/{id}");
pub(crate) const CREDENTIAL_ROTATE: Path<1> = Path::new("/v1/credentials/{id}/rotate");

// The workspace, its projects and its log.
pub(crate) const WORKSPACE: Path<0> = Path::new("/v1/workspace");
pub(crate) const QUOTAS: Path<0> = Path::new("/v1/workspace/quotas");
pub(crate) const PROJECTS: Path<0> = Path::new("/v1/projects");
pub(crate) const PROJECT: Path<1> = Path::new("/v1/projects/{id}");
pub(crate) const AUDIT: Path<0> = Path::new("/v1/audit");
pub(crate) const AUDIT_EXPORT: Path<0> = Path::new("/v1/audit/export");

// The description of this API.
pub(crate) const OPENAPI: Path<0> = Path::new("/v1/openapi.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_places_of_names() {
        assert_eq!(&*SQL, "/v1/sql");
        assert_eq!(ENDPOINT.of([&7]), "/v1/endpoints/7");
        assert_eq!(REPLAY_PAUSE.of([&7, &8]), "/v1/endpoints/7/replays/8/pause");
        assert_eq!(String::from(REPLAY), "/v1/endpoints/{id}/replays/{replay}");
    }
}
