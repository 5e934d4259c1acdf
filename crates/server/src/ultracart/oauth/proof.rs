//! Proof of a deciding person: the person types a credential of the workspace into the page. The credential
//! is looked up and dropped, never kept or logged.

use hookyard_core::model::{Application, Credential, Scopes};
use hookyard_engine::Error;
use hookyard_engine::access::{Presented, Refusal};
use hookyard_engine::limits::Failures;
use hookyard_engine::oauth::{self, Unproven};
use http::StatusCode;

use super::page::Complaint;
use crate::App;

/// The credential of a person with the right to grant the scopes to the application.
pub(super) async fn prove(
    app: &App,
    failures: &Failures,
    typed: Option<&str>,
    application: &Application,
    scopes: Scopes,
) -> Result<Credential, Complaint> {
    let Some(typed) = typed.map(str::trim).filter(|typed| !typed.is_empty()) else {
        return Err(Complaint::new(StatusCode::BAD_REQUEST, "Type a credential to allow this."));
    };
    let credential = match admit(app, typed).await {
        Ok(credential) => Some(credential),
        Err(Refusal::Unknown | Refusal::Failures(_)) => None,
        Err(Refusal::Failed(error)) => return Err(failed(&error)),
        Err(Refusal::TooMany(exceeded)) => {
            let seconds = exceeded.wait_seconds();
            let text =
                format!("That credential is used too often. Try again in {seconds} seconds.");
            return Err(Complaint::new(StatusCode::TOO_MANY_REQUESTS, text));
        }
        Err(refusal) => {
            let text = format!("{refusal}.");
            return Err(Complaint::new(StatusCode::FORBIDDEN, text));
        }
    };
    oauth::prove(credential, application, scopes).map_err(|unproven| match unproven {
        Unproven::Unknown => {
            failures.count(app.engine.clock().monotonic());
            let text = "That is no credential of this workspace. Check it and try again.";
            Complaint::new(StatusCode::UNAUTHORIZED, text)
        }
        Unproven::Application => {
            let text = "That token belongs to an application. Use a credential of your own.";
            Complaint::new(StatusCode::FORBIDDEN, text)
        }
        Unproven::Lacks(scopes) => {
            let text = format!(
                "That credential lacks {scopes}. Use one that may manage the workspace and do all \
                 that is listed above."
            );
            Complaint::new(StatusCode::FORBIDDEN, text)
        }
    })
}

/// A key pair has a colon between its parts; anything else is a simple key or a token.
async fn admit(app: &App, typed: &str) -> Result<Credential, Refusal> {
    let access = app.engine.access();
    if let Some((key, secret)) = typed.split_once(':') {
        return access.admit(Presented::Pair { key, secret }).await;
    }
    match access.admit(Presented::Simple(typed)).await {
        Err(Refusal::Unknown | Refusal::Failures(_)) => access.admit(Presented::Token(typed)).await,
        admitted => admitted,
    }
}

/// The message to a person when the store does not answer.
pub(super) fn failed(error: &Error) -> Complaint {
    tracing::error!(%error, "an authorization could not be judged");
    Complaint::new(StatusCode::SERVICE_UNAVAILABLE, "That did not work. Try again in a moment.")
}
