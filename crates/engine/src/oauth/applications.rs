//! Registering and changing applications.

use hookyard_core::entropy::{self, Entropy};
use hookyard_core::id::{ApplicationId, GrantId, WorkspaceId};
use hookyard_core::model::{
    Application, ApplicationChange, ApplicationSettings, NewApplication, Scopes,
};
use hookyard_core::oauth::redirect_uri;
use hookyard_core::readable::{UNREADABLE, is_readable};
use hookyard_store::{ApplicationStore, Entity};
use url::Url;

use super::CLIENT_ID_DIGITS;
use crate::{Engine, Error};

/// The longest name of an application or of its maker, in characters: people decide by a sentence
/// with the name.
pub const NAME_CHARS_MAX: usize = 100;

/// The longest description, in characters: a sentence or two.
pub const DESCRIPTION_CHARS_MAX: usize = 500;

/// The longest address, in characters.
pub const URL_CHARS_MAX: usize = 2_000;

/// The most redirect URIs: a URI for each place where a program runs, and some for the makers.
pub const REDIRECT_URIS_MAX: usize = 20;

impl Engine {
    /// Registers an application. [`Error::Invalid`] names the member at fault.
    pub async fn create_application(
        &self,
        workspace: WorkspaceId,
        scopes: Scopes,
        settings: ApplicationSettings,
    ) -> Result<Application, Error> {
        let new = new_application(self.entropy.as_ref(), scopes, settings)?;
        Ok(self.store.create_application(workspace, new, self.clock.now()).await?)
    }

    /// An application of the workspace.
    pub async fn application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
    ) -> Result<Application, Error> {
        let found = self.store.application(workspace, id).await?;
        found.ok_or(Error::NotFound(Entity::Application))
    }

    /// Changes an application. [`Error::Invalid`] names the member at fault.
    pub async fn update_application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
        change: ApplicationChange,
    ) -> Result<Application, Error> {
        let changed = change_application(&*self.store, workspace, id, change).await;
        self.access.forget_application(id);
        changed
    }

    /// Removes an application; the tokens open nothing any more.
    pub async fn delete_application(
        &self,
        workspace: WorkspaceId,
        id: ApplicationId,
    ) -> Result<(), Error> {
        let there = self.store.delete_application(workspace, id).await?;
        self.access.forget_application(id);
        if there { Ok(()) } else { Err(Error::NotFound(Entity::Application)) }
    }

    /// Ends a grant of an application.
    pub async fn revoke_grant(
        &self,
        workspace: WorkspaceId,
        application: ApplicationId,
        grant: GrantId,
    ) -> Result<(), Error> {
        let there = self.store.revoke_grant(workspace, application, grant).await?;
        self.access.forget_application(application);
        if there { Ok(()) } else { Err(Error::NotFound(Entity::Grant)) }
    }
}

/// Changes an application. [`Error::Invalid`] names the member at fault.
pub async fn change_application<S: ApplicationStore + ?Sized>(
    store: &S,
    workspace: WorkspaceId,
    id: ApplicationId,
    change: ApplicationChange,
) -> Result<Application, Error> {
    let found = store.application(workspace, id).await?;
    let mut changed = found.ok_or(Error::NotFound(Entity::Application))?;
    change.clone().apply(&mut changed);
    check_settings(&changed.settings)?;
    Ok(store.update_application(workspace, id, change).await?)
}

/// An application for registration, with a new client id. [`Error::Invalid`] names the member at
/// fault.
pub fn new_application(
    entropy: &dyn Entropy,
    scopes: Scopes,
    settings: ApplicationSettings,
) -> Result<NewApplication, Error> {
    if scopes == Scopes::default() {
        return Err(Error::invalid("scopes", "must name at least one scope"));
    }
    check_settings(&settings)?;
    let client_id = entropy::hex(entropy, CLIENT_ID_DIGITS);
    Ok(NewApplication { client_id, scopes, settings })
}

/// Checks an owner's settings of an application. [`Error::Invalid`] names the member at fault.
fn check_settings(settings: &ApplicationSettings) -> Result<(), Error> {
    let ApplicationSettings {
        name,
        developer,
        url,
        logo_url,
        description,
        redirect_uris,
        require_pkce: _,
        device_flow,
    } = settings;
    if name.trim().is_empty() {
        return Err(Error::invalid("name", "must not be empty: people decide by it"));
    }
    check_text("name", Some(name), NAME_CHARS_MAX)?;
    check_text("developer", developer.as_deref(), NAME_CHARS_MAX)?;
    check_text("description", description.as_deref(), DESCRIPTION_CHARS_MAX)?;
    check_url("url", url.as_deref())?;
    check_url("logo_url", logo_url.as_deref())?;
    if redirect_uris.len() > REDIRECT_URIS_MAX {
        let message = format!("must be at most {REDIRECT_URIS_MAX}, not {}", redirect_uris.len());
        return Err(Error::invalid("redirect_uris", message));
    }
    if redirect_uris.is_empty() && !device_flow {
        let message = "must name at least one URI, unless device_flow is on";
        return Err(Error::invalid("redirect_uris", message));
    }
    for (index, uri) in redirect_uris.iter().enumerate() {
        let field = format!("redirect_uris[{index}]");
        redirect_uri::check(uri).map_err(|message| Error::invalid(field.clone(), message))?;
        if redirect_uris[..index].contains(uri) {
            return Err(Error::invalid(field, "is there twice"));
        }
    }
    Ok(())
}

fn check_text(field: &str, text: Option<&str>, chars_max: usize) -> Result<(), Error> {
    let Some(text) = text else { return Ok(()) };
    let length = text.chars().count();
    if length > chars_max {
        let message = format!("must have at most {chars_max} characters, not {length}");
        return Err(Error::invalid(field, message));
    }
    if !is_readable(text) {
        return Err(Error::invalid(field, UNREADABLE));
    }
    Ok(())
}

/// Shown to people who decide about the application, so the URL must not mislead.
fn check_url(field: &str, text: Option<&str>) -> Result<(), Error> {
    let Some(text) = text else { return Ok(()) };
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|};,".contains(&byte);
    let url = Url::parse(text).ok().filter(|_| text.starts_with("https://"));
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    if url.is_none() || text.len() > URL_CHARS_MAX || !text.bytes().all(plain) {
        let message = format!(
            "must be an https:// URL of at most {URL_CHARS_MAX} characters, without a user; \
             percent-encode quotes, brackets, commas and semicolons"
        );
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ApplicationSettings {
        ApplicationSettings {
            name: "Reports".to_owned(),
            redirect_uris: vec!["https://a.test/cb".to_owned()],
            ..ApplicationSettings::default()
        }
    }

    fn field(settings: &ApplicationSettings) -> Option<String> {
        match check_settings(settings) {
            Err(Error::Invalid { field, .. }) => Some(field),
            _ => None,
        }
    }

    #[test]
    fn a_profile_reads_as_what_it_is() {
        assert_eq!(field(&settings()), None);
        let uris = |uris: &[&str]| uris.iter().map(|&uri| uri.to_owned()).collect();
        let text = |text: &str| Some(text.to_owned());
        for (wrong, expected) in [
            (ApplicationSettings { name: " ".to_owned(), ..settings() }, "name"),
            (ApplicationSettings { name: "é".repeat(101), ..settings() }, "name"),
            (ApplicationSettings { name: "a\u{202e}b".to_owned(), ..settings() }, "name"),
            (ApplicationSettings { developer: text("a\nb"), ..settings() }, "developer"),
            (
                ApplicationSettings { description: text(&"x".repeat(501)), ..settings() },
                "description",
            ),
            (ApplicationSettings { url: text("http://a.test/"), ..settings() }, "url"),
            (ApplicationSettings { url: text("https://u:p@a.test/"), ..settings() }, "url"),
            (ApplicationSettings { logo_url: text("javascript:x"), ..settings() }, "logo_url"),
            (
                ApplicationSettings { logo_url: text("https://a.test/; x"), ..settings() },
                "logo_url",
            ),
            (ApplicationSettings { redirect_uris: uris(&[]), ..settings() }, "redirect_uris"),
            (
                ApplicationSettings {
                    redirect_uris: uris(&["https://a.test/", "x"]),
                    ..settings()
                },
                "redirect_uris[1]",
            ),
            (
                ApplicationSettings { redirect_uris: uris(&["a.b:/", "a.b:/"]), ..settings() },
                "redirect_uris[1]",
            ),
        ] {
            assert_eq!(field(&wrong).as_deref(), Some(expected), "{wrong:?}");
        }
        let many = (0..21).map(|n| format!("https://a.test/{n}")).collect();
        let many = ApplicationSettings { redirect_uris: many, ..settings() };
        assert_eq!(field(&many).as_deref(), Some("redirect_uris"));
        let device =
            ApplicationSettings { redirect_uris: uris(&[]), device_flow: true, ..settings() };
        assert_eq!(field(&device), None);
    }
}
