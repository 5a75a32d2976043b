//! Stands between an SDK client and its service under a function's role.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;

use super::access::{Access, Call, Service, Unreadable};
use super::answer::refused;
use super::ledger::Ledger;
use super::place::Place;
use super::rules::Policy;

/// A role that is taken; clones share what they know of shard iterators.
#[derive(Clone)]
pub struct Guard(Arc<Role>);

struct Role {
    function: String,
    policy: Policy,
    place: Place,
    ledger: Ledger,
    /// `GetRecords` names no stream but by its iterator: those that were given.
    iterators: Mutex<HashMap<String, String>>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard of {}", self.0.function)
    }
}

impl Guard {
    /// Under the `policy` of `function`; calls and refusals go to `ledger`.
    #[must_use]
    pub fn new(function: &str, policy: Policy, place: Place, ledger: Ledger) -> Self {
        Self(Arc::new(Role {
            function: function.to_owned(),
            policy,
            place,
            ledger,
            iterators: Mutex::default(),
        }))
    }

    /// The same configuration, with this guard between.
    #[must_use]
    pub fn sdk_config(&self, base: &SdkConfig) -> SdkConfig {
        let client = Guarded {
            guard: self.clone(),
            client: base.http_client().unwrap_or_else(sdk_client),
        };
        base.to_builder()
            .http_client(SharedHttpClient::new(client))
            .build()
    }

    /// What the request asks for, if all of it is allowed; else the refusal.
    #[allow(
        clippy::result_large_err,
        reason = "the refusal is the SDK's own answer"
    )]
    fn judge(&self, call: &Call) -> Result<Vec<Access>, Result<HttpResponse, ConnectorError>> {
        let role = &self.0;
        let principal = role.place.principal(&role.function);
        let accesses = match call.accesses(&role.place, |iterator| self.stream_of(iterator)) {
            Ok(accesses) => accesses,
            Err(Unreadable(why)) => {
                role.ledger.denied(&role.function, why);
                return Err(refused(call.service, &principal, &call.operation, "*"));
            }
        };
        match accesses.iter().find(|access| !role.policy.allows(access)) {
            None => Ok(accesses),
            Some(access) => {
                role.ledger.denied(&role.function, access.to_string());
                let (action, resource) = (&access.action, &access.resource);
                Err(refused(call.service, &principal, action, resource))
            }
        }
    }

    fn stream_of(&self, iterator: &str) -> Option<String> {
        let iterators = self.0.iterators.lock();
        let iterators = iterators.unwrap_or_else(PoisonError::into_inner);
        iterators.get(iterator).cloned()
    }

    fn learn(&self, stream: &str, answer: &[u8]) {
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
            return;
        };
        let iterators = self.0.iterators.lock();
        let mut iterators = iterators.unwrap_or_else(PoisonError::into_inner);
        for name in ["ShardIterator", "NextShardIterator"] {
            if let Some(iterator) = answer[name].as_str() {
                iterators.insert(iterator.to_owned(), stream.to_owned());
            }
        }
    }
}

/// What the SDK makes itself where a configuration names no client.
fn sdk_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
        .build_https()
}

#[derive(Debug)]
struct Guarded {
    guard: Guard,
    client: SharedHttpClient,
}

impl HttpClient for Guarded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(GuardedConnector {
            guard: self.guard.clone(),
            inner: self.client.http_connector(settings, components),
        })
    }
}

#[derive(Debug, Clone)]
struct GuardedConnector {
    guard: Guard,
    inner: SharedHttpConnector,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let role = &this.guard.0;
            let call = match Call::read(&request) {
                Ok(call) => call,
                Err(Unreadable(why)) => {
                    role.ledger.denied(&role.function, why.clone());
                    return Err(ConnectorError::user(why.into()));
                }
            };
            let accesses = match this.guard.judge(&call) {
                Ok(accesses) => accesses,
                Err(refusal) => return refusal,
            };
            let stream = (call.service == Service::Streams)
                .then(|| accesses.first().map(|access| access.resource.clone()))
                .flatten();
            role.ledger.called(&role.function, accesses);
            let mut answer = this.inner.call(request).await?;
            if let Some(stream) = stream {
                let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
                let body = ByteStream::new(body).collect().await;
                let body = body.map_err(|error| ConnectorError::io(error.into()))?;
                let body = body.into_bytes();
                this.guard.learn(&stream, &body);
                *answer.body_mut() = SdkBody::from(body);
            }
            Ok(answer)
        })
    }
}
