use std::time::Duration;

use ::http::{HeaderMap, Method};
use bytes::Bytes;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{OAuth2Client, Secret};
use hookyard_testkit::{Answer as Scripted, Receiver, SimClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::destination::http::ANSWER_BYTES_MAX;
use super::*;

fn guarded_by(guard: Guard) -> NetTransport {
    let clock: Arc<dyn Clock> = Arc::new(SimClock::default());
    NetTransport::new(Arc::new(guard), &clock, None, 64).unwrap()
}

fn transport() -> NetTransport {
    let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
    guarded_by(guard)
}

/// Why there was no answer, where the receiver is at fault.
fn failure(sent: Result<Answer, Unanswered>) -> String {
    match sent {
        Err(Unanswered::Failed(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn outgoing(url: &str) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert("x-test", "1".parse().unwrap());
    Outgoing {
        method: Method::PUT,
        uri: url.parse().unwrap(),
        headers,
        body: Bytes::from("{}"),
        events: Arc::from([]),
        timeout: Duration::from_secs(5),
    }
}

/// A request with little time for the answer.
fn impatient(url: &str) -> Outgoing {
    Outgoing { timeout: Duration::from_millis(300), ..outgoing(url) }
}

#[tokio::test]
async fn requests_and_answers_arrive_whole() {
    let receiver = Receiver::start().await.unwrap();
    let answer = Scripted::status(404).header("X-A", "b").body("nothing here");
    receiver.script([answer]);
    let answer =
        transport().post(&Http::default(), outgoing(&receiver.url("/h?a=b"))).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (404, &b"nothing here"[..]));
    assert_eq!(answer.headers["x-a"], "b");
    let requests = receiver.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("PUT", "/h?a=b"));
    assert_eq!((requests[0].header("x-test"), &requests[0].body[..]), ("1", &b"{}"[..]));
    assert_eq!(requests[0].header("content-length"), "2");
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_once() {
    let receiver = Receiver::start().await.unwrap();
    let token = |name: &str| Scripted::ok().body(format!(r#"{{"access_token":"{name}"}}"#));
    let client = OAuth2Client {
        token_url: receiver.url("/token"),
        client_id: "c".to_owned(),
        client_secret: Some(Secret::new("s")),
        scope: None,
        credentials_in_body: false,
    };
    let oauth2 = Some((WorkspaceId(1), Arc::new(client)));
    let to = Http { oauth2, ..Http::default() };
    let outgoing = || outgoing(&receiver.url("/h"));
    let refused = || Scripted::status(401);
    receiver.script([token("a"), Scripted::ok(), refused(), token("b"), refused()]);
    let transport = transport();
    assert_eq!(transport.post(&to, outgoing()).await.unwrap().status, 200);
    assert_eq!(transport.post(&to, outgoing()).await.unwrap().status, 401, "tried twice, not more");
    let seen = receiver.requests();
    let seen: Vec<_> = seen
        .iter()
        .map(|request| (request.path.as_str(), request.header("authorization")))
        .collect();
    let basic = "Basic Yzpz";
    let expected = [
        ("/token", basic),
        ("/h", "Bearer a"),
        ("/h", "Bearer a"),
        ("/token", basic),
        ("/h", "Bearer b"),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn redirects_are_answers() {
    let receiver = Receiver::start().await.unwrap();
    receiver.script([Scripted::status(307).header("Location", &receiver.url("/b"))]);
    let answer = transport().post(&Http::default(), outgoing(&receiver.url("/a"))).await.unwrap();
    assert_eq!((answer.status, receiver.count()), (307, 1));
}

#[tokio::test]
async fn long_answers_are_read_up_to_a_bound() {
    let receiver = Receiver::start().await.unwrap();
    receiver.script([Scripted::ok().body(vec![b'x'; 3 << 20])]);
    let transport = transport();
    let answer = transport.post(&Http::default(), outgoing(&receiver.url("/"))).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, ANSWER_BYTES_MAX));
    // What was left unread is in nobody's way.
    let answer = transport.post(&Http::default(), outgoing(&receiver.url("/"))).await.unwrap();
    assert_eq!(&answer.body[..], b"ok");
}

#[tokio::test]
async fn a_status_that_came_is_an_answer_whatever_follows() {
    let receiver = Receiver::start().await.unwrap();
    let gone = || Scripted::close_mid_answer().with_status(410);
    receiver.script([Scripted::close_mid_answer(), gone()]);
    for status in [200, 410] {
        let answer =
            transport().post(&Http::default(), outgoing(&receiver.url("/"))).await.unwrap();
        assert_eq!((answer.status, answer.broken.is_some()), (status, true));
    }
}

/// Answers with these bytes, and then says nothing more for as long as it is asked.
async fn raw(answer: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            open.push(stream);
        }
    });
    url
}

#[tokio::test]
async fn a_body_that_does_not_end_in_time_takes_nothing_from_the_status() {
    let url = raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok").await;
    let answer = transport().post(&Http::default(), impatient(&url)).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
    assert_eq!(answer.broken.as_deref(), Some("the rest did not come in time"));
}

#[tokio::test]
async fn heads_that_only_stricter_readers_refuse_are_taken() {
    for head in [
        "X-A: a\r\n  b\r\n",
        "X-A : a  b\r\n",
        "Set-Cookie: a=b\x01c\r\nX-A: a  b\r\n",
        "X-\x01: c\r\nX-A: a  b\r\n",
    ] {
        let answer = format!("HTTP/1.1 202 Fine\r\n{head}Content-Length: 0\r\n\r\n");
        let url = raw(answer.leak()).await;
        let answer = transport().post(&Http::default(), outgoing(&url)).await.unwrap();
        assert_eq!(answer.status, 202, "{head}");
        let value = answer.headers["x-a"].to_str().unwrap();
        let words: Vec<_> = value.split_ascii_whitespace().collect();
        assert_eq!(words, ["a", "b"], "{head}");
    }
    let many = (0..300).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
    let url = raw(format!("HTTP/1.1 202 Fine\r\n{many}Content-Length: 0\r\n\r\n").leak()).await;
    assert_eq!(transport().post(&Http::default(), outgoing(&url)).await.unwrap().status, 202);
}

#[tokio::test]
async fn no_head_of_an_answer_is_no_answer() {
    let receiver = Receiver::start().await.unwrap();
    receiver.script([Scripted::close(), Scripted::hang()]);
    let transport = transport();
    let mut errors = Vec::new();
    for _ in 0..2 {
        errors.push(failure(transport.post(&Http::default(), impatient(&receiver.url("/"))).await));
    }
    assert_eq!(errors[0], "connection closed before message completed");
    assert_eq!(errors[1], "there was no answer within 0.3 s");
    assert!(transport.post(&Http::default(), outgoing(&receiver.url("/"))).await.is_ok());
}

#[tokio::test]
async fn nobody_listening_is_an_error_with_the_address() {
    let receiver = Receiver::start().await.unwrap();
    let (url, address) = (receiver.url("/"), receiver.address());
    drop(receiver);
    tokio::task::yield_now().await;
    let error = failure(transport().post(&Http::default(), outgoing(&url)).await);
    assert!(error.contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn the_guard_judges_at_the_connection() {
    let receiver = Receiver::start().await.unwrap();
    let transport = guarded_by(Guard::default());
    let error = failure(transport.post(&Http::default(), outgoing(&receiver.url("/"))).await);
    assert_eq!(error, "127.0.0.1 is not allowed: it is in 127.0.0.0/8 (loopback)");
    assert_eq!(receiver.count(), 0);
}
