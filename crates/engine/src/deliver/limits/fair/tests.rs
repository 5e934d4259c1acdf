use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn holder(workspace: i32, endpoint: i32) -> Holder {
    Holder { workspace: WorkspaceId(workspace), endpoint: EndpointId(endpoint) }
}

/// Takes places for as long as any are to be had.
async fn take_all(places: &Arc<Fair>, whose: impl Fn(usize) -> Holder) -> Vec<HeldUnits> {
    let mut held = Vec::new();
    while let Some(place) = at_once(places, whose(held.len())).await {
        held.push(place);
    }
    held
}

/// A place, where one is to be had without waiting.
async fn at_once(places: &Arc<Fair>, holder: Holder) -> Option<HeldUnits> {
    tokio::select! {
        biased;
        place = places.take(holder, 1) => Some(place.unwrap()),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn one_that_takes_everything_leaves_room_for_the_next() {
    let places = Fair::new(1_000);
    let first = take_all(&places, |nth| holder(1, i32::try_from(nth).unwrap())).await;
    assert_eq!(first.len(), 800, "four fifths");
    let second = take_all(&places, |nth| holder(2, i32::try_from(nth).unwrap())).await;
    assert_eq!(second.len(), 160, "four fifths of what was left");
    assert!(at_once(&places, holder(3, 1)).await.is_some());
    drop(first);
    let more = take_all(&places, |nth| holder(2, 1_000 + i32::try_from(nth).unwrap())).await;
    assert_eq!(second.len() + more.len(), 800, "all is to be had again");
    drop((second, more));
    assert_eq!(places.free(), 1_000);
    assert!(places.lock().groups.is_empty(), "nothing is kept of who has gone");
}

#[tokio::test]
async fn endpoints_with_many_bundles_leave_room_for_those_with_none() {
    let places = Fair::new(4_096);
    let held = take_all(&places, |nth| holder(1, i32::try_from(nth % 130).unwrap())).await;
    assert!(held.len() > 3_000, "{}", held.len());
    for fresh in 0..20 {
        assert!(at_once(&places, holder(1, 1_000 + fresh)).await.is_some(), "{fresh}");
    }
}

/// The attack: 130 endpoints with 32 bundles each, slow but successful, and another workspace.
#[tokio::test(start_paused = true)]
async fn slow_endpoints_of_one_workspace_do_not_hold_up_another() {
    const SLOW: Duration = Duration::from_secs(20);
    let places = Fair::new(4_096);
    for endpoint in 0..130 {
        for _ in 0..32 {
            let places = Arc::clone(&places);
            tokio::spawn(async move {
                while let Ok(place) = places.take(holder(1, endpoint), 1).await {
                    tokio::time::sleep(SLOW).await;
                    drop(place);
                }
            });
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2_000 {
        let asked = tokio::time::timeout(Duration::from_millis(1), places.take(holder(2, 1), 1));
        let place = asked.await.expect("without a wait").unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(place);
    }
    places.close();
}

#[tokio::test]
async fn who_waits_is_served_in_turns() {
    let places = Fair::new(4);
    let held = take_all(&places, |nth| holder(9, i32::try_from(nth).unwrap())).await;
    let mut rest = Vec::new();
    while let Some(place) = at_once(&places, holder(8, i32::try_from(rest.len()).unwrap())).await {
        rest.push(place);
    }
    let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
    // Twenty of the first workspace, ten of them of the same endpoint, and then one of another workspace.
    let waiting = (0..10).map(|_| (1, 1)).chain((0..10).map(|nth| (1, 2 + nth))).chain([(2, 1)]);
    for (workspace, endpoint) in waiting {
        let (places, told) = (Arc::clone(&places), told.clone());
        tokio::spawn(async move {
            let place = places.take(holder(workspace, endpoint), 1).await.unwrap();
            told.send((workspace, endpoint)).unwrap();
            tokio::task::yield_now().await;
            drop(place);
        });
        tokio::task::yield_now().await;
    }
    drop((held, rest, told));
    let mut seen = Vec::new();
    while let Some(served) = order.recv().await {
        seen.push(served);
    }
    assert_eq!(seen.len(), 21);
    let at = |wanted| seen.iter().position(|served| *served == wanted).unwrap();
    assert!(at((2, 1)) < 4, "the other workspace is not behind twenty: {seen:?}");
    assert!(at((1, 2)) < 6, "nor an endpoint behind ten bundles of another: {seen:?}");
}

#[tokio::test]
async fn whoever_gives_up_costs_nothing() {
    let places = Fair::new(1);
    let held = places.take(holder(1, 1), 1).await.unwrap();
    for _ in 0..10 {
        assert!(at_once(&places, holder(2, 2)).await.is_none());
    }
    let waiting = tokio::spawn({
        let places = Arc::clone(&places);
        async move { places.take(holder(3, 3), 1).await.map(drop) }
    });
    tokio::task::yield_now().await;
    drop(held);
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(places.free(), 1);
    assert!(places.lock().groups.is_empty() && places.lock().turns.is_empty());
}

proptest! {
    /// Places are taken, waited for, given up and given back in any order: nothing is lost, and nobody waits
    /// while a suitable place is free.
    #[test]
    fn places_are_neither_lost_nor_withheld(
        total in 1_usize..40,
        steps in proptest::collection::vec((0_u8..4, 0_usize..50, 1_i32..5, 1_i32..4, 1_usize..4), 1..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let places = Fair::new(total);
            let mut waiting = Vec::new();
            let mut held: Vec<HeldUnits> = Vec::new();
            for (what, which, workspace, endpoint, units) in steps {
                match what {
                    0 | 1 => {
                        let (places, units) = (Arc::clone(&places), units.min(total));
                        let holder = holder(workspace, endpoint);
                        waiting.push(tokio::spawn(async move { places.take(holder, units).await }));
                    }
                    2 if !held.is_empty() => drop(held.swap_remove(which % held.len())),
                    _ if !waiting.is_empty() => waiting.swap_remove(which % waiting.len()).abort(),
                    _ => {}
                }
                for _ in 0..4 {
                    tokio::task::yield_now().await;
                }
                let (done, still) = waiting.into_iter().partition(|task| task.is_finished());
                waiting = still;
                for task in done {
                    if let Ok(place) = task.await {
                        held.push(place.unwrap());
                    }
                }
                let units: usize = held.iter().map(|held| held.units).sum();
                assert_eq!(units + places.free(), total);
                assert!(places.free() < total || waiting.is_empty(), "all is free, and some wait");
            }
            drop(held);
            while !waiting.is_empty() {
                tokio::task::yield_now().await;
                waiting.retain(|task| !task.is_finished());
            }
            assert_eq!(places.free(), total);
            assert!(places.lock().groups.is_empty());
        });
    }
}
