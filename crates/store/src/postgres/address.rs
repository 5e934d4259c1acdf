//! The address of the database, and the proof of the server's identity.
//!
//! The URL follows libpq, with two additions to the words of tokio-postgres: `sslrootcert`, and the stricter
//! values of `sslmode`. A server that uses TLS must always prove its name here, so the stricter values equal
//! `require`.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::StoreError;

/// How long making a connection may take, unless the URL says otherwise. Later, publishers are told to try
/// again.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long the other side may leave sent data unacknowledged until the connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Between two questions whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(3);

/// Where to connect to.
pub(super) struct Address {
    pub(super) config: Config,
    /// A file with the roots of the server's certificate, in place of the system's.
    pub(super) roots: Option<PathBuf>,
}

impl Address {
    /// Reads a URL. An error names the fault without the password.
    pub(super) fn read(url: &str) -> Result<Self, StoreError> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut kept, mut roots) = (Vec::new(), None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", file)) => {
                    roots = Some(PathBuf::from(&*percent_decode_str(file).decode_utf8_lossy()));
                }
                Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
                _ => kept.push(pair),
            }
        }
        let mut config: Config =
            format!("{place}?{}", kept.join("&")).parse().map_err(|error| unreadable(&error))?;
        let local = |host: &Host| matches!(host, Host::Unix(_));
        if config.get_hosts().iter().all(local) && config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Disable);
        }
        if config.get_application_name().is_none() {
            config.application_name("hookyard");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_MAX);
        }
        config.tcp_user_timeout(SILENCE_MAX);
        config.keepalives_idle(SILENCE_MAX);
        config.keepalives_interval(KEEPALIVE);
        Ok(Self { config, roots })
    }
}

fn unreadable(error: &tokio_postgres::Error) -> StoreError {
    let reason = std::error::Error::source(error).map(ToString::to_string);
    let reason = reason.unwrap_or_else(|| error.to_string());
    StoreError::internal(format!("the database URL cannot be read: {reason}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn tls_is_asked_for_as_with_libpq() {
        let read = |query: &str| Address::read(&format!("postgres://u:p@db/x{query}")).unwrap();
        let plain = read("");
        assert_eq!((plain.config.get_ssl_mode(), plain.roots), (SslMode::Prefer, None));
        for strict in ["require", "verify-ca", "verify-full"] {
            let address = read(&format!("?application_name=a&sslmode={strict}"));
            assert_eq!(address.config.get_ssl_mode(), SslMode::Require, "{strict}");
            assert_eq!(address.config.get_application_name(), Some("a"));
        }
        let address = read("?sslrootcert=%2Fetc%2Fca%20file.pem&sslmode=verify-full");
        assert_eq!(address.roots.as_deref(), Some(Path::new("/etc/ca file.pem")));
        assert_eq!(read("?sslrootcert=system").roots, None);
        assert_eq!(read("?sslmode=disable").config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn a_socket_has_no_tls() {
        let address = Address::read("postgres://u@%2Frun%2Fpostgresql/x").unwrap();
        assert_eq!(address.config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        for (url, word) in [
            ("postgres://u:canary@db:port/x", "port"),
            ("postgres://u:canary@db/x?sslmode=always", "sslmode"),
            ("postgres://u:canary@db/x?sslcert=a", "sslcert"),
        ] {
            let error = Address::read(url).err().unwrap().to_string();
            assert!(error.contains(word) && !error.contains("canary"), "{error}");
        }
    }
}
