//! `/oauth/device`: a person types the code shown by a device, and decides (RFC 8628, section 3.3).

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Application, Scopes};
use hookyard_engine::Error;
use hookyard_engine::limits::Failures;
use http::{HeaderMap, StatusCode};

use super::super::BASE_PATH;
use super::form::{Form, Unread};
use super::page::{self, Complaint, Escaped, Page};
use super::{VERIFY, proof, token};
use crate::App;

/// A waiting device.
struct Waiting {
    application: Application,
    scopes: Scopes,
    /// The device's code as shown by the device.
    shown: String,
}

/// Asks for the code or, with a code, for the decision about the device.
pub(super) async fn show(
    State(app): State<App>,
    Extension(failures): Extension<Arc<Failures>>,
    RawQuery(query): RawQuery,
) -> Response {
    let form = match Form::parse(query.unwrap_or_default().as_bytes()) {
        Ok(form) => form,
        Err(reason) => return enter(Some(&broken(&reason.into()))),
    };
    if form.get("user_code").is_none() {
        return enter(None);
    }
    match waiting(&app, &failures, &form).await {
        Ok(waiting) => ask(&app, &waiting, None).await,
        Err(complaint) => enter(Some(&complaint)),
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
        Err(reason) => return enter(Some(&broken(&reason))),
    };
    let waiting = match waiting(&app, &failures, &form).await {
        Ok(waiting) => waiting,
        Err(complaint) => return enter(Some(&complaint)),
    };
    let denied = form.get("decision") == Some("deny");
    let decided = match denied {
        true => deny(&app, &failures, &waiting).await,
        false => allow(&app, &failures, &form, &waiting).await,
    };
    match decided {
        Err(complaint) => ask(&app, &waiting, Some(&complaint)).await,
        Ok(false) => enter(Some(&no_such_code())),
        Ok(true) if denied => {
            let text = "The device was told no. You can close this page.";
            Page::dead_end(StatusCode::OK, "Denied", text).into_response()
        }
        Ok(true) => {
            let text = "The device was let in. You can close this page and go back to it.";
            Page::dead_end(StatusCode::OK, "Done", text).into_response()
        }
    }
}

async fn deny(app: &App, failures: &Failures, waiting: &Waiting) -> Result<bool, Complaint> {
    // A denial needs no proof, and is noted in the audit log: denials count as failures, so that nobody can
    // fill the log.
    failures.count(app.engine.clock().monotonic());
    let decided = app.engine.decide_device(&waiting.shown, None).await;
    decided.map_err(|error| proof::failed(&error))
}

async fn allow(
    app: &App,
    failures: &Failures,
    form: &Form,
    waiting: &Waiting,
) -> Result<bool, Complaint> {
    let Waiting { application, scopes, shown } = waiting;
    let typed = form.get("credential");
    let person = proof::prove(app, failures, typed, application, *scopes).await?;
    let decided = app.engine.decide_device(shown, Some(person.id)).await;
    let decided = decided.map_err(|error| proof::failed(&error))?;
    if decided {
        tracing::info!(
            application = application.id.0,
            credential = person.id.0,
            scopes = %scopes,
            "a person let an application in on a device"
        );
    }
    Ok(decided)
}

/// The device waiting with the code.
async fn waiting(app: &App, failures: &Failures, form: &Form) -> Result<Waiting, Complaint> {
    failures.check(app.engine.clock().monotonic()).map_err(Complaint::too_many)?;
    let typed = form.get("user_code").unwrap_or_default();
    let found = app.engine.waiting_device(typed).await.map_err(|error| proof::failed(&error))?;
    let Some((application, scopes, shown)) = found else {
        failures.count(app.engine.clock().monotonic());
        return Err(no_such_code());
    };
    Ok(Waiting { application, scopes, shown })
}

fn no_such_code() -> Complaint {
    let text =
        "No device waits with this code. Check it; after ten minutes a device shows a new one.";
    Complaint::new(StatusCode::BAD_REQUEST, text)
}

fn broken(unread: &Unread) -> Complaint {
    Complaint::new(unread.status, format!("That cannot be read: {}.", unread.message))
}

/// The page with the question for the code.
fn enter(complaint: Option<&Complaint>) -> Response {
    let invalid = if complaint.is_some() { " aria-invalid=\"true\"" } else { "" };
    let action = format!("{BASE_PATH}{VERIFY}");
    let html = format!(
        "<h1>Let a device in</h1>\n{}<form action=\"{action}\" autocomplete=\"off\">\n\
         <label for=\"user_code\">The code that the device shows</label>\n\
         <input id=\"user_code\" name=\"user_code\" class=\"code\" autocomplete=\"off\" \
         autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"20\" required{invalid} \
         aria-describedby=\"hint\">\n\
         <p id=\"hint\" class=\"dim\">Eight letters, such as WDJB-MJHT.</p>\n\
         <p class=\"buttons\"><button class=\"yes\">Continue</button></p>\n</form>",
        complaint.map(|complaint| page::complaint_box(complaint.text())).unwrap_or_default(),
    );
    Page::new("Let a device in", html).complaining(complaint).into_response()
}

/// The page with the question whether to let the device in.
async fn ask(app: &App, waiting: &Waiting, complaint: Option<&Complaint>) -> Response {
    match question(app, waiting, complaint).await {
        Ok(page) => page.into_response(),
        Err(error) => enter(Some(&proof::failed(&error))),
    }
}

async fn question(
    app: &App,
    waiting: &Waiting,
    complaint: Option<&Complaint>,
) -> Result<Page, Error> {
    let Waiting { application, scopes, shown } = waiting;
    let workspace = token::workspace(app, application.workspace).await?;
    let name = &application.settings.name;
    let title = format!("Let {name} into {} on a device?", workspace.merchant);
    let mut html = page::wish(application, *scopes, &Escaped(&title).to_string());
    html += &format!(
        "<h2>Your device must show this code</h2>\n<p class=\"code\">{shown}</p>\n\
         <p class=\"dim\">If it does not, or somebody else sent you here, deny.</p>\n"
    );
    let action = format!("{BASE_PATH}{VERIFY}");
    let fields = [("user_code", &**shown)];
    html += &page::decision(&action, &fields, &workspace.merchant, complaint);
    Ok(Page::new(&title, html).about(application).complaining(complaint))
}
