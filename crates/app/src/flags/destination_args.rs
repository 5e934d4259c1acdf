//! The flags of `serve` that bound the destinations of deliveries and credentials.

use clap::Args;

use crate::flags::values::{CredentialHost, Ports, UserAgent};

/// Where deliveries may go.
#[derive(Debug, Args)]
pub(crate) struct DestinationArgs {
    /// Let deliveries go to this port, or to a range such as 8000-8999, and to named ports only; may be
    /// repeated
    ///
    /// Without the flag a receiver may listen on any port. An endpoint on another port is refused when
    /// saved, and so is a connection to the port. In the environment, a comma list.
    #[arg(long, value_name = "PORT|FROM-TO", env = "HOOKYARD_ALLOW_PORT", value_delimiter = ',')]
    pub(crate) allow_port: Vec<Ports>,

    /// A host that the credentials of --api-user-name may be sent to; may be repeated
    ///
    /// HOST for the usual port of the URL's scheme, or HOST:PORT. Owners of endpoints choose the hosts of
    /// their endpoints, so without this flag the API user's password could be sent anywhere. An endpoint on
    /// another host is sent no credentials. In the environment, a comma list.
    #[arg(long, value_name = "HOST[:PORT]", env = "HOOKYARD_API_USER_HOST", value_delimiter = ',')]
    pub(crate) api_user_host: Vec<CredentialHost>,

    /// The User-Agent of deliveries
    ///
    /// Printable ASCII on a single line, at most 200 characters, such as "Acme Webhooks/1.0".
    /// Without the flag the text is Hookyard, a slash and the version.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_USER_AGENT")]
    pub(crate) user_agent: Option<UserAgent>,
}
