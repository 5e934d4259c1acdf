use std::collections::BTreeMap;

use hookyard_core::order_key::OrderKey;
use proptest::prelude::*;

use super::*;

const ALL: HeadLimit = HeadLimit { events: usize::MAX, bytes: usize::MAX };

fn key(number: u64) -> Key {
    let path: OrderKey = "k".parse().unwrap();
    path.key_of(format!(r#"{{"k":{number}}}"#).as_bytes())
}

fn entry(place: u64, of: u64) -> LaneEntry {
    LaneEntry { place, seq: Seq(place), key: key(of), bytes: 10, queued_at: Timestamp::UNIX_EPOCH }
}

/// Entries at places from 0 with these keys.
fn entries(keys: &[u64]) -> Vec<LaneEntry> {
    keys.iter().zip(0..).map(|(key, place)| entry(place, *key)).collect()
}

fn held(entries: &[u64], failures: u32) -> (Held, Option<Duration>) {
    (Held { entries: entries.to_vec(), failures, refusals: 0, retry_at: None }, None)
}

fn most(events: usize) -> HeadLimit {
    HeadLimit { events, ..ALL }
}

/// The places of the entries that leave with a new lane.
fn picked(roster: &mut Roster, limit: HeadLimit) -> (LaneId, Vec<u64>) {
    let Picked::Lane(id) = roster.pick(limit, false) else { panic!("no lane") };
    let events = roster.next_bundle(id);
    (id, places(&roster.begin(id, events)))
}

fn places(bundle: &LaneBundle) -> Vec<u64> {
    bundle.entries.iter().map(|entry| entry.place).collect()
}

fn outcome(verdict: Verdict, events: usize) -> LaneOutcome {
    LaneOutcome { verdict, events, refusals: 0, retry_at: None }
}

#[test]
fn keys_in_flight_are_passed_over() {
    let mut roster = Roster::new(entries(&[1, 1, 2, 3, 1, 4, 2]), &[]);
    let (first, sent) = picked(&mut roster, most(1));
    assert_eq!(sent, [0]);
    assert_eq!(picked(&mut roster, most(2)).1, [2, 3]);
    assert_eq!(picked(&mut roster, most(9)).1, [5], "2 is in flight, too");
    assert_eq!(roster.pick(ALL, false), Picked::Nothing);
    assert_eq!(roster.pick(ALL, true), Picked::Short);
    roster.settle(first, outcome(Verdict::Taken, 1));
    assert_eq!(picked(&mut roster, ALL).1, [1, 4], "all of a key in their order");
    assert_eq!(roster.in_flight(), 3);
}

#[test]
fn a_lane_takes_no_more_bytes_than_fit() {
    let mut roster = Roster::new(entries(&[1, 2, 3]), &[]);
    assert_eq!(picked(&mut roster, HeadLimit { bytes: 11, ..ALL }).1, [0, 1]);
    assert_eq!(picked(&mut roster, HeadLimit { bytes: 1, ..ALL }).1, [2], "at least one");
}

#[test]
fn what_did_not_fit_goes_out_later_in_its_place() {
    let mut roster = Roster::new(entries(&[1, 2, 1, 3]), &[]);
    let (first, sent) = picked(&mut roster, most(3));
    assert_eq!(sent, [0, 1, 2]);
    roster.settle(first, outcome(Verdict::Taken, 1));
    assert_eq!(picked(&mut roster, ALL).1, [1, 2, 3]);
}

#[test]
fn a_failed_bundle_stays_what_it_was_and_others_pass_it() {
    let mut roster = Roster::new(entries(&[1, 2, 1, 3]), &[]);
    let (first, _) = picked(&mut roster, most(2));
    let later = Duration::from_secs(9);
    let failed = LaneOutcome { retry_at: Some(later), ..outcome(Verdict::Retry, 2) };
    roster.settle(first, failed);
    roster.add([entry(4, 4)]);
    assert_eq!((roster.due(Duration::ZERO), roster.next_retry()), (None, Some(later)));
    assert_eq!(picked(&mut roster, ALL).1, [3, 4]);
    assert_eq!(roster.due(later), Some(first));
    let again = roster.begin(first, roster.next_bundle(first));
    assert_eq!((places(&again), again.failures), (vec![0, 1], 1));
}

#[test]
fn a_refused_bundle_is_halved_within_its_lane() {
    let mut roster = Roster::new(entries(&[1, 2, 3, 4, 5, 6, 7, 8]), &[]);
    let (lane, _) = picked(&mut roster, most(6));
    roster.settle(lane, outcome(Verdict::Halve, 6));
    let half = roster.begin(lane, roster.next_bundle(lane));
    assert_eq!(places(&half), [0, 1, 2]);
    roster.settle(lane, outcome(Verdict::Taken, 3));
    assert_eq!(places(&roster.begin(lane, roster.next_bundle(lane))), [3]);
    roster.settle(lane, LaneOutcome { refusals: 1, ..outcome(Verdict::Refused, 1) });
    // The others are free, and the entry refused alone stays alone.
    assert_eq!(picked(&mut roster, ALL).1, [4, 5, 6, 7]);
    let alone = roster.begin(lane, roster.next_bundle(lane));
    assert_eq!((places(&alone), alone.refusals), (vec![3], 1));
    roster.settle(lane, outcome(Verdict::Park, 1));
    assert_eq!(roster.lanes(), 1);
}

#[test]
fn bundles_that_failed_before_a_start_are_put_together_again() {
    let all = entries(&[1, 2, 1, 3, 4, 2]);
    let bundles = [held(&[1, 5], 2), held(&[0, 2, 3], 1)];
    let mut roster = Roster::new(all.clone(), &bundles);
    assert_eq!((roster.lanes(), roster.in_flight()), (2, 0));
    let lane = roster.due(Duration::ZERO).unwrap();
    let first = roster.begin(lane, roster.next_bundle(lane));
    assert_eq!((places(&first), first.failures), (vec![1, 5], 2));
    assert_eq!(picked(&mut roster, ALL).1, [4]);
    // With another path of the key the bundles may not fit together any more.
    for wrong in [[held(&[2], 1), held(&[1], 1)], [held(&[0], 1), held(&[2], 1)]] {
        let mut roster = Roster::new(all.clone(), &wrong);
        assert_eq!(roster.lanes(), 0, "{wrong:?}");
        assert_eq!(picked(&mut roster, ALL).1, [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_lane_that_may_not_leave_is_open_to_others() {
    let mut roster = Roster::new(entries(&[1, 2]), &[]);
    let Picked::Lane(id) = roster.pick(ALL, false) else { panic!("no lane") };
    roster.rest(id);
    roster.add([entry(2, 3)]);
    let (id, sent) = picked(&mut roster, ALL);
    assert_eq!(sent, [0, 1, 2]);
    roster.settle(id, outcome(Verdict::Halve, 3));
    roster.rest(id);
    assert_eq!(roster.lanes(), 1, "one that was sent stays");
    let (id, _) = (id, roster.begin(id, 1));
    roster.unsent(id);
    assert_eq!(picked(&mut roster, ALL).1, [1, 2]);
}

/// The next happenings, each by a number for the lane and for the kind.
fn verdicts() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::vec(any::<(u8, u8, u8)>(), 1..400)
}

proptest! {
    /// Whatever receivers answer: each key has at most one bundle in flight, nothing overtakes, and nothing
    /// is lost.
    #[test]
    fn each_key_keeps_its_order(
        keys in prop::collection::vec(0_u64..6, 0..80),
        lanes in 1..6_usize,
        events in 1..7_usize,
        verdicts in verdicts(),
    ) {
        let mut roster = Roster::new(entries(&keys), &[]);
        let mut left: BTreeMap<u64, u64> = (0..).zip(keys.iter().copied()).collect();
        let mut flying: Vec<(LaneId, Vec<u64>)> = Vec::new();
        let mut verdicts = verdicts.into_iter();
        loop {
            while flying.len() < lanes {
                let id = match roster.due(Duration::ZERO) {
                    Some(id) => id,
                    None if roster.lanes() >= lanes => break,
                    None => match roster.pick(most(events), false) {
                        Picked::Lane(id) => id,
                        _ => break,
                    },
                };
                let bundle = places(&roster.begin(id, roster.next_bundle(id)));
                prop_assert!(!bundle.is_empty() && bundle.len() <= events);
                for (at, place) in bundle.iter().enumerate() {
                    let own = left[place];
                    let earlier = left.range(..place).filter(|(_, key)| **key == own);
                    let earlier: Vec<u64> = earlier.map(|(place, _)| *place).collect();
                    prop_assert!(earlier.iter().all(|place| bundle[..at].contains(place)));
                }
                flying.push((id, bundle));
            }
            if flying.is_empty() {
                break;
            }
            let (which, verdict, cut) = verdicts.next().unwrap_or((0, 0, 0));
            let (id, bundle) = flying.remove(usize::from(which) % flying.len());
            let sent = bundle.len() - usize::from(cut) % bundle.len();
            let verdict = match verdict % 8 {
                0..=2 => Verdict::Taken,
                3 | 4 => Verdict::Retry,
                5 | 6 if sent > 1 => Verdict::Halve,
                5 => Verdict::Refused,
                6 => Verdict::Park,
                _ => Verdict::Drop,
            };
            if matches!(verdict, Verdict::Taken | Verdict::Drop | Verdict::Park) {
                left.retain(|place, _| !bundle[..sent].contains(place));
            }
            let refusals = u32::from(verdict == Verdict::Refused);
            roster.settle(id, LaneOutcome { refusals, ..outcome(verdict, sent) });
        }
        prop_assert!(left.is_empty(), "{left:?}");
    }
}
