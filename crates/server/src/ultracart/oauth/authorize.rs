//! `/oauth/authorize`: a browser brings a person to decide (RFC 6749, section 4.1).

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hookyard_engine::limits::Failures;
use hookyard_engine::oauth::{Asked, Request, Stop};
use http::{HeaderMap, StatusCode};

use super::super::BASE_PATH;
use super::form::{Form, Unread};
use super::page::{self, Complaint, Escaped, Page};
use super::proof;
use super::{AUTHORIZE, token};
use crate::App;

/// The parameters of a request, sent back by the page's form.
const PARAMETERS: [&str; 7] = [
    "client_id",
    "response_type",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
];

/// Asks the person.
pub(super) async fn show(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    match Form::parse(query.unwrap_or_default().as_bytes()) {
        Ok(form) => match asked(&app, &form).await {
            Ok(asked) => ask(&app, &form, &asked, None).await,
            Err(response) => response,
        },
        Err(reason) => broken(&reason.into()).into_response(),
    }
}

/// Takes the person's answer.
pub(super) async fn decide(
    State(app): State<App>,
    Extension(failures): Extension<Arc<Failures>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !page::is_own(&headers) {
        return page::foreign().into_response();
    }
    let form = match Form::read(&headers, body).await {
        Ok(form) => form,
        Err(unread) => return broken(&unread).into_response(),
    };
    let asked = match asked(&app, &form).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    if form.get("decision") == Some("deny") {
        deny(&app, &failures, &asked).await;
        return page::see_other(&asked.denied());
    }
    match allow(&app, &failures, &form, &asked).await {
        Ok(place) => page::see_other(&place),
        Err(complaint) => ask(&app, &form, &asked, Some(&complaint)).await,
    }
}

/// Notes a denial. A denial needs no proof, so each counts as a failure, and denials beyond the bound are
/// not noted: nobody can fill the audit log with denials.
async fn deny(app: &App, failures: &Failures, asked: &Asked) {
    if failures.check(app.engine.clock().monotonic()).is_err() {
        return;
    }
    failures.count(app.engine.clock().monotonic());
    if let Err(error) = app.engine.note_denial(asked).await {
        tracing::error!(%error, "a person's no to an application was not noted");
    }
}

async fn allow(
    app: &App,
    failures: &Failures,
    form: &Form,
    asked: &Asked,
) -> Result<String, Complaint> {
    failures.check(app.engine.clock().monotonic()).map_err(Complaint::too_many)?;
    let Asked { application, scopes, .. } = asked;
    let typed = form.get("credential");
    let person = proof::prove(app, failures, typed, application, *scopes).await?;
    let place = app.engine.approve(asked, &person).await.map_err(|error| proof::failed(&error))?;
    tracing::info!(
        application = application.id.0,
        credential = person.id.0,
        scopes = %scopes,
        "a person let an application in"
    );
    Ok(place)
}

/// The request, if a person has to decide; else the answer to the browser.
async fn asked(app: &App, form: &Form) -> Result<Asked, Response> {
    let [client_id, response_type, redirect_uri, state, scope, challenge, method] =
        PARAMETERS.map(|name| form.owned(name));
    let request = Request {
        client_id,
        response_type,
        redirect_uri,
        state,
        scope,
        code_challenge: challenge,
        code_challenge_method: method,
    };
    let judged = app.engine.authorization(request).await;
    let judged =
        judged.map_err(|error| Page::of_complaint(&proof::failed(&error)).into_response())?;
    judged.map_err(|stop| match stop {
        Stop::Back(place) => page::see_other(&place),
        Stop::Here(reason) => broken(&reason.to_owned().into()).into_response(),
        Stop::Disabled => {
            let text = "The application is disabled for now. Nothing was sent to it.";
            Page::dead_end(StatusCode::GONE, "Disabled", text).into_response()
        }
    })
}

async fn ask(app: &App, form: &Form, asked: &Asked, complaint: Option<&Complaint>) -> Response {
    let workspace = match token::workspace(app, asked.application.workspace).await {
        Ok(workspace) => workspace,
        Err(error) => return Page::of_complaint(&proof::failed(&error)).into_response(),
    };
    let name = &asked.application.settings.name;
    let title = format!("Let {name} into {}?", workspace.merchant);
    let mut html = page::wish(&asked.application, asked.scopes, &Escaped(&title).to_string());
    let place = asked.redirect_uri.split('?').next().unwrap_or_default();
    html += &format!(
        "<p class=\"dim\">Whatever you decide, you are sent on to {}.</p>\n",
        Escaped(place),
    );
    let fields: Vec<_> =
        PARAMETERS.into_iter().filter_map(|name| Some((name, form.get(name)?))).collect();
    let action = format!("{BASE_PATH}{AUTHORIZE}");
    html += &page::decision(&action, &fields, &workspace.merchant, complaint);
    Page::new(&title, html)
        .about(&asked.application)
        .leading_to(&asked.redirect_uri)
        .complaining(complaint)
        .into_response()
}

fn broken(unread: &Unread) -> Page {
    let Unread { status, message: reason } = unread;
    let text = format!(
        "The link that brought you here is not right: {reason}. Nothing was sent to anybody; tell \
         the people who make the application."
    );
    Page::dead_end(*status, "This link does not work", &text)
}
