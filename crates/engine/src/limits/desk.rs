//! Where requests wait while the store is asked for turns: a single question at a time, for all
//! requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_core::model::{Quota, QuotaWindow};
use hookyard_store::{LimitStore, StoreError, TAKES_MAX, Take, Turns};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::bucket::Parts;
use super::{Caller, Callers};

/// How long the store may take. A round trip is a few milliseconds; requests are decided here after
/// a longer wait.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long nobody asks after the store gave no answer, in microseconds: so that an absent store
/// does not make every request wait.
const AWAY_US: i64 = 1_000_000;

/// How old the number of nodes may be, in microseconds. While the number is wrong, parts of quotas
/// are missing or counted twice.
const NODES_FOR_US: i64 = 10_000_000;

/// Asks the store.
pub(super) struct Desk {
    store: Arc<dyn LimitStore>,
    clock: Arc<dyn Clock>,
    callers: Arc<Callers>,
    waiting: Mutex<Waiting>,
    /// The number of nodes; 0 while unknown.
    nodes: AtomicU32,
    /// When the store told the number, as a monotonic reading in microseconds.
    heard_at: AtomicI64,
    /// Until when the store is taken to be away, likewise.
    away_until: AtomicI64,
}

type BucketKey = (Caller, QuotaWindow);

#[derive(Debug, Default)]
struct Waiting {
    requests: BTreeMap<BucketKey, (Quota, Vec<oneshot::Sender<bool>>)>,
    /// Whether a task is asking the store.
    asking: bool,
}

/// Requests waiting for a bucket.
struct Question {
    caller: Caller,
    quota: Quota,
    take: Take,
    requests: Vec<oneshot::Sender<bool>>,
}

impl Desk {
    pub(super) fn new(
        store: Arc<dyn LimitStore>,
        clock: Arc<dyn Clock>,
        callers: Arc<Callers>,
    ) -> Self {
        Self {
            store,
            clock,
            callers,
            waiting: Mutex::default(),
            nodes: AtomicU32::new(0),
            heard_at: AtomicI64::new(i64::MIN),
            away_until: AtomicI64::new(i64::MIN),
        }
    }

    /// The number of nodes; when the number is old, the store is asked in the background.
    pub(super) fn nodes(self: &Arc<Self>) -> u32 {
        let now = self.reading();
        let heard_at = self.heard_at.load(Ordering::Relaxed);
        if now.saturating_sub(heard_at) >= NODES_FOR_US {
            // Whoever comes next need not ask, too.
            self.heard_at.store(now, Ordering::Relaxed);
            self.begin(&mut self.lock());
        }
        self.nodes.load(Ordering::Relaxed)
    }

    /// Waits for a turn of a bucket without turns in hand; returns whether there is a turn.
    pub(super) async fn ask(self: &Arc<Self>, caller: Caller, quota: Quota) -> bool {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.lock();
            let place = (caller, quota.window);
            waiting.requests.entry(place).or_insert((quota, Vec::new())).1.push(answer);
            self.begin(&mut waiting);
        }
        // Nobody answers when the runtime ends.
        answered.await.unwrap_or(false)
    }

    /// Starts the asking task unless running. The task is separate, since a request may be given
    /// up.
    fn begin(self: &Arc<Self>, waiting: &mut Waiting) {
        if !waiting.asking {
            waiting.asking = true;
            tokio::spawn(Arc::clone(self).work());
        }
    }

    async fn work(self: Arc<Self>) {
        loop {
            let questions = self.gather();
            let takes: Vec<_> = questions.iter().map(|question| question.take.clone()).collect();
            let now = self.clock.now();
            let is_away = self.reading() < self.away_until.load(Ordering::Relaxed);
            let turns = if is_away { None } else { self.turns(takes, now).await };
            match turns {
                Some(turns) => self.answer(questions, &turns),
                None => self.answer_alone(questions),
            }
            let mut waiting = self.lock();
            if waiting.requests.is_empty() {
                waiting.asking = false;
                return;
            }
        }
    }

    async fn turns(&self, takes: Vec<Take>, now: jiff::Timestamp) -> Option<Turns> {
        let asked = takes.len();
        let late = || StoreError::Unavailable("no answer in time".to_owned());
        let turns = timeout(ANSWER_MAX, self.store.take_turns(takes, now)).await;
        match turns.unwrap_or_else(|_| Err(late())) {
            Ok(turns) if turns.taken.len() == asked => {
                self.nodes.store(turns.nodes, Ordering::Relaxed);
                self.heard_at.store(self.reading(), Ordering::Relaxed);
                Some(turns)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "requests are counted by this node alone");
                let until = self.reading().saturating_add(AWAY_US);
                self.away_until.store(until, Ordering::Relaxed);
                None
            }
        }
    }

    /// The next questions.
    fn gather(&self) -> Vec<Question> {
        let nodes = self.nodes.load(Ordering::Relaxed);
        let mut requests = BTreeMap::new();
        {
            let mut waiting = self.lock();
            while requests.len() < TAKES_MAX {
                let Some((place, asked)) = waiting.requests.pop_first() else { break };
                requests.insert(place, asked);
            }
        }
        let now = self.clock.now().as_microsecond();
        let question = |((caller, _), (quota, requests)): (BucketKey, (Quota, Vec<_>))| {
            let owed = self.callers.with(caller, now, |all| all[quota.window as usize].owed());
            let parts = Parts::of(quota, nodes);
            let wanted = count(&requests).max(parts.ahead);
            let key = caller.key(quota.window);
            let take = Take { key, quota: parts.shared, owed, wanted };
            Question { caller, quota, take, requests }
        };
        requests.into_iter().map(question).collect()
    }

    fn answer(&self, questions: Vec<Question>, turns: &Turns) {
        let now = self.clock.now().as_microsecond();
        for (question, taken) in questions.into_iter().zip(&turns.taken) {
            let Question { caller, quota, take, requests } = question;
            let through = self.callers.with(caller, now, |all| {
                let asked = (take.owed, take.wanted);
                all[quota.window as usize].settle(take.quota, asked, *taken, count(&requests), now)
            });
            tell(requests, through);
        }
    }

    fn answer_alone(&self, questions: Vec<Question>) {
        let now = self.clock.now().as_microsecond();
        let nodes = self.nodes.load(Ordering::Relaxed);
        for Question { caller, quota, take, requests } in questions {
            let through = self.callers.with(caller, now, |all| {
                let bucket = &mut all[quota.window as usize];
                bucket.settle_alone(take.quota, nodes, count(&requests), now)
            });
            tell(requests, through);
        }
    }

    /// Microseconds on the monotonic clock: the wall clock may be set.
    fn reading(&self) -> i64 {
        i64::try_from(self.clock.monotonic().as_micros()).unwrap_or(i64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(requests: &[oneshot::Sender<bool>]) -> u32 {
    u32::try_from(requests.len()).unwrap_or(u32::MAX)
}

/// Lets the first `through` requests go. The turn of a request given up is lost with the request.
fn tell(requests: Vec<oneshot::Sender<bool>>, through: u32) {
    for (place, request) in (0_u32..).zip(requests) {
        let _ = request.send(place < through);
    }
}
