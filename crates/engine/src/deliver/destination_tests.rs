use bytes::Bytes;
use std::sync::Arc;

use hookyard_core::catalogue::initial;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{EndpointId, RequestId, Seq, WorkspaceId};
use hookyard_core::model::{
    AuthKind, ContentEncoding, CustomHeader, DeliveryMethod, EndpointOptions, EndpointSettings,
    Event, NativeAuth, OAuth2Client, PayloadFormat, Secret, Signing, SigningKey,
};
use hookyard_core::signature::standard_webhooks;
use jiff::Timestamp;

use super::super::options::USER_AGENT_DEFAULT;
use super::super::request::{MASK, about, message_id};
use super::*;

fn settings(url: &str) -> EndpointSettings {
    EndpointSettings {
        auth: AuthKind::Basic,
        basic_username: Some("u".to_owned()),
        basic_password: Some(Secret::new("p:ö")),
        ..EndpointSettings::to_url(url)
    }
}

fn native(auth: NativeAuth) -> EndpointSettings {
    let options = EndpointOptions { auth: Some(auth), ..EndpointOptions::default() };
    EndpointSettings { options, ..settings("https://a.test/") }
}

fn target(settings: &EndpointSettings) -> Result<Target, String> {
    let hosts = vec!["a.test".parse().unwrap()];
    let user = ApiUser { name: "api".to_owned(), password: Secret::new("api-p4ss"), hosts };
    Target::new(&endpoint(settings), &USER_AGENT_DEFAULT, Some(&user))
}

/// An event that its publisher named `event-<number>`.
fn event(seq: u64) -> Arc<Event> {
    Arc::new(Event {
        seq: Seq(seq),
        workspace: WorkspaceId(1),
        accepted_at: Timestamp::UNIX_EPOCH,
        event_type: initial().by_name("order_create").unwrap().1.id,
        id: format!("event-{seq}"),
        source: "/shop".to_owned(),
        attributes: r#"{"subject":"é"}"#.to_owned(),
        object: Bytes::from_static(b"{}"),
        matched: 1,
        damaged: false,
    })
}

fn endpoint(settings: &EndpointSettings) -> Endpoint {
    Endpoint {
        id: EndpointId(7),
        workspace: WorkspaceId(1),
        revision: 1,
        created_at: Timestamp::UNIX_EPOCH,
        disabled_reason: None,
        application: None,
        customer: None,
        settings: settings.clone(),
        subscriptions: Vec::new(),
    }
}

/// A request, and its headers as in the log.
fn request(settings: &EndpointSettings) -> (Outgoing, Vec<Header>) {
    let request_id = RequestId::new(&SystemEntropy, Timestamp::UNIX_EPOCH);
    let target = target(settings).unwrap();
    let sent = target.request(Message {
        request_id: &request_id,
        id: "msg_1",
        at: Timestamp::UNIX_EPOCH,
        events: &[Seq(1)],
        trace: None,
        hops: 0,
        about: about(initial(), settings.options.format, &[event(1)]),
        body: Bytes::from_static(b"{}"),
    });
    let logged = target.logged_headers(&sent);
    (sent, logged)
}

/// Why nothing can be sent with some settings.
fn refusal(settings: &EndpointSettings) -> String {
    target(settings).unwrap_err()
}

fn with_header(name: &str, value: &str) -> EndpointSettings {
    let value = Some(Secret::new(value));
    let headers = vec![CustomHeader { name: name.to_owned(), value }];
    let options = EndpointOptions { headers, ..EndpointOptions::default() };
    EndpointSettings { options, ..settings("https://a.test/") }
}

#[test]
fn the_log_shows_what_is_sent_without_credentials() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for change in [
        |_: &mut EndpointSettings| {},
        |settings: &mut EndpointSettings| settings.auth = AuthKind::None,
        |settings: &mut EndpointSettings| settings.auth = AuthKind::ApiUser,
        |settings: &mut EndpointSettings| settings.compress_events = true,
        |settings: &mut EndpointSettings| settings.options.encoding = ContentEncoding::Gzip,
    ] {
        let mut settings = with_header("x-key", "s3cret");
        let key = SigningKey { secret: Secret::new(secret), expires_at: None };
        settings.options.signing = Signing { keys: vec![key], ..Signing::default() };
        change(&mut settings);
        let (sent, logged) = request(&settings);
        assert_eq!(sent.headers.len(), logged.len());
        for header in logged {
            let value = &sent.headers[header.name.as_str()];
            assert!(header.value == *value || (header.value == MASK && value.is_sensitive()));
            for secret in ["dTpwOsO2", "s3cret", "YXBpOmFwaS1wNHNz"] {
                assert!(!header.value.contains(secret), "{header:?}");
            }
        }
        assert!(standard_webhooks::verify(&sent.headers, b"{}", secret, Timestamp::UNIX_EPOCH));
        assert!(!format!("{sent:?}").contains("s3cret"));
    }
}

#[test]
fn names_are_logged_as_they_are_sent() {
    let (_, logged) = request(&with_header("x-acme-key", "v"));
    let names: Vec<_> = logged.into_iter().map(|header| header.name).collect();
    let expected = [
        "X-Acme-Key",
        "Content-Type",
        "User-Agent",
        "Authorization",
        "X-Authorization-Basic",
        "X-UltraCart-Request-Id",
    ];
    assert_eq!(names, expected);
}

#[test]
fn basic_credentials_go_out_twice() {
    let (sent, _) = request(&settings("http://a.test/"));
    assert_eq!(sent.headers["authorization"], "Basic dTpwOsO2");
    assert_eq!(sent.headers["x-authorization-basic"], "dTpwOsO2");
    let user = EndpointSettings { auth: AuthKind::ApiUser, ..settings("http://a.test/") };
    assert_eq!(request(&user).0.headers["authorization"], "Basic YXBpOmFwaS1wNHNz");
}

#[test]
fn native_auth_takes_the_place_of_the_other() {
    let (sent, _) = request(&native(NativeAuth::Bearer { token: Some(Secret::new("t0ken")) }));
    assert_eq!(sent.headers["authorization"], "Bearer t0ken");
    assert!(!sent.headers.contains_key("x-authorization-basic"));
    let client = OAuth2Client {
        token_url: "https://t.test/".to_owned(),
        client_id: "c".to_owned(),
        client_secret: Some(Secret::new("s")),
        scope: None,
        credentials_in_body: false,
    };
    let (sent, logged) = request(&native(NativeAuth::OAuth2(client)));
    assert!(!sent.headers.contains_key("authorization"), "the token is not fetched yet");
    assert!(logged.iter().any(|header| header.name == "Authorization"));
    let bad = native(NativeAuth::Bearer { token: Some(Secret::new("a\r\nX-Evil: 1")) });
    assert!(refusal(&bad).contains("bearer"));
}

#[test]
fn what_cannot_be_sent_says_why() {
    let sqs = EndpointSettings { auth: AuthKind::AwsIam, ..settings("https://a.test/") };
    assert!(refusal(&sqs).contains("queue"));
    for url in ["", "a.test", "ftp://a.test/", "https://u:p@a.test/"] {
        assert!(target(&settings(url)).is_err(), "{url}");
    }
}

#[test]
fn headers_cannot_be_injected() {
    for (name, value) in [
        ("x-a\r\nX-Evil", "1"),
        ("x-a: 1\r\nx-b", "1"),
        ("x a", "1"),
        ("", "1"),
        ("x-a", "1\r\nX-Evil: 1"),
        ("x-a", "1\nX-Evil: 1"),
        ("x-a", "1\0"),
    ] {
        let error = refusal(&with_header(name, value));
        assert!(!error.contains(['\r', '\n', '\0']), "{error:?}");
    }
    // A header saved before its name was reserved does not take the place of ours.
    let (sent, _) = request(&with_header("content-type", "text/evil"));
    assert_eq!(sent.headers.get_all("content-type").iter().count(), 1);
    assert_eq!(sent.headers["content-type"], "application/json; charset=UTF-8");
}

#[test]
fn a_message_id_tells_bundles_apart() {
    let at = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
    let endpoint = endpoint(&settings("https://a.test/"));
    let id = |events: &[u64]| {
        let events: Vec<_> = events.iter().copied().map(event).collect();
        message_id(&endpoint, &events, at)
    };
    // Not to be changed: receivers remember ids over an upgrade.
    assert_eq!(id(&[42, 43]), "msg_7_42_1700000000123_8a2ad202e6fddb44");
    let others = [&[42_u64][..], &[42, 44], &[42, 43, 44], &[43, 42]].map(id);
    let all: std::collections::HashSet<_> = others.into_iter().chain([id(&[42, 43])]).collect();
    assert_eq!(all.len(), 5);
}

#[test]
fn an_event_sent_alone_has_one_id_for_everybody() {
    let id = |change: &dyn Fn(&mut EndpointSettings), event: &Event, millis| {
        let mut settings = settings("https://a.test/");
        settings.options.format = PayloadFormat::Standard;
        change(&mut settings);
        let at = Timestamp::from_millisecond(millis).unwrap();
        message_id(&endpoint(&settings), &[Arc::new(event.clone())], at)
    };
    let published = event(42);
    // Not to be changed: receivers remember ids over an upgrade.
    let expected = "msg_fcmqGVFkAW6SjNfZemZ-qFTy";
    assert_eq!(id(&|_| {}, &published, 1), expected);
    for format in
        [PayloadFormat::Data, PayloadFormat::CloudEvents, PayloadFormat::CloudEventsBinary]
    {
        let other = id(&|settings| settings.options.format = format, &published, 2);
        assert_eq!(other, expected, "{format:?}");
    }
    let again = Event { seq: Seq(77), ..(*published).clone() };
    assert_eq!(id(&|_| {}, &again, 3), expected, "the number does not count");
    let named = |source: &str, name: &str| {
        let (source, name) = (source.to_owned(), name.to_owned());
        id(&|_| {}, &Event { source, id: name, ..(*published).clone() }, 1)
    };
    let others =
        [named("/sho", "pevent-42"), named("/shop", "event-4"), named("/shops", "event-42")];
    assert!(others.iter().all(|other| other != expected));
    let batch =
        id(&|settings| settings.options.format = PayloadFormat::CloudEventsBatch, &published, 1);
    assert!(batch != expected && !batch.contains("42"), "{batch}");
}

#[test]
fn other_formats_name_no_other_company() {
    for (format, about) in [
        (PayloadFormat::Standard, &["Webhook-Event-Type"][..]),
        (PayloadFormat::Data, &["Webhook-Event-Type"]),
        (PayloadFormat::CloudEvents, &[]),
        (
            PayloadFormat::CloudEventsBinary,
            &["Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type", "Ce-Time", "Ce-Subject"],
        ),
    ] {
        let mut settings = settings("https://a.test/");
        settings.options.format = format;
        settings.options.method = DeliveryMethod::Patch;
        settings.options.timeout_seconds = Some(60);
        let (sent, logged) = request(&settings);
        assert_eq!((sent.method.as_str(), sent.timeout.as_secs()), ("PATCH", 60));
        assert_eq!(sent.headers["content-type"], format.media_type());
        let mut names: Vec<_> = logged.into_iter().map(|header| header.name).collect();
        let first = ["Content-Type", "User-Agent", "Authorization"];
        assert_eq!(names.drain(..3).collect::<Vec<_>>(), first, "{format:?}");
        assert_eq!(names.pop().as_deref(), Some("Webhook-Attempt-Id"), "{format:?}");
        assert_eq!(names, about, "{format:?}");
    }
}
