//! Holds what functions are asked and answer over HTTP to the API's document,
//! `functions/openapi.json`.
//!
//! Clients take members that they do not know; here each is a fault, so that none is forgotten.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::gateway::Answer;

/// How to mend what is found here.
const HOW: &str = "describe it (functions/openapi/README.md says how), or change the code";

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions/openapi.json");
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut document =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    close(&mut document);
    document
});

/// What in `value` is not as a schema of the document has it; its references lead into the
/// document.
///
/// # Panics
/// When the schema is none.
#[must_use]
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    close(&mut schema);
    // Here references are looked up.
    schema["components"] = DOCUMENT["components"].clone();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema");
    let faults = validator.iter_errors(value);
    faults
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Takes no member that a schema does not name, unless it says that it takes others. What is
/// added beside a reference (`properties` of one member, to narrow it) names not all.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let names_all = members.get("properties").is_some_and(Value::is_object)
                && !members.contains_key("$ref");
            if names_all && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// One request and its answer.
struct Call<'a> {
    method: &'a str,
    path: &'a str,
    event: &'a Value,
    answer: &'a Answer,
}

/// Holds a function's answer to an event of the gateway to the document.
///
/// # Panics
/// When anything of it is not documented.
pub(crate) fn check(event: &Value, answer: &Answer) {
    let call = Call {
        method: event["requestContext"]["http"]["method"]
            .as_str()
            .unwrap_or_default(),
        path: event["rawPath"].as_str().unwrap_or_default(),
        event,
        answer,
    };
    match call.operation() {
        // Another function serves it; that one does is a test of the document's own.
        Some(_) if answer.status == 405 => {}
        Some(operation) => {
            call.check_answer(operation);
            // 207 is for what was taken in part: something of it was not as it should be.
            if answer.status < 300 && answer.status != 207 {
                call.check_request(operation);
            }
        }
        None if matches!(answer.status, 404 | 405) => {}
        None => call.fail("the route is not in functions/openapi.json"),
    }
}

impl Call<'_> {
    fn fail(&self, what: &str) -> ! {
        let Self {
            method,
            path,
            answer,
            ..
        } = self;
        panic!("{method} {path}, answered {}: {what}; {HOW}", answer.status);
    }

    fn operation(&self) -> Option<&'static Value> {
        let method = self.method.to_ascii_lowercase();
        let paths = DOCUMENT["paths"].as_object()?;
        let mut meant: Vec<_> = paths
            .iter()
            .filter(|(template, _)| is_of(template, self.path))
            .collect();
        // A path that names a step goes before one that takes any.
        meant.sort_by_key(|(template, _)| template.matches('{').count());
        meant.first()?.1.get(&method)
    }

    fn check_answer(&self, operation: &Value) {
        let Some(response) = operation["responses"].get(self.answer.status.to_string()) else {
            self.fail("this status is not documented");
        };
        let response = resolved(response);
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let is_there = self.answer.headers.contains_key(&name.to_ascii_lowercase());
            if resolved(header)["required"] == true && !is_there {
                self.fail(&format!("the header {name} is missing"));
            }
        }
        if self.answer.text.is_empty() {
            return;
        }
        let kind = self
            .answer
            .headers
            .get("content-type")
            .map_or("", |kind| essence(kind));
        let Some(content) = response["content"].get(kind) else {
            self.fail(&format!("an answer of type `{kind}` is not documented"));
        };
        if kind.ends_with("json") {
            self.check_json("the answer", &content["schema"], &self.answer.json());
        }
    }

    fn check_request(&self, operation: &Value) {
        self.check_query(operation);
        let Some(body) = self.body() else { return };
        let headers = &self.event["headers"];
        let kind = headers["content-type"]
            .as_str()
            .map_or("application/json", essence);
        let Some(content) = operation
            .pointer("/requestBody/content")
            .and_then(|all| all.get(kind))
        else {
            self.fail(&format!("a body of type `{kind}` is not documented"));
        };
        let value = if kind == "application/x-www-form-urlencoded" {
            let fields = form_urlencoded::parse(body.as_bytes());
            Value::Object(
                fields
                    .map(|(name, value)| (name.into_owned(), Value::from(value)))
                    .collect(),
            )
        } else {
            serde_json::from_str(&body).unwrap_or(Value::Null)
        };
        self.check_json("the request's body", &content["schema"], &value);
    }

    /// What was sent; none if it is not text.
    fn body(&self) -> Option<String> {
        if self.event["isBase64Encoded"] == true {
            return None;
        }
        let body = self.event["body"].as_str()?;
        (!body.is_empty()).then(|| body.to_owned())
    }

    fn check_query(&self, operation: &Value) {
        let query = self.event["rawQueryString"].as_str().unwrap_or_default();
        let all = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(resolved);
        let known: BTreeMap<_, _> = all
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| Some((parameter["name"].as_str()?, &parameter["schema"])))
            .collect();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(schema) = known.get(name.as_ref()) else {
                self.fail(&format!("the parameter `{name}` is not documented"));
            };
            let value = value
                .parse::<i64>()
                .map_or_else(|_| Value::from(value), Value::from);
            self.check_json(&format!("the parameter `{name}`"), schema, &value);
        }
    }

    fn check_json(&self, what: &str, schema: &Value, value: &Value) {
        let faults = faults(schema, value);
        if !faults.is_empty() {
            self.fail(&format!("{what} is not as documented: {faults:#?}"));
        }
    }
}

/// A media type without its parameters.
fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

fn is_of(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template
            .zip(path)
            .all(|(step, actual)| step == actual || (step.starts_with('{') && !actual.is_empty()))
}

/// What a reference leads to.
fn resolved(value: &Value) -> &Value {
    let pointer = value.get("$ref").and_then(Value::as_str);
    pointer
        .and_then(|pointer| DOCUMENT.pointer(pointer.strip_prefix('#')?))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Request;
    use callboard_contracts::Timestamp;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// What is said against an answer to a request; nothing if it is documented.
    fn said(request: &Request, status: u16, body: &Value) -> String {
        let kind = if status < 300 {
            "application/json"
        } else {
            "application/problem+json"
        };
        let headers = [("content-type", kind), ("callboard-commit", "slot#s1@1")];
        let answer = Answer {
            status,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            text: body.to_string(),
        };
        let checked = catch_unwind(AssertUnwindSafe(|| check(&request.event(), &answer)));
        let Err(panic) = checked else {
            return String::new();
        };
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    }

    fn asked(method: &str, path: &str) -> Request {
        Request::new(method, path, Timestamp::from_millis(1))
    }

    #[test]
    fn what_is_documented_is_let_pass_and_what_is_not_is_named() {
        let book = asked("POST", "/v1/slots/s1/booking").json(&json!({"by": "staff"}));
        let booked = json!({
            "slotId": "s1", "slotVersion": 1, "waitlistId": "w1", "correlationId": "c",
        });
        let refused = json!({
            "type": "urn:callboard:problem:slot-taken", "title": "Conflict", "status": 409,
            "detail": "This slot is taken.",
        });
        assert_eq!(said(&book, 201, &booked), "");
        assert_eq!(said(&book, 409, &refused), "");
        let with = |body: &Value, name: &str, value: &str| {
            let mut body = body.clone();
            body[name] = json!(value);
            body
        };
        let unknown_body = asked("POST", "/v1/slots/s1/booking").json(&json!({"for": "kim"}));
        let unknown_query = asked("DELETE", "/v1/slots/s1?version=1");
        for (request, status, body, fault) in [
            (&book, 202, booked.clone(), "this status is not documented"),
            (
                &book,
                201,
                with(&booked, "note", "n"),
                "'note' was unexpected",
            ),
            (
                &book,
                409,
                with(&refused, "type", "urn:callboard:problem:unheard-of"),
                "unheard-of",
            ),
            (&unknown_body, 201, booked.clone(), "'for' was unexpected"),
            (
                &unknown_query,
                200,
                booked.clone(),
                "the parameter `version` is not documented",
            ),
            (
                &asked("GET", "/v1/doors"),
                200,
                booked.clone(),
                "the route is not in",
            ),
        ] {
            let said = said(request, status, &body);
            assert!(said.contains(fault), "{fault}: {said}");
        }
    }
}
