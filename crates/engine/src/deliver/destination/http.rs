//! Receivers of HTTP requests (docs/spec/ultracart.md#algorithm), over the guarded client.

use std::sync::Arc;

use hookyard_core::clock::Clock;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{Endpoint, Header, OAuth2Client};
use http::{HeaderValue, Request};
use http_body_util::Full;

use super::super::api_user::ApiUser;
use super::super::oauth::Tokens;
use super::super::outgoing::{Answer, Deadline, Outgoing, Read, Unanswered, read};
use super::super::request::{self, Template, insert_bearer};
use crate::net::{Client, Guard, Sockets};

/// How much of an answer is read. The log keeps 100,000 characters, of at most four bytes each. The rest over
/// 1 MiB is left unread and the connection is closed.
pub(in super::super) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How an endpoint's requests are sent.
#[derive(Debug, Clone, Default)]
pub struct Http {
    /// The client for fetching a bearer token, and the workspace whose share of the kept tokens has the
    /// token.
    pub oauth2: Option<(WorkspaceId, Arc<OAuth2Client>)>,
    /// Whether any certificate is taken for the receiver's.
    pub danger_accept_invalid_certs: bool,
}

impl Http {
    /// The headers of a request as the log shows them. The token is fetched when the request is sent.
    pub(super) fn logged_headers(&self, request: &Outgoing) -> Vec<Header> {
        let mut logged = request::logged(&request.headers);
        logged.extend(self.oauth2.is_some().then(request::masked_token));
        logged
    }
}

/// How an endpoint's requests are sent, and the part that all of them share. Fails when nothing can be sent;
/// the text is for the log.
pub(super) fn target(
    endpoint: &Endpoint,
    user_agent: &HeaderValue,
    api_user: Option<&ApiUser>,
) -> Result<(Http, Template), String> {
    let settings = &endpoint.settings;
    let (url, uri) = request::address(settings)?;
    let user = api_user.filter(|user| user.may_go_to(&url));
    let headers = request::constant_headers(settings, user_agent, user)?;
    let oauth2 = request::oauth2(settings);
    let http = Http {
        oauth2: oauth2.map(|client| (endpoint.workspace, Arc::new(client.clone()))),
        danger_accept_invalid_certs: settings.options.danger_accept_invalid_certs,
    };
    Ok((http, Template::new(uri, headers, &settings.options)?))
}

/// Posts requests.
#[derive(Debug)]
pub(in super::super) struct Sender {
    client: Client,
    /// For receivers whose certificates are not looked at.
    trusting_client: Client,
    tokens: Tokens,
}

impl Sender {
    /// Fails when TLS cannot be set up.
    pub(in super::super) fn new(
        client: Client,
        guard: Arc<Guard>,
        sockets: &Sockets,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, rustls::Error> {
        let trusting_client = Client::danger_accepting_invalid_certs(guard, sockets)?;
        Ok(Self { trusting_client, tokens: Tokens::new(client.clone(), clock), client })
    }

    /// Sends a request with its token, if any. A kept token that the receiver refuses is fetched anew, once.
    pub(in super::super) async fn send(
        &self,
        to: &Http,
        mut request: Outgoing,
        deadline: Deadline,
    ) -> Result<Answer, Unanswered> {
        let Some((workspace, oauth2)) = &to.oauth2 else {
            return self.post(to, request, deadline).await;
        };
        let token = deadline.bound(self.tokens.token(*workspace, oauth2)).await?;
        insert_bearer(&mut request.headers, token.secret.expose())?;
        if !token.kept {
            return self.post(to, request, deadline).await;
        }
        let answer = self.post(to, request.clone(), deadline).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.tokens.forget(*workspace, oauth2, &token.secret);
        let token = deadline.bound(self.tokens.token(*workspace, oauth2)).await?;
        insert_bearer(&mut request.headers, token.secret.expose())?;
        self.post(to, request, deadline).await
    }

    async fn post(
        &self,
        to: &Http,
        outgoing: Outgoing,
        deadline: Deadline,
    ) -> Result<Answer, Unanswered> {
        let client = match to.danger_accept_invalid_certs {
            true => &self.trusting_client,
            false => &self.client,
        };
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = outgoing.uri;
        *request.headers_mut() = outgoing.headers;
        let sent =
            async { client.send(request).await.map_err(|error| Unanswered::because(&error)) };
        let (head, body) = deadline.bound(sent).await?.into_parts();
        let Read { bytes: body, broken } = read(body, ANSWER_BYTES_MAX, deadline.moment()).await;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body, broken })
    }
}
