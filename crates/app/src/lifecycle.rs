//! When and how a server stops.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The signals that ask the process to stop.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes over SIGTERM and SIGINT from here on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal; its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Tells every part of the server to finish what it has and take nothing more.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Says stop; once said it stays said.
    pub(crate) fn say(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it is said.
    pub(crate) fn said(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut receiver = self.0.subscribe();
        async move {
            // The sender may be gone only when everything is: then stopping is right, too.
            let _ = receiver.wait_for(|said| *said).await;
        }
    }
}

/// Runs the server's `parts` until a signal comes or they end by themselves. On a signal they are
/// told to stop and have `drain` to do it; a second signal or the end of that time gives up on them.
pub(crate) async fn run(
    parts: impl Future<Output = Result<()>>,
    stop: &Stop,
    mut signals: Signals,
    drain: Duration,
) -> Result<()> {
    let mut parts = std::pin::pin!(parts);
    let signal = tokio::select! {
        ended = &mut parts => return ended,
        signal = signals.next() => signal,
    };
    tracing::info!(signal, drain_seconds = drain.as_secs(), "stopping");
    stop.say();
    tokio::select! {
        ended = &mut parts => ended,
        signal = signals.next() => bail!("{signal} came while stopping: aborted"),
        () = tokio::time::sleep(drain) => {
            bail!("not done after {} seconds of stopping: aborted", drain.as_secs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_signal_drains_and_the_deadline_aborts() {
        let stop = Stop::new();
        let signals = Signals::listen().unwrap();
        let said = stop.said();
        let parts = async move {
            raise();
            said.await;
            Ok(())
        };
        run(parts, &stop, signals, Duration::from_secs(5)).await.unwrap();

        let stop = Stop::new();
        let signals = Signals::listen().unwrap();
        let deaf = async {
            raise();
            std::future::pending().await
        };
        let error = run(deaf, &stop, signals, Duration::from_secs(5)).await.unwrap_err();
        assert!(error.to_string().contains("5 seconds"), "{error}");
    }

    /// Sends this process a SIGTERM.
    fn raise() {
        let pid = std::process::id().to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    }
}
