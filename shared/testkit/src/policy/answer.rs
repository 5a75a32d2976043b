//! How each service says that something is not allowed.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use super::access::Service;

/// The answer to `principal`, who may not do `action` on `resource`.
pub(super) fn refused(
    service: Service,
    principal: &str,
    action: &str,
    resource: &str,
) -> Result<HttpResponse, ConnectorError> {
    let words = format!(
        "User: {principal} is not authorized to perform: {action} on resource: {resource} because \
         no identity-based policy allows the {action} action"
    );
    let json = json!({
        "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": words,
    });
    let (status, body, header) = match service {
        Service::DynamoDb | Service::Streams => (400, json.to_string(), None),
        Service::Sqs => {
            let header = ("x-amzn-query-error", "AccessDenied;Sender");
            (403, json.to_string(), Some(header))
        }
        Service::Ses => {
            let header = ("x-amzn-errortype", "AccessDeniedException");
            (403, json.to_string(), Some(header))
        }
        Service::Sns => {
            let body = format!(
                "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error>\
                 <Type>Sender</Type><Code>AuthorizationError</Code><Message>{words}</Message>\
                 </Error><RequestId>refused</RequestId></ErrorResponse>"
            );
            (403, body, None)
        }
    };
    let status =
        StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    let kind = match service {
        Service::Sns => "text/xml",
        _ => "application/x-amz-json-1.0",
    };
    answer.headers_mut().insert("content-type", kind);
    if let Some((name, value)) = header {
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}
