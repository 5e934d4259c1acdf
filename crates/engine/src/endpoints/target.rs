use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{Catalogue, DATASET_SCHEME, NativeAuth};
use url::Url;

use super::change::Draft;
use super::patch::FieldNames;
use crate::net::Verdict;
use crate::{Engine, Error};

/// The longest target, in characters. Every attempt keeps a copy; common servers refuse request
/// lines beyond 8,000.
const URL_CHARS_MAX: usize = 4_096;

impl Engine {
    /// Judges the target of a draft, unless the present endpoint already has the target: an owner
    /// must be able to switch off an endpoint whose host went bad.
    pub(super) async fn check_target(
        &self,
        workspace: WorkspaceId,
        names: &FieldNames,
        draft: &Draft,
        current: Option<&Draft>,
        catalogue: &Catalogue,
    ) -> Result<(), Error> {
        self.check_token_url(draft, current).await?;
        if draft.settings.url.starts_with(DATASET_SCHEME) {
            return self.check_dataset(workspace, names, draft).await;
        }
        let url = parse(&draft.settings.url).map_err(|reason| Error::invalid(names.url, reason))?;
        let plain = url.scheme() == "http";
        let needs_allowance = |draft: &Draft| plain && !draft.is_items_only(catalogue);
        let same_url = current.filter(|current| current.settings.url == draft.settings.url);
        if same_url.is_some_and(|current| !needs_allowance(draft) || needs_allowance(current)) {
            return Ok(());
        }
        // A URL is judged for the subscriptions given with the URL, not again for later
        // subscriptions. Later subscriptions would be refused otherwise, and nobody would know why
        // the URL was good before.
        let is_for_nothing = plain && same_url.is_none() && !draft.is_subscribed();
        match self.guard.judge(&url).await {
            Verdict::Refused(reason) => Err(Error::invalid(names.url, reason)),
            Verdict::Allowed => Ok(()),
            Verdict::Public | Verdict::Unresolved if needs_allowance(draft) => {
                let message = "must be an https URL: only item events, which carry no customer \
                               data, may go to a plain http one";
                Err(Error::invalid(names.url, message))
            }
            Verdict::Public | Verdict::Unresolved if is_for_nothing => {
                let message = "must be an https URL unless item events are subscribed to in the same \
                               request: only those, which carry no customer data, may go to a plain \
                               http one";
                Err(Error::invalid(names.url, message))
            }
            Verdict::Public | Verdict::Unresolved => Ok(()),
        }
    }
}

impl Engine {
    /// Judges a dataset as a target: the dataset must belong to the workspace.
    async fn check_dataset(
        &self,
        workspace: WorkspaceId,
        names: &FieldNames,
        draft: &Draft,
    ) -> Result<(), Error> {
        if let Some(id) = draft.settings.dataset()
            && self.store.find_dataset(workspace, id).await?.is_some()
        {
            return Ok(());
        }
        let message = "must name a dataset of the workspace by its number, such as dataset:7";
        Err(Error::invalid(names.url, message))
    }

    /// Judges a draft's token URL, unless the endpoint has the URL already. The client secret goes
    /// there, so the URL must be https, except for hosts allowed by the operator.
    async fn check_token_url(&self, draft: &Draft, current: Option<&Draft>) -> Result<(), Error> {
        let Some(text) = token_url(draft) else { return Ok(()) };
        if current.and_then(token_url) == Some(text) {
            return Ok(());
        }
        let invalid = |reason| Error::invalid("auth.token_url", reason);
        let url = parse(text).map_err(invalid)?;
        match self.guard.judge(&url).await {
            Verdict::Refused(reason) => Err(invalid(reason)),
            Verdict::Public | Verdict::Unresolved if url.scheme() == "http" => {
                Err(invalid("must be an https url: the client's secret goes there".to_owned()))
            }
            Verdict::Allowed | Verdict::Public | Verdict::Unresolved => Ok(()),
        }
    }
}

fn token_url(draft: &Draft) -> Option<&str> {
    match &draft.settings.options.auth {
        Some(NativeAuth::OAuth2(client)) => Some(&client.token_url),
        Some(NativeAuth::Bearer { .. }) | None => None,
    }
}

/// Reads a target: absolute, http or https, a host, no credentials, exactly as written.
fn parse(text: &str) -> Result<Url, String> {
    let length = text.chars().count();
    if length > URL_CHARS_MAX {
        return Err(format!("must have at most {URL_CHARS_MAX} characters, not {length}"));
    }
    // The parser would drop white space and control characters silently, and then deliver to
    // another URL than shown.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("must not contain blanks or control characters".to_owned());
    }
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return Err("must be an absolute https:// or http:// URL".to_owned());
    }
    // The parser would take the host from further behind.
    if rest.starts_with(['/', '\\', '?', '#']) {
        return Err("must name a host".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    // Even an empty user counts: other parsers may see more in front of the sign.
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or password: use basic authentication".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_web_urls_are_accepted() {
        for text in [
            "https://x.test/h",
            "HTTP://x.test",
            "https://x.test:8443/wp-admin/admin-ajax.php?action=ucwp_webhook",
            "http://127.0.0.1:9000/hook",
            "https://[::1]/",
            "https://sqs.us-east-1.amazonaws.com/123456789012/orders",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "x.test/h",
            "/h",
            "http:x.test",
            "https:///h",
            "https://",
            "ftp://x.test/h",
            " https://x.test/h",
            "https://x.test/a b",
            "https://x.test/\nh",
            "https://me@x.test/h",
            "https://me:secret@x.test/h",
            "https://:secret@x.test/h",
            "https://x.test:99999/h",
            "javascript://x.test/%0a",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse(&format!("https://x.test/{}", "a".repeat(URL_CHARS_MAX))).is_err());
    }
}
