use super::*;

const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders";

fn settings(url: &str) -> EndpointSettings {
    EndpointSettings {
        iam_access_key: Some("AKIDEXAMPLE".to_owned()),
        iam_secret_key: Some(Secret::new("s3cret")),
        ..EndpointSettings::to_url(url)
    }
}

fn queue(url: &str) -> Result<Queue, String> {
    Queue::new(EndpointId(7), &Url::parse(url).unwrap(), &settings(url))
}

#[test]
fn regions_are_read_from_the_host() {
    for (host, expected) in [
        ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs-fips.us-west-2.amazonaws.com", "us-west-2"),
        ("us-east-2.queue.amazonaws.com", "us-east-2"),
        ("queue.amazonaws.com", "us-east-1"),
        ("vpce-1-a.sqs.ap-south-1.vpce.amazonaws.com", "ap-south-1"),
        ("127.0.0.1", "us-east-1"),
        ("sqs.evil.test", "us-east-1"),
    ] {
        assert_eq!(region(host), expected, "{host}");
    }
}

#[test]
fn queues_are_told_apart_and_keys_are_needed() {
    assert_eq!(queue(QUEUE).unwrap().group, None);
    assert_eq!(queue(&format!("{QUEUE}.fifo")).unwrap().group.as_deref(), Some("7"));
    for url in ["https://sqs.eu-central-1.amazonaws.com/", "https://a.test/1/q?x", "https://a.test"]
    {
        assert!(queue(url).is_err(), "{url}");
    }
    let url = Url::parse(QUEUE).unwrap();
    let bare = EndpointSettings::to_url(QUEUE);
    assert!(Queue::new(EndpointId(7), &url, &bare).unwrap_err().contains("access key"));
    assert!(!format!("{:?}", queue(QUEUE)).contains("s3cret"));
}

#[cfg(feature = "sqs")]
mod sending {
    use std::net::IpAddr;
    use std::sync::Arc;

    use bytes::Bytes;
    use hookyard_testkit::{Answer as Scripted, Receiver, SimClock};
    use http::HeaderMap;
    use serde_json::Value;

    use super::super::super::super::outgoing::{Answer, Outgoing, Unanswered};
    use super::*;
    use crate::net::{Client, Guard, Resolve, ResolveError, Sockets};

    fn outgoing(body: &[u8]) -> Outgoing {
        let mut headers = HeaderMap::new();
        headers.insert("x-ultracart-request-id", "R1".parse().unwrap());
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        Outgoing {
            method: http::Method::POST,
            uri: QUEUE.parse().unwrap(),
            headers,
            body: Bytes::copy_from_slice(body),
            events: Arc::from([]),
            timeout: std::time::Duration::from_secs(5),
        }
    }

    fn sender(guard: Guard, endpoint: &str) -> Sender {
        let client = Client::new(Arc::new(guard), &Sockets::new(64)).unwrap();
        let endpoint = Url::parse(endpoint).unwrap();
        Sender::new(client, Arc::new(SimClock::default()), Some(endpoint))
    }

    async fn send(receiver: &Receiver, url: &str) -> Result<Answer, Unanswered> {
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let sender = sender(guard, &receiver.url("/"));
        sender.send(&queue(url).unwrap(), outgoing(br#"{"events":[]}"#)).await
    }

    fn sent() -> Scripted {
        // MD5 of the body above.
        Scripted::ok()
            .header("Content-Type", "application/x-amz-json-1.0")
            .body(r#"{"MessageId":"m-1","MD5OfMessageBody":"d80b2c2b49e9a3d2d4a2d1a0a4d7d2a5"}"#)
    }

    #[tokio::test]
    async fn a_bundle_is_a_signed_message() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script([sent(), sent()]);
        let answer = send(&receiver, QUEUE).await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(String::from_utf8_lossy(&answer.body).contains("m-1"));
        send(&receiver, &format!("{QUEUE}.fifo")).await.unwrap();

        let requests = receiver.requests();
        let authorization = requests[0].header("authorization");
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
        assert!(authorization.contains("/eu-central-1/sqs/aws4_request"), "{authorization}");
        let message: Value = serde_json::from_slice(&requests[0].body).unwrap();
        assert_eq!(message["QueueUrl"], QUEUE);
        assert_eq!(message["MessageBody"], r#"{"events":[]}"#);
        assert_eq!(message["MessageAttributes"]["webhook-id"]["StringValue"], "msg_1");
        assert_eq!(message["MessageGroupId"], Value::Null);
        let message: Value = serde_json::from_slice(&requests[1].body).unwrap();
        assert_eq!(message["MessageGroupId"], "7");
        assert_eq!(message["MessageDeduplicationId"], "R1");
    }

    #[tokio::test]
    async fn refusals_are_answers_and_are_not_retried() {
        let receiver = Receiver::start().await.unwrap();
        let body = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"}"#;
        receiver.script([Scripted::status(400).body(body), Scripted::status(503).body("busy")]);
        let answer = send(&receiver, QUEUE).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (400, body.as_bytes()));
        let answer = send(&receiver, QUEUE).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (503, &b"busy"[..]));
        assert_eq!(receiver.count(), 2);
    }

    #[tokio::test]
    async fn a_status_that_came_counts_whatever_follows() {
        for status in [200, 403] {
            let receiver = Receiver::start().await.unwrap();
            receiver.script([Scripted::close_mid_answer().with_status(status)]);
            let answer = send(&receiver, QUEUE).await.unwrap();
            assert_eq!((answer.status, answer.broken.is_some()), (status, true));
            assert!(answer.headers.keys().all(|name| !name.as_str().contains("hookyard")));
        }
    }

    #[tokio::test]
    async fn the_guard_judges_the_queue_too() {
        let sender = sender(Guard::default(), "http://127.0.0.1:9/");
        let error = sender.send(&queue(QUEUE).unwrap(), outgoing(b"{}")).await.unwrap_err();
        let reason = "127.0.0.1 is not allowed: it is in 127.0.0.0/8 (loopback)".to_owned();
        assert_eq!(error, Unanswered::Failed(reason));
    }

    #[derive(Debug)]
    struct NoFiles;

    #[async_trait::async_trait]
    impl Resolve for NoFiles {
        async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, ResolveError> {
            Err(ResolveError::Unable("too many open files".to_owned()))
        }
    }

    #[tokio::test]
    async fn what_this_server_lacks_is_not_the_queues_fault() {
        let guard = Guard::with_resolver(Vec::new(), Arc::new(NoFiles));
        let sender = sender(guard, "http://sqs.test/");
        let error = sender.send(&queue(QUEUE).unwrap(), outgoing(b"{}")).await.unwrap_err();
        let reason = "this server could not connect: too many open files".to_owned();
        assert_eq!(error, Unanswered::Unable(reason));
    }
}
