use super::*;
use hookyard_core::id::{DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{Mode, NewSource, Outgoing, Previous, Secret, SourceOptions};
use http::HeaderName;
use std::io::Write;

const BYTES_MAX: usize = 1000;
const NOW: i64 = 1_700_000_000;

pub(super) fn source(secret: Option<&str>) -> Source {
    Source {
        id: SourceId(1),
        dataset: DatasetId(1),
        created_at: Timestamp::UNIX_EPOCH,
        spec: NewSource {
            workspace: WorkspaceId(1),
            project: ProjectId(1),
            name: "test".to_owned(),
            mode: Mode::Combine,
            origins: "https://a.example".to_owned(),
            secret: secret.map(Secret::new),
            key: "g7rHe3mUqUGPEpnc4XxeDWJa".to_owned(),
            folder: None,
            options: SourceOptions::default(),
            previous: Previous::default(),
        },
    }
}

/// Judges and reads a delivery like the server.
fn deliver(
    source: &Source,
    method: &Method,
    query: &str,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> Result<Option<String>, Refusal> {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
    let head = Head { method, headers: &headers, query };
    let now = Timestamp::from_second(NOW).unwrap();
    let standing = standing(source, head, now);
    read(source, standing, head, &Bytes::copy_from_slice(body), BYTES_MAX, now)
        .map(|cell| cell.map(|cell| String::from_utf8(cell.to_vec()).unwrap()))
}

fn post(content_type: &str, body: &[u8]) -> Result<Option<String>, Refusal> {
    deliver(&source(None), &Method::POST, "", &[("content-type", content_type)], body)
}

fn stored(cell: &str) -> Result<Option<String>, Refusal> {
    Ok(Some(cell.to_owned()))
}

#[test]
fn json_is_kept_verbatim() {
    let text = r#"{"b": 1.0, "a": 12345678901234567890123, "u": "\u00e9"}"#;
    for content_type in ["application/json", "Application/JSON; charset=utf-8", "x/y+json"] {
        assert_eq!(post(content_type, format!("\u{feff} {text}\r\n").as_bytes()), stored(text));
    }
    for text in ["[1, 2]", "\"x\"", "1.50", "null", "{}", "[]"] {
        assert_eq!(post("application/json", text.as_bytes()), stored(text));
    }
}

#[test]
fn what_is_no_json_is_malformed_under_a_json_type() {
    let deep = "[".repeat(129) + &"]".repeat(129);
    for body in ["{bad", "NaN", "[Infinity]", " ", &deep] {
        let refused = post("application/json", body.as_bytes());
        assert!(matches!(refused, Err(Refusal::Malformed(_))), "{body}");
    }
    assert!(matches!(post("application/json", b"\"\xff\""), Err(Refusal::Malformed(_))));
}

#[test]
fn forms_become_objects() {
    let urlencoded = "application/x-www-form-urlencoded; charset=UTF-8";
    let cell = r#"{"a":["1","2"],"b":"x y","init[t]":"3"}"#;
    assert_eq!(post(urlencoded, b"a=1&a=2&b=x+y&init%5Bt%5D=3"), stored(cell));
    assert!(matches!(post(urlencoded, b"a=%ff"), Err(Refusal::Unsupported(_))));
    let multipart = "multipart/form-data; boundary=B";
    let body = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
        --B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\n\r\n--B--\r\n";
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let file = format!(r#"{{"filename":"f","content_type":null,"size":0,"sha256":"{empty}"}}"#);
    assert_eq!(post(multipart, body.as_bytes()), stored(&format!(r#"{{"a":["1",{file}]}}"#)));
    assert!(matches!(post(multipart, b"a=1"), Err(Refusal::Malformed(_))));
}

#[test]
fn other_text_is_json_or_a_string() {
    for content_type in ["text/plain", "", "application/xml"] {
        assert_eq!(post(content_type, b" {\"a\": 1} "), stored("{\"a\": 1}"));
        assert_eq!(post(content_type, b"hello"), stored("\"hello\""));
        assert_eq!(post(content_type, "é\n".as_bytes()), stored("\"é\\n\""));
        assert!(matches!(post(content_type, b"\xff"), Err(Refusal::Unsupported(_))));
    }
}

#[test]
fn queries_are_data_when_there_is_no_body() {
    let open = source(None);
    let cell = r#"{"c":"val 1","l":["1","2"],"secret":"s"}"#;
    let query = "c=val+1&l=1&l=2&secret=s";
    assert_eq!(deliver(&open, &Method::GET, query, &[], b""), stored(cell));
    assert_eq!(deliver(&open, &Method::POST, query, &[], b""), stored(cell));
    assert_eq!(deliver(&open, &Method::POST, query, &[], b"1"), stored("1"));
    assert_eq!(deliver(&open, &Method::HEAD, query, &[], b""), Ok(None));
    assert!(matches!(deliver(&open, &Method::GET, "a=%ff", &[], b""), Err(Refusal::Malformed(_))));
}

#[test]
fn nothing_stores_nothing() {
    for method in [Method::GET, Method::POST, Method::HEAD] {
        assert_eq!(deliver(&source(None), &method, "", &[], b""), Ok(None));
    }
    let json = [("content-type", "application/json")];
    assert_eq!(deliver(&source(None), &Method::POST, "", &json, b""), Ok(None));
}

#[test]
fn sizes_are_bounded_as_sent_decoded_and_stored() {
    let fits = "7".repeat(BYTES_MAX);
    assert_eq!(post("", fits.as_bytes()), stored(&fits));
    assert_eq!(post("", &[b'7'; BYTES_MAX + 1]), Err(Refusal::TooLarge));
    // The quotes make the cell larger than the text was.
    assert_eq!(post("", &[b'x'; BYTES_MAX - 1]), Err(Refusal::TooLarge));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&[b'7'; BYTES_MAX]).unwrap();
    let gzip = [("content-encoding", "gzip"), ("content-type", "application/json")];
    let coded = encoder.finish().unwrap();
    assert_eq!(deliver(&source(None), &Method::POST, "", &gzip, &coded), stored(&fits));
    let brotli = [("content-encoding", "br")];
    let refused = deliver(&source(None), &Method::POST, "", &brotli, b"1");
    assert!(matches!(refused, Err(Refusal::Coding(_))));
}

#[test]
fn a_secret_may_be_shown_in_four_places() {
    let secure = source(Some("V36QXDxGiwSa"));
    for headers in [
        [("x-webhook-secret", "V36QXDxGiwSa")],
        [("authorization", "Bearer V36QXDxGiwSa")],
        [("authorization", "Basic dTpWMzZRWER4R2l3U2E=")],
    ] {
        assert_eq!(deliver(&secure, &Method::POST, "", &headers, b"1"), stored("1"));
        assert_eq!(deliver(&secure, &Method::GET, "x=1", &headers, b""), stored(r#"{"x":"1"}"#));
    }
    let query = "secret=V36QXDxGiwSa&x=1";
    assert_eq!(deliver(&secure, &Method::GET, query, &[], b""), stored(r#"{"x":"1"}"#));
    assert_eq!(deliver(&secure, &Method::GET, "secret=V36QXDxGiwSa", &[], b""), Ok(None));
    assert_eq!(deliver(&secure, &Method::POST, query, &[], b"1"), stored("1"));
}

#[test]
fn missing_and_wrong_proofs_look_the_same() {
    let secure = source(Some("V36QXDxGiwSa"));
    let refused = Err(Refusal::Unproven);
    assert_eq!(deliver(&secure, &Method::POST, "", &[], b"1"), refused);
    assert_eq!(deliver(&secure, &Method::POST, "secret=x", &[], b"1"), refused);
    let wrong = [("x-webhook-secret", "x")];
    assert_eq!(deliver(&secure, &Method::POST, "", &wrong, b"1"), refused);
    let signature = [("x-hub-signature-256", "sha256=00")];
    assert_eq!(deliver(&secure, &Method::POST, "", &signature, b"1"), refused);
    // The proof is judged before the data is read.
    let json = [("content-type", "application/json")];
    assert_eq!(deliver(&secure, &Method::POST, "", &json, b"{bad"), refused);
}

#[test]
fn signatures_cover_the_body_and_nothing_else() {
    let secure = source(Some("It's a Secret to Everybody"));
    let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let value = format!("sha256={hex}");
    let signed = [("x-hub-signature-256", value.as_str())];
    let body = b"Hello, World!";
    assert_eq!(deliver(&secure, &Method::POST, "", &signed, body), stored("\"Hello, World!\""));
    let tampered = deliver(&secure, &Method::POST, "", &signed, b"Hello, World! ");
    assert_eq!(tampered, Err(Refusal::Unproven));
    // The HMAC of the empty body with the secret: right, and still no proof of a query.
    let empty = "sha256=66a0c074deaa0f489ead6537e0d32f9a344b90bbeda705b6ed45ecd3b413fb40";
    let signed = [("x-hub-signature-256", empty)];
    assert_eq!(deliver(&secure, &Method::POST, "", &signed, b""), Ok(None));
    for method in [Method::GET, Method::HEAD] {
        let refused = deliver(&secure, &method, "x=2", &signed, b"");
        assert_eq!(refused, Err(Refusal::Unproven));
    }
}

#[test]
fn only_browsers_are_asked_where_they_come_from() {
    let judged = |value: Option<&str>| {
        let headers = value.map(|value| (ORIGIN, value.parse().unwrap())).into_iter().collect();
        judge_origin(&source(None), &headers)
    };
    assert_eq!(judged(None), None);
    assert_eq!(judged(Some("https://a.example")), Some(Verdict::Listed));
    assert_eq!(judged(Some("https://evil.example")), Some(Verdict::Refused));
}

#[test]
fn a_secret_that_was_rotated_proves_until_its_end() {
    let mut source = source(Some("new"));
    let until = |second| Outgoing {
        value: Secret::new("s3cret"),
        until: Timestamp::from_second(second).unwrap(),
    };
    let shown: &[(&'static str, &str)] = &[("x-webhook-secret", "s3cret")];
    let signature = "sha256=adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b";
    let signed: &[(&'static str, &str)] = &[("x-hub-signature-256", signature)];
    for (end, expected) in [(NOW + 1, Ok(())), (NOW, Err(Refusal::Unproven))] {
        source.spec.previous.secret = Some(until(end));
        for headers in [shown, signed] {
            let read = deliver(&source, &Method::POST, "", headers, b"{}");
            assert_eq!(read.map(drop), expected, "{headers:?} until {end}");
        }
    }
}
