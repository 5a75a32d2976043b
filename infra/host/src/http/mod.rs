//! The HTTP API: an API Gateway v2 stand-in with payload format 2.0.
//!
//! As <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//! has it. Authorizers are not enforced: on loopback every route is open.
//!
//! Answers of the gateway itself, when the function gives none that it can pass on:
//! 404 for an unknown route, 413 for a large request, 500 for a function that failed,
//! timed out or answered in another form, 503 when the integration's 30 s are over.

mod request;
mod response;
mod route;

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::time::SharedTimeSource;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};

use crate::invocation::{Call, Function, Judgement, Outcome};
use crate::observe::{Trigger, Verdict};
pub(crate) use route::Routes;

/// Largest request body in bytes.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Largest event in bytes: Lambda's limit for a synchronous call.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// How long the gateway waits for the function (quotas page above).
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// What the gateway knows about itself.
#[derive(Debug, Clone)]
pub(crate) struct GatewayConfig {
    pub account: String,
    pub api_id: String,
}

/// The gateway.
pub(crate) struct Gateway {
    pub config: GatewayConfig,
    pub routes: Routes<Function>,
    pub clock: SharedTimeSource,
}

/// A router that serves every route of the API and answers 404 for the rest.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().fallback(move |request: Request<Body>| {
        let gateway = gateway.clone();
        async move { gateway.handle(request).await }
    })
}

impl Gateway {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let received_at = self.clock.now();
        let (parts, body) = request.into_parts();
        let Some(matched) = self.routes.find(&parts.method, parts.uri.path()) else {
            return response::message(StatusCode::NOT_FOUND, "Not Found");
        };
        let body = match request::read_body(&parts.headers, body).await {
            Ok(body) => body,
            Err(refusal) => return refusal.into_response(),
        };
        let request_id = crate::invocation::request_id();
        let event = request::event(
            &parts,
            &body,
            &request::Arrival {
                gateway: &self.config,
                route_key: matched.route_key,
                parameters: &matched.parameters,
                request_id: &request_id,
                received_at,
            },
        );
        if request::size(&parts, &event) > EVENT_BYTES_MAX {
            return request::Refusal::TooLarge.into_response();
        }
        let answer = invoke(matched.target.clone(), matched.route_key.clone(), event).await;
        response::with_request_id(answer, &request_id)
    }
}

/// Calls the function in a task of its own: a client that hangs up does not end the
/// invocation, nor does the gateway's time-out.
async fn invoke(
    function: Function,
    route_key: Arc<str>,
    event: serde_json::Value,
) -> Response<Body> {
    let task = tokio::spawn(async move {
        let call = function.call(event).await;
        let (answer, verdict) = judge(&call);
        function.report(
            &call,
            Judgement {
                trigger: Trigger::Http(route_key),
                records: 1,
                failed: usize::from(verdict != Verdict::Succeeded),
                verdict,
                status: Some(answer.status().as_u16()),
                correlation_ids: Vec::new(),
            },
        );
        answer
    });
    match tokio::time::timeout(INTEGRATION_TIMEOUT, task).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_join_error)) => response::internal_server_error(),
        Err(_elapsed) => response::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

fn judge(call: &Call) -> (Response<Body>, Verdict) {
    match &call.outcome {
        Outcome::Answer(answer) => match response::from_answer(answer) {
            Some(response) => (response, Verdict::Succeeded),
            None => (response::internal_server_error(), Verdict::Malformed),
        },
        failed => (response::internal_server_error(), failed.verdict()),
    }
}
