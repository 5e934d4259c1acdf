//! The values of settings, each parsed from a person's text.

mod amounts;
mod forms;
mod network;
mod times;

pub(crate) use amounts::{
    AddressConnections, Amount, ByteSize, Connections, DefaultQuota, Merchant, Number, PageLimit,
    Rate, SqlQueries, entry_number,
};
pub(crate) use forms::{LogFormat, LogLevel, SqlOutput};
pub(crate) use network::{CredentialHost, Listen, Net, Ports, PublicUrl, UserAgent, WebUrl};
pub(crate) use times::{
    Days, DisableDays, DrainSeconds, LeaseSeconds, LimitSeconds, OverlapSeconds, SqlSeconds,
    TokenSeconds, Zone, moment,
};
