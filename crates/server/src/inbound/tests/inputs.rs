use super::*;
use crate::Settings;
use crate::mammoth::tests::json_of;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn every_row_of_the_table_is_stored_as_it_says() {
    let api = Api::start().await;
    let (webhook, target) = combining(&api).await;
    let form = "application/x-www-form-urlencoded";
    let part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n";
    let post = "POST";
    let mut stored = Vec::new();
    for (method, query, content_type, body, cell) in [
        (
            post,
            "",
            "application/json",
            "\u{feff} {\"a\": 1.0, \"u\": \"\\u00e9\"}\n",
            "{\"a\": 1.0, \"u\": \"\\u00e9\"}",
        ),
        (post, "", "application/vnd.x+json", "[{\"a\":1},{\"a\":2}]", "[{\"a\":1},{\"a\":2}]"),
        (post, "", "application/json", "12345678901234567890.0", "12345678901234567890.0"),
        (
            post,
            "",
            form,
            "a=1&a=2&b=x+y&init%5Bt%5D=3",
            r#"{"a":["1","2"],"b":"x y","init[t]":"3"}"#,
        ),
        (post, "", "multipart/form-data; boundary=b", part, r#"{"a":"1"}"#),
        (post, "", "text/plain", "hello", "\"hello\""),
        (post, "", "text/plain", " [1] ", "[1]"),
        (post, "?a=1", "", "", r#"{"a":"1"}"#),
        (post, "?a=1", "application/json", "2", "2"),
        (
            "GET",
            "?col1=val+1&l=1&l=2&secret=s",
            "",
            "",
            r#"{"col1":"val 1","l":["1","2"],"secret":"s"}"#,
        ),
    ] {
        let target = format!("{target}{query}");
        let answer = api.send(method, &target, &[("content-type", content_type)], body).await;
        let status = if method == "GET" { 200 } else { 201 };
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        assert_eq!(json_of(&answer), json!({"status": "ok", "rows": 1}));
        stored.push(cell);
    }
    assert_eq!(api.cells(&webhook).await, stored);
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_and_not_stored() {
    let api = Api::start().await;
    let (webhook, target) = combining(&api).await;
    let deep = "[".repeat(129) + &"]".repeat(129);
    for body in ["{bad", "NaN", &deep] {
        assert_eq!(api.send("POST", &target, &[JSON], body.to_owned()).await.status, 400);
    }
    let refused = api.send("POST", &target, &[JSON], "{bad").await;
    assert_refused(&refused, 400, "JSON is malformed: key must be a string (byte 1)");
    assert_eq!(api.send("POST", &target, &[JSON], vec![0xff]).await.status, 400);
    let not_text = api.send("POST", &target, &[], vec![0xff]).await;
    assert_refused(&not_text, 415, "the body is not UTF-8");
    let brotli = api.send("POST", &target, &[JSON, ("content-encoding", "br")], "1").await;
    assert_refused(&brotli, 415, "the content coding is neither gzip nor deflate");
    let no_gzip = api.send("POST", &target, &[JSON, ("content-encoding", "gzip")], "1").await;
    assert_eq!(no_gzip.status, 400);
    assert_eq!(api.cells(&webhook).await, [] as [String; 0]);
}

#[tokio::test]
async fn empty_sends_succeed_and_do_not_wipe() {
    let api = Api::start().await;
    let webhook = api.create(json!({"mode": "replace"})).await;
    let target = url(&webhook);
    api.send("POST", &target, &[], "1").await;
    let nothing = json!({"status": "ok", "rows": 0});
    let posted = api.send("POST", &target, &[JSON], "").await;
    assert_eq!((posted.status.as_u16(), json_of(&posted)), (201, nothing.clone()));
    let got = api.send("GET", &target, &[], "").await;
    assert_eq!((got.status.as_u16(), json_of(&got)), (200, nothing));
    assert_eq!(api.cells(&webhook).await, ["1"]);
}

#[tokio::test]
async fn sizes_are_bounded() {
    let settings = Settings { receive_bytes_max: 1000, ..Settings::default() };
    let api = Api::with(settings).await;
    let (webhook, target) = combining(&api).await;
    assert_eq!(api.send("POST", &target, &[], "7".repeat(1000)).await.status, 201);
    let refused = api.send("POST", &target, &[], "7".repeat(1001)).await;
    assert_refused(&refused, 413, "Request Entity Too Large");
    assert_eq!(refused.headers["connection"], "close");
    // The length that is declared is enough; nobody waits for the rest.
    let declared = [("content-length", "1001")];
    assert_eq!(api.send("POST", &target, &declared, "7").await.status, 413);

    let gzip = |length: usize| {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b'7'; length]).unwrap();
        encoder.finish().unwrap()
    };
    let coded = [JSON, ("content-encoding", "gzip")];
    assert_eq!(api.send("POST", &target, &coded, gzip(1000)).await.status, 201);
    assert_eq!(api.send("POST", &target, &coded, gzip(1001)).await.status, 413);
    assert_eq!(api.cells(&webhook).await.len(), 2);
}
