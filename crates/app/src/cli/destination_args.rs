//! The flags of `serve` that bound where deliveries, and what goes with them, may go.

use clap::Args;

use crate::config::values::{CredentialHost, Ports, UserAgent};

/// Where deliveries may go.
#[derive(Debug, Args)]
pub(crate) struct DestinationArgs {
    /// Let deliveries go to this port, or to a range such as 8000-8999, and to no other that is not
    /// named, too; may be repeated
    ///
    /// Without the flag a receiver may listen on any port. An endpoint on another port is refused when
    /// it is saved, and so is its connection. In the environment it is a comma list.
    #[arg(long, value_name = "PORT|FROM-TO", env = "HOOKYARD_ALLOW_PORT", value_delimiter = ',')]
    pub(crate) allow_port: Vec<Ports>,

    /// A host that the credentials of --api-user-name may be sent to; may be repeated
    ///
    /// HOST for the usual port of the URL's scheme, or HOST:PORT. Whoever registers an endpoint says
    /// where it is, so without this flag the API user's password could be sent anywhere. An endpoint
    /// elsewhere is sent without credentials. In the environment it is a comma list.
    #[arg(long, value_name = "HOST[:PORT]", env = "HOOKYARD_API_USER_HOST", value_delimiter = ',')]
    pub(crate) api_user_host: Vec<CredentialHost>,

    /// The User-Agent of deliveries
    ///
    /// Printable ASCII on a single line, at most 200 characters, such as "Acme Webhooks/1.0".
    /// Without the flag the text is Hookyard, a slash and the version.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_USER_AGENT")]
    pub(crate) user_agent: Option<UserAgent>,
}
