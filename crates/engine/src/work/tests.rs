use super::*;

const ONE: Share = Share::Calls(WorkspaceId(1));
const OTHER: Share = Share::Calls(WorkspaceId(2));

fn shared(places: usize) -> Arc<Shared> {
    Work::with_places(places).shared
}

/// The places of the waiting callers, `None` for callers still waiting.
fn served(waiting: &mut [oneshot::Receiver<WorkPlace>]) -> Vec<Option<WorkPlace>> {
    waiting.iter_mut().map(|one| one.try_recv().ok()).collect()
}

#[test]
fn no_share_takes_the_last_place() {
    let shared = shared(3);
    let mut own: Vec<_> = (0..5).map(|_| shared.enter(ONE, true).unwrap()).collect();
    let held = served(&mut own);
    assert_eq!(held.iter().flatten().count(), 2);
    let mut newcomer = shared.enter(OTHER, true).unwrap();
    assert!(newcomer.try_recv().is_ok(), "there is a place for somebody else");
}

#[test]
fn shares_take_turns_however_many_wait() {
    let shared = shared(1);
    let mut first = shared.enter(ONE, true).unwrap();
    let held = first.try_recv().unwrap();
    let mut own: Vec<_> = (0..10).map(|_| shared.enter(ONE, true).unwrap()).collect();
    let mut newcomer = shared.enter(OTHER, true).unwrap();
    drop(held);
    let next = served(&mut own).into_iter().flatten().next().unwrap();
    assert!(newcomer.try_recv().is_err(), "whoever waited first has its turn");
    drop(next);
    assert!(newcomer.try_recv().is_ok(), "and then the other share, before the nine");
}

#[test]
fn those_who_wait_are_bounded_for_each_share_and_in_all() {
    let shared = shared(1);
    let mut running = shared.enter(ONE, true).unwrap();
    let _held = running.try_recv().unwrap();
    let own: Vec<_> =
        (0..WAITING_PER_SHARE_MAX).map(|_| shared.enter(ONE, true).unwrap()).collect();
    assert!(matches!(shared.enter(ONE, true), Err(Full)));
    assert!(shared.enter(ONE, false).is_ok(), "who is bounded elsewhere waits all the same");
    let mut others = Vec::new();
    for id in 2.. {
        let share = Share::Calls(WorkspaceId(id));
        match shared.enter(share, true) {
            Ok(waiting) => others.push(waiting),
            Err(Full) => break,
        }
    }
    assert_eq!(own.len() + 1 + others.len(), WAITING_MAX);
}

#[test]
fn who_does_not_wait_any_more_is_passed_over() {
    let shared = shared(1);
    let mut running = shared.enter(ONE, true).unwrap();
    let held = running.try_recv().unwrap();
    let gone: Vec<_> = (0..5).map(|_| shared.enter(ONE, true).unwrap()).collect();
    let mut last = shared.enter(OTHER, true).unwrap();
    drop(gone);
    drop(held);
    let place = last.try_recv().unwrap();
    drop(place);
    let state = shared.state();
    assert_eq!((state.taken, state.waiters), (0, 0));
    assert!(state.running.is_empty() && state.waiting.is_empty() && state.turns.is_empty());
}

#[tokio::test]
async fn small_work_needs_no_place() {
    let work = Work::with_places(1);
    let mut running = work.shared.enter(ONE, true).unwrap();
    let _held = running.try_recv().unwrap();
    assert_eq!(work.run(ONE, INLINE_BYTES_MAX, || 7).await.unwrap(), 7);
    assert_eq!(work.run_patiently(ONE, INLINE_BYTES_MAX, || 7).await, 7);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_told_to_come_again() {
    let work = Work::with_places(1);
    let mut running = work.shared.enter(OTHER, true).unwrap();
    let _held = running.try_recv().unwrap();
    let refused = work.run(ONE, INLINE_BYTES_MAX + 1, || 7).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
}

/// With as many jobs as threads, nothing else would run if the jobs kept the threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_runtime_goes_on_meanwhile() {
    let work = Arc::new(Work::with_places(1));
    let (told, mut hears) = tokio::sync::mpsc::channel::<()>(1);
    let job = {
        let work = Arc::clone(&work);
        tokio::spawn(async move {
            // Ends only when another task has run.
            work.run_large(ONE, move || hears.blocking_recv().is_some()).await.unwrap()
        })
    };
    tokio::spawn(async move { told.send(()).await }).await.unwrap().unwrap();
    assert!(job.await.unwrap());
    let state = work.shared.state();
    assert_eq!(state.taken, 0);
}
