//! Reasons to refuse a request before its handler. Each API answers in its own form.

use std::fmt;

use axum::http::StatusCode;
use hookyard_engine::limits::Exceeded;

/// The most headers of a request. Browsers behind two proxies send some forty.
pub(crate) const HEADERS_MAX: usize = 100;

/// Seconds until a caller with too many connections may try again: connections end all the time.
const CONNECTIONS_RETRY_SECONDS: u64 = 1;

/// Seconds until a caller without room for a body may try again: requests take moments.
const FULL_RETRY_SECONDS: u64 = 1;

/// Why a request is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turned {
    /// The request's path and query are longer than this many bytes.
    Uri(usize),
    /// The request has more headers than [`HEADERS_MAX`], or more bytes of headers than this many.
    Headers(usize),
    /// The caller comes too often.
    Rate(Exceeded),
    /// The caller has too many connections.
    Connections,
    /// The body came too slowly.
    Stalled,
    /// Memory has no room for the body, or for the answer, beside other requests.
    Full,
    /// The request names no host, or several hosts.
    Host,
    /// The body has an unknown transfer coding.
    TransferCoding,
}

impl Turned {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Uri(_) => StatusCode::URI_TOO_LONG,
            Self::Headers(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Rate(_) | Self::Connections => StatusCode::TOO_MANY_REQUESTS,
            Self::Stalled => StatusCode::REQUEST_TIMEOUT,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::Host => StatusCode::BAD_REQUEST,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// Whole seconds until the caller may come again.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Rate(exceeded) => Some(exceeded.wait_seconds()),
            Self::Connections => Some(CONNECTIONS_RETRY_SECONDS),
            Self::Full => Some(FULL_RETRY_SECONDS),
            Self::Uri(_) | Self::Headers(_) | Self::Stalled | Self::Host | Self::TransferCoding => {
                None
            }
        }
    }
}

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(most) => write!(f, "path and query have more than {most} bytes"),
            Self::Headers(most) => {
                write!(f, "there are more than {HEADERS_MAX} headers or {most} bytes of them")
            }
            Self::Rate(exceeded) => exceeded.fmt(f),
            Self::Connections => f.write_str("there are too many connections from this address"),
            Self::Stalled => f.write_str("the body came too slowly"),
            Self::Full => f.write_str(
                "the server holds as many bytes of requests and answers as it may: come again in a \
                 moment",
            ),
            Self::Host => f.write_str("send exactly one host header, with one host"),
            Self::TransferCoding => f.write_str(
                "the only transfer-encoding that is read here is chunked: send other codings as \
                 content-encoding",
            ),
        }
    }
}
