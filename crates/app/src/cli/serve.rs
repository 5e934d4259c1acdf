//! `serve`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_engine::deliver::{self, Dispatcher};
use hookyard_engine::net::Guard;
use hookyard_engine::receive::Keeper;
use hookyard_engine::replays::Replayer;
use hookyard_engine::retention::Sweeper;
use hookyard_engine::{Engine, access};
use hookyard_server::Settings;
use hookyard_store::{Retention, Store};
use hookyard_tables::Tables;
use serde_json::json;
use tokio::net::TcpListener;

use super::output;
use crate::config::{FirstWorkspace, Serve};
use crate::flags::values::{Listen, LogFormat};
use crate::lifecycle::{self, Signals, Stop};
use crate::{files, first, storage, telemetry};

/// Runs the server until told to stop.
pub(crate) async fn run(command: Serve) -> Result<()> {
    let Serve {
        common,
        first,
        listen,
        allow_net,
        allow_port,
        mut settings,
        limits,
        default_quotas,
        mut deliver,
        retention,
        drain,
        lease,
        require_init,
    } = command;
    let _flush = telemetry::start(&common).context("cannot start the log")?;
    let signals = Signals::listen().context("cannot listen for signals")?;
    divide_files(&mut settings, &mut deliver)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    if require_init {
        storage::refuse_new(&common)?;
    }
    let (store, _lock) = storage::open(&common, &clock, lease).await?;
    if require_init && !first::exists(store.as_ref()).await? {
        bail!(
            "there is no workspace in {}, and --require-init is set: run `hookyard init` first",
            storage::name(&common)
        );
    }
    // The port is taken before anything is printed: printed values must be usable.
    let listener = bind(&listen).await?;
    let address = listener.local_addr()?;
    let place = storage::name(&common);
    announce(store.as_ref(), first, address, &place, common.log_format).await?;
    if !allow_net.is_empty() {
        let nets: Vec<_> = allow_net.iter().map(ToString::to_string).collect();
        tracing::info!(allow_net = nets.join(","), "deliveries may go to these ranges, too");
    }
    let engine = Engine::new(
        Arc::clone(&store),
        clock,
        Arc::new(SystemEntropy),
        Arc::new(Guard::new(allow_net).on_ports(allow_port)),
    );
    let engine = Arc::new(engine.limited(limits).with_default_quotas(default_quotas));
    let stop = Stop::new();
    let dispatcher = deliver::start(&engine, deliver).context("cannot set up TLS")?;
    let upkeep = upkeep(Arc::clone(&engine), retention);
    let (bounds, proxies) = (settings.bounds.clone(), settings.trusted_proxies.clone());
    let tables = Tables::new(Arc::clone(&store), settings.sql);
    let router = hookyard_server::router(Arc::clone(&engine), tables, settings);
    let requests = hookyard_server::serve(listener, router, bounds, proxies, stop.said());
    let parts = parts(store.as_ref(), dispatcher, requests, upkeep, &stop, drain);
    let result = lifecycle::run(parts, &stop, signals, drain).await;
    if let Err(error) = engine.write_rejections().await {
        tracing::warn!(%error, "the log of rejected deliveries was not written");
    }
    close(store.as_ref()).await;
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

/// Raises the limit on open files, and bounds connections by the new limit.
fn divide_files(settings: &mut Settings, deliver: &mut deliver::Options) -> Result<()> {
    let (limit, wanted) = (files::raise(), settings.bounds.connections_max);
    let division = files::divide(limit, wanted)?;
    files::tell(limit, division, wanted);
    settings.bounds.connections_max = division.callers;
    deliver.connections_max = division.receivers;
    Ok(())
}

/// Listens on the first free address.
async fn bind(listen: &Listen) -> Result<TcpListener> {
    let addresses = listen.addresses().await;
    let addresses = addresses.with_context(|| {
        format!("cannot listen on {listen}: the name has no address: choose another with --listen")
    })?;
    let bound = TcpListener::bind(&addresses[..]).await;
    bound.with_context(|| format!("cannot listen on {listen}: choose another with --listen"))
}

/// Makes the first workspace if missing, and prints the values that a person needs to begin.
async fn announce(
    store: &dyn Store,
    first: FirstWorkspace,
    address: SocketAddr,
    place: &str,
    format: LogFormat,
) -> Result<()> {
    let json = format == LogFormat::Json;
    if !first::exists(store).await? {
        match first::make(store, first, &SystemEntropy, SystemClock::new().now()).await {
            // The line warns an operator who named the wrong directory.
            Ok(made) if json => {
                output::line(&json!({"message": "new installation", "place": place}).to_string())?;
                output::line(&made.as_json())?;
            }
            Ok(made) => {
                output::line(&format!("new installation in {place}"))?;
                output::line(&made.as_exports(Some(address)))?;
            }
            // Another server of the shared database was quicker.
            Err(_) if first::exists(store).await? => {}
            Err(error) => return Err(error),
        }
    }
    let url = format!("http://{address}");
    output::line(&match json {
        true => json!({"message": "listening", "url": url}).to_string(),
        false => format!("listening on {url}"),
    })?;
    Ok(())
}

/// Work beside deliveries, done while polled: queues slices of replays, notes uses of credentials and
/// rejections of sources, and deletes old data.
async fn upkeep(engine: Arc<Engine>, retention: Retention) {
    let replays = Replayer::new(Arc::clone(&engine)).run();
    let credentials = access::Upkeep::new(Arc::clone(&engine)).run();
    let keeping = Keeper::new(Arc::clone(&engine)).run();
    let sweeping = Sweeper::new(engine, retention).run();
    tokio::join!(replays, credentials, keeping, sweeping);
}

/// All parts of the server, run until told to stop, or until a failure.
async fn parts(
    store: &dyn Store,
    mut dispatcher: Dispatcher,
    requests: impl Future<Output = ()>,
    upkeep: impl Future<Output = ()>,
    stop: &Stop,
    drain: Duration,
) -> Result<()> {
    let requests = async {
        requests.await;
        Ok(())
    };
    let deliveries = async {
        tokio::select! {
            () = dispatcher.failed() => bail!("delivery has failed; the log says why"),
            reason = store.failed() => {
                // Whoever waits is answered, and whoever asks for readiness hears why.
                tokio::time::sleep(FAREWELL).await;
                bail!("the store has failed: {reason}")
            }
            () = upkeep => bail!("replays or retention have ended; the log says why"),
            () = stop.said() => {}
        }
        dispatcher.shutdown(drain).await;
        Ok(())
    };
    tokio::try_join!(requests, deliveries).map(|_| ())
}

/// How long a server with a failed store still answers: long enough for requests under way, and short
/// enough for a supervisor to restart the server at once.
const FAREWELL: Duration = Duration::from_secs(1);

/// The most time for the store's last writes, which make the next start quick. Skipping the writes loses
/// nothing.
const CLOSE_MAX: Duration = Duration::from_secs(10);

async fn close(store: &dyn Store) {
    match tokio::time::timeout(CLOSE_MAX, store.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the store did not close well"),
        Err(_) => tracing::warn!("the store did not close in time"),
    }
}
