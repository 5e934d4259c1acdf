//! Pages for people: HTML without scripts, with a style allowed by hash.

use std::fmt::{self, Display, Write};
use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::model::{Application, Scope, Scopes};
use hookyard_core::oauth::redirect_uri::policy_source;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");

/// The style's name in the policy.
static STYLE_HASH: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(STYLE.as_bytes()))));

/// Text in HTML, in an attribute's quotes or between tags.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The fault of a sent form.
#[derive(Debug)]
pub(super) struct Complaint {
    status: StatusCode,
    text: String,
    retry_after: Option<u64>,
}

impl Complaint {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry_after: None }
    }

    /// The fault, for people.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A caller with too many failures, who may try again after the given seconds.
    pub(super) fn too_many(seconds: u64) -> Self {
        let text = format!("Too many attempts from here failed. Try again in {seconds} seconds.");
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, text) }
    }
}

/// A page in the making.
#[derive(Debug)]
pub(super) struct Page {
    title: String,
    body: String,
    status: StatusCode,
    /// The target of the form, besides this server.
    leads_to: String,
    /// The origin of the picture.
    picture: String,
    retry_after: Option<u64>,
}

impl Page {
    /// A page with a heading and an HTML body.
    pub(super) fn new(title: &str, body: impl Into<String>) -> Self {
        Self {
            title: title.to_owned(),
            body: body.into(),
            status: StatusCode::OK,
            leads_to: String::new(),
            picture: String::new(),
            retry_after: None,
        }
    }

    /// A page that explains why no decision is possible.
    pub(super) fn dead_end(status: StatusCode, title: &str, text: &str) -> Self {
        let html = format!("<h1>{}</h1>\n<p>{}</p>", Escaped(title), Escaped(text));
        Self { status, ..Self::new(title, html) }
    }

    /// A page with a fault alone.
    pub(super) fn of_complaint(complaint: &Complaint) -> Self {
        let html = format!("<h1>Not now</h1>\n{}", complaint_box(complaint.text()));
        Self::new("Not now", html).complaining(Some(complaint))
    }

    /// A page about an application, with the application's picture on top.
    pub(super) fn about(mut self, application: &Application) -> Self {
        if let Some(logo) = &application.settings.logo_url {
            self.picture = policy_source(logo);
            let logo = Escaped(logo);
            // The picture's server must not learn the address of the page.
            let picture = format!(
                "<img class=\"logo\" alt=\"\" referrerpolicy=\"no-referrer\" src=\"{logo}\">"
            );
            self.body.insert_str(0, &picture);
        }
        self
    }

    /// Lets the page's form lead to a redirect URI.
    pub(super) fn leading_to(mut self, redirect_uri: &str) -> Self {
        self.leads_to = policy_source(redirect_uri);
        self
    }

    /// Puts the fault into the status of the answer.
    pub(super) fn complaining(mut self, complaint: Option<&Complaint>) -> Self {
        if let Some(complaint) = complaint {
            self.status = complaint.status;
            self.retry_after = complaint.retry_after;
        }
        self
    }

    fn html(&self) -> String {
        let Self { title, body, .. } = self;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n\
             <title>{} - Hookyard</title>\n<style>{STYLE}</style>\n</head>\n\
             <body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
            Escaped(title),
        )
    }

    /// The permitted sources of the page and targets of the form. Browsers apply the policy to the form's
    /// redirect, too, so the redirect URI's origin is included.
    fn policy(&self) -> String {
        let pictures = if self.picture.is_empty() { "'none'" } else { &self.picture };
        let leads_to = format!("'self' {}", self.leads_to);
        format!(
            "default-src 'none'; style-src {}; img-src {pictures}; form-action {}; \
             frame-ancestors 'none'; base-uri 'none'",
            *STYLE_HASH,
            leads_to.trim_end(),
        )
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        headers.insert(CONTENT_TYPE, kind);
        // The parts were checked at the registration of the application. Without a policy, the page is not
        // sent.
        let Ok(policy) = HeaderValue::from_str(&self.policy()) else {
            tracing::error!("a page's policy is no header");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        if let Some(seconds) = self.retry_after {
            headers.insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        (self.status, sealed(headers), self.html()).into_response()
    }
}

/// Keeps an answer out of caches, and the page's address out of requests to other sites.
fn sealed(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Not `no-referrer`: browsers then hide that a form came from this server.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
}

/// Redirects a browser. With this status the browser uses GET, and the typed values stay here.
pub(super) fn see_other(place: &str) -> Response {
    match HeaderValue::from_str(place) {
        Ok(place) => {
            let headers = sealed(HeaderMap::from_iter([(LOCATION, place)]));
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether a form was sent from a page of this server. Browsers without the header pass; no decision here
/// relies on values that a browser sends by itself.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none"))
}

/// The page for a form from elsewhere.
pub(super) fn foreign() -> Page {
    let text =
        "This form was sent from another site's page. Open the link of the application again.";
    Page::dead_end(StatusCode::FORBIDDEN, "Not from here", text)
}

/// The text before the decision: the application, and the scopes.
pub(super) fn wish(application: &Application, scopes: Scopes, heading: &str) -> String {
    let settings = &application.settings;
    let mut html = format!("<h1>{heading}</h1>\n");
    let developer = settings.developer.as_deref().map(|name| format!("by {}", Escaped(name)));
    let url = settings.url.as_deref().map(|url| {
        let shown = url.trim_start_matches("https://").trim_end_matches('/');
        let (url, shown) = (Escaped(url), Escaped(shown));
        format!("<a href=\"{url}\" rel=\"noopener noreferrer\">{shown}</a>")
    });
    let origin: Vec<_> = developer.into_iter().chain(url).collect();
    if !origin.is_empty() {
        html += &format!("<p class=\"dim\">{}</p>\n", origin.join(" &middot; "));
    }
    if let Some(description) = &settings.description {
        html += &format!("<p>{}</p>\n", Escaped(description));
    }
    html += "<h2>It will be able to</h2>\n<ul>\n";
    for scope in scopes.iter() {
        let class = if scope == Scope::Admin { " class=\"strong\"" } else { "" };
        let (what, name) = (meaning(scope), scope.as_str());
        html += &format!("<li{class}>{what}<code>{name}</code></li>\n");
    }
    html + "</ul>\n"
}

fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::WebhookRead => "read endpoints, their subscriptions and the log of deliveries",
        Scope::WebhookWrite => "change endpoints and subscriptions, and send history again",
        Scope::EventRead => "read published events",
        Scope::EventWrite => "publish events",
        Scope::DataRead => "read sources, datasets and what they received",
        Scope::DataWrite => "change sources and datasets, and delete what they received",
        Scope::Admin => "manage the workspace: its credentials, applications and event types",
    }
}

/// The form for a person's decision. `fields` come back unchanged.
pub(super) fn decision(
    action: &str,
    fields: &[(&str, &str)],
    merchant: &str,
    complaint: Option<&Complaint>,
) -> String {
    let mut html = format!("<form method=\"post\" action=\"{action}\" autocomplete=\"off\">\n");
    for (name, value) in fields {
        let value = Escaped(value);
        html += &format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n");
    }
    let invalid = match complaint {
        Some(Complaint { text, .. }) => {
            html += &complaint_box(text);
            " aria-invalid=\"true\" aria-describedby=\"complaint hint\""
        }
        None => " aria-describedby=\"hint\"",
    };
    let merchant = Escaped(merchant);
    html += &format!(
        "<label for=\"credential\">Your credential for {merchant}</label>\n\
         <input id=\"credential\" name=\"credential\" type=\"password\" autocomplete=\"off\" \
         autocapitalize=\"none\" spellcheck=\"false\" required{invalid}>\n\
         <p id=\"hint\" class=\"dim\">A simple key, a token, or a key pair written KEY:SECRET. It must \
         have the scope <b>admin</b> and all that is listed above. It is checked and not kept.</p>\n\
         <p class=\"buttons\">\
         <button class=\"yes\" name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\" formnovalidate>Deny</button></p>\n</form>"
    );
    html
}

/// The fault, at a place where people and screen readers find the fault first.
pub(super) fn complaint_box(text: &str) -> String {
    let text = Escaped(text);
    format!("<p id=\"complaint\" class=\"complaint\" role=\"alert\">{text}</p>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_text_becomes_markup() {
        let text = Escaped("<script>alert(\"1\" & '2')</script>").to_string();
        assert_eq!(text, "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;");
    }

    #[test]
    fn only_a_form_from_elsewhere_is_foreign() {
        let from = |site: &str| {
            HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), site.parse().unwrap())])
        };
        assert!(is_own(&HeaderMap::new()) && is_own(&from("same-origin")) && is_own(&from("none")));
        assert!(!is_own(&from("cross-site")) && !is_own(&from("same-site")) && !is_own(&from("")));
    }

    #[test]
    fn a_page_loads_nothing_but_what_it_must() {
        let page = Page::new("x", "");
        assert!(
            page.policy().contains("img-src 'none'; form-action 'self'; frame-ancestors 'none'")
        );
        let page = page.leading_to("com.example.app:/back");
        assert!(page.policy().contains("form-action 'self' com.example.app:;"));
    }
}
