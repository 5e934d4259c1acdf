use std::io::Read;

use flate2::read::GzDecoder;
use hookyard_core::catalogue::initial;
use hookyard_core::id::{EndpointId, Seq, WorkspaceId};
use hookyard_core::model::{PayloadFormat, Subscription};
use jiff::Timestamp;

use super::*;

fn catalogue() -> Arc<Catalogue> {
    Arc::new(initial().clone())
}

fn type_id(name: &str) -> EventTypeId {
    initial().by_name(name).unwrap().1.id
}

fn endpoint(change: impl FnOnce(&mut EndpointSettings), expansion: &str) -> Arc<Endpoint> {
    let mut settings = EndpointSettings::to_url("https://a.test/");
    change(&mut settings);
    let subscription = Subscription {
        event_type: type_id("order_create"),
        active: true,
        expansion: Some(expansion.to_owned()),
        comments: None,
        rule: None,
    };
    Arc::new(Endpoint {
        id: EndpointId(1),
        workspace: WorkspaceId(1),
        revision: 1,
        created_at: Timestamp::UNIX_EPOCH,
        disabled_reason: None,
        application: None,
        customer: None,
        settings,
        subscriptions: vec![subscription],
    })
}

fn event(kind: &str, object: impl Into<String>) -> Arc<Event> {
    Arc::new(Event {
        seq: Seq(1),
        workspace: WorkspaceId(1),
        accepted_at: Timestamp::UNIX_EPOCH,
        event_type: type_id(kind),
        id: String::new(),
        source: String::new(),
        attributes: String::new(),
        object: Bytes::from(object.into()),
        matched: 1,
        damaged: false,
    })
}

/// An order with `base` bytes of text in the base object and `summary` bytes in the summary.
fn order(id: u32, base: usize, summary: usize) -> Arc<Event> {
    let (base, summary) = ("b".repeat(base), "s".repeat(summary));
    event(
        "order_create",
        format!(r#"{{"order_id":"D-{id}","note":"{base}","summary":"{summary}"}}"#),
    )
}

fn text(bundle: &Bundle) -> &str {
    std::str::from_utf8(&bundle.body).unwrap()
}

/// Text that gzip hardly makes smaller.
fn noise(length: usize, mut state: u64) -> String {
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
                [(state >> 58) as usize],
        )
    };
    (0..length).map(|_| next()).collect()
}

fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzDecoder::new(&STANDARD.decode(body).unwrap()[..]).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn kinds_are_mixed_and_objects_keep_their_text() {
    let events = [
        event(
            "order_create",
            r#"{ "order_id" : "D-1", "total": 1.50, "billing": {}, "item":[ ] }"#,
        ),
        event("user_login", r#"{"login":"a","summary":null,"n":1e400}"#),
        event("order_create", r#"{"order_id":"D-1"}"#),
        event("order_update", r#"{"order_id":"D-2","item":[1]}"#),
    ];
    let bundle = bundle(&catalogue(), &endpoint(|_| {}, "item"), &events).unwrap();
    let expected = concat!(
        r#"{"events":[{"order_create":{ "order_id" : "D-1", "total": 1.50, "item":[ ] }},"#,
        r#"{"user_login":{"login":"a","summary":null,"n":1e400}},"#,
        r#"{"order_create":{"order_id":"D-1"}},{"order_update":{"order_id":"D-2"}}]}"#,
    );
    assert_eq!(text(&bundle), expected);
    assert_eq!(bundle.events, 4);
    let types = ["order_create", "user_login", "order_update"].map(type_id);
    assert_eq!(bundle.event_types, types);
    assert_eq!(bundle.order_ids, ["D-1", "D-2"]);
}

#[test]
fn each_format_writes_the_event_its_way() {
    let event = |id: &str, attributes: &str| {
        let object = r#"{ "total": 1.50, "item":[ ] }"#;
        let (id, source, attributes) = (id.to_owned(), "/shop".to_owned(), attributes.to_owned());
        let plain = (*event("order_create", object)).clone();
        Arc::new(Event { id, source, attributes, ..plain })
    };
    let events =
        [event("1", r#"{"subject":"s","time":"2026-12-01T00:00:00+01:00"}"#), event("2", "")];
    let written = |format| {
        let endpoint = endpoint(|settings| settings.options.format = format, "");
        let bundle = bundle(&catalogue(), &endpoint, &events).unwrap();
        (text(&bundle).to_owned(), bundle.events)
    };
    let one = |text: &str| (text.to_owned(), 1);
    let first = concat!(
        r#"{"specversion":"1.0","id":"1","source":"/shop","type":"order_create","#,
        r#""subject":"s","time":"2026-12-01T00:00:00+01:00","data":{ "total": 1.50}}"#,
    );
    let second = concat!(
        r#"{"specversion":"1.0","id":"2","source":"/shop","type":"order_create","#,
        r#""time":"1970-01-01T00:00:00Z","data":{ "total": 1.50}}"#,
    );
    assert_eq!(written(PayloadFormat::Data), one(r#"{ "total": 1.50}"#));
    assert_eq!(written(PayloadFormat::CloudEventsBinary), one(r#"{ "total": 1.50}"#));
    let standard = concat!(
        r#"{"type":"order_create","timestamp":"2026-12-01T00:00:00+01:00","#,
        r#""data":{ "total": 1.50}}"#,
    );
    assert_eq!(written(PayloadFormat::Standard), one(standard));
    assert_eq!(written(PayloadFormat::CloudEvents), one(first));
    assert_eq!(written(PayloadFormat::CloudEventsBatch), (format!("[{first},{second}]"), 2));
}

#[test]
fn events_that_fill_a_request_alone_are_cut_down_or_refused_in_every_format() {
    for format in [PayloadFormat::Standard, PayloadFormat::Data, PayloadFormat::CloudEventsBatch] {
        let endpoint = endpoint(|settings| settings.options.format = format, "summary");
        let cut = bundle(&catalogue(), &endpoint, &[order(1, 10, 900_000)]).unwrap();
        assert!(cut.body.len() < 1_000 && text(&cut).contains("bbbbbbbbbb"), "{format:?}");
        let refused = bundle(&catalogue(), &endpoint, &[order(1, 900_000, 10)]);
        assert!(matches!(refused, Err(Unsendable::TooLarge { .. })), "{format:?}");
    }
}

#[test]
fn nothing_renders_to_an_empty_list() {
    let bundle = bundle(&catalogue(), &endpoint(|_| {}, ""), &[]).unwrap();
    assert_eq!((text(&bundle), bundle.events), (r#"{"events":[]}"#, 0));
}

#[test]
fn maximum_events_is_exact_from_one() {
    let events: Vec<_> = (0..20).map(|id| order(id, 1, 1)).collect();
    for (asked, expected) in [(-5, 1), (0, 1), (1, 1), (7, 7), (20, 20), (i32::MAX, 20)] {
        let endpoint = endpoint(|settings| settings.maximum_events = asked, "");
        assert_eq!(bundle(&catalogue(), &endpoint, &events).unwrap().events, expected, "{asked}");
    }
}

#[test]
fn maximum_size_counts_the_body_as_sent() {
    let events: Vec<_> = (0..10).map(|id| order(id, 100, 5_000)).collect();
    let three = bundle(&catalogue(), &endpoint(|_| {}, ""), &events[..3]).unwrap().body.len();
    for (size, expected) in [(three, 3), (three - 1, 2), (1, 1)] {
        let size = i32::try_from(size).unwrap();
        let endpoint = endpoint(|settings| settings.maximum_size = size, "");
        assert_eq!(bundle(&catalogue(), &endpoint, &events).unwrap().events, expected, "{size}");
    }
    for size in [0, -1, i32::MAX] {
        let endpoint = endpoint(|settings| settings.maximum_size = size, "");
        assert_eq!(bundle(&catalogue(), &endpoint, &events).unwrap().events, 10, "{size}");
    }
    let large: Vec<_> = (0..10).map(|id| order(id, 200_000, 0)).collect();
    let endpoint = endpoint(|settings| settings.maximum_size = 5_242_880, "");
    assert_eq!(bundle(&catalogue(), &endpoint, &large).unwrap().events, 4);
}

#[test]
fn an_event_too_large_by_itself_is_cut_down_or_refused() {
    let endpoint = endpoint(|settings| settings.maximum_size = 1_000, "summary");
    let alone = bundle(&catalogue(), &endpoint, &[order(1, 10, 800_000), order(2, 1, 1)]).unwrap();
    assert_eq!((alone.events, alone.body.len() > 800_000), (1, true));
    let cut = bundle(&catalogue(), &endpoint, &[order(1, 10, 900_000), order(2, 1, 1)]).unwrap();
    assert_eq!(
        text(&cut),
        r#"{"events":[{"order_create":{"order_id":"D-1","note":"bbbbbbbbbb"}}]}"#
    );
    let refused = bundle(&catalogue(), &endpoint, &[order(1, 900_000, 10)]);
    assert_eq!(refused, Err(Unsendable::TooLarge { bytes: 900_058 }));
}

#[test]
fn an_event_that_cannot_be_rendered_ends_the_bundle_before_it() {
    let unknown = Arc::new(Event { event_type: EventTypeId(999), ..(*order(2, 1, 1)).clone() });
    let events = [order(1, 1, 1), Arc::clone(&unknown), order(3, 1, 1)];
    let endpoint = endpoint(|_| {}, "");
    assert_eq!(bundle(&catalogue(), &endpoint, &events).unwrap().events, 1);
    assert_eq!(bundle(&catalogue(), &endpoint, &[unknown]), Err(Unsendable::UnknownType));
    let broken = event("order_create", r#"{"order_id":"D-1""#);
    assert_eq!(bundle(&catalogue(), &endpoint, &[broken]), Err(Unsendable::Damaged(Damaged)));
}

#[test]
fn compressed_bodies_are_base64_of_gzip() {
    let events: Vec<_> = (0..50).map(|id| order(id, 1_000, 1_000)).collect();
    let plain = bundle(&catalogue(), &endpoint(|_| {}, "summary"), &events).unwrap();
    let compressed =
        bundle(&catalogue(), &endpoint(|s| s.compress_events = true, "summary"), &events).unwrap();
    assert!(compressed.body.starts_with(b"H4sI"));
    assert_eq!(gunzip(&compressed.body), plain.body);
    assert_eq!(Bundle { body: plain.body.clone(), ..compressed }, plain);
}

#[test]
fn compressed_size_is_measured_after_compression() {
    let noisy =
        |id: u32| event("order_create", format!(r#"{{"n":"{}"}}"#, noise(2_000, id.into())));
    let events: Vec<_> = (1..60).map(noisy).collect();
    let limited = |size| {
        let endpoint = endpoint(
            |settings| {
                settings.compress_events = true;
                settings.maximum_size = size;
            },
            "",
        );
        bundle(&catalogue(), &endpoint, &events).unwrap()
    };
    let some = limited(30_000);
    assert!(some.events > 5 && some.events < 30 && some.body.len() <= 30_000);
    let one_more = i32::try_from(some.body.len()).unwrap() - 1;
    assert_eq!(limited(one_more).events, some.events - 1);
    assert_eq!(limited(10).events, 1);
    // Far more than fits plainly, yet small when compressed.
    let flat: Vec<_> = (0..20).map(|id| order(id, 100_000, 0)).collect();
    let endpoint = endpoint(|settings| settings.compress_events = true, "");
    assert_eq!(bundle(&catalogue(), &endpoint, &flat).unwrap().events, 20);
}

/// The longest run is found from any first try.
#[test]
fn the_longest_compressed_run_is_that_of_trying_all() {
    for (count, length) in [(1, 10), (2, 4_000), (60, 300), (200, 20)] {
        let frame = Frame::of(PayloadFormat::Bundle);
        let mut text = frame.opening.to_vec();
        let mut ends = Vec::new();
        for id in 0..count {
            text.extend_from_slice(noise(length, id + 1).as_bytes());
            ends.push(text.len());
        }
        let joined = Joined { frame, text, ends };
        for size in [10, 300, 1_000, 5_000, 100_000] {
            for coding in [Coding::Gzip, Coding::GzipText] {
                let all = joined.ends.len();
                let fits = |count: &usize| joined.compressed(*count, coding).len() <= size;
                let expected = (1..=all).rev().find(fits).unwrap_or(1);
                let (body, found) = joined.longest_compressed(size, coding);
                assert_eq!((found, body), (expected, joined.compressed(expected, coding)));
            }
        }
    }
}

/// A queue of events that shrink a lot. The first try is far from the whole queue, and far from the fitting
/// number of events.
#[test]
fn a_small_compressed_bundle_is_cut_out_of_a_long_queue() {
    let frame = Frame::of(PayloadFormat::Bundle);
    let mut text = frame.opening.to_vec();
    let mut ends = Vec::new();
    for id in 0..5_000 {
        text.extend_from_slice(
            format!(r#"{{"order":{},"text":"{id}"}},"#, "7".repeat(90)).as_bytes(),
        );
        ends.push(text.len());
    }
    let joined = Joined { frame, text, ends };
    let (body, found) = joined.longest_compressed(2_000, Coding::Gzip);
    assert!(body.len() <= 2_000 && found > 100 && found < 5_000, "{found}");
    assert!(joined.compressed(found + 1, Coding::Gzip).len() > 2_000);
}
