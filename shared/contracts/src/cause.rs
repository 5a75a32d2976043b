//! Why a commit was made: what caused it, and a hash of that cause.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// What led to a commit.
///
/// The hash covers the *cause* (a command's body, a foreign event), never the decision taken:
/// an honest redelivery after a deployment may decide differently, and still is the same cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Id of the event or command that led to this.
    pub causation_id: String,
    /// Id shared by everything that follows from one first cause.
    pub correlation_id: String,
    /// [`hash_of`] the causing payload.
    pub hash: String,
    /// W3C Trace Context header of the causing request, if it carried one.
    pub traceparent: Option<String>,
}

/// SHA-256 over a JSON value with sorted keys and no white space, the first 128 bits in
/// lower-case hexadecimal: enough to tell two payloads apart, short enough for a commit.
#[must_use]
pub fn hash_of(value: &Value) -> String {
    let mut hasher = Sha256::new();
    write_canonical(value, &mut hasher);
    let digest = hasher.finalize();
    digest[..16]
        .iter()
        .fold(String::with_capacity(32), |mut hex, byte| {
            use std::fmt::Write as _;
            write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
            hex
        })
}

fn write_canonical(value: &Value, out: &mut Sha256) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            out.update(b"{");
            for (name, field) in sorted {
                out.update(Value::from(name.as_str()).to_string());
                out.update(b":");
                write_canonical(field, out);
                out.update(b",");
            }
            out.update(b"}");
        }
        Value::Array(items) => {
            out.update(b"[");
            for item in items {
                write_canonical(item, out);
                out.update(b",");
            }
            out.update(b"]");
        }
        scalar => out.update(scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_change_the_hash_but_a_value_does() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":[1,2]}"#).expect("JSON");
        let two: Value = serde_json::from_str(r#"{ "b": [1, 2], "a": 1 }"#).expect("JSON");
        assert_eq!(hash_of(&one), hash_of(&two));
        assert_ne!(hash_of(&one), hash_of(&json!({"a": 1, "b": [2, 1]})));
        assert_eq!(hash_of(&one).len(), 32);
    }
}
