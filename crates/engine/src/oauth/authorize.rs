//! Asking a person (RFC 6749, section 4.1.1).

use hookyard_core::model::{Application, Credential, Scope, Scopes};
use hookyard_core::oauth::{pkce, redirect_uri};
use hookyard_store::Code;

use super::{CODE_LIFE, hash, narrowed, secret};
use crate::{Engine, Error};

/// The longest state, in characters. The state comes back in a URL, and URLs should stay below
/// 8,000.
pub const STATE_CHARS_MAX: usize = 2_000;

/// An authorization request, as received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The asking application.
    pub client_id: Option<String>,
    /// Must be `code`.
    pub response_type: Option<String>,
    /// Where to send the person back to.
    pub redirect_uri: Option<String>,
    /// The application's mark on its own request.
    pub state: Option<String>,
    /// The wanted scopes; absent: the registered scopes.
    pub scope: Option<String>,
    /// The PKCE challenge.
    pub code_challenge: Option<String>,
    /// The method of the challenge.
    pub code_challenge_method: Option<String>,
}

/// A request ready for a person's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The asking application.
    pub application: Application,
    /// The wanted scopes.
    pub scopes: Scopes,
    /// Where the answer goes.
    pub redirect_uri: String,
    state: String,
    challenge: Option<String>,
}

/// Why there is nothing to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The person must be told, for there is no trustworthy URL to send the person to.
    Here(&'static str),
    /// The same; the application is disabled.
    Disabled,
    /// The application must be told, by sending the person to this URL.
    Back(String),
}

/// Why a person may not say yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    /// The credential opens nothing in the application's workspace.
    Unknown,
    /// The credential belongs to an application, and applications cannot approve each other.
    Application,
    /// The credential lacks `admin`, or some of the scopes to give away.
    Lacks(Scopes),
}

impl Engine {
    /// Judges an authorization request.
    pub async fn authorization(&self, request: Request) -> Result<Result<Asked, Stop>, Error> {
        let Some(client_id) = &request.client_id else {
            return Ok(Err(Stop::Here("the link lacks client_id")));
        };
        Ok(match self.store.application_of_client(client_id).await? {
            None => Err(Stop::Here("no application has this client_id")),
            Some(application) => judge(application, request),
        })
    }

    /// Approves a request for a person with a proven identity; returns the URL to send the person
    /// to.
    pub async fn approve(&self, asked: &Asked, person: &Credential) -> Result<String, Error> {
        let code = secret(self.entropy.as_ref(), "");
        let now = self.clock.now();
        let kept = Code {
            scopes: asked.scopes,
            approved_by: person.id,
            redirect_uri: asked.redirect_uri.clone(),
            challenge: asked.challenge.clone(),
            expires_at: now + CODE_LIFE,
        };
        self.store.add_code(asked.application.id, hash(&code), kept, now).await?;
        let parameters = [("code", &*code), ("state", &asked.state)];
        Ok(redirect_uri::with_parameters(&asked.redirect_uri, &parameters))
    }

    /// Notes in the audit log that a person denied a request. A denial needs no proof of identity,
    /// so the caller bounds the number of notes.
    pub async fn note_denial(&self, asked: &Asked) -> Result<(), Error> {
        Ok(self.store.note_denial(asked.application.id, asked.scopes).await?)
    }
}

impl Asked {
    /// The URL to send a person to after a denial.
    pub fn denied(&self) -> String {
        back(&self.redirect_uri, "access_denied", "the person said no", &self.state)
    }
}

/// Whether a credential's owner may grant `scopes` to `application`: the credential must be able to
/// manage the workspace, and must have every granted scope.
pub fn prove(
    credential: Option<Credential>,
    application: &Application,
    scopes: Scopes,
) -> Result<Credential, Unproven> {
    let credential = credential
        .filter(|credential| credential.workspace == application.workspace)
        .ok_or(Unproven::Unknown)?;
    if credential.application.is_some() {
        return Err(Unproven::Application);
    }
    let needed = scopes.iter().chain([Scope::Admin]);
    let lacks: Scopes = needed.filter(|scope| !credential.scopes.has(*scope)).collect();
    if lacks == Scopes::default() { Ok(credential) } else { Err(Unproven::Lacks(lacks)) }
}

fn judge(application: Application, request: Request) -> Result<Asked, Stop> {
    if application.disabled {
        return Err(Stop::Disabled);
    }
    let Request { redirect_uri, state, .. } = &request;
    let registered = &application.settings.redirect_uris;
    let Some(redirect_uri) = redirect_uri.clone().filter(|uri| registered.contains(uri)) else {
        let reason = "redirect_uri is not one that the application is registered with";
        return Err(Stop::Here(reason));
    };
    // Without a state the application cannot tell its own requests from requests forged in the
    // users' browsers.
    let Some(state) = state.clone().filter(|state| state.chars().count() <= STATE_CHARS_MAX) else {
        let description = "state is needed, with at most 2000 characters";
        return Err(Stop::Back(back(&redirect_uri, "invalid_request", description, "")));
    };
    let refuse = |error, description| Stop::Back(back(&redirect_uri, error, description, &state));
    if request.response_type.as_deref() != Some("code") {
        return Err(refuse("unsupported_response_type", "response_type must be code"));
    }
    match (&request.code_challenge, request.code_challenge_method.as_deref()) {
        (Some(challenge), method) => pkce::check_challenge(challenge, method)
            .map_err(|description| refuse("invalid_request", description))?,
        (None, Some(_)) => return Err(refuse("invalid_request", "code_challenge is missing")),
        (None, None) if application.settings.require_pkce => {
            let description = "this application must send code_challenge (PKCE, S256)";
            return Err(refuse("invalid_request", description));
        }
        (None, None) => {}
    }
    let scopes = narrowed(application.scopes, request.scope.as_deref());
    let Some(scopes) = scopes else {
        let description = "the application is registered with none of these scopes";
        return Err(refuse("invalid_scope", description));
    };
    Ok(Asked { application, scopes, redirect_uri, state, challenge: request.code_challenge })
}

fn back(redirect_uri: &str, error: &str, description: &str, state: &str) -> String {
    let mut parameters = vec![("error", error), ("error_description", description)];
    if !state.is_empty() {
        parameters.push(("state", state));
    }
    redirect_uri::with_parameters(redirect_uri, &parameters)
}
