//! The settings of `serve`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hookyard_core::model::{Secret, WorkspaceQuotas};
use hookyard_engine::deliver::{self, ApiUser, ApiUserHost, USER_AGENT_DEFAULT};
use hookyard_engine::limits::Limits;
use hookyard_engine::oauth::Lifetimes;
use hookyard_server::Settings;
use hookyard_store::{Keep, Retention};
use hookyard_tables::sql::Limits as SqlLimits;
use ipnet::IpNet;
use jiff::SignedDuration;

use super::{Common, FirstWorkspace, count, limits};
use crate::flags::args::ServeArgs;
use crate::flags::destination_args::DestinationArgs;
use crate::flags::retention_args::RetentionArgs;
use crate::flags::sql_args::SqlLimitArgs;
use crate::flags::values::{ByteSize, Days, Listen};

/// `serve`.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) common: Common,
    pub(crate) first: FirstWorkspace,
    pub(crate) listen: Listen,
    pub(crate) allow_net: Vec<IpNet>,
    pub(crate) allow_port: Vec<RangeInclusive<u16>>,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) default_quotas: WorkspaceQuotas,
    pub(crate) retention: Retention,
    pub(crate) deliver: deliver::Options,
    pub(crate) drain: Duration,
    /// How long this server owns its endpoints without a renewal, where servers share a database.
    pub(crate) lease: Duration,
    /// Whether to refuse where there is no data.
    pub(crate) require_init: bool,
}

impl Serve {
    pub(super) fn new(args: ServeArgs) -> Result<Self> {
        let ServeArgs {
            common,
            first,
            require_init,
            listen,
            public_url,
            allow_net,
            destinations: DestinationArgs { allow_port, api_user_host, user_agent },
            trusted_proxy,
            time_zone,
            event_bytes_max,
            batch_bytes_max,
            receive_bytes_max,
            retention,
            access_token_seconds,
            refresh_token_days,
            api_user_name,
            api_user_password_file,
            sqs_endpoint_url,
            sql,
            disable_after_days,
            limits,
            drain_seconds,
            lease_seconds,
        } = args;
        let default_quotas = limits::default_quotas(&limits)?;
        let (limits, bounds) = limits::read(&limits)?;
        check_sizes(event_bytes_max, batch_bytes_max)?;
        let first = FirstWorkspace::from(first);
        let hosts = api_user_host.into_iter().map(|host| host.0).collect();
        let api_user = api_user(api_user_name, api_user_password_file, hosts)?;
        let user_agent = user_agent.map_or(USER_AGENT_DEFAULT, |agent| agent.0);
        let deliver = deliver::Options {
            api_user: api_user.map(|user| (first.id, user)),
            sqs_endpoint_url: sqs_endpoint_url.map(|url| url.0),
            disable_after: disable_after_days.duration(),
            user_agent: user_agent.clone(),
            ..deliver::Options::default()
        };
        Ok(Self {
            common: Common::new(common)?,
            first,
            listen,
            allow_net: allow_net.into_iter().map(|net| net.0).collect(),
            allow_port: allow_port.into_iter().map(|ports| ports.0).collect(),
            settings: Settings {
                time_zone: time_zone.0,
                event_bytes_max: event_bytes_max.0,
                batch_bytes_max: batch_bytes_max.0,
                receive_bytes_max: receive_bytes_max.0,
                lifetimes: Lifetimes {
                    access: SignedDuration::from_secs(access_token_seconds.0.into()),
                    refresh: duration(refresh_token_days),
                },
                trusted_proxies: trusted_proxy.into_iter().map(|net| net.0).collect(),
                public_url: public_url.map(|url| url.0),
                user_agent,
                bounds,
                sql: sql_limits(&sql),
            },
            limits,
            default_quotas,
            retention: Retention::from(retention),
            deliver,
            drain: Duration::from_secs(drain_seconds.0),
            lease: Duration::from_secs(lease_seconds.0),
            require_init,
        })
    }
}

fn check_sizes(event: ByteSize, batch: ByteSize) -> Result<()> {
    if event.0 > batch.0 {
        bail!(
            "--event-bytes-max {} is above --batch-bytes-max {}: an event must fit a batch",
            event.0,
            batch.0,
        );
    }
    Ok(())
}

/// The API user, when all parts are given. Clap refuses a name without a file, and a file without a name.
fn api_user(
    name: Option<String>,
    file: Option<PathBuf>,
    hosts: Vec<ApiUserHost>,
) -> Result<Option<ApiUser>> {
    let (Some(name), Some(file)) = (name, file) else { return Ok(None) };
    if hosts.is_empty() {
        bail!(
            "--api-user-name needs --api-user-host: name the hosts that the user's password may be \
             sent to, as in hooks.example.com"
        );
    }
    if name.is_empty() || name.contains(':') {
        bail!("--api-user-name must not be empty or contain a colon");
    }
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read the API user's password in {}", file.display()))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        bail!("the API user's password in {} is empty", file.display());
    }
    Ok(Some(ApiUser { name, password: Secret::new(password), hosts }))
}

fn sql_limits(args: &SqlLimitArgs) -> SqlLimits {
    let SqlLimitArgs { sql_memory_bytes, sql_seconds, sql_rows, sql_queries } = args;
    SqlLimits {
        memory_bytes: sql_memory_bytes.0,
        time: Duration::from_secs(sql_seconds.0),
        rows: count(*sql_rows),
        queries: sql_queries.0,
    }
}

impl From<RetentionArgs> for Retention {
    fn from(args: RetentionArgs) -> Self {
        let RetentionArgs {
            journal_days,
            journal_bytes,
            attempt_days,
            attempt_bytes,
            dead_letter_days,
            dead_letter_bytes,
            audit_days,
            audit_bytes,
        } = args;
        Self {
            journal: keep(journal_days, journal_bytes),
            attempts: keep(attempt_days, attempt_bytes),
            dead_letters: keep(dead_letter_days, dead_letter_bytes),
            audit: keep(audit_days, audit_bytes),
        }
    }
}

fn keep(days: Days, bytes: Option<ByteSize>) -> Keep {
    Keep { age: duration(days), bytes: bytes.map(|bytes| bytes.0 as u64) }
}

fn duration(days: Days) -> Option<SignedDuration> {
    days.0.map(|days| SignedDuration::from_hours(24 * days))
}
