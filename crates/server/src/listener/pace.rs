use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

/// What must move in a stall's time, in bytes. Over half a minute this is slower than the slowest
/// modem, and yet a body of 1 MiB cannot be drawn out for longer than two hours.
pub(super) const BYTES_MIN: usize = 4 << 10;

/// Watches another side that must move on: short silence and short slowness are fine. Time without a wait
/// for the other side does not count.
#[derive(Debug)]
pub(super) struct Pace {
    window: Duration,
    /// The end of the present stretch; none while there is nothing to wait for.
    timer: Option<Pin<Box<Sleep>>>,
    /// Bytes moved in the present span.
    bytes: usize,
    /// Whether somebody waited for the other side at the last look.
    waiting: bool,
}

impl Pace {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, timer: None, bytes: 0, waiting: false }
    }

    /// Notes that bytes moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.waiting = false;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= BYTES_MIN {
            self.bytes = 0;
            self.timer = None;
        }
    }

    /// Waits for the other side; ready when the other side is too slow.
    pub(super) fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let window = self.window;
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(window)));
            let was_waiting = std::mem::replace(&mut self.waiting, true);
            ready!(timer.as_mut().poll(context));
            if was_waiting {
                return Poll::Ready(());
            }
            // The time ran out during a span without a wait.
            self.bytes = 0;
            self.timer = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    /// Waits for as long as the other side needs; whether that was too slow.
    async fn wait(pace: &mut Pace, seconds: u64) -> bool {
        let stalled = poll_fn(|context| pace.poll_stalled(context));
        tokio::time::timeout(Duration::from_secs(seconds), stalled).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_drips_end_and_progress_goes_on() {
        let mut pace = Pace::new(WINDOW);
        assert!(!wait(&mut pace, 29).await);
        assert!(wait(&mut pace, 2).await, "silent for 31 seconds");

        let mut pace = Pace::new(WINDOW);
        let mut seconds = 0;
        while !wait(&mut pace, 1).await {
            pace.moved(1);
            seconds += 1;
        }
        assert!((28..=31).contains(&seconds), "a byte a second: {seconds}");

        let mut pace = Pace::new(WINDOW);
        for _ in 0..1_000 {
            assert!(!wait(&mut pace, 10).await);
            pace.moved(BYTES_MIN / 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_waits_does_not_count() {
        let mut pace = Pace::new(WINDOW);
        for _ in 0..10 {
            assert!(!wait(&mut pace, 10).await);
            pace.moved(1);
            tokio::time::sleep(4 * WINDOW).await;
        }
        assert!(wait(&mut pace, 31).await);
    }
}
