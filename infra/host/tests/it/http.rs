//! The HTTP API.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use callboard_host::{Host, Trigger, Verdict};
use http_body_util::BodyExt;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{engine, invocations, registry, stack, start};

const API: &str = "  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {ProtocolType: HTTP, Name: api}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Worker.Arn
      PayloadFormatVersion: '2.0'
  GetThing:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: GET /things/{id}
      Target: !Sub 'integrations/${Integration}'
      AuthorizationType: AWS_IAM
  PostThing:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: POST /things
      Target: !Sub 'integrations/${Integration}'
      AuthorizationType: NONE
  Worker:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: worker}}
    Properties:
      Runtime: provided.al2023
      Role: !GetAtt Role.Arn
      Timeout: 40
";

async fn host<F, Fut>(handler: F) -> Host
where
    F: Fn(LambdaEvent<Value>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, lambda_runtime::Error>> + Send + 'static,
{
    start(stack(API), &engine().await, registry(handler)).await
}

async fn ask(router: Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.oneshot(request).await.expect("infallible");
    let status = response.status();
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into());
    (status, body)
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a request")
}

#[tokio::test(start_paused = true)]
async fn a_route_reaches_its_function_with_payload_format_2() {
    let host = host(|event: LambdaEvent<Value>| async move {
        Ok(json!({
            "statusCode": 201,
            "headers": {"callboard-commit": "a@1"},
            "body": json!({
                "route": event.payload["routeKey"],
                "id": event.payload["pathParameters"]["id"],
                "epoch": event.payload["requestContext"]["timeEpoch"],
            }).to_string(),
        }))
    })
    .await;
    let mut observed = host.observe();
    let (status, body) = ask(host.router(), get("/things/a%2Fb?x=1")).await;
    assert_eq!(status, 201);
    assert_eq!(body["route"], "GET /things/{id}");
    assert_eq!(body["id"], "a/b");
    assert!(
        body["epoch"]
            .as_u64()
            .is_some_and(|epoch| epoch >= 1_800_000_000_000)
    );
    let call = invocations(&mut observed, 1).await.remove(0);
    assert_eq!(call.trigger, Trigger::Http("GET /things/{id}".into()));
    assert_eq!((call.verdict, call.status), (Verdict::Succeeded, Some(201)));
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn lambda_http_functions_read_the_event_and_answer_it() {
    // The adapter that the functions use, over the very events and answers of this host.
    let host = host(|event: LambdaEvent<Value>| async move {
        use lambda_http::{Adapter, RequestExt, request::LambdaRequest, service_fn};
        let (payload, context) = event.into_parts();
        let request: LambdaRequest = serde_json::from_value(payload)?;
        let handler = |request: lambda_http::Request| async move {
            let answer = json!({
                "path": request.uri().path(),
                "id": request.path_parameters().first("id"),
                "body": String::from_utf8_lossy(request.body().as_ref()),
            });
            Ok::<_, lambda_http::Error>(
                lambda_http::Response::builder()
                    .status(200)
                    .header("content-type", "application/json")
                    .header("set-cookie", "a=1")
                    .body(lambda_http::Body::from(answer.to_string()))?,
            )
        };
        let answer = Adapter::from(service_fn(handler))
            .oneshot(LambdaEvent::new(request, context))
            .await?;
        Ok(serde_json::to_value(answer)?)
    })
    .await;
    let (status, body) = ask(host.router(), get("/things/a%20b")).await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"path": "/things/a%20b", "id": "a b", "body": ""})
    );
    let request = Request::post("/things")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("answer=accept"))
        .expect("a request");
    let response = host.router().oneshot(request).await.expect("infallible");
    assert_eq!(response.headers()["set-cookie"], "a=1");
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let body: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(body["body"], "answer=accept");
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_route_is_not_found() {
    let host = host(|_| async { Ok(json!({"statusCode": 200})) }).await;
    for request in [get("/nowhere"), get("/things")] {
        let (status, body) = ask(host.router(), request).await;
        assert_eq!(status, 404);
        assert_eq!(body, json!({"message": "Not Found"}));
    }
    assert!(host.totals().is_empty());
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn errors_panics_and_malformed_answers_are_internal_server_errors() {
    let host = host(|event: LambdaEvent<Value>| async move {
        match event.payload["pathParameters"]["id"].as_str() {
            Some("error") => Err("no".into()),
            Some("panic") => panic!("asked to"),
            _ => Ok(json!({"statusCode": "nonsense"})),
        }
    })
    .await;
    for id in ["error", "panic", "malformed"] {
        let (status, body) = ask(host.router(), get(&format!("/things/{id}"))).await;
        assert_eq!(status, 500, "{id}");
        assert_eq!(body, json!({"message": "Internal Server Error"}));
    }
    assert_eq!(host.totals()["worker"].unsuccessful, 3);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_gateway_gives_up_after_thirty_seconds_but_the_invocation_goes_on() {
    let host = host(|_| async {
        tokio::time::sleep(Duration::from_secs(35)).await;
        Ok(json!({"statusCode": 200}))
    })
    .await;
    let mut observed = host.observe();
    let begin = tokio::time::Instant::now();
    let (status, body) = ask(host.router(), get("/things/slow")).await;
    assert_eq!(status, 503);
    assert_eq!(body, json!({"message": "Service Unavailable"}));
    assert_eq!(begin.elapsed().as_secs(), 30);
    assert_eq!(
        invocations(&mut observed, 1).await[0].verdict,
        Verdict::Succeeded
    );
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_past_its_own_time_out_is_an_internal_server_error() {
    let text = API.replace("Timeout: 40", "Timeout: 4");
    let hang = |_| async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        Ok(Value::Null)
    };
    let host = start(stack(&text), &engine().await, registry(hang)).await;
    let begin = tokio::time::Instant::now();
    let (status, _) = ask(host.router(), get("/things/slow")).await;
    assert_eq!(status, 500);
    assert_eq!(begin.elapsed().as_secs(), 4);
    host.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limits_never_reaches_the_function() {
    let host = host(|_| async { Ok(json!({"statusCode": 200})) }).await;
    // 10 MB is API Gateway's limit, 6 MB Lambda's.
    for megabytes in [11, 7] {
        let request = Request::post("/things")
            .header("content-type", "application/json")
            .body(Body::from(vec![b' '; megabytes * 1024 * 1024]))
            .expect("a request");
        let (status, body) = ask(host.router(), request).await;
        assert_eq!(status, 413, "{megabytes} MB");
        assert_eq!(body, json!({"message": "Request Entity Too Large"}));
    }
    assert!(host.totals().is_empty());
    host.shutdown().await;
}
