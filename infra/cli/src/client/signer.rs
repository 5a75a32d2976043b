//! AWS Signature Version 4 for an HTTP API whose authorizer is IAM
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html>),
//! and for the few services that are spoken to without an SDK.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

/// The name that API Gateway's requests are signed for.
const API: &str = "execute-api";

/// Signs requests as one principal of AWS.
#[derive(Clone)]
pub struct Signer {
    credentials: Credentials,
    region: String,
    service: &'static str,
}

impl Signer {
    /// Signs with these credentials for APIs in this region.
    pub fn new(credentials: Credentials, region: impl Into<String>) -> Self {
        Self {
            credentials,
            region: region.into(),
            service: API,
        }
    }

    /// The same for another service, by the name that its requests are signed for.
    #[must_use]
    pub fn of(self, service: &'static str) -> Self {
        Self { service, ..self }
    }

    /// Adds the signature of `body` and of all headers that are there.
    pub(super) fn sign(
        &self,
        request: &mut Request<Full<Bytes>>,
        body: &[u8],
    ) -> Result<(), String> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers,
            SignableBody::Bytes(body),
        )
        .map_err(|error| error.to_string())?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|error| error.to_string())?
            .into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_request_names_key_region_and_service_and_not_the_secret() {
        let signer = Signer::new(
            Credentials::new("AKIDEXAMPLE", "s3cr3t", None, None, "test"),
            "eu-central-1",
        );
        let mut request = Request::builder()
            .method("PUT")
            .uri("http://api.localhost:4599/v1/recipients/r1?x=1")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(b"{}")))
            .unwrap();
        signer.sign(&mut request, b"{}").unwrap();
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
        assert!(authorization.contains("/eu-central-1/execute-api/aws4_request"));
        assert!(!format!("{:?}", request.headers()).contains("s3cr3t"));
    }
}
