//! The engine: its three services on one clock, and the ways to reach them.

use crate::config::{EngineConfig, EngineError};
use crate::connector::InProcess;
use crate::dynamo::Dynamo;
use crate::messages::Messages;
use crate::state::Place;
use crate::wire::{Answer, Call, Destination};
use crate::{Clock, sns, sqs};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use bytes::Bytes;
use http::Response;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Where in-process clients believe the engine is. Nothing listens there.
const IN_PROCESS_URL: &str = "http://engine.callboard.localhost";

/// How often what time has ended is cleared away: items past their TTL, stream records past 24 h,
/// messages past their retention. AWS takes up to 48 h for the first; a minute is soon enough to
/// see it happen and rare enough to cost nothing while idle.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);

/// DynamoDB with Streams, SQS and SNS. Cheap to clone; the services end with the last clone (and
/// the last client made from it).
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    region: String,
    clock: Clock,
    dynamo: Dynamo,
    messages: Messages,
    /// Declared last: the directory is given back after the databases are closed.
    _place: Place,
}

impl Engine {
    /// Opens or makes the state, and starts the upkeep of what time ends.
    ///
    /// # Errors
    /// When the state directory cannot be written, is in use, or holds a damaged file.
    pub async fn open(config: EngineConfig) -> Result<Engine, EngineError> {
        let place = Place::open(&config.state)?;
        let dynamo = Dynamo::open(
            place.file("dynamodb.sqlite")?,
            config.clock.clone(),
            &config.region,
            &config.account,
        )?;
        let messages = Messages::open(
            place.file("messages.sqlite")?,
            config.clock.clone(),
            &config.region,
            &config.account,
            IN_PROCESS_URL,
        )?;
        let inner = Arc::new(Inner {
            region: config.region,
            clock: config.clock,
            dynamo,
            messages,
            _place: place,
        });
        tokio::spawn(upkeep(Arc::downgrade(&inner)));
        tokio::spawn(moves(Arc::downgrade(&inner), inner.messages.moving()));
        Ok(Engine { inner })
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// A connector for AWS SDK clients that reaches the engine without a socket.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(InProcess(self.inner.clone()))
    }

    /// An SDK configuration whose clients call the engine in process, on its clock.
    pub fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::new("callboard", "callboard", None, None, "engine");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.inner.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(IN_PROCESS_URL)
            .http_client(self.http_client())
            .sleep_impl(TokioSleep::new())
            .time_source(self.inner.clock.clone())
            // Nothing stalls in process, and the check would tick on virtual time.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }

    /// The base of the queue URLs given out from now on, for instance `http://127.0.0.1:4566`.
    /// Queue URLs are understood whatever their base.
    pub fn set_public_url(&self, url: String) {
        self.inner.messages.set_public_url(url);
    }
}

impl Inner {
    pub(crate) async fn answer(&self, call: Call) -> Response<Bytes> {
        let answer = match call.destination() {
            Destination::Dynamo(operation) => self.dynamo.answer(&operation, &call).await,
            Destination::Sqs(operation) => {
                sqs::answer(&self.messages, &operation, &call.body).await
            }
            Destination::Form(fields) if sqs::query::is_for_sqs(&fields) => {
                sqs::query::answer(&self.messages, fields, &call.path).await
            }
            Destination::Form(fields) => {
                sns::answer(&self.messages, fields, call.header("x-amzn-trace-id"))
            }
            Destination::Health => Answer::json(200, r#"{"status":"ok"}"#.to_owned()),
            Destination::Texts { forget: false } => sns::kept_texts(&self.messages),
            Destination::Texts { forget: true } => sns::forget_texts(&self.messages),
            Destination::Nowhere => {
                tracing::warn!(method = %call.method, path = %call.path,
                    "a request named no service: neither X-Amz-Target nor Action");
                Answer::xml(404, "<UnknownOperationException/>\n".to_owned())
            }
        };
        answer.into_response()
    }
}

async fn upkeep(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        inner.dynamo.upkeep().await;
        inner.messages.upkeep();
    }
}

/// Moves dead letters whenever a task says so, those of tasks from before the start too.
async fn moves(inner: Weak<Inner>, told: Arc<tokio::sync::Notify>) {
    loop {
        let next = match inner.upgrade() {
            Some(inner) => sqs::advance_moves(&inner.messages),
            None => return,
        };
        match next {
            Some(wait) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = told.notified() => {}
            },
            None => told.notified().await,
        }
    }
}
