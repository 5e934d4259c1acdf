//! Exchanging codes and refresh tokens for tokens (RFC 6749, section 5), and revoking tokens (RFC
//! 7009).

use hookyard_core::model::{Application, Grant};
use hookyard_core::oauth::pkce;
use hookyard_store::{Issue, NewTokens, Poll};

use super::{ACCESS_PREFIX, Lifetimes, REFRESH_PREFIX, hash, secret};
use crate::{Engine, Error};

/// The grant that an application exchanges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// A code brought back by a browser.
    Code {
        /// The code.
        code: String,
        /// Where the browser was sent back to.
        redirect_uri: String,
        /// The origin of the PKCE challenge.
        verifier: Option<String>,
    },
    /// A refresh token.
    Refresh(String),
    /// A device code.
    Device(String),
}

/// New tokens, shown only here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// Lifetime of the access token, in seconds.
    pub expires_in: i64,
    /// The grant of the tokens.
    pub grant: Grant,
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No application has the client id.
    #[error("no application has this client_id")]
    UnknownClient,
    /// The application is disabled.
    #[error("the application is disabled")]
    Disabled,
    /// The application is not for devices.
    #[error("the application does not take the device flow: set its device_flow")]
    NotForDevices,
    /// The code or token is unusable.
    #[error("{0}")]
    Useless(&'static str),
    /// Nothing of the wanted scopes is the application's to ask for.
    #[error("the application is registered with none of these scopes")]
    Scopes,
    /// Nobody has decided yet.
    #[error("nobody has decided yet: ask again")]
    Pending,
    /// The device asked again too early.
    #[error("wait 5 seconds longer between questions")]
    TooSoon,
    /// A person said no.
    #[error("the person said no")]
    Denied,
    /// The device code is too old.
    #[error("the code has expired: begin again")]
    Expired,
    /// The engine failed to find out.
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Engine {
    /// The enabled application with the client id.
    pub async fn client(&self, client_id: &str) -> Result<Application, ExchangeError> {
        let found = self.store.application_of_client(client_id).await.map_err(Error::from)?;
        let application = found.ok_or(ExchangeError::UnknownClient)?;
        if application.disabled { Err(ExchangeError::Disabled) } else { Ok(application) }
    }

    /// Exchanges an application's code or refresh token for tokens.
    pub async fn exchange(
        &self,
        application: &Application,
        exchange: Exchange,
        lifetimes: Lifetimes,
    ) -> Result<Tokens, ExchangeError> {
        let fresh = self.fresh(lifetimes);
        let (id, now) = (application.id, self.clock.now());
        let kept = fresh.kept.clone();
        let issue = match exchange {
            Exchange::Code { code, redirect_uri, verifier } => {
                let code = hash(&code);
                self.check_code(application, code, &redirect_uri, verifier.as_deref()).await?;
                self.store.redeem_code(id, code, kept, now).await.map_err(Error::from)?
            }
            Exchange::Refresh(token) => {
                let token = hash(&token);
                self.store.rotate_tokens(id, token, kept, now).await.map_err(Error::from)?
            }
            Exchange::Device(code) => {
                let polled = self.store.poll_device(id, hash(&code), kept, now).await;
                match polled.map_err(Error::from)? {
                    Poll::Issue(Issue::Expired) => return Err(ExchangeError::Expired),
                    Poll::Issue(issue) => issue,
                    Poll::Pending => return Err(ExchangeError::Pending),
                    Poll::TooSoon => return Err(ExchangeError::TooSoon),
                    Poll::Denied => return Err(ExchangeError::Denied),
                }
            }
        };
        // Either outcome may have ended tokens.
        self.access.forget_application(id);
        fresh.issued(application, issue, lifetimes)
    }

    /// Checks the constant facts of a code; the store knows whether the code was used.
    async fn check_code(
        &self,
        application: &Application,
        code: [u8; 32],
        redirect_uri: &str,
        verifier: Option<&str>,
    ) -> Result<(), ExchangeError> {
        let found = self.store.code(application.id, code).await.map_err(Error::from)?;
        let code = found.ok_or(ExchangeError::Useless("the code is not known"))?;
        if code.redirect_uri != redirect_uri {
            let reason = "redirect_uri is not the one that the code was asked for with";
            return Err(ExchangeError::Useless(reason));
        }
        match (&code.challenge, verifier) {
            (Some(challenge), Some(verifier)) if pkce::verifies(challenge, verifier) => Ok(()),
            (Some(_), Some(_)) => {
                Err(ExchangeError::Useless("code_verifier does not meet the code_challenge"))
            }
            (Some(_), None) => Err(ExchangeError::Useless(
                "the code was asked for with a code_challenge: send its code_verifier",
            )),
            // A verifier implies a challenge; somebody removed the challenge from the request.
            (None, Some(_)) => {
                Err(ExchangeError::Useless("the code was asked for without a code_challenge"))
            }
            (None, None) => Ok(()),
        }
    }

    /// Ends the grant of a token. An unknown token is no error: the token opens nothing, as wanted
    /// (RFC 7009, section 2.2).
    pub async fn revoke_token(&self, application: &Application, token: &str) -> Result<(), Error> {
        let ended = self.store.revoke_token(application.id, hash(token)).await?;
        if ended {
            self.access.forget_application(application.id);
            tracing::info!(application = application.id.0, "an application gave a grant back");
        }
        Ok(())
    }

    fn fresh(&self, lifetimes: Lifetimes) -> Fresh {
        let access = secret(self.entropy.as_ref(), ACCESS_PREFIX);
        let refresh = secret(self.entropy.as_ref(), REFRESH_PREFIX);
        let now = self.clock.now();
        let kept = NewTokens {
            access: hash(&access),
            access_expires_at: now.saturating_add(lifetimes.access).unwrap_or(now),
            refresh: hash(&refresh),
            refresh_expires_at: lifetimes
                .refresh
                .map(|life| now.saturating_add(life).unwrap_or(now)),
        };
        Fresh { access, refresh, kept }
    }
}

/// Fresh tokens without an owner yet.
struct Fresh {
    access: String,
    refresh: String,
    kept: NewTokens,
}

impl Fresh {
    fn issued(
        self,
        application: &Application,
        issue: Issue,
        lifetimes: Lifetimes,
    ) -> Result<Tokens, ExchangeError> {
        let useless = |reason| Err(ExchangeError::Useless(reason));
        match issue {
            Issue::Issued(grant) => Ok(Tokens {
                access: self.access,
                refresh: self.refresh,
                expires_in: lifetimes.access.as_secs(),
                grant,
            }),
            Issue::Unknown => useless("it is not known, or was revoked"),
            Issue::Expired => useless("it has expired"),
            Issue::Reused => {
                tracing::warn!(
                    application = application.id.0,
                    "a code or refresh token came a second time: what came of it is revoked"
                );
                useless("it was used before: what came of it is revoked")
            }
        }
    }
}
