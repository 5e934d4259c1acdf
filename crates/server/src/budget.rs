//! Memory for requests and answers: one budget of bytes, shared fairly.
//!
//! Each request has an [`Account`]. The account takes from the budget as the bytes of a body arrive, never
//! by a declared length, and later for the bytes of the answer. All bytes come back when the answer is
//! written or the caller is gone.
//!
//! Nobody has a fixed part. A caller gets more while the caller holds no more than the free rest (the
//! dynamic threshold of shared buffers, Choudhury and Hahne 1998). So a single caller has up to half, two
//! callers have a third each, and a newcomer always finds room: many large holders shrink each other's
//! bound. The rule holds for addresses and, once a caller is known, for workspaces.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::{Method, Response};
use bytes::Bytes;
use hookyard_core::id::WorkspaceId;
use hookyard_engine::limits::network;
use hookyard_store::Actor;
use hyper::body::{Frame, SizeHint};

/// The budget in multiples of the largest accepted body. Beside one such body, three more must fit, so that
/// one caller's largest body is within the half of a single caller.
pub(crate) const LARGEST_BODIES: usize = 4;

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A party whose bytes are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Party {
    /// An address; callers without a known address share `None`.
    Address(Option<IpAddr>),
    Workspace(WorkspaceId),
}

/// The budget.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    /// Parties without bytes are absent, so the map has at most two entries for each connection.
    parties: HashMap<Party, usize>,
}

impl Held {
    fn of(&self, party: Party) -> usize {
        self.parties.get(&party).copied().unwrap_or(0)
    }

    fn add(&mut self, party: Party, bytes: usize) {
        *self.parties.entry(party).or_default() += bytes;
    }

    fn remove(&mut self, party: Party, bytes: usize) {
        if let Some(held) = self.parties.get_mut(&party) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                self.parties.remove(&party);
            }
        }
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, held: Mutex::default() })
    }

    /// An account of a request from the given address.
    pub(crate) fn account(self: &Arc<Self>, address: Option<IpAddr>) -> Arc<Account> {
        let address = Party::Address(address.map(network));
        Arc::new(Account { budget: Arc::clone(self), address, open: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.lock().all
    }
}

/// The bytes held by one request. Dropping the account gives all bytes back.
#[derive(Debug)]
pub(crate) struct Account {
    budget: Arc<Budget>,
    address: Party,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    workspace: Option<Party>,
    bytes: usize,
    /// Whether the account was ever refused.
    refused: bool,
}

tokio::task_local! {
    static CURRENT: Arc<Account>;
}

impl Account {
    /// Runs a future with this account at hand.
    pub(crate) async fn scope<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// The account of the request at work; `None` outside of requests.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Takes so many bytes more for the request at work, if there is room.
    pub(crate) fn take_now(bytes: usize) -> Result<(), Full> {
        Self::current().map_or(Ok(()), |account| account.take(bytes))
    }

    /// Sets the workspace of the request at work, where no credential names the workspace.
    pub(crate) fn is_about(workspace: WorkspaceId) {
        if let Some(account) = Self::current() {
            let mut open = account.lock();
            account.belong_to(&mut open, Some(workspace));
        }
    }

    /// Takes so many bytes more, if there is room.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), Full> {
        let mut open = self.lock();
        self.belong_to(&mut open, None);
        let parties = [Some(self.address), open.workspace];
        let mut held = self.budget.lock();
        let free = self.budget.bytes_max.saturating_sub(held.all);
        if parties.iter().flatten().any(|party| held.of(*party).saturating_add(bytes) > free) {
            open.refused = true;
            return Err(Full);
        }
        hold(&mut held, &mut open, &parties, bytes);
        Ok(())
    }

    /// Takes more bytes, with or without room, so that others find less room: for bytes already present and
    /// bounded elsewhere.
    pub(crate) fn hold(&self, bytes: usize) {
        let mut open = self.lock();
        let parties = [Some(self.address), open.workspace];
        hold(&mut self.budget.lock(), &mut open, &parties, bytes);
    }

    /// Gives so many bytes back.
    pub(crate) fn give_back(&self, bytes: usize) {
        let mut open = self.lock();
        let bytes = bytes.min(open.bytes);
        self.release(&mut open, bytes);
    }

    /// Gives everything back.
    pub(crate) fn clear(&self) {
        let mut open = self.lock();
        let bytes = open.bytes;
        self.release(&mut open, bytes);
    }

    /// Whether the budget had no room for the request.
    pub(crate) fn was_refused(&self) -> bool {
        self.lock().refused
    }

    /// Once the workspace is known, counts the held bytes for the workspace, too.
    fn belong_to(&self, open: &mut Open, workspace: Option<WorkspaceId>) {
        if open.workspace.is_some() {
            return;
        }
        let proven = || Actor::current().and_then(|actor| actor.workspace());
        if let Some(workspace) = workspace.or_else(proven) {
            let party = Party::Workspace(workspace);
            if open.bytes > 0 {
                self.budget.lock().add(party, open.bytes);
            }
            open.workspace = Some(party);
        }
    }

    fn release(&self, open: &mut Open, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut held = self.budget.lock();
        held.all = held.all.saturating_sub(bytes);
        for party in [Some(self.address), open.workspace].into_iter().flatten() {
            held.remove(party, bytes);
        }
        open.bytes -= bytes;
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hold(held: &mut Held, open: &mut Open, parties: &[Option<Party>], bytes: usize) {
    if bytes == 0 {
        return;
    }
    held.all += bytes;
    parties.iter().flatten().for_each(|party| held.add(*party, bytes));
    open.bytes += bytes;
}

impl Drop for Account {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Counts an answer's bytes until written, in place of the request's bytes. A successful answer to a reading
/// request is refused when the budget has no room. Any other answer is sent, with or without room.
pub(crate) fn count(
    account: Arc<Account>,
    method: &Method,
    response: Response<Body>,
) -> Result<Response<Body>, Full> {
    account.clear();
    let bytes = response.body().size_hint().exact();
    let bytes = bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    match bytes {
        Some(0) => return Ok(response),
        Some(bytes) if method.is_safe() && response.status().is_success() => account.take(bytes)?,
        Some(bytes) => account.hold(bytes),
        // A stream's pieces are counted one at a time.
        None => {}
    }
    let is_stream = bytes.is_none();
    Ok(response.map(|body| Body::new(Counted { body, account, is_stream, piece: 0 })))
}

/// An answer's body with the budget's bytes.
struct Counted {
    body: Body,
    account: Arc<Account>,
    is_stream: bool,
    /// Of a stream, the bytes of the last piece.
    piece: usize,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && this.is_stream
        {
            this.account.give_back(this.piece);
            this.piece = frame.data_ref().map_or(0, Bytes::len);
            this.account.hold(this.piece);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use http::StatusCode;

    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    /// Takes a byte at a time until there is no more.
    fn fill(account: &Account) -> usize {
        (0..).take_while(|_| account.take(1).is_ok()).count()
    }

    #[test]
    fn one_caller_has_half_and_a_newcomer_finds_room() {
        let budget = Budget::new(1_000);
        let (first, more) = (budget.account(address(1)), budget.account(address(1)));
        assert_eq!(fill(&first), 500);
        assert_eq!(more.take(1), Err(Full), "however many requests it comes with");
        let others: Vec<_> = (2..10).map(|last| budget.account(address(last))).collect();
        for other in &others {
            assert!(fill(other) > 0);
        }
        assert!(budget.held() < 1_000);
        drop(first);
        assert!(more.take(100).is_ok() && more.was_refused());
        drop((more, others));
        assert_eq!(budget.held(), 0);
        assert!(budget.lock().parties.is_empty());
    }

    #[tokio::test]
    async fn a_workspace_has_its_share_from_wherever_it_comes() {
        let budget = Budget::new(1_000);
        let mut held = Vec::new();
        let of = |workspace: i32, last: u8| {
            let account = budget.account(address(last));
            async move {
                let about = async {
                    Account::is_about(WorkspaceId(workspace));
                    Account::current().map_or(0, |account| fill(&account))
                };
                let filled = Arc::clone(&account).scope(about).await;
                (account, filled)
            }
        };
        let mut all = 0;
        for last in 1..50 {
            let (account, filled) = of(1, last).await;
            all += filled;
            held.push(account);
        }
        assert_eq!(all, 500);
        assert!(of(2, 100).await.1 >= 250, "another workspace");
    }

    #[tokio::test]
    async fn what_was_taken_before_the_workspace_was_known_counts_there_too() {
        let budget = Budget::new(1_000);
        let account = budget.account(address(1));
        account.take(400).unwrap();
        Arc::clone(&account).scope(async { Account::is_about(WorkspaceId(1)) }).await;
        assert_eq!(budget.lock().of(Party::Workspace(WorkspaceId(1))), 400);
        account.give_back(100);
        assert_eq!(budget.lock().of(Party::Workspace(WorkspaceId(1))), 300);
        drop(account);
        assert_eq!((budget.held(), budget.lock().parties.len()), (0, 0));
    }

    #[tokio::test]
    async fn an_answer_counts_until_it_is_written() {
        let budget = Budget::new(1_000);
        let account = || budget.account(address(1));
        let answer = |bytes: usize| Response::new(Body::from("x".repeat(bytes)));
        let held = count(account(), &Method::GET, answer(400)).unwrap();
        assert_eq!(budget.held(), 400);
        assert_eq!(count(account(), &Method::GET, answer(400)).err(), Some(Full));
        // What was done is told.
        let told = count(account(), &Method::POST, answer(400)).unwrap();
        assert_eq!(budget.held(), 800);
        let mut refused = answer(400);
        *refused.status_mut() = StatusCode::NOT_FOUND;
        drop(count(account(), &Method::GET, refused).unwrap());
        assert_eq!(to_bytes(held.into_body(), 1_000).await.unwrap().len(), 400);
        drop(told);
        assert_eq!(budget.held(), 0);
    }
}
