//! A node that may not deliver any more: what it has under way is cut off, and nothing is begun.

use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_store::{StoreError, Tenure};

use crate::lanes::{lanes, publish};
use crate::scripted::{Reaction, status};
use crate::sim::Sim;

const TENURE: Duration = Duration::from_secs(8);

/// A simulated server that may deliver for [`TENURE`], with its tenure.
async fn start() -> (Sim, Tenure) {
    let (mut sim, tenure) = (Sim::start().await, Tenure::over());
    sim.limit(&tenure);
    tenure.extend(sim.clock.monotonic() + TENURE);
    (sim, tenure)
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_cut_off_when_it_ends() {
    for bundles in [1, 3] {
        let (sim, tenure) = start().await;
        let endpoint = match bundles {
            1 => sim.endpoint("/a", |settings| settings.maximum_events = 1).await.id,
            more => sim.endpoint("/a", lanes(more, 1)).await.id,
        };
        publish(&sim, 0..4, endpoint).await;
        sim.receivers.always("/a", Reaction::Hang);
        let mut worker = sim.worker(endpoint).await;
        let in_flight = usize::try_from(bundles).unwrap();
        let time_passes = async {
            while sim.receivers.count("/a") < in_flight {
                tokio::task::yield_now().await;
            }
            sim.clock.advance(TENURE);
        };
        let (cut, ()) = tokio::join!(sim.deliverer.step(&mut worker), time_passes);
        assert!(matches!(cut, Err(StoreError::Unavailable(_))), "{bundles}: {cut:?}");
        assert_eq!(sim.receivers.count("/a"), in_flight);

        // Nothing more goes out, however often it is tried.
        sim.receivers.always("/a", status(200));
        for _ in 0..5 {
            let tried = sim.deliverer.step(&mut worker).await;
            assert!(matches!(tried, Err(StoreError::Unavailable(_))), "{bundles}: {tried:?}");
        }
        assert_eq!(sim.receivers.count("/a"), in_flight);
        assert!(sim.attempts(endpoint).await.is_empty(), "what nobody may know is not recorded");

        // Nobody else has taken it over: it goes on where it was.
        tenure.extend(sim.clock.monotonic() + 100 * TENURE);
        sim.run_until_idle(&mut worker).await;
        let delivered = sim.delivered().split_off(in_flight).concat();
        let mut sorted = delivered.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3], "{bundles}");
        assert!(bundles > 1 || delivered == sorted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_outlives_many_renewals() {
    let (sim, tenure) = start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(1, &[endpoint]).await;
    sim.receivers.always("/a", Reaction::Hang);
    let mut worker = sim.worker(endpoint).await;
    let step = sim.deliverer.step(&mut worker);
    let renewals = async {
        for _ in 0..10 {
            sim.clock.advance(TENURE / 4);
            tenure.extend(sim.clock.monotonic() + TENURE);
            tokio::time::sleep(TENURE / 4).await;
        }
    };
    tokio::select! {
        done = step => panic!("{done:?}"),
        () = renewals => {}
    }
    assert_eq!(sim.receivers.count("/a"), 1);
}
