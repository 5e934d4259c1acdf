//! The settings of `sql`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use hookyard_core::id::{ProjectId, WorkspaceId};
use url::Url;

use super::{Common, count};
use crate::flags::sql_args::SqlArgs;
use crate::flags::values::SqlOutput;

/// `sql`.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) common: Common,
    pub(crate) query: String,
    pub(crate) target: SqlTarget,
    pub(crate) project: Option<ProjectId>,
    pub(crate) limit: usize,
    pub(crate) output: SqlOutput,
}

/// The target of a query.
pub(crate) enum SqlTarget {
    /// A server, with the caller's simple key.
    Server { url: Url, key: String },
    /// The data directory or the database, for this workspace or the only workspace.
    Store { workspace: Option<WorkspaceId> },
}

impl std::fmt::Debug for SqlTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server { url, key: _ } => f.debug_struct("Server").field("url", url).finish(),
            Self::Store { workspace } => {
                f.debug_struct("Store").field("workspace", workspace).finish()
            }
        }
    }
}

impl Sql {
    pub(super) fn new(args: SqlArgs) -> Result<Self> {
        let SqlArgs { common, query, server, key_file, workspace, project, limit, output } = args;
        let target = match server {
            Some(url) => SqlTarget::Server { url: url.0, key: simple_key(key_file)? },
            None => SqlTarget::Store { workspace: workspace.map(|id| WorkspaceId(id.0)) },
        };
        Ok(Self {
            common: Common::new(common)?,
            query,
            target,
            project: project.map(|id| ProjectId(id.0)),
            limit: count(limit),
            output,
        })
    }
}

/// The variable with the key for a server. The key has no flag: anyone can read a command line.
const KEY: &str = "HOOKYARD_KEY";

/// The key of whoever asks a server.
fn simple_key(file: Option<PathBuf>) -> Result<String> {
    let text = match (std::env::var(KEY), file) {
        (Ok(_), Some(_)) => bail!("both {KEY} and a key file are set: leave one out"),
        (Ok(key), None) => key,
        (Err(_), Some(file)) => std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read the key in {}", file.display()))?,
        (Err(_), None) => bail!("a server wants a simple key: set {KEY} or --key-file"),
    };
    Ok(text.trim().to_owned())
}
