//! What a request must hold before a command is made of it.

use axum::http::HeaderMap;
use callboard_contracts::Timestamp;
use callboard_contracts::envelope::SPEC_VERSION;
use callboard_runtime::http::{
    Problem, RawBody, RequestFacts, header_text, is_safe_correlation_id, is_traceparent,
    media_type, parse_json, parse_member, unsupported_media_type,
};
use serde::Deserialize;
use serde_json::Value;

/// Longest `Idempotency-Key` in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Longest id or source of a foreign event in bytes: both stand in the stream's name, which
/// must leave room in a commit of 1,024 bytes.
const NAME_BYTES_MAX: usize = 128;

/// Most events in one batch. Each is committed by itself within the function's time-out.
const BATCH_EVENTS_MAX: usize = 100;

/// The header `Idempotency-Key`, if one was sent
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    if !headers.contains_key("idempotency-key") {
        return Ok(None);
    }
    match header_text(headers, "idempotency-key").map(|text| text.trim_matches('"')) {
        Some(key) if (1..=KEY_BYTES_MAX).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Problem::malformed(
            "The header Idempotency-Key takes 1 to 255 printable characters.",
        )),
    }
}

/// A foreign event as it was sent, in whichever mode.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) id: String,
    /// Absent in the minimal shape: the registered type says it.
    pub(crate) source: Option<String>,
    pub(crate) event_type: String,
    pub(crate) data: Value,
    pub(crate) correlation_id: Option<String>,
    pub(crate) traceparent: Option<String>,
    minimal: bool,
}

/// What one request brought.
#[derive(Debug)]
pub(crate) enum Sent {
    One(Box<Incoming>),
    Batch(Vec<Result<Incoming, Problem>>),
}

/// CloudEvents 1.0 in JSON, as far as a sender may set it.
#[derive(Debug, Deserialize)]
struct Structured {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default, rename = "time")]
    _time: Option<Timestamp>,
    #[serde(default)]
    datacontenttype: Option<String>,
    data: Value,
    #[serde(default)]
    correlationid: Option<String>,
    #[serde(default)]
    traceparent: Option<String>,
}

/// What senders have that do not speak CloudEvents.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Minimal {
    event_type: String,
    event_id: String,
    #[serde(rename = "timestamp")]
    _timestamp: Timestamp,
    data: Value,
}

impl Sent {
    pub(crate) fn parse(
        headers: &HeaderMap,
        body: &RawBody,
        facts: &RequestFacts,
    ) -> Result<Self, Problem> {
        let kind = media_type(headers).unwrap_or_else(|| "application/json".to_owned());
        let value = match kind.as_str() {
            "application/json"
            | "application/cloudevents+json"
            | "application/cloudevents-batch+json" => parse_json(&body.0)?,
            _ => {
                return Err(unsupported_media_type(
                    "application/cloudevents+json, application/cloudevents-batch+json or application/json",
                ));
            }
        };
        let one =
            |incoming: Result<Incoming, Problem>| incoming.map(|event| Self::One(Box::new(event)));
        match kind.as_str() {
            "application/cloudevents-batch+json" => Self::batch(&value, facts),
            "application/cloudevents+json" => one(Incoming::structured(&value, facts)),
            _ if headers.contains_key("ce-specversion") => {
                one(Incoming::binary(headers, value, facts))
            }
            _ if value.get("specversion").is_some() => one(Incoming::structured(&value, facts)),
            _ => one(Incoming::minimal(&value, facts)),
        }
    }

    fn batch(value: &Value, facts: &RequestFacts) -> Result<Self, Problem> {
        let Value::Array(all) = value else {
            return Err(Problem::invalid_at("", "expected an array of CloudEvents"));
        };
        if all.len() > BATCH_EVENTS_MAX {
            return Err(Problem::invalid_at(
                "",
                format!("a batch has at most {BATCH_EVENTS_MAX} events"),
            ));
        }
        Ok(Self::Batch(
            all.iter()
                .map(|event| Incoming::structured(event, facts))
                .collect(),
        ))
    }
}

impl Incoming {
    /// Where the type stands in what was sent.
    pub(crate) fn type_pointer(&self) -> &'static str {
        if self.minimal { "/eventType" } else { "/type" }
    }

    fn structured(value: &Value, facts: &RequestFacts) -> Result<Self, Problem> {
        if value.get("data_base64").is_some() {
            return Err(Problem::invalid_at(
                "/data_base64",
                "binary data are not taken; send JSON in `data`",
            ));
        }
        let sent: Structured = parse_member(value, "")?;
        if sent.specversion != SPEC_VERSION {
            return Err(Problem::invalid_at(
                "/specversion",
                format!("expected `{SPEC_VERSION}`"),
            ));
        }
        let json = |kind: &String| kind.starts_with("application/json");
        if sent
            .datacontenttype
            .as_ref()
            .is_some_and(|kind| !json(kind))
        {
            return Err(Problem::invalid_at(
                "/datacontenttype",
                "expected `application/json`",
            ));
        }
        check_name("/id", &sent.id)?;
        check_name("/source", &sent.source)?;
        Ok(Self {
            id: sent.id,
            source: Some(sent.source),
            event_type: sent.event_type,
            data: sent.data,
            correlation_id: correlation(sent.correlationid, facts)?,
            traceparent: sent
                .traceparent
                .filter(|text| is_traceparent(text))
                .or_else(|| facts.traceparent.clone()),
            minimal: false,
        })
    }

    /// Attributes in `ce-` headers, data in the body
    /// (CloudEvents HTTP protocol binding 1.0.2, section 3.1).
    fn binary(headers: &HeaderMap, data: Value, facts: &RequestFacts) -> Result<Self, Problem> {
        let mut event = serde_json::Map::new();
        for (name, value) in headers {
            let Some(attribute) = name.as_str().strip_prefix("ce-") else {
                continue;
            };
            let text = value.to_str().map_err(|_| {
                Problem::malformed(format!("The header {name} is not printable ASCII."))
            })?;
            let text = percent_encoding::percent_decode_str(text)
                .decode_utf8()
                .map_err(|_| {
                    Problem::malformed(format!("The header {name} is not UTF-8 once decoded."))
                })?;
            event.insert(attribute.to_owned(), Value::from(text.into_owned()));
        }
        event.insert("data".to_owned(), data);
        Self::structured(&Value::Object(event), facts)
    }

    fn minimal(value: &Value, facts: &RequestFacts) -> Result<Self, Problem> {
        let sent: Minimal = parse_member(value, "")?;
        check_name("/eventId", &sent.event_id)?;
        Ok(Self {
            id: sent.event_id,
            source: None,
            event_type: sent.event_type,
            data: sent.data,
            correlation_id: facts.correlation_id.clone(),
            traceparent: facts.traceparent.clone(),
            minimal: true,
        })
    }
}

fn correlation(sent: Option<String>, facts: &RequestFacts) -> Result<Option<String>, Problem> {
    match sent {
        Some(id) if !is_safe_correlation_id(&id) => Err(Problem::invalid_at(
            "/correlationid",
            "takes 1 to 64 letters, digits and . _ ~ : @ -",
        )),
        Some(id) => Ok(Some(id)),
        None => Ok(facts.correlation_id.clone()),
    }
}

/// Id and source become part of a stream's name.
fn check_name(pointer: &str, text: &str) -> Result<(), Problem> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(Problem::invalid_at(
            pointer,
            format!("takes 1 to {NAME_BYTES_MAX} bytes"),
        ));
    }
    if text.contains('#') || text.contains(char::is_control) {
        return Err(Problem::invalid_at(
            pointer,
            "must not hold `#` or a control character",
        ));
    }
    Ok(())
}
