//! Names to addresses.

use std::fmt;
use std::net::IpAddr;
use std::sync::OnceLock;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;

/// Why a name has no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResolveError(pub String);

/// What turns names into addresses. Tests script one.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of a name, the preferred ones first. What it answers is judged by the caller.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError>;
}

/// The system's own configuration: its name servers and its hosts file, read on first use.
///
/// Asking the name servers directly, not the C library, keeps answers for as long as they may be
/// kept and blocks no thread. On a system without a usable configuration no name resolves.
#[derive(Default)]
pub struct SystemResolver {
    resolver: OnceLock<Result<TokioResolver, ResolveError>>,
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
        builder.build()
    };
    build().map_err(|error| {
        ResolveError(format!("the system's resolver configuration cannot be used: {error}"))
    })
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let resolver = self.resolver.get_or_init(read_system_configuration).as_ref();
        let resolver = resolver.map_err(Clone::clone)?;
        match resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) => Err(ResolveError(error.to_string())),
        }
    }
}
