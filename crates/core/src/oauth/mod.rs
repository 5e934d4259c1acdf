//! The pure parts of serving OAuth2: proof keys, redirect URIs and the codes that people type.

pub mod pkce;
pub mod redirect_uri;
pub mod user_code;
