//! The targets of paths: the numbers and names in paths, and the things named.

use std::future::Future;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use hookyard_core::id::{
    ApplicationId, BatchId, CredentialId, DatasetId, DeliveryId, EndpointId, FolderId, GrantId,
    ProjectId, RejectionId, ReplayId, Seq, SourceId, VersionId, WorkspaceId,
};
use hookyard_core::model::{
    Application, Catalogue, Credential, Dataset, EventType, Folder, Project, Source,
};
use hookyard_engine::Error;
use hookyard_engine::endpoints::EndpointView;
use hookyard_store::Entity;
use utoipa::PartialSchema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{RefOr, Required, Schema};

use super::caller::Reach;
use super::input::number;
use crate::App;
use crate::problem::{Code, Problem};

/// The target of a path, for a caller of the kind `C`.
pub(super) trait Target<C>: Sized + Send {
    /// The variable parts of the path.
    fn parts() -> Vec<Part>;

    /// The target of a request's path. A target outside the caller's reach is not found.
    fn find(
        app: &App,
        caller: &C,
        texts: &Texts,
    ) -> impl Future<Output = Result<Self, Problem>> + Send;
}

/// A variable part of a path, as in the OpenAPI document.
pub(super) struct Part {
    name: &'static str,
    schema: RefOr<Schema>,
    about: &'static str,
}

impl Part {
    fn of<T: PartialSchema>(name: &'static str, about: &'static str) -> Self {
        Self { name, schema: T::schema(), about }
    }

    /// The part as a parameter.
    pub(super) fn parameter(self) -> Parameter {
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(self.about))
            .schema(Some(self.schema))
            .build()
    }
}

/// The variable parts of a request's path, decoded.
pub(super) struct Texts(RawPathParams);

impl Texts {
    /// The variable parts of a request. A path that is not UTF-8 leads nowhere.
    pub(super) async fn of(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let texts = RawPathParams::from_request_parts(parts, app).await;
        texts.map(Self).map_err(|_| Problem::new(Code::NotFound, "there is nothing at this path"))
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| *found == name).map_or("", |(_, text)| text)
    }
}

/// No target beyond the parts common to all paths of the operation.
impl<C: Sync> Target<C> for () {
    fn parts() -> Vec<Part> {
        Vec::new()
    }

    async fn find(_app: &App, _caller: &C, _texts: &Texts) -> Result<Self, Problem> {
        Ok(())
    }
}

/// A thing, and a part of the thing.
impl<C: Sync, A: Target<C>, B: Target<C>> Target<C> for (A, B) {
    fn parts() -> Vec<Part> {
        A::parts().into_iter().chain(B::parts()).collect()
    }

    async fn find(app: &App, caller: &C, texts: &Texts) -> Result<Self, Problem> {
        Ok((A::find(app, caller, texts).await?, B::find(app, caller, texts).await?))
    }
}

/// Numbers and names taken as written. Each has a name in paths, a type in paths, and a message for a text
/// of another form.
macro_rules! plain {
    ($($kind:ty: $name:literal as $schema:ty, $about:literal, $missing:literal, $read:expr;)*) => {$(
        impl<C: Sync> Target<C> for $kind {
            fn parts() -> Vec<Part> {
                vec![Part::of::<$schema>($name, $about)]
            }

            async fn find(_app: &App, _caller: &C, texts: &Texts) -> Result<Self, Problem> {
                let read: fn(&str) -> Option<Self> = $read;
                read(texts.get($name)).ok_or_else(|| Problem::new(Code::NotFound, $missing))
            }
        }
    )*};
}

plain! {
    EndpointId: "id" as i32, "The endpoint's number", "no such endpoint", number;
    ReplayId: "replay" as i32, "The replay's number", "no such replay", number;
    DeadLetterSeq: "seq" as u64, "The event's number in the journal", "no such dead letter", seq;
    AttemptName: "request_id" as String, "The attempt's request id", "no such attempt", |text| {
        Some(Self(text.to_owned()))
    };
    EventTypeName: "event_type" as String, "The event type's name", "no such event type", |text| {
        Some(Self(text.to_owned()))
    };
    EventName: "id" as String, "The publisher's id", "no such event", |text| {
        Some(Self(text.to_owned()))
    };
    ProviderName: "name" as String, "The provider's name", "no such provider", |text| {
        Some(Self(text.to_owned()))
    };
    CustomerText: "customer" as String, "The owner's id of the customer", "no such customer", |text| {
        Some(Self(text.to_owned()))
    };
    DatasetId: "id" as i32, "The dataset's number", "no such dataset", number;
    BatchId: "batch" as u64, "The batch's number", "no such batch", |text| number(text).map(Self);
    VersionId: "version" as u64, "The version's number", "no such version", |text| {
        number(text).map(Self)
    };
    DeliveryId: "delivery" as i64, "The delivery's number", "no such delivery", |text| {
        number(text).map(Self)
    };
    RejectionId: "rejection" as i64, "The rejection's number", "no such rejection", |text| {
        number(text).map(Self)
    };
    ApplicationId: "id" as i32, "The application's number", "no such application", number;
    GrantId: "grant" as i32, "The grant's number", "no such grant", number;
    CredentialId: "id" as i32, "The credential's number", "no such credential", number;
    ProjectId: "id" as i32, "The project's number", "no such project", number;
    FolderId: "id" as i32, "The folder's number", "no such folder", number;
    SourceId: "id" as i32, "The source's number", "no such source", number;
}

/// The event of a dead letter.
pub(super) struct DeadLetterSeq(pub(super) Seq);

/// Journal numbers fit an `i64` in both stores.
fn seq(text: &str) -> Option<DeadLetterSeq> {
    let seq = number::<i64>(text).and_then(|seq| u64::try_from(seq).ok());
    seq.map(|seq| DeadLetterSeq(Seq(seq)))
}

/// The request id of an attempt, as written in the path.
pub(super) struct AttemptName(pub(super) String);

/// The name of an event type, which the catalogue may lack.
pub(super) struct EventTypeName(pub(super) String);

/// The publisher's id of an event.
pub(super) struct EventName(pub(super) String);

/// The id of a customer, as written in the path.
pub(super) struct CustomerText(pub(super) String);

/// The name of a provider, possibly unknown.
pub(super) struct ProviderName(pub(super) String);

/// An event type of the catalogue, with the catalogue.
pub(super) struct Cataloged {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) kind: EventType,
}

impl Target<WorkspaceId> for Cataloged {
    fn parts() -> Vec<Part> {
        <EventTypeName as Target<WorkspaceId>>::parts()
    }

    async fn find(app: &App, workspace: &WorkspaceId, texts: &Texts) -> Result<Self, Problem> {
        let EventTypeName(name) = EventTypeName::find(app, workspace, texts).await?;
        let catalogue = app.engine.of(*workspace).catalogue().await?;
        let found = catalogue.by_name(&name).map(|(_, kind)| kind.clone());
        let kind = found.ok_or_else(|| Problem::new(Code::NotFound, "no such event type"))?;
        Ok(Self { catalogue, kind })
    }
}

/// Existing things by number. A path to a missing thing is refused before the body is read.
macro_rules! found {
    ($($thing:ty, by $id:ty: $find:ident;)*) => {$(
        impl Target<WorkspaceId> for $thing {
            fn parts() -> Vec<Part> {
                <$id as Target<WorkspaceId>>::parts()
            }

            async fn find(
                app: &App,
                workspace: &WorkspaceId,
                texts: &Texts,
            ) -> Result<Self, Problem> {
                let id = <$id as Target<WorkspaceId>>::find(app, workspace, texts).await?;
                Ok(app.engine.$find(*workspace, id).await?)
            }
        }
    )*};
}

found! {
    EndpointView, by EndpointId: endpoint_view;
    Application, by ApplicationId: application;
    Credential, by CredentialId: credential;
    Project, by ProjectId: project;
}

/// Things of a project. A caller with the reach of another project does not find them.
macro_rules! reached {
    ($($thing:ty, by $id:ty: $find:ident, in $project:expr, $entity:ident;)*) => {$(
        impl Target<Reach> for $thing {
            fn parts() -> Vec<Part> {
                <$id as Target<Reach>>::parts()
            }

            async fn find(app: &App, reach: &Reach, texts: &Texts) -> Result<Self, Problem> {
                let id = <$id as Target<Reach>>::find(app, reach, texts).await?;
                let thing = app.engine.$find(reach.workspace, id).await?;
                let project: fn(&Self) -> ProjectId = $project;
                let is_reached = reach.has(project(&thing));
                is_reached.then_some(thing).ok_or_else(|| Error::NotFound(Entity::$entity).into())
            }
        }
    )*};
}

reached! {
    Arc<Source>, by SourceId: source, in |source| source.spec.project, Source;
    Dataset, by DatasetId: dataset, in |dataset| dataset.project, Dataset;
    Folder, by FolderId: folder, in |folder| folder.project, Folder;
    Project, by ProjectId: project, in |project| project.id, Project;
}
