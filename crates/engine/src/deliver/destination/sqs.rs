//! Queues of Amazon SQS, with the official SDK over the guarded client (docs/spec/ultracart.md#sqs).

use hookyard_core::id::EndpointId;
use hookyard_core::model::{Endpoint, EndpointSettings, Header, Secret};
use http::HeaderValue;
use url::Url;

use super::super::outgoing::Outgoing;
use super::super::request::{self, Template};

/// The region of a queue whose URL names none: servers that speak the protocol but know no regions use this
/// default.
const REGION_DEFAULT: &str = "us-east-1";

/// An endpoint's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    url: Url,
    region: String,
    /// The message group of a FIFO queue; `None` for a standard one.
    group: Option<String>,
    access_key: String,
    secret_key: Secret,
}

impl Queue {
    /// The queue of an endpoint. Fails when its URL or keys cannot be valid; the text is for the delivery
    /// log.
    fn new(id: EndpointId, url: &Url, settings: &EndpointSettings) -> Result<Self, String> {
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        if name.is_empty() || url.query().is_some() || url.fragment().is_some() {
            return Err("the url is no sqs queue: it must end in /<account>/<queue>".to_owned());
        }
        let (Some(access_key), Some(secret_key)) =
            (&settings.iam_access_key, &settings.iam_secret_key)
        else {
            return Err("sqs needs an iam access key and its secret key".to_owned());
        };
        Ok(Self {
            url: url.clone(),
            region: region(url.host_str().unwrap_or_default()),
            group: name.ends_with(".fifo").then(|| id.to_string()),
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
        })
    }
}

/// An endpoint's queue, and the part that all requests share. Fails when nothing can be sent; the text is for
/// the log.
pub(super) fn target(
    endpoint: &Endpoint,
    user_agent: &HeaderValue,
) -> Result<(Queue, Template), String> {
    let settings = &endpoint.settings;
    let (url, uri) = request::address(settings)?;
    let queue = Queue::new(endpoint.id, &url, settings)?;
    let headers = request::constant_headers(settings, user_agent, None)?;
    Ok((queue, Template::new(uri, headers, &settings.options)?))
}

/// The headers of a request as the log shows them.
pub(super) fn logged_headers(request: &Outgoing) -> Vec<Header> {
    request::logged(&request.headers)
}

/// The region that a host of Amazon's names: `sqs.<region>.`, `<region>.queue.` and the same behind
/// the name of a private endpoint.
fn region(host: &str) -> String {
    let labels: Vec<_> = host.split('.').collect();
    let amazon = labels.contains(&"amazonaws");
    let around = |name: &str| labels.iter().position(|label| *label == name).filter(|_| amazon);
    let named = match (around("sqs").or_else(|| around("sqs-fips")), around("queue")) {
        (Some(at), _) => labels.get(at + 1),
        (None, Some(at)) => at.checked_sub(1).map(|before| &labels[before]),
        (None, None) => None,
    };
    named.map_or(REGION_DEFAULT, |region| region).to_owned()
}

#[cfg(not(feature = "sqs"))]
pub(in super::super) use absent::Sender;
#[cfg(feature = "sqs")]
pub(in super::super) use sending::Sender;

/// The answer of a build without the SDK.
#[cfg(not(feature = "sqs"))]
mod absent {
    use std::sync::Arc;

    use hookyard_core::clock::Clock;
    use url::Url;

    use super::super::super::outgoing::{Answer, Outgoing, Unanswered};
    use super::Queue;
    use crate::net::Client;

    /// Sends nothing.
    #[derive(Debug)]
    pub(in super::super::super) struct Sender;

    impl Sender {
        pub(in super::super::super) fn new(_: Client, _: Arc<dyn Clock>, _: Option<Url>) -> Self {
            Self
        }

        pub(in super::super::super) async fn send(
            &self,
            _: &Queue,
            _: Outgoing,
        ) -> Result<Answer, Unanswered> {
            Err("this build cannot deliver to amazon sqs".to_owned().into())
        }
    }
}

#[cfg(feature = "sqs")]
mod sending {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use aws_sdk_sqs::config::http::{HttpRequest, HttpResponse};
    use aws_sdk_sqs::config::retry::RetryConfig;
    use aws_sdk_sqs::config::timeout::TimeoutConfig;
    use aws_sdk_sqs::config::{
        BehaviorVersion, Credentials, IdentityCache, Region, SharedHttpClient,
        StalledStreamProtectionConfig,
    };
    use aws_sdk_sqs::operation::send_message::SendMessageOutput;
    use aws_sdk_sqs::types::MessageAttributeValue;
    use aws_smithy_async::time::{SharedTimeSource, TimeSource};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use bytes::Bytes;
    use hookyard_core::clock::Clock;
    use http::header::AUTHORIZATION;
    use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
    use http_body_util::Full;
    use url::Url;

    use super::super::super::outgoing::{Answer, Outgoing, Read, Unanswered, after, read};
    use super::super::super::request::attempt_id;
    use super::Queue;
    use crate::net::Client;

    /// How long the body of an answer may take after the head: the body is one packet.
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

    /// Marks an answer that broke off, for the reader in this file.
    const BROKEN: HeaderName = HeaderName::from_static("x-hookyard-answer-broken");

    /// The most bytes of an answer that are read: an answer names a message or an error.
    const ANSWER_BYTES_MAX: usize = 64 << 10;

    /// The most attributes that a message may have (the SQS developer guide).
    const ATTRIBUTES_MAX: usize = 10;

    /// Sends messages to queues.
    #[derive(Debug)]
    pub(in super::super::super) struct Sender {
        http: SharedHttpClient,
        time: SharedTimeSource,
        /// Where all requests go instead of the queues' own hosts.
        endpoint_url: Option<Url>,
    }

    impl Sender {
        pub(in super::super::super) fn new(
            client: Client,
            clock: Arc<dyn Clock>,
            endpoint_url: Option<Url>,
        ) -> Self {
            let connector = SharedHttpConnector::new(Guarded(client));
            let http = http_client_fn(move |_, _| connector.clone());
            Self { http, time: SharedTimeSource::new(EngineTime(clock)), endpoint_url }
        }

        /// Sends a request as a message. The answer of SQS is the answer; the caller bounds the time.
        pub(in super::super::super) async fn send(
            &self,
            queue: &Queue,
            outgoing: Outgoing,
        ) -> Result<Answer, Unanswered> {
            let body = String::from_utf8(outgoing.body.to_vec())
                .map_err(|_| "an sqs message must be text".to_owned())?;
            let mut message = aws_sdk_sqs::Client::from_conf(self.config(queue))
                .send_message()
                .queue_url(queue.url.as_str())
                .message_body(body)
                .set_message_attributes(Some(attributes(&outgoing.headers)?));
            if let Some(group) = &queue.group {
                let request_id = attempt_id(&outgoing.headers);
                message = message.message_group_id(group).message_deduplication_id(request_id);
            }
            match message.send().await {
                Ok(sent) => Ok(taken(&sent)),
                Err(error) => match error.raw_response() {
                    // An answer that broke off after a success counts as a success: the message is in the
                    // queue.
                    Some(response)
                        if !response.status().is_success()
                            || response.headers().get(BROKEN.as_str()).is_some() =>
                    {
                        Ok(as_it_came(response))
                    }
                    _ => Err(Unanswered::because(&error)),
                },
            }
        }

        fn config(&self, queue: &Queue) -> aws_sdk_sqs::Config {
            let secret = queue.secret_key.expose();
            let credentials = Credentials::new(&queue.access_key, secret, None, None, "endpoint");
            let endpoint = self.endpoint_url.as_ref().unwrap_or(&queue.url);
            // One request an attempt, bounded like any other: the retries are ours, and logged.
            aws_sdk_sqs::Config::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .region(Region::new(queue.region.clone()))
                .endpoint_url(endpoint.origin().ascii_serialization())
                .credentials_provider(credentials)
                .identity_cache(IdentityCache::no_cache())
                .http_client(self.http.clone())
                .time_source(self.time.clone())
                .retry_config(RetryConfig::disabled())
                .timeout_config(TimeoutConfig::disabled())
                .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                .build()
        }
    }

    /// The headers of a delivery as the attributes of a message, as many as a message may have. Basic and
    /// bearer credentials are not for queues.
    fn attributes(
        headers: &HeaderMap,
    ) -> Result<std::collections::HashMap<String, MessageAttributeValue>, String> {
        let mut attributes = std::collections::HashMap::new();
        let own = |name: &str| name == "content-type" || name == "user-agent";
        for (name, value) in headers {
            let (Ok(text), false) = (value.to_str(), own(name.as_str())) else { continue };
            if text.is_empty() || name == AUTHORIZATION || attributes.len() == ATTRIBUTES_MAX {
                continue;
            }
            let value = MessageAttributeValue::builder().data_type("String").string_value(text);
            let value = value.build().map_err(|error| error.to_string())?;
            attributes.insert(name.as_str().to_owned(), value);
        }
        Ok(attributes)
    }

    fn taken(sent: &SendMessageOutput) -> Answer {
        let body = serde_json::json!({
            "MessageId": sent.message_id(),
            "MD5OfMessageBody": sent.md5_of_message_body(),
            "SequenceNumber": sent.sequence_number(),
        });
        Answer { status: 200, body: Bytes::from(body.to_string()), ..Answer::default() }
    }

    fn as_it_came(response: &HttpResponse) -> Answer {
        let broken = response.headers().get(BROKEN.as_str()).map(str::to_owned);
        let headers = response.headers().iter().filter_map(|(name, value)| {
            let name = HeaderName::try_from(name).ok()?;
            (name != BROKEN).then(|| Some((name, HeaderValue::from_str(value).ok()?)))?
        });
        Answer {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: Bytes::copy_from_slice(response.body().bytes().unwrap_or_default()),
            broken,
        }
    }

    /// The engine's clock for signatures.
    #[derive(Debug)]
    struct EngineTime(Arc<dyn Clock>);

    impl TimeSource for EngineTime {
        fn now(&self) -> SystemTime {
            let millis = u64::try_from(self.0.now().as_millisecond()).unwrap_or_default();
            SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
        }
    }

    /// The guarded client as the SDK's connector.
    #[derive(Debug, Clone)]
    struct Guarded(Client);

    impl HttpConnector for Guarded {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let client = self.0.clone();
            HttpConnectorFuture::new(async move { exchange(&client, request).await })
        }
    }

    async fn exchange(
        client: &Client,
        request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|e| ConnectorError::user(e.into()))?;
        let (head, body) = request.into_parts();
        let body = Bytes::copy_from_slice(body.bytes().unwrap_or_default());
        let response = client.send(Request::from_parts(head, Full::new(body))).await;
        let (mut head, body) = response.map_err(|e| ConnectorError::io(e.into()))?.into_parts();
        head.headers.remove(BROKEN);
        let Read { bytes, broken } = read(body, ANSWER_BYTES_MAX, after(ANSWER_TIMEOUT)).await;
        if let Some(reason) = broken {
            let reason = HeaderValue::from_str(&reason);
            head.headers.insert(BROKEN, reason.unwrap_or(HeaderValue::from_static("broken")));
        }
        let response = Response::from_parts(head, SdkBody::from(bytes));
        HttpResponse::try_from(response).map_err(|e| ConnectorError::other(e.into(), None))
    }
}

#[cfg(test)]
#[path = "sqs_tests.rs"]
mod tests;
