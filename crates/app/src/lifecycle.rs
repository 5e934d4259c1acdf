//! When and how a server stops.

use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// A second signal sooner than this after the first repeats the same wish: `timeout` sends two signals at
/// once, and so does anybody who signals a process and then the process group.
const SAME_WISH: Duration = Duration::from_secs(2);

/// The signals that ask the process to stop.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Whether a hangup means the end of the terminal that started the server.
    on_terminal: bool,
}

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP from here on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            on_terminal: std::io::stderr().is_terminal(),
        })
    }

    /// Waits for the next signal to stop; answers the signal's name. SIGHUP is such a signal where the log
    /// goes to a terminal, which is gone then. Elsewhere a sender of SIGHUP (a rotation of logs, say) wants
    /// a configuration or log reopened: the server has nothing to reopen, and no reason to stop.
    pub(crate) async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    if self.on_terminal {
                        return "SIGHUP";
                    }
                    tracing::info!("SIGHUP changes nothing: settings are read at the start only");
                }
            }
        }
    }

    /// Waits for a signal with a new wish, unlike a repeat of the signal just before; answers the signal's
    /// name.
    async fn again(&mut self) -> &'static str {
        let mut same_wish = std::pin::pin!(tokio::time::sleep(SAME_WISH));
        loop {
            tokio::select! {
                biased;
                () = &mut same_wish => return self.next().await,
                signal = self.next() => {
                    tracing::debug!(signal, "taken as the same wish");
                }
            }
        }
    }
}

/// Tells every part of the server to finish its work and take nothing more.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Says stop; a stop is final.
    pub(crate) fn say(&self) {
        self.0.send_replace(true);
    }

    /// Waits for the stop.
    pub(crate) fn said(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut receiver = self.0.subscribe();
        async move {
            // The sender may be gone only when everything is: then stopping is right, too.
            let _ = receiver.wait_for(|said| *said).await;
        }
    }
}

/// Runs the server's `parts` until a signal or the parts' own end. On a signal the parts are told to stop
/// and have `drain` to finish. A second signal, [`SAME_WISH`] after the first signal or later, or the end
/// of `drain` gives up on the parts.
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
        signal = signals.again() => bail!("{signal} came while stopping: aborted"),
        () = tokio::time::sleep(drain) => {
            bail!("not done after {} seconds of stopping: aborted", drain.as_secs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signals are the whole process's, so tests that send them take turns.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    #[tokio::test(start_paused = true)]
    async fn a_signal_drains_and_the_deadline_aborts() {
        let _turn = TURN.lock().await;
        let stop = Stop::new();
        let signals = Signals::listen().unwrap();
        let said = stop.said();
        let parts = async move {
            raise("TERM").await;
            said.await;
            Ok(())
        };
        run(parts, &stop, signals, Duration::from_secs(5)).await.unwrap();

        let stop = Stop::new();
        let signals = Signals::listen().unwrap();
        let deaf = async {
            raise("TERM").await;
            std::future::pending().await
        };
        let error = run(deaf, &stop, signals, Duration::from_secs(5)).await.unwrap_err();
        assert!(error.to_string().contains("5 seconds"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn signals_that_come_together_are_one_wish() {
        let _turn = TURN.lock().await;
        let mut signals = Signals::listen().unwrap();
        signals.on_terminal = false;
        let stop = Stop::new();
        let said = stop.said();
        let parts = async move {
            // None of them asks to stop.
            for _ in 0..3 {
                raise("HUP").await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            raise("TERM").await;
            said.await;
            raise("INT").await;
            tokio::time::sleep(Duration::from_millis(900)).await;
            raise("TERM").await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(())
        };
        run(parts, &stop, signals, Duration::from_secs(60)).await.unwrap();

        let stop = Stop::new();
        let signals = Signals::listen().unwrap();
        let said = stop.said();
        let stubborn = async move {
            raise("TERM").await;
            said.await;
            tokio::time::sleep(SAME_WISH + Duration::from_millis(1)).await;
            raise("INT").await;
            std::future::pending().await
        };
        let error = run(stubborn, &stop, signals, Duration::from_secs(60)).await.unwrap_err();
        assert!(error.to_string().starts_with("SIGINT came while stopping"), "{error}");
    }

    /// Sends this process a signal, and stays busy until it must have been heard: the paused clock goes
    /// on as soon as nothing is to do.
    async fn raise(name: &str) {
        let pid = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    }
}
