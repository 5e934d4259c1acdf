//! Receivers in memory: each path of a URL is one.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_engine::deliver::{Answer, Http, Outgoing, Queue, Transport, Unanswered};
use http::HeaderName;
use tokio::sync::Notify;

/// What a receiver does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Reaction {
    Answer(Answer),
    /// There is no connection.
    Refuse,
    /// The request is taken and never answered.
    Hang,
    /// The request is taken, and fails when [`Scripted::fail_now`] says so.
    FailWhenTold,
    /// This server cannot send.
    Unable,
    /// A fault of ours.
    Panic,
}

fn answer(status: u16) -> Answer {
    Answer { status, body: Bytes::from("text"), ..Answer::default() }
}

pub(crate) fn status(code: u16) -> Reaction {
    Reaction::Answer(answer(code))
}

pub(crate) fn status_with(code: u16, name: &'static str, value: &str) -> Reaction {
    let mut answer = answer(code);
    answer.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    Reaction::Answer(answer)
}

/// Answers as scripted, and 200 once a script has ended.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    state: Mutex<State>,
    told: Notify,
}

/// What a receiver cannot stand.
struct Offence(Box<dyn Fn(&Outgoing) -> bool + Send + Sync>);

impl std::fmt::Debug for Offence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Offence")
    }
}

#[derive(Debug, Default)]
struct State {
    scripts: HashMap<String, VecDeque<Reaction>>,
    always: HashMap<String, Reaction>,
    /// Statuses for requests that a path takes offence at.
    refusals: HashMap<String, Vec<(u16, Offence)>>,
    requests: Vec<Outgoing>,
    /// For each request, whether it was answered with 200.
    taken: Vec<bool>,
    /// For each request, how many there had been when it was answered; absent while it is not.
    answered: Vec<Option<usize>>,
    /// How often other tasks get their turn before a request is answered: so many times or fewer.
    dawdling: usize,
}

impl Scripted {
    /// Adds reactions to the next requests with this path.
    pub(crate) fn script(&self, path: &str, reactions: impl IntoIterator<Item = Reaction>) {
        let mut state = self.state.lock().unwrap();
        state.scripts.entry(path.to_owned()).or_default().extend(reactions);
    }

    /// How to react to requests with this path once its script has ended.
    pub(crate) fn always(&self, path: &str, reaction: Reaction) {
        self.state.lock().unwrap().always.insert(path.to_owned(), reaction);
    }

    /// Fails the requests that wait to be told.
    pub(crate) fn fail_now(&self) {
        self.told.notify_waiters();
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        let mut state = self.state.lock().unwrap();
        state.requests.clear();
        state.taken.clear();
        state.answered.clear();
    }

    /// Answers requests with this path with the status when they are offensive, before anything
    /// else.
    pub(crate) fn refuse(
        &self,
        path: &str,
        status: u16,
        offence: impl Fn(&Outgoing) -> bool + Send + Sync + 'static,
    ) {
        let mut state = self.state.lock().unwrap();
        let refusals = state.refusals.entry(path.to_owned()).or_default();
        refusals.push((status, Offence(Box::new(offence))));
    }

    /// Takes offence at nothing any more.
    pub(crate) fn forgive(&self, path: &str) {
        self.state.lock().unwrap().refusals.remove(path);
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Outgoing> {
        self.state.lock().unwrap().requests.clone()
    }

    /// All requests with a path so far, and whether each was answered with 200.
    pub(crate) fn requests_to(&self, path: &str) -> Vec<(Outgoing, bool)> {
        let state = self.state.lock().unwrap();
        let all = state.requests.iter().cloned().zip(state.taken.iter().copied());
        all.filter(|(request, _)| request.uri.path() == path).collect()
    }

    /// Lets other tasks have their turn before each answer, up to so many times.
    pub(crate) fn dawdle(&self, turns: usize) {
        self.state.lock().unwrap().dawdling = turns;
    }

    /// What is not answered by now never is: whoever asked is dead.
    pub(crate) fn cut_off(&self) {
        let mut state = self.state.lock().unwrap();
        let now = state.requests.len();
        state.answered.iter_mut().for_each(|answered| *answered = answered.or(Some(now)));
    }

    /// All requests, with how many there had been when each was answered.
    pub(crate) fn answered(&self) -> Vec<(Outgoing, usize)> {
        let state = self.state.lock().unwrap();
        let answered = state.answered.iter().map(|answered| answered.unwrap_or(usize::MAX));
        state.requests.iter().cloned().zip(answered).collect()
    }

    /// How many requests a path has had.
    pub(crate) fn count(&self, path: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|request| request.uri.path() == path).count()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn post(&self, _: &Http, request: Outgoing) -> Result<Answer, Unanswered> {
        self.react(request).await
    }

    async fn enqueue(&self, _: &Queue, request: Outgoing) -> Result<Answer, Unanswered> {
        self.react(request).await
    }
}

impl Scripted {
    async fn react(&self, request: Outgoing) -> Result<Answer, Unanswered> {
        let (reaction, number, turns) = {
            let mut state = self.state.lock().unwrap();
            let path = request.uri.path().to_owned();
            let refusals = state.refusals.get(&path).into_iter().flatten();
            let refused = refusals.into_iter().find(|(_, offence)| (offence.0)(&request));
            let refused = refused.map(|(code, _)| status(*code));
            state.requests.push(request);
            let scripted = state.scripts.get_mut(&path);
            let scripted = refused.or_else(|| scripted.and_then(VecDeque::pop_front));
            let reaction = scripted.or_else(|| state.always.get(&path).cloned());
            let reaction = reaction.unwrap_or_else(|| status(200));
            let taken = matches!(&reaction, Reaction::Answer(answer) if answer.status == 200);
            state.taken.push(taken);
            state.answered.push(None);
            let number = state.requests.len();
            (reaction, number, number * 7 % (state.dawdling + 1))
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        if !matches!(reaction, Reaction::Hang) {
            let mut state = self.state.lock().unwrap();
            let now = state.requests.len();
            if let Some(answered) = state.answered.get_mut(number - 1) {
                *answered = Some(now);
            }
        }
        match reaction {
            Reaction::Answer(answer) => Ok(answer),
            Reaction::Panic => panic!("planned panic"),
            Reaction::Refuse => Err(Unanswered::Failed("connection refused".to_owned())),
            Reaction::FailWhenTold => {
                self.told.notified().await;
                Err(Unanswered::Failed("there was no whole answer".to_owned()))
            }
            Reaction::Unable => Err(Unanswered::Unable("too many open files".to_owned())),
            Reaction::Hang => std::future::pending().await,
        }
    }
}
