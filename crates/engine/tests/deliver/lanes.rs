//! Several bundles in flight to one endpoint, and the order of each key.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use hookyard_core::id::EndpointId;
use hookyard_core::model::{Concurrency, EndpointSettings};
use hookyard_engine::deliver::{Outgoing, Step, Worker};

use crate::frozen::signed;
use crate::sim::{Sim, orders};

#[cfg(test)]
mod dispatched;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod order;
#[cfg(test)]
mod settings;

/// So many keys, taken in turns by the order number.
const KEYS: u64 = 5;

pub(crate) fn key(order: u64) -> u64 {
    order % KEYS
}

fn object(order: u64) -> String {
    format!(r#"{{"order_id":"{order}","customer":{{"id":{}}}}}"#, key(order))
}

pub(crate) fn lanes(bundles: u32, maximum_events: i32) -> impl FnOnce(&mut EndpointSettings) {
    move |settings| {
        signed(settings);
        settings.maximum_events = maximum_events;
        settings.options.concurrency = Concurrency::new(bundles, Some("customer.id")).unwrap();
    }
}

pub(crate) async fn publish(sim: &Sim, numbers: std::ops::Range<u64>, endpoint: EndpointId) {
    sim.publish_objects(numbers.map(object), &[endpoint]).await;
}

/// An endpoint with this many orders queued.
async fn queued(sim: &Sim, bundles: u32, maximum_events: i32, orders: u64) -> EndpointId {
    let endpoint = sim.endpoint("/a", lanes(bundles, maximum_events)).await.id;
    publish(sim, 0..orders, endpoint).await;
    endpoint
}

fn of_key(wanted: u64) -> impl Fn(&Outgoing) -> bool + Send + Sync {
    move |request| orders(&request.body).into_iter().any(|order| key(order) == wanted)
}

pub(crate) fn has(wanted: u64) -> impl Fn(&Outgoing) -> bool + Send + Sync {
    move |request| orders(&request.body).contains(&wanted)
}

/// Steps until nothing more can be done before some time has passed.
async fn until_waiting(sim: &Sim, worker: &mut Worker) -> Step {
    for _ in 0..1_000 {
        match sim.deliverer.step(worker).await {
            Ok(step @ (Step::Idle | Step::Wait(_) | Step::Disabled | Step::Gone)) => return step,
            Ok(_) => {}
            Err(planned) => panic!("{planned}"),
        }
    }
    panic!("no end");
}

/// Checks that each key kept its order, that no two requests in flight had the same key, and that
/// there were no more of them than allowed. `parked` were given up.
pub(crate) fn check(sim: &Sim, published: u64, parked: &BTreeSet<u64>, most: usize, case: &str) {
    let requests = sim.receivers.answered();
    let taken: Vec<bool> =
        sim.receivers.requests_to("/a").into_iter().map(|(_, taken)| taken).collect();
    let mut next: HashMap<u64, u64> = (0..KEYS).map(|key| (key, key)).collect();
    for (number, (request, answered)) in requests.iter().enumerate() {
        let its = orders(&request.body);
        let keys: HashSet<u64> = its.iter().copied().map(key).collect();
        let end = (*answered).min(requests.len());
        for (other, _) in &requests[number + 1..end.max(number + 1)] {
            let shared = orders(&other.body).into_iter().any(|order| keys.contains(&key(order)));
            assert!(!shared, "{case}: {its:?} and {:?} in flight", orders(&other.body));
        }
        let flying = requests[..number].iter().filter(|(_, answered)| *answered > number).count();
        assert!(flying < most, "{case}: {} in flight", flying + 1);
        let mut at: BTreeMap<u64, u64> = BTreeMap::new();
        for order in its {
            let expected = *at.entry(key(order)).or_insert(order);
            // What was parked is passed over.
            let gap = (expected..order).step_by(5).all(|order| parked.contains(&order));
            assert!(gap, "{case}: order {order} came after {expected}");
            let due = next[&key(order)].max(expected);
            let behind = (due..order).step_by(5).all(|order| parked.contains(&order));
            assert!(order <= due || behind, "{case}: order {order} overtook {due}");
            at.insert(key(order), order + KEYS);
        }
        if taken[number] {
            for (key, end) in at {
                next.entry(key).and_modify(|next| *next = end.max(*next));
            }
        }
    }
    let got: BTreeSet<u64> = requests
        .iter()
        .zip(&taken)
        .filter(|(_, taken)| **taken)
        .flat_map(|((request, _), _)| orders(&request.body))
        .collect();
    let expected: BTreeSet<u64> = (0..published).filter(|order| !parked.contains(order)).collect();
    assert_eq!(got, expected, "{case}");
}
