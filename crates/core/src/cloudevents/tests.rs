use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const EVENT: &str =
    r#"{"specversion":"1.0","id":"1","source":"/shop","type":"order_create","data":{"n": 1.0}}"#;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn structured(body: &str) -> Result<CloudEvent, Error> {
    let headers = headers(&[("content-type", "application/cloudevents+json; charset=UTF-8")]);
    read(&headers, &Bytes::copy_from_slice(body.as_bytes()), 1 << 20).map(|mut all| all.remove(0))
}

fn batch(body: &str) -> Result<Vec<CloudEvent>, Error> {
    let headers = headers(&[("content-type", "application/cloudevents-batch+json")]);
    read(&headers, &Bytes::copy_from_slice(body.as_bytes()), 1_000)
}

fn binary(pairs: &[(&str, &str)], body: &str) -> Result<CloudEvent, Error> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    read(&headers(pairs), &body, 1 << 20).map(|mut all| all.remove(0))
}

#[test]
fn structured_events_keep_their_data_to_the_byte() {
    let event = structured(EVENT).unwrap();
    assert_eq!((event.id.as_str(), event.source.as_str()), ("1", "/shop"));
    assert_eq!((event.event_type.as_str(), event.attributes.as_str()), ("order_create", ""));
    assert_eq!(event.object, r#"{"n": 1.0}"#);
}

#[test]
fn an_event_keeps_nothing_of_the_body_it_came_in() {
    let padding = " ".repeat(10_000);
    let structured = [&padding, EVENT].concat();
    let batch = format!("[{padding}{EVENT}, {EVENT}]");
    let encoded = EVENT.replace(r#""data":{"n": 1.0}"#, r#""data_base64":"IHsibiI6MX0g""#);
    let binary = [&padding, r#"{"n": 1.0}"#].concat();
    let attributes =
        [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/"), ("ce-type", "a")];
    let json = ("content-type", "application/json");
    for (headers, body) in [
        (headers(&[("content-type", "application/cloudevents+json")]), structured),
        (headers(&[("content-type", "application/cloudevents-batch+json")]), batch),
        (headers(&[("content-type", "application/cloudevents+json")]), encoded),
        (headers(&[&attributes[..], &[json]].concat()), binary),
    ] {
        let body = Bytes::from(body);
        for event in read(&headers, &body, 1 << 20).unwrap() {
            let bytes = event.object.len();
            // Only what nobody else has a part of can be changed.
            let own = event.object.try_into_mut().expect("a part of another buffer");
            assert_eq!(own.capacity(), bytes);
            assert_eq!(event.id.capacity(), event.id.len());
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_event() {
    assert_eq!(structured(&format!("\u{feff}{EVENT}")).unwrap(), structured(EVENT).unwrap());
    assert_eq!(batch(&format!("\u{feff}[{EVENT}]")).unwrap().len(), 1);
    let latin = headers(&[("content-type", "application/cloudevents+json; charset=iso-8859-1")]);
    let error = read(&latin, &Bytes::from_static(b"\"\xe9\""), 100).unwrap_err();
    assert_eq!((error.kind, error.message.contains("iso-8859-1")), (ErrorKind::MediaType, true));
}

#[test]
fn every_moment_of_rfc_3339_is_taken() {
    for time in ["9999-12-31T23:59:59Z", "2026-11-21T10:00:00.1234567891Z"] {
        let event = EVENT.replace(r#""data""#, &format!(r#""time":"{time}","data""#));
        assert!(structured(&event).unwrap().attributes.contains(time), "{time}");
    }
}

#[test]
fn other_attributes_are_kept_as_json() {
    let more = r#","subject":"a\u00e9\"b","time":"2026-11-21T10:00:00Z","retries":3,"ok":true,"gone":null}"#;
    let event = structured(&EVENT.replace("}}", &format!("}}{more}"))).unwrap();
    assert_eq!(
        event.attributes,
        r#"{"subject":"aé\"b","time":"2026-11-21T10:00:00Z","retries":3,"ok":true}"#
    );
}

#[test]
fn base64_data_is_decoded() {
    let encoded = EVENT.replace(r#""data":{"n": 1.0}"#, r#""data_base64":"IHsibiI6MX0g""#);
    assert_eq!(structured(&encoded).unwrap().object, r#"{"n":1}"#);
    for wrong in [r#""data_base64":"!!""#, r#""data_base64":"WzFd""#, r#""data_base64":1"#] {
        let error = structured(&EVENT.replace(r#""data":{"n": 1.0}"#, wrong)).unwrap_err();
        assert_eq!(error.field, "data_base64", "{wrong}");
    }
}

#[test]
fn faults_name_the_field() {
    for (from, to, field) in [
        (r#""id":"1","#, "", "id"),
        (r#""id":"1""#, r#""id":"""#, "id"),
        (r#""id":"1""#, r#""id":1"#, "id"),
        (r#""id":"1""#, r#""id":"1","id":"2""#, "id"),
        (r#""data""#, r#""data":{},"data""#, "data"),
        (r#""data""#, r#""data_base64":"","data_base64":"","data""#, "data_base64"),
        (r#""data""#, r#""time":"20261121T100000Z","data""#, "time"),
        (r#""source":"/shop","#, "", "source"),
        (r#""type":"order_create""#, r#""type":["x"]"#, "type"),
        ("1.0\"", "0.3\"", "specversion"),
        (r#""data":{"n": 1.0}"#, r#""data":[1]"#, "data"),
        (r#","data":{"n": 1.0}"#, "", "data"),
        (r#""data""#, r#""time":"noon","data""#, "time"),
        (r#""data""#, r#""Up":"x","data""#, "Up"),
        (r#""data""#, r#""datacontenttype":"text/xml","data""#, "datacontenttype"),
    ] {
        let error = structured(&EVENT.replacen(from, to, 1)).unwrap_err();
        assert_eq!((error.field.as_str(), error.kind), (field, ErrorKind::Invalid), "{to}");
    }
    for (body, message) in [
        ("[]", "the event must be a JSON object"),
        ("{bad", "the event is not JSON: look at line 1, column 2"),
        ("{", "the event is not JSON: the text ends too early, at line 1, column 1"),
    ] {
        assert_eq!(structured(body).unwrap_err().message, message, "{body}");
    }
    let malformed = structured("{bad").unwrap_err();
    assert_eq!((malformed.field.as_str(), malformed.kind), ("", ErrorKind::Malformed));
}

#[test]
fn deep_data_is_refused() {
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    let error = structured(&EVENT.replace(r#"{"n": 1.0}"#, &deep)).unwrap_err();
    assert_eq!(error.field, "data");
    assert!(error.message.contains("128"));
}

#[test]
fn batches_name_the_event_at_fault() {
    assert_eq!(batch("[]").unwrap(), []);
    assert_eq!(batch(&format!("[{EVENT}, {EVENT}]")).unwrap().len(), 2);
    let bad = EVENT.replace("order_create", "");
    let error = batch(&format!("[{EVENT},{bad}]")).unwrap_err();
    assert_eq!((error.index, error.field.as_str()), (Some(1), "type"));
    let large = EVENT.replace("1.0}", &format!("\"{}\"}}", "x".repeat(1_000)));
    let error = batch(&format!("[{large}]")).unwrap_err();
    assert_eq!((error.index, error.kind), (Some(0), ErrorKind::TooLarge));
    assert_eq!(batch(EVENT).unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn binary_events_have_their_attributes_in_headers() {
    let pairs = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "\"a%20b\""),
        ("ce-source", "/shop"),
        ("ce-type", "order_create"),
        ("ce-subject", "Euro%20%e2%82%ac"),
    ];
    let event = binary(&pairs, " {\"n\": 1} ").unwrap();
    assert_eq!((event.id.as_str(), event.object.as_ref()), ("a b", &br#"{"n": 1}"#[..]));
    assert_eq!(event.attributes, r#"{"subject":"Euro €","datacontenttype":"application/json"}"#);
    assert_eq!(binary(&pairs[..3], "{}").unwrap_err().field, "ce-source");
    let data = [&pairs[..], &[("ce-data", "evil")]].concat();
    assert_eq!(binary(&data, "{}").unwrap_err().field, "ce-data");
    let mut bad = pairs;
    bad[5].1 = "%C0%A0";
    assert_eq!(binary(&bad, "{}").unwrap_err().field, "ce-subject");
    assert_eq!(binary(&pairs, "nope").unwrap_err().field, "body");
    bad[0].1 = "text/plain";
    assert_eq!(binary(&bad[..5], "{}").unwrap_err().kind, ErrorKind::MediaType);
}

#[test]
fn requests_that_are_no_events_say_what_to_send() {
    let error = binary(&[("content-type", "application/json")], EVENT).unwrap_err();
    assert_eq!((error.kind, error.field.as_str()), (ErrorKind::MediaType, "content-type"));
    let xml = [("content-type", "application/cloudevents+xml")];
    assert_eq!(binary(&xml, "<a/>").unwrap_err().kind, ErrorKind::MediaType);
}

proptest! {
    #[test]
    fn no_body_panics(body in ".{0,300}", mode in 0..3_usize) {
        let types = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"];
        let pairs = [("content-type", types[mode]), ("ce-id", "1")];
        let _ = binary(&pairs, &body);
    }

    #[test]
    fn data_survives(text in "[a-z\"\\\\é]{0,40}") {
        let object = serde_json::json!({ "t": text }).to_string();
        let event = structured(&EVENT.replace(r#"{"n": 1.0}"#, &object)).unwrap();
        prop_assert_eq!(event.object, object);
    }
}
