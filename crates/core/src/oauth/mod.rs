//! The pure parts of serving OAuth2: proof keys, redirect URIs and codes typed by people.

pub mod pkce;
pub mod redirect_uri;
pub mod user_code;
