//! What is published, and how the receivers take it.

use std::collections::HashMap;

use hookyard_testkit::{Answer, Receiver};
use serde_json::{Value, json};

/// A receiver fails one request of so many. Each failure costs the endpoint a wait of five seconds.
const FAULT_EVERY: usize = 1_000;

/// Answers scripted for each path; later requests are all taken.
const SCRIPTED: usize = 50_000;

/// One event of so many is one that the picky receiver refuses.
const REFUSED_EVERY: u64 = 50;

/// How many shelves the items are on.
const SHELVES: u64 = 7;

/// What the body of a request with an event has that the picky receiver refuses.
const OFFENCE: &str = r#""broken":true"#;

/// The object of the event with this number.
pub(crate) fn object(number: u64, id: &str) -> Value {
    let mut object = json!({"merchant_item_id": id, "shelf": number % SHELVES});
    if number % REFUSED_EVERY == 7 {
        object["broken"] = true.into();
    }
    object
}

/// An event of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its place in the journal, from 0.
    pub(crate) place: usize,
    /// The key by which the lanes keep their order.
    pub(crate) shelf: u64,
    /// Whether the picky receiver refuses it.
    pub(crate) refused: bool,
}

/// The journal's events by their ids.
pub(crate) fn known(journal: &[String]) -> HashMap<String, Known> {
    let one = |(place, id): (usize, &String)| {
        let number: u64 = id.rsplit('-').next().unwrap().parse().unwrap();
        let refused = number % REFUSED_EVERY == 7;
        (id.clone(), Known { place, shelf: number % SHELVES, refused })
    };
    journal.iter().enumerate().map(one).collect()
}

/// One of the endpoints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Its path at the receiver.
    pub(crate) path: &'static str,
    /// The most events of a bundle.
    pub(crate) maximum_events: usize,
    /// The most bundles in flight.
    pub(crate) bundles: usize,
}

const fn one_by_one(path: &'static str, maximum_events: usize) -> Target {
    Target { path, maximum_events, bundles: 1 }
}

/// Those to which history is sent again by reflows.
pub(crate) const REFLOWED: [Target; 3] =
    [one_by_one("/one", 1), one_by_one("/ten", 10), one_by_one("/hundred", 100)];

/// The one to which history is sent again by replays.
pub(crate) const REPLAYED: Target = one_by_one("/again", 100);

/// The one that refuses some events for good.
pub(crate) const PICKY: Target = one_by_one("/picky", 10);

/// The one that takes several bundles at a time.
pub(crate) const LANES: Target = Target { path: "/lanes", maximum_events: 3, bundles: 4 };

/// All of them.
pub(crate) fn targets() -> impl Iterator<Item = Target> {
    REFLOWED.into_iter().chain([REPLAYED, PICKY, LANES])
}

impl Target {
    /// The endpoint as the native API makes it.
    pub(crate) fn endpoint(self, receiver: &Receiver) -> Value {
        let mut endpoint = json!({
            "url": receiver.url(self.path),
            "maximum_events": self.maximum_events,
            "subscriptions": [{"event_type": "item_update"}],
        });
        if self.bundles > 1 {
            endpoint["concurrency"] = self.bundles.into();
            endpoint["order_key"] = "shelf".into();
        }
        if self.path == PICKY.path {
            // At once, so that many are parked in the time of the test.
            endpoint["retry"] = json!([{"status": "422", "action": "park", "after": 1}]);
        }
        endpoint
    }

    /// Has the receiver fail on its path, every now and then, in one of three manners.
    pub(crate) fn script(self, receiver: &Receiver) {
        let answer = |number: usize| match number % (3 * FAULT_EVERY) {
            20 => Answer::status(500),
            1_020 => Answer::close(),
            2_020 => Answer::status(503).header("retry-after", "1"),
            _ => Answer::ok(),
        };
        receiver.script_path(self.path, (0..SCRIPTED).map(answer));
        if self.path == PICKY.path {
            receiver.refuse(self.path, OFFENCE, Answer::status(422));
        }
    }

    /// The bundles that it took, in the order in which they came.
    pub(crate) fn taken(
        self,
        receiver: &Receiver,
        known: &HashMap<String, Known>,
    ) -> Vec<Vec<Known>> {
        let requests = receiver.requests().into_iter();
        let taken = requests.filter(|request| request.path == self.path && request.taken);
        let bundle = |body: &[u8]| -> Vec<Known> {
            let body: Value = serde_json::from_slice(body).unwrap();
            let ids = body["events"].as_array().unwrap().iter();
            ids.map(|e| known[e["item_update"]["merchant_item_id"].as_str().unwrap()]).collect()
        };
        taken.map(|request| bundle(&request.body)).collect()
    }
}
