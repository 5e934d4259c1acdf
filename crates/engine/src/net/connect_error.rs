//! Why there is no connection.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// From the name to the end of the TLS handshake (docs/spec/ultracart.md#algorithm).
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The guard refuses every address of the host; the reason for refusing the first.
    #[error("{0}")]
    Refused(Refusal),
    /// The URI cannot be connected to at all.
    #[error("{0}")]
    Unusable(String),
    /// The name has no address.
    #[error("the name did not resolve: {0}")]
    Unresolved(String),
    /// The last tried address did not take the connection.
    #[error("connecting to {address} failed: {source}")]
    Tcp {
        /// The address with the port.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// There was a connection, but no TLS session.
    #[error("the tls handshake failed: {0}")]
    Tls(io::Error),
    /// Connecting took longer than 10 seconds.
    #[error("connecting took longer than {} s", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
    /// This server lacked the means to connect, such as an open file or a local port. The error
    /// says nothing about the receiver.
    #[error("this server could not connect: {0}")]
    Unable(String),
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub(super) address: IpAddr,
    pub(super) reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not allowed: {}", self.address, self.reason)
    }
}
