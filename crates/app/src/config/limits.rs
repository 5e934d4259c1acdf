//! How much callers may take.

use std::time::Duration;

use anyhow::{Result, bail};
use hookyard_core::model::WorkspaceQuotas;
use hookyard_engine::limits::{Limits, Rates};
use hookyard_server::Bounds;

use crate::flags::limit_args::LimitArgs;
use crate::flags::values::{ByteSize, DefaultQuota};

/// The highest bound on path and query, in bytes: the HTTP library's own bound.
const URI_BYTES_MAX: usize = 64 << 10;

/// The highest bound on bytes of headers: every connection may take as many.
const HEADER_BYTES_MAX: usize = 1 << 20;

/// The flags in the form of the engine and the listener.
pub(super) fn read(args: &LimitArgs) -> Result<(Limits, Bounds)> {
    let LimitArgs {
        limit_credential_hour,
        limit_credential_day,
        limit_address_hour,
        limit_address_day,
        limit_connections,
        limit_connections_per_address,
        limit_uri_bytes,
        limit_header_bytes,
        limit_body_bytes_total,
        limit_idle_seconds,
        limit_head_seconds,
        limit_stall_seconds,
        default_quota: _,
    } = args;
    let limits = Limits {
        credential: Rates { hour: limit_credential_hour.0, day: limit_credential_day.0 },
        address: Rates { hour: limit_address_hour.0, day: limit_address_day.0 },
    };
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let bounds = Bounds {
        connections_max: limit_connections.0,
        connections_per_address_max: limit_connections_per_address.0,
        uri_bytes_max: at_most(*limit_uri_bytes, URI_BYTES_MAX, "--limit-uri-bytes")?,
        header_bytes_max: at_most(*limit_header_bytes, HEADER_BYTES_MAX, "--limit-header-bytes")?,
        body_bytes_total: limit_body_bytes_total.0,
        idle: seconds(limit_idle_seconds.0),
        head: seconds(limit_head_seconds.0),
        stall: seconds(limit_stall_seconds.0),
    };
    Ok((limits, bounds))
}

/// The quotas of workspaces without quotas of their own.
pub(super) fn default_quotas(args: &LimitArgs) -> Result<WorkspaceQuotas> {
    let mut quotas = WorkspaceQuotas::default();
    for DefaultQuota { name, amount } in &args.default_quota {
        if let Some(quota) = quotas.of_name(name)
            && quota.replace(*amount).is_some_and(|before| before != *amount)
        {
            bail!("--default-quota says two amounts for {name}: name each quota once");
        }
    }
    Ok(quotas)
}

fn at_most(size: ByteSize, most: usize, flag: &str) -> Result<usize> {
    if size.0 > most {
        bail!("{flag} {} is above {most}, the most that can be asked for", size.0);
    }
    Ok(size.0)
}
