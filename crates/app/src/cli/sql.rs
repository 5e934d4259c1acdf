//! `sql`.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hookyard_core::id::WorkspaceId;
use hookyard_engine::net::{Client, Guard, Sockets};
use hookyard_tables::Tables;
use hookyard_tables::sql::{
    ANSWER_BYTES_MAX, Answer, Form, Limits, QUERY_BYTES_MAX, Query, ROWS_DEFAULT,
};
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::{Value, json};
use url::Url;

use super::manage::pick;
use super::{output, table};
use crate::config::{Common, Sql, SqlTarget};
use crate::flags::values::SqlOutput;
use crate::storage;

/// Connections to the server: the command sends one query.
const CONNECTIONS: usize = 1;

/// The name of the standard input.
const STDIN: &str = "-";

/// How long a server may take: longer than any query there may, unless its operator says otherwise.
const ANSWER_MAX: Duration = Duration::from_secs(600);

/// Asks and prints the rows.
pub(crate) async fn run(command: Sql) -> Result<()> {
    let Sql { common, query, target, project, limit, output: form } = command;
    let text = match query.as_str() {
        STDIN => read_query()?,
        _ => query,
    };
    let asked =
        Query { text, parameters: Vec::new(), project, limit: Some(limit), form: form.form() };
    let (body, truncated) = match target {
        SqlTarget::Server { url, key } => ask_server(&url, &key, &asked).await?,
        SqlTarget::Store { workspace } => {
            let answer = ask_store(&common, workspace, asked).await?;
            (answer.body, answer.truncated)
        }
    };
    match form {
        SqlOutput::Table => output::bytes(table::draw(&body)?.as_bytes())?,
        SqlOutput::Json => output::line(&String::from_utf8_lossy(&body))?,
        SqlOutput::Csv | SqlOutput::Ndjson => output::bytes(&body)?,
    }
    if truncated {
        output::note(&format!("there are more than {limit} rows: --limit asks for more"));
    }
    Ok(())
}

fn read_query() -> Result<String> {
    let mut text = String::new();
    let limit = u64::try_from(QUERY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::io::stdin()
        .lock()
        .take(limit)
        .read_to_string(&mut text)
        .context("cannot read the query")?;
    Ok(text)
}

/// Queries the stored data, within a server's default limits.
async fn ask_store(
    common: &Common,
    workspace: Option<WorkspaceId>,
    asked: Query,
) -> Result<Answer> {
    if !hookyard_tables::ANALYTICS {
        // The check comes before any file is opened in vain.
        bail!(hookyard_tables::Error::NotBuilt("SQL"));
    }
    let _lock = storage::lock(common).context("to ask a running server, name it with --server")?;
    let store = storage::open_existing(common).await?;
    let there = store.workspaces().await.context("cannot read the workspaces")?;
    let workspace = pick(workspace, &there)?;
    let limits = Limits { rows: asked.limit.unwrap_or(ROWS_DEFAULT), ..Limits::default() };
    let answer = Tables::new(Arc::clone(&store), limits).query(workspace, asked).await;
    store.close().await?;
    Ok(answer?)
}

async fn ask_server(url: &Url, key: &str, query: &Query) -> Result<(Vec<u8>, bool)> {
    let accept = match query.form {
        Form::Json => "application/json",
        Form::Csv => "text/csv",
        Form::Ndjson => "application/x-ndjson",
    };
    let mut body = json!({"query": query.text, "limit": query.limit});
    if let Some(project) = query.project {
        body["project"] = json!(project);
    }
    let request = Request::post(url.join("/v1/sql")?.as_str())
        .header("x-ultracart-simple-key", key)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, accept)
        .body(Full::new(Bytes::from(body.to_string())))
        .context("the key is none that a header can carry")?;
    // The caller names the server, and may mean a server on this machine.
    let anywhere = vec!["0.0.0.0/0".parse()?, "::/0".parse()?];
    let guard = Arc::new(Guard::new(anywhere));
    let client = Client::new(guard, &Sockets::new(CONNECTIONS)).context("cannot set up TLS")?;
    let asking = async {
        let answer = client.send(request).await.with_context(|| format!("cannot ask {url}"))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, 2 * ANSWER_BYTES_MAX).collect().await;
        let body =
            body.map_err(|error| anyhow::anyhow!("the answer of {url} broke off: {error}"))?;
        Ok::<_, anyhow::Error>((parts, body.to_bytes()))
    };
    let asking = tokio::time::timeout(ANSWER_MAX, asking).await;
    let (parts, body) = asking.context("the server does not answer")??;
    if !parts.status.is_success() {
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        match problem["detail"].as_str() {
            Some(detail) => bail!("{url} answers {}: {detail}", parts.status),
            None => bail!("{url} answers {}", parts.status),
        }
    }
    let truncated = parts.headers.get("hookyard-truncated").is_some_and(|said| said == "true");
    Ok((body.to_vec(), truncated))
}
