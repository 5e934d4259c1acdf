//! Names to addresses.

use std::fmt;
use std::net::IpAddr;
use std::sync::OnceLock;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;

use super::shortage::is_shortage;

/// Why a name has no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name servers say so, or do not answer.
    #[error("{0}")]
    Failed(String),
    /// This process lacked the means to ask, such as an open file.
    #[error("{0}")]
    Unable(String),
}

/// The most cached answers of name servers, of all workspaces, each for the answer's lifetime.
/// Workspaces have no shares: names are only asked for when a connection is made or a URL is saved,
/// both bounded, and an evicted answer costs the next connection a further question.
const ANSWERS_KEPT: u64 = 8_192;

/// A source of addresses for names. Tests use a scripted source.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of a name, the preferred addresses first. The caller judges the answer.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError>;
}

/// The system's configuration: name servers and hosts file, read on first use.
///
/// Asking the name servers directly, not the C library, keeps answers for the allowed time and
/// blocks no thread. On a system without a usable configuration no name resolves. An unreadable
/// configuration is read again by the next look-up: the obstacle may be gone.
#[derive(Default)]
pub struct SystemResolver {
    resolver: OnceLock<TokioResolver>,
}

impl fmt::Debug for SystemResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemResolver")
    }
}

fn read_system_configuration() -> Result<TokioResolver, ResolveError> {
    let build = || {
        let mut builder = TokioResolver::builder_tokio()?;
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        builder.options_mut().cache_size = ANSWERS_KEPT;
        builder.build()
    };
    build().map_err(|error| {
        told(&error, format!("the system's resolver configuration cannot be used: {error}"))
    })
}

/// The error with a text, sorted by fault: the machine's or the name's.
fn told(error: &NetError, text: String) -> ResolveError {
    match error {
        NetError::Io(io) if is_shortage(io) => ResolveError::Unable(text),
        _ => ResolveError::Failed(text),
    }
}

impl SystemResolver {
    fn resolver(&self) -> Result<&TokioResolver, ResolveError> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let made = read_system_configuration()?;
        Ok(self.resolver.get_or_init(|| made))
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        match self.resolver()?.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) => Err(told(&error, error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_want_of_files_is_no_answer_about_the_name() {
        let io = |code| NetError::Io(Arc::new(io::Error::from_raw_os_error(code)));
        let said = |error: NetError| told(&error, "text".to_owned());
        let unable = ResolveError::Unable("text".to_owned());
        for code in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert_eq!(said(io(code.raw_os_error())), unable, "{code:?}");
        }
        let failed = ResolveError::Failed("text".to_owned());
        assert_eq!(said(io(Errno::CONNREFUSED.raw_os_error())), failed);
        assert_eq!(said(NetError::Timeout), failed);
    }
}
