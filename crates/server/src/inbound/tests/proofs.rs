use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hookyard_core::clock::Clock;
use sha2::Sha256;

use super::*;
use crate::mammoth::tests::PAIR;
use crate::test_server::TOKEN;

const BODY: &str = r#"{"s":1}"#;

/// A webhook that asks for its secret.
struct Secure {
    api: Api,
    webhook: Value,
    secret: String,
    target: String,
}

impl Secure {
    async fn start() -> Self {
        let api = Api::start().await;
        let webhook = api.create(json!({"mode": "combine", "is_secure": true})).await;
        let secret = webhook["secret"].as_str().unwrap().to_owned();
        let target = url(&webhook);
        Self { api, webhook, secret, target }
    }

    fn mac(&self, signed: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    fn hex(&self, signed: &str) -> String {
        hex::encode(self.mac(signed))
    }

    fn base64(&self, signed: &str) -> String {
        STANDARD.encode(self.mac(signed))
    }

    /// The server's time plus some seconds.
    fn time(&self, later: i64) -> i64 {
        self.api.server.clock.now().as_second() + later
    }

    async fn post(&self, headers: &[(&str, String)], body: &str) -> u16 {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.api.send("POST", &self.target, &headers, body.to_owned()).await;
        answer.status.as_u16()
    }

    /// The proofs that sign the body, made at this time.
    fn signatures(&self, time: i64) -> Vec<Vec<(&'static str, String)>> {
        let stripe = self.hex(&format!("{time}.{BODY}"));
        let slack = self.hex(&format!("v0:{time}:{BODY}"));
        let standard = self.base64(&format!("m1.{time}.{BODY}"));
        let list = format!("v1,AAAA v1,{standard}");
        vec![
            vec![("x-hub-signature-256", format!("sha256={}", self.hex(BODY)))],
            vec![("x-webhook-signature", self.hex(BODY))],
            vec![("x-shopify-hmac-sha256", self.base64(BODY))],
            vec![("stripe-signature", format!("t={time},v1=00,v1={stripe}"))],
            vec![
                ("x-slack-request-timestamp", time.to_string()),
                ("x-slack-signature", format!("v0={slack}")),
            ],
            vec![
                ("webhook-id", "m1".to_owned()),
                ("webhook-timestamp", time.to_string()),
                ("webhook-signature", list.clone()),
            ],
            vec![
                ("svix-id", "m1".to_owned()),
                ("svix-timestamp", time.to_string()),
                ("svix-signature", list),
            ],
        ]
    }

    /// The proofs that need no body.
    fn shown(&self) -> Vec<Vec<(&'static str, String)>> {
        let basic = STANDARD.encode(format!("anyone:{}", self.secret));
        vec![
            vec![("x-webhook-secret", self.secret.clone())],
            vec![("x-mammoth-webhook-secret", self.secret.clone())],
            vec![("authorization", format!("Bearer {}", self.secret))],
            vec![("authorization", format!("Basic {basic}"))],
            PAIR.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            vec![("authorization", format!("Bearer {TOKEN}"))],
        ]
    }
}

#[tokio::test]
async fn every_proof_is_enough() {
    let secure = Secure::start().await;
    let proofs = [secure.signatures(secure.time(0)), secure.shown()].concat();
    for proof in &proofs {
        assert_eq!(secure.post(proof, BODY).await, 201, "{proof:?}");
    }
    assert_eq!(secure.api.cells(&secure.webhook).await.len(), proofs.len());
}

#[tokio::test]
async fn no_proof_and_wrong_ones_store_nothing() {
    let secure = Secure::start().await;
    let refused = secure.api.send("POST", &secure.target, &[], BODY).await;
    assert_refused(&refused, 401, "Unauthorized");
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    assert_eq!(secure.post(&[("x-webhook-secret", "x".to_owned())], BODY).await, 401);
    for signature in secure.signatures(secure.time(0)) {
        assert_eq!(secure.post(&signature, r#"{"s":2}"#).await, 401, "{signature:?}");
    }
    for late in [-301, 301] {
        for signature in &secure.signatures(secure.time(late))[3..] {
            assert_eq!(secure.post(signature, BODY).await, 401, "{signature:?}");
        }
    }
    assert_eq!(secure.api.cells(&secure.webhook).await, [] as [String; 0]);
}

#[tokio::test]
async fn the_secret_is_judged_before_the_body() {
    let secure = Secure::start().await;
    let json = ("content-type", "application/json".to_owned());
    assert_eq!(secure.post(std::slice::from_ref(&json), "{bad").await, 401);
    assert_eq!(secure.post(&[json, ("content-length", "99999999999".to_owned())], "").await, 401);
    // A signature cannot be judged without the body, so here the size comes first.
    let signed = ("x-hub-signature-256", "sha256=00".to_owned());
    assert_eq!(secure.post(&[signed, ("content-length", "99999999999".to_owned())], "").await, 413);
}

#[tokio::test]
async fn the_secret_in_a_query_is_not_data() {
    let secure = Secure::start().await;
    let target = format!("{}?secret={}&x=1", secure.target, secure.secret);
    for (method, status) in [("GET", 200), ("POST", 201), ("HEAD", 200)] {
        assert_eq!(secure.api.send(method, &target, &[], "").await.status.as_u16(), status);
    }
    let cells = secure.api.cells(&secure.webhook).await;
    assert_eq!(cells, [r#"{"x":"1"}"#, r#"{"x":"1"}"#]);
    let wrong = format!("{}?secret=x&x=1", secure.target);
    assert_eq!(secure.api.send("GET", &wrong, &[], "").await.status, 401);
}

#[tokio::test]
async fn a_signature_proves_nothing_on_a_get() {
    let secure = Secure::start().await;
    let value = format!("sha256={}", secure.hex(""));
    let signed = [("x-hub-signature-256", value.as_str())];
    let target = format!("{}?x=2", secure.target);
    for method in ["GET", "HEAD"] {
        assert_eq!(secure.api.send(method, &target, &signed, "").await.status, 401);
    }
    for proof in secure.shown() {
        let headers: Vec<_> = proof.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(secure.api.send("GET", &target, &headers, "").await.status, 200, "{proof:?}");
    }
}

#[tokio::test]
async fn signatures_cover_the_body_as_it_was_sent() {
    use std::io::Write;
    let secure = Secure::start().await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(BODY.as_bytes()).unwrap();
    let coded = encoder.finish().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secure.secret.as_bytes()).unwrap();
    mac.update(&coded);
    let over_coded = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let over_clear = format!("sha256={}", secure.hex(BODY));
    for (signature, status) in [(over_coded, 201), (over_clear, 401)] {
        let headers = [("content-encoding", "gzip"), ("x-hub-signature-256", signature.as_str())];
        let answer = secure.api.send("POST", &secure.target, &headers, coded.clone()).await;
        assert_eq!(answer.status.as_u16(), status);
    }
    assert_eq!(secure.api.cells(&secure.webhook).await, [BODY]);
}

#[tokio::test]
async fn an_open_webhook_tolerates_any_credentials() {
    let api = Api::start().await;
    let (webhook, target) = combining(&api).await;
    let wrong = [("x-api-key", "x"), ("x-api-secret", "y"), ("authorization", "Bearer z")];
    assert_eq!(api.send("POST", &target, &wrong, "1").await.status, 201);
    assert_eq!(api.cells(&webhook).await, ["1"]);
}
