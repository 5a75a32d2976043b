//! Headers, media types and what is asked of a request before its body is looked at.

use crate::prelude::*;

const PROTOCOL: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html";
const ERRORS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html";
const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");
const LIST: (&str, &str) = ("x-amz-target", "DynamoDB_20120810.ListTables");

async fn post(aws: &Aws, headers: &[(&str, &str)], body: &'static str) -> Result<Reply> {
    let answer = aws.client().post("dynamodb", "/", headers, body).await?;
    Reply::read("a request", answer)
}

checks! {
    PROTOCOL => async fn an_answer_bears_a_request_id_and_the_checksum_of_its_body(aws: Aws) {
        let answer = aws.client().post("dynamodb", "/", &[JSON, LIST], "{}").await?;
        let id = answer.headers.get("x-amzn-requestid").map(|id| id.as_bytes().to_vec());
        let id = id.unwrap_or_default();
        ensure_eq!(id.len(), 52, "characters of the request id");
        ensure!(id.iter().all(u8::is_ascii_alphanumeric), "{id:?}");
        let checksum = answer.headers.get("x-amz-crc32").and_then(|sum| sum.to_str().ok());
        ensure_eq!(checksum, Some(crc32(&answer.body).to_string().as_str()));
        Ok(())
    }

    PROTOCOL => async fn the_answer_is_in_the_media_type_of_the_request(aws: Aws) {
        for media_type in ["application/x-amz-json-1.0", "application/json"] {
            let reply = post(&aws, &[("content-type", media_type), LIST], "{}").await?;
            ensure_eq!(reply.header("content-type"), Some(media_type));
            reply.ok()?;
        }
        Ok(())
    }

    PROTOCOL => async fn parameters_of_the_media_type_are_passed_over(aws: Aws) {
        let given = ("content-type", " application/json ; charset=utf-8");
        post(&aws, &[given, LIST], "{}").await?.ok()?;
        Ok(())
    }

    ERRORS => async fn a_request_without_a_target_names_no_operation(aws: Aws) {
        post(&aws, &[JSON], "{}").await?.refused(400, "UnknownOperationException")
    }

    ERRORS => async fn an_operation_that_there_is_not_is_unknown(aws: Aws) {
        aws.dynamo("ListChairs", json!({})).await?.refused(400, "UnknownOperationException")
    }

    ERRORS => async fn a_target_of_another_version_is_unknown(aws: Aws) {
        let target = ("x-amz-target", "DynamoDB_20100101.ListTables");
        post(&aws, &[JSON, target], "{}").await?.refused(400, "UnknownOperationException")
    }

    ERRORS => async fn a_body_that_is_no_json_is_refused_without_a_word(aws: Aws) {
        for body in ["", "hello", "{\"TableName\":", "{}{}"] {
            let reply = post(&aws, &[JSON, LIST], body).await?;
            reply.refused(400, "SerializationException")?;
            ensure_eq!(reply.message(), "", "{body}");
        }
        Ok(())
    }

    ERRORS => async fn a_request_that_is_not_signed_lacks_a_token(aws: Aws) {
        for header in ["Bearer abc", ""] {
            let given = ("authorization", header);
            post(&aws, &[JSON, LIST, given], "{}").await?.refused_saying(
                400,
                "MissingAuthenticationTokenException",
                "Request is missing Authentication Token",
            )?;
        }
        Ok(())
    }

    ERRORS => async fn a_signature_without_its_parts_is_incomplete(aws: Aws) {
        let given = (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request",
        );
        let reply = post(&aws, &[JSON, LIST, given], "{}").await?;
        reply.refused_saying(
            400,
            "IncompleteSignatureException",
            "Authorization header requires 'Signature' parameter.",
        )?;
        reply.refused_saying(400, "IncompleteSignatureException", "'SignedHeaders'")
    }

    ERRORS => async fn a_refusal_names_its_code_with_its_namespace(aws: Aws) {
        let missing = json!({"TableName": aws.name("missing")});
        let reply = aws.dynamo("DescribeTable", missing).await?;
        ensure_eq!(
            reply.body.text_at("/__type")?,
            "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
        );
        let reply = aws.dynamo("GetItem", json!({"TableName": 5})).await?;
        ensure_eq!(
            reply.body.text_at("/__type")?,
            "com.amazon.coral.service#SerializationException"
        );
        let reply = aws.dynamo("GetItem", json!({})).await?;
        ensure_eq!(
            reply.body.text_at("/__type")?,
            "com.amazon.coral.validate#ValidationException"
        );
        Ok(())
    }

    ERRORS => async fn members_that_there_are_not_are_passed_over(aws: Aws) {
        let input = json!({"Limit": 1, "Colour": ["red", {"TableName": 1}]});
        aws.dynamo("ListTables", input).await?.ok()?;
        Ok(())
    }
}

/// The checksum of gzip and zip (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let rest = bytes.iter().fold(u32::MAX, |rest, byte| {
        (0..8).fold(rest ^ u32::from(*byte), |rest, _| {
            (rest >> 1) ^ if rest & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    });
    !rest
}
