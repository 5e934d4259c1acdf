//! The flags of `serve` that bound callers.

use clap::Args;

use crate::flags::values::{
    AddressConnections, ByteSize, Connections, DefaultQuota, LimitSeconds, Rate,
};

/// Rate limits of callers, and bounds on their share of the server.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Requests of a credential in an hour, or off
    ///
    /// The quota refills evenly, as in a leaky bucket, without a moment of a full reset. All tokens of an
    /// OAuth2 application count as one. Deliveries to sources do not count: each source has a limit of its
    /// own. Servers that share a database share the rest of the quota.
    #[arg(
        long,
        value_name = "REQUESTS",
        env = "HOOKYARD_LIMIT_CREDENTIAL_HOUR",
        default_value = "off"
    )]
    pub(crate) limit_credential_hour: Rate,

    /// Requests that a credential may make in a day, or off
    ///
    /// Beside the limit by the hour: a request must be within both.
    #[arg(
        long,
        value_name = "REQUESTS",
        env = "HOOKYARD_LIMIT_CREDENTIAL_DAY",
        default_value = "off"
    )]
    pub(crate) limit_credential_day: Rate,

    /// Requests from an address in an hour, or off
    ///
    /// Requests count with any credential, and also without a credential. Of IPv6, the addresses of a /64
    /// count as one. Behind a proxy, --trusted-proxy must name the proxy.
    #[arg(
        long,
        value_name = "REQUESTS",
        env = "HOOKYARD_LIMIT_ADDRESS_HOUR",
        default_value = "off"
    )]
    pub(crate) limit_address_hour: Rate,

    /// Requests that may come from an address in a day, or off
    ///
    /// Beside the limit by the hour: a request must be within both.
    #[arg(
        long,
        value_name = "REQUESTS",
        env = "HOOKYARD_LIMIT_ADDRESS_DAY",
        default_value = "off"
    )]
    pub(crate) limit_address_day: Rate,

    /// Connections at once
    ///
    /// Each connection costs some 20 KiB. Further callers wait until a connection ends.
    #[arg(
        long,
        value_name = "CONNECTIONS",
        env = "HOOKYARD_LIMIT_CONNECTIONS",
        default_value = "10000"
    )]
    pub(crate) limit_connections: Connections,

    /// Connections at once from one address, or off
    ///
    /// Further connections are answered 429. Of IPv6, the addresses of a /64 count as one; proxies named by
    /// --trusted-proxy are not counted.
    #[arg(
        long,
        value_name = "CONNECTIONS",
        env = "HOOKYARD_LIMIT_CONNECTIONS_PER_ADDRESS",
        default_value = "1000"
    )]
    pub(crate) limit_connections_per_address: AddressConnections,

    /// The longest path and query of a request, in bytes
    ///
    /// Up to 64KiB. A longer one is answered 414.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_LIMIT_URI_BYTES", default_value = "16KiB")]
    pub(crate) limit_uri_bytes: ByteSize,

    /// The most bytes of a request's headers
    ///
    /// Up to 1MiB. More are answered 431, and so are more than 100 headers.
    #[arg(
        long,
        value_name = "BYTES",
        env = "HOOKYARD_LIMIT_HEADER_BYTES",
        default_value = "32KiB"
    )]
    pub(crate) limit_header_bytes: ByteSize,

    /// Bytes of all bodies of requests and answers under way
    ///
    /// Requests beyond the bound are answered 503. One address, or one workspace, gets half of the bytes at
    /// most, and less while others hold much. The bound is never less than four of the largest accepted
    /// body.
    #[arg(
        long,
        value_name = "BYTES",
        env = "HOOKYARD_LIMIT_BODY_BYTES_TOTAL",
        default_value = "256MiB"
    )]
    pub(crate) limit_body_bytes_total: ByteSize,

    /// A quota of every workspace of which `workspace quota` says nothing else; may be repeated
    ///
    /// NAME=AMOUNT, the names as in the flags of `workspace quota`: endpoints, event-types, sources,
    /// datasets, events-hour, bytes-hour, stored-bytes, journal-bytes. Whoever lets strangers make
    /// workspaces bounds them so. In the environment it is a comma list; all servers are given the same.
    #[arg(long, value_name = "NAME=AMOUNT", env = "HOOKYARD_DEFAULT_QUOTA", value_delimiter = ',')]
    pub(crate) default_quota: Vec<DefaultQuota>,

    /// How long a connection may be idle between requests, in seconds
    ///
    /// From 1 to 3600. Choose a longer time than the proxy in front, or the proxy may use a connection
    /// during its close.
    #[arg(long, value_name = "SECONDS", env = "HOOKYARD_LIMIT_IDLE_SECONDS", default_value = "75")]
    pub(crate) limit_idle_seconds: LimitSeconds,

    /// How long the head of a request may take to arrive, in seconds
    ///
    /// From first byte to last byte; from 1 to 3600. The connection is closed then.
    #[arg(long, value_name = "SECONDS", env = "HOOKYARD_LIMIT_HEAD_SECONDS", default_value = "15")]
    pub(crate) limit_head_seconds: LimitSeconds,

    /// In how many seconds 4 KiB of a body must arrive, or of an answer be read
    ///
    /// From 1 to 3600. A slower body is answered 408; a caller that does not read its answer is cut
    /// off. All of a request may take three minutes in any case.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HOOKYARD_LIMIT_STALL_SECONDS",
        default_value = "30"
    )]
    pub(crate) limit_stall_seconds: LimitSeconds,
}
