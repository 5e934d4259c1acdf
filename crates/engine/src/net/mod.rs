//! Outbound connections: judge every address, then connect to a judged address.
//!
//! All connections on a customer's behalf go through [`Client`]. The client's connector resolves
//! the name, judges each answer with the [`Guard`] and connects to an address that passed, never to
//! a name. A host judged when an endpoint was saved is therefore judged again, with fresh answers,
//! for every connection. Redirects are not followed, so there is no way around the guard. A
//! receiver may listen on any port, unless the operator named ports.

mod client;
mod connect_error;
mod connector;
mod policy;
mod ranges;
mod resolver;
mod shortage;
mod sockets;
mod tls;

pub use client::{Client, SendError};
pub(crate) use client::{explain, is_ours};
pub use connect_error::{ConnectError, Refusal};
pub(crate) use policy::check_url;
pub use policy::{Guard, Verdict};
pub use resolver::{Resolve, ResolveError, SystemResolver};
pub use sockets::Sockets;
