//! Whether what an endpoint took is in order.

use std::collections::HashMap;

/// What came of checking one endpoint.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) events: usize,
    /// How often history started over.
    pub(crate) again: usize,
    pub(crate) repeats: usize,
}

/// Checks the order of one endpoint's events: each follows the one before it in the journal. Only a
/// reflow goes back, to the first event, and only the bundle that came last may come again.
pub(crate) fn check_order(bundles: &[Vec<usize>], most: usize) -> Result<Order, String> {
    let mut order = Order::default();
    let (mut next, mut before_last) = (0, 0);
    let mut last: &[usize] = &[];
    for bundle in bundles {
        check_size(bundle.len(), most)?;
        if bundle.first() != Some(&next) && bundle.first() == last.first() {
            order.repeats += last.len();
            next = before_last;
        }
        (before_last, last) = (next, bundle);
        for place in bundle {
            if *place == 0 && next > 0 {
                order.again += 1;
            } else if *place != next {
                return Err(format!("event {place} came where event {next} was to come"));
            }
            next = place + 1;
        }
        order.events += bundle.len();
    }
    Ok(order)
}

fn check_size(bundle: usize, most: usize) -> Result<(), String> {
    if bundle > most { Err(format!("a bundle of {bundle} came")) } else { Ok(()) }
}

/// What comes next of the live events and, if there is one, of the replay.
#[derive(Debug, Clone, Copy, Default)]
struct Streams {
    live: usize,
    replay: Option<usize>,
    again: usize,
}

impl Streams {
    fn take(&mut self, bundle: &[usize]) -> Result<(), String> {
        for place in bundle {
            if *place == self.live {
                self.live += 1;
            } else if Some(*place) == self.replay {
                self.replay = Some(place + 1);
            } else if *place == 0 {
                (self.replay, self.again) = (Some(1), self.again + 1);
            } else {
                return Err(format!("event {place} came where {self:?} was to come"));
            }
        }
        Ok(())
    }
}

/// The same where replays take turns with live events: those of each are in the journal's order, and
/// one replay comes after another.
pub(crate) fn check_replayed(bundles: &[Vec<usize>], most: usize) -> Result<Order, String> {
    let mut order = Order::default();
    let (mut now, mut before_last) = (Streams::default(), Streams::default());
    let mut last: &[usize] = &[];
    for bundle in bundles {
        check_size(bundle.len(), most)?;
        let repeated = bundle.first() == last.first() && !last.is_empty();
        let mut next = now;
        if repeated && (bundle.first() == Some(&0) || next.take(bundle).is_err()) {
            order.repeats += last.len();
            now = before_last;
        }
        (before_last, last) = (now, bundle);
        now.take(bundle)?;
        order.events += bundle.len();
    }
    Ok(Order { again: now.again, ..order })
}

/// The same where several bundles come at a time: of each key, each event follows the one before it, and
/// only those of the bundle that came last may come again. `keys` are the places of each key.
pub(crate) fn check_keys(
    bundles: &[Vec<(u64, usize)>],
    most: usize,
    keys: &HashMap<u64, Vec<usize>>,
) -> Result<Order, String> {
    let mut order = Order::default();
    // Of each key, how many have come, and how many had before the last bundle.
    let mut come: HashMap<u64, (usize, usize)> = HashMap::new();
    for bundle in bundles {
        check_size(bundle.len(), most)?;
        let mut of_key: HashMap<u64, Vec<usize>> = HashMap::new();
        for (key, place) in bundle {
            of_key.entry(*key).or_default().push(*place);
        }
        for (key, its) in of_key {
            let places = &keys[&key];
            let (next, before_last) = come.get(&key).copied().unwrap_or_default();
            let from = if places.get(next) == its.first() { next } else { before_last };
            if places.get(from..from + its.len()) != Some(&its[..]) {
                return Err(format!("of key {key} came {its:?} where event {next} was to come"));
            }
            order.repeats += next - from;
            come.insert(key, (from + its.len(), from));
        }
        order.events += bundle.len();
    }
    Ok(order)
}

#[test]
fn the_check_sees_what_is_wrong() {
    let good = [vec![0, 1], vec![2, 3], vec![2, 3], vec![4, 0], vec![4, 0], vec![1, 2]];
    assert_eq!(check_order(&good, 2), Ok(Order { events: 12, again: 2, repeats: 4 }));
    let gap = [vec![0], vec![2]];
    let older = [vec![0, 1], vec![2, 3], vec![4], vec![2, 3]];
    for wrong in [&gap[..], &older[..], &[vec![1]], &[vec![0, 1, 2]]] {
        assert!(check_order(wrong, 2).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_check_of_replays_sees_what_is_wrong() {
    let good = [vec![0, 1], vec![2, 0], vec![2, 0], vec![1, 3], vec![2, 0], vec![4, 1]];
    assert_eq!(check_replayed(&good, 2), Ok(Order { events: 12, again: 2, repeats: 2 }));
    let gap = [vec![0, 1, 2], vec![0], vec![2]];
    let older = [vec![0, 1], vec![2], vec![1]];
    for wrong in [&gap[..], &older[..], &[vec![1]], &[vec![0, 2]]] {
        assert!(check_replayed(wrong, 3).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_check_of_keys_sees_what_is_wrong() {
    let keys = HashMap::from([(0, vec![0, 2, 4]), (1, vec![1, 3, 5])]);
    let bundle = |places: &[usize]| -> Vec<_> {
        places.iter().map(|place| (*place as u64 % 2, *place)).collect()
    };
    let check = |bundles: &[&[usize]]| {
        check_keys(&bundles.iter().map(|places| bundle(places)).collect::<Vec<_>>(), 3, &keys)
    };
    let good = check(&[&[1, 0, 3], &[2], &[5], &[2], &[4]]);
    assert_eq!(good, Ok(Order { events: 7, again: 0, repeats: 1 }));
    for wrong in [&[&[2][..]][..], &[&[0, 4]], &[&[0], &[2], &[0]], &[&[1, 0, 2, 3]], &[&[2, 0]]] {
        assert!(check(wrong).is_err(), "{wrong:?}");
    }
}
