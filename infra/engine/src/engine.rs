//! The engine: its services on one clock, and the ways to reach them.

use crate::config::{EngineConfig, EngineError};
use crate::connector::InProcess;
use crate::scope::Scope;
use crate::sns::Outside;
use crate::state::Place;
use crate::tenants::Tenants;
use crate::wire::Call;
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
    tenants: Tenants,
    outside: Outside,
}

impl Engine {
    /// Opens or makes the state, and starts the upkeep of what time ends.
    ///
    /// # Errors
    /// When the state directory cannot be written, is in use, or holds a damaged file.
    pub async fn open(config: EngineConfig) -> Result<Engine, EngineError> {
        let outside = Outside::new(config.lambda_endpoint.as_deref())?;
        let own = Scope {
            account: config.account,
            region: config.region,
        };
        let place = Place::open(&config.state, &own)?;
        let tenants = Tenants::open(place, &own, config.clock, IN_PROCESS_URL, outside.clone())?;
        let inner = Arc::new(Inner { tenants, outside });
        tokio::spawn(upkeep(Arc::downgrade(&inner)));
        tokio::spawn(wake(Arc::downgrade(&inner), inner.tenants.asleep()));
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
            .region(Region::new(self.inner.tenants.own_region().to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(IN_PROCESS_URL)
            .http_client(self.http_client())
            .sleep_impl(TokioSleep::new())
            .time_source(self.inner.tenants.clock().clone())
            // Nothing stalls in process, and the check would tick on virtual time.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }

    /// The base of the queue URLs given out from now on, and of the links in SNS's messages, for
    /// instance `http://127.0.0.1:4566`. Queue URLs are understood whatever their base.
    pub fn set_public_url(&self, url: String) {
        self.inner.tenants.set_public_url(&url);
    }
}

impl Engine {
    /// Sends what SNS has for web endpoints at `authority`, a host with or without a port, to
    /// `router` from now on, in this process and on the engine's clock: for tests on virtual time,
    /// which passes while a socket is waited for. The same goes for a Lambda endpoint there.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use callboard_engine::{Engine, EngineConfig};
    /// let engine = Engine::open(EngineConfig::default()).await?;
    /// let hooks = axum::Router::new().fallback(|body: String| async move { drop(body) });
    /// engine.route_in_process("hooks.test", hooks);
    /// # Ok(()) }
    /// ```
    pub fn route_in_process(&self, authority: &str, router: axum::Router) {
        self.inner.outside.route(authority, router);
    }
}

impl Inner {
    pub(crate) async fn answer(&self, call: Call) -> Response<Bytes> {
        self.tenants.answer(&call).await.into_response()
    }
}

/// Opens the accounts and regions of earlier starts after the start, which they do not hold up.
async fn wake(inner: Weak<Inner>, asleep: Vec<Scope>) {
    for scope in asleep {
        tokio::task::yield_now().await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        inner.tenants.wake(scope);
    }
}

async fn upkeep(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        for tenant in inner.tenants.all() {
            tenant.upkeep().await;
        }
    }
}
