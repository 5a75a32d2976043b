//! Filter policies (AWS, "Amazon SNS subscription filter policies"): reading, checking, matching.

mod condition;

use crate::sqs::{Attribute, Attributes};
use condition::Condition;
use serde_json::{Map, Value};

/// The most keys of a policy (AWS, "Filter policy constraints").
const KEYS_MAX: usize = 5;
/// The most combinations of values (AWS, same page).
const COMBINATIONS_MAX: usize = 150;
/// How deep a policy on a body may nest. AWS says only that the product of depths counts; nothing
/// real comes near this.
const DEPTH_MAX: usize = 32;

/// What a policy looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sns) enum Scope {
    Attributes,
    Body,
}

/// A filter policy, ready to match.
#[derive(Debug, Clone)]
pub(in crate::sns) struct Filter {
    scope: Scope,
    fields: Fields,
}

/// Keys that must all match, and choices of which one must.
#[derive(Debug, Clone, Default)]
struct Fields {
    keys: Vec<(String, Node)>,
    choices: Vec<Vec<Fields>>,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(Vec<Condition>),
    Fields(Fields),
}

impl Filter {
    /// Reads a policy; the error is a reason for a person.
    pub(in crate::sns) fn read(text: &str, scope: Scope) -> Result<Filter, String> {
        let policy: Value =
            serde_json::from_str(text).map_err(|_| "failed to parse JSON.".to_owned())?;
        let Value::Object(policy) = policy else {
            return Err("Filter policy must be a JSON object".to_owned());
        };
        let fields = Fields::read(&policy, scope, DEPTH_MAX)?;
        let (keys, combinations) = fields.weigh();
        if keys > KEYS_MAX {
            return Err(format!(
                "Filter policy can not have more than {KEYS_MAX} keys"
            ));
        }
        if combinations > COMBINATIONS_MAX {
            return Err("Filter policy is too complex".to_owned());
        }
        Ok(Filter { scope, fields })
    }

    /// Whether a message passes.
    pub(in crate::sns) fn passes(&self, body: &str, attributes: &Attributes) -> bool {
        match self.scope {
            Scope::Attributes => self.fields.match_value(Some(&as_value(attributes))),
            // What is no JSON object passes no policy on the body.
            Scope::Body => serde_json::from_str::<Map<String, Value>>(body)
                .is_ok_and(|body| self.fields.match_value(Some(&Value::Object(body)))),
        }
    }
}

fn as_value(attributes: &Attributes) -> Value {
    let value = |attribute: &Attribute| {
        let text = attribute.string_value.as_deref();
        match (attribute.data_type.as_str(), text) {
            ("Number", Some(text)) => text.parse::<f64>().map_or(Value::Null, Value::from),
            ("String.Array", Some(text)) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
            }
            (_, Some(text)) => Value::from(text),
            // Binary: it exists, and nothing else can be said of it.
            _ => Value::Object(Map::new()),
        }
    };
    Value::Object(
        attributes
            .iter()
            .map(|(name, attribute)| (name.clone(), value(attribute)))
            .collect(),
    )
}

impl Fields {
    fn read(policy: &Map<String, Value>, scope: Scope, depth: usize) -> Result<Fields, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err("Filter policy is nested too deeply".to_owned());
        };
        let mut fields = Fields::default();
        for (key, value) in policy {
            match value {
                Value::Array(choices)
                    if key == "$or"
                        && choices.len() >= 2
                        && choices.iter().all(Value::is_object) =>
                {
                    let choices = choices
                        .iter()
                        .filter_map(Value::as_object)
                        .map(|choice| Fields::read(choice, scope, depth))
                        .collect::<Result<_, _>>()?;
                    fields.choices.push(choices);
                }
                Value::Array(conditions) if conditions.is_empty() => {
                    return Err("Empty arrays are not allowed".to_owned());
                }
                Value::Array(conditions) => {
                    let conditions = conditions.iter().map(Condition::read);
                    let leaf = Node::Leaf(conditions.collect::<Result<_, _>>()?);
                    fields.keys.push((key.clone(), leaf));
                }
                Value::Object(nested) if scope == Scope::Body && !nested.is_empty() => {
                    let nested = Fields::read(nested, scope, depth)?;
                    fields.keys.push((key.clone(), Node::Fields(nested)));
                }
                Value::Object(_) if scope == Scope::Body => {
                    return Err("Empty objects are not allowed".to_owned());
                }
                Value::Object(_) => {
                    return Err(
                        "Filter policy scope MessageAttributes does not support nested filter policy"
                            .to_owned(),
                    );
                }
                _ => return Err(format!("\"{key}\" must be an object or an array")),
            }
        }
        Ok(fields)
    }

    /// Keys with conditions, and combinations of them.
    fn weigh(&self) -> (usize, usize) {
        let keys = self.keys.iter().map(|(_, node)| match node {
            Node::Leaf(conditions) => (1, conditions.len()),
            Node::Fields(fields) => fields.weigh(),
        });
        // Choices add up among themselves and multiply with the rest.
        let choices = self.choices.iter().map(|choices| {
            choices.iter().map(Fields::weigh).fold(
                (0, 0usize),
                |(most, sum), (keys, combinations)| {
                    (most.max(keys), sum.saturating_add(combinations))
                },
            )
        });
        keys.chain(choices)
            .fold((0, 1usize), |(keys, product), (k, c)| {
                (keys + k, product.saturating_mul(c))
            })
    }

    fn match_value(&self, value: Option<&Value>) -> bool {
        if let Some(Value::Array(elements)) = value {
            return elements
                .iter()
                .any(|element| self.match_value(Some(element)));
        }
        let members = value.and_then(Value::as_object);
        let keys = self.keys.iter().all(|(key, node)| {
            let value = members.and_then(|members| members.get(key));
            match node {
                Node::Leaf(conditions) => leaf_matches(conditions, value),
                Node::Fields(fields) => fields.match_value(value),
            }
        });
        keys && self
            .choices
            .iter()
            .all(|choices| choices.iter().any(|choice| choice.match_value(value)))
    }
}

fn leaf_matches(conditions: &[Condition], value: Option<&Value>) -> bool {
    match value {
        None => conditions
            .iter()
            .any(|condition| matches!(condition, Condition::Exists(false))),
        Some(Value::Array(elements)) => {
            let exists = conditions
                .iter()
                .any(|condition| matches!(condition, Condition::Exists(true)));
            exists
                || elements
                    .iter()
                    .any(|element| leaf_matches(conditions, Some(element)))
        }
        Some(value) => conditions.iter().any(|condition| condition.matches(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str, &str)]) -> Attributes {
        pairs
            .iter()
            .map(|(name, data_type, value)| {
                let attribute = Attribute {
                    data_type: (*data_type).to_owned(),
                    ..Attribute::string(*value)
                };
                ((*name).to_owned(), attribute)
            })
            .collect()
    }

    fn on_attributes(policy: &str, pairs: &[(&str, &str, &str)]) -> bool {
        let filter = Filter::read(policy, Scope::Attributes).expect("a policy");
        filter.passes("", &attributes(pairs))
    }

    fn on_body(policy: &str, body: &str) -> bool {
        let filter = Filter::read(policy, Scope::Body).expect("a policy");
        filter.passes(body, &Attributes::new())
    }

    #[test]
    fn each_operator_matches_what_aws_documents() {
        let cases = [
            (r#"["a","b"]"#, "b", "c"),
            (r#"[{"prefix":"ord"}]"#, "order", "border"),
            (r#"[{"suffix":"er"}]"#, "order", "orders"),
            (r#"[{"equals-ignore-case":"Order"}]"#, "oRDER", "orde"),
            (r#"[{"wildcard":"a*c*e"}]"#, "abcde", "abcd"),
            (r#"[{"wildcard":"*.fifo"}]"#, "x.y.fifo", "x.fifo.y"),
            (r#"[{"anything-but":["a","b"]}]"#, "c", "a"),
            (r#"[{"anything-but":"a"}]"#, "b", "a"),
            (r#"[{"anything-but":{"prefix":"a"}}]"#, "b", "ab"),
            (r#"[{"anything-but":{"suffix":["a","b"]}}]"#, "c", "xb"),
            (r#"[{"anything-but":{"wildcard":"*x*"}}]"#, "b", "axb"),
            (r#"[{"cidr":"10.0.0.0/24"}]"#, "10.0.0.255", "10.0.1.0"),
            (
                r#"[{"cidr":"2001:db8::/32"}]"#,
                "2001:db8::1",
                "2001:db9::1",
            ),
        ];
        for (conditions, passing, refused) in cases {
            let policy = format!(r#"{{"key":{conditions}}}"#);
            assert!(
                on_attributes(&policy, &[("key", "String", passing)]),
                "{policy} {passing}"
            );
            assert!(
                !on_attributes(&policy, &[("key", "String", refused)]),
                "{policy} {refused}"
            );
            assert!(
                !on_attributes(&policy, &[]),
                "{policy} without the attribute"
            );
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let between = r#"{"price":[{"numeric":[">",0,"<=",150]}]}"#;
        for (value, passes) in [("150", true), ("0", false), ("0.01", true), ("151", false)] {
            assert_eq!(
                on_attributes(between, &[("price", "Number", value)]),
                passes,
                "{value}"
            );
        }
        let exact = r#"{"price":[{"numeric":["=",301.5]}]}"#;
        assert!(on_attributes(exact, &[("price", "Number", "3.015e2")]));
        assert!(on_attributes(
            r#"{"price":[100]}"#,
            &[("price", "Number", "100.0")]
        ));
        assert!(!on_attributes(
            r#"{"price":[100]}"#,
            &[("price", "String", "100")]
        ));
        let not = r#"{"price":[{"anything-but":[100,500]}]}"#;
        assert!(on_attributes(not, &[("price", "Number", "101")]));
        assert!(!on_attributes(not, &[("price", "Number", "100")]));
    }

    #[test]
    fn existence_arrays_and_choices_are_told() {
        assert!(on_attributes(r#"{"a":[{"exists":false}]}"#, &[]));
        assert!(!on_attributes(
            r#"{"a":[{"exists":false}]}"#,
            &[("a", "String", "x")]
        ));
        assert!(on_attributes(
            r#"{"a":[{"exists":true}]}"#,
            &[("a", "Binary", "x")]
        ));
        let interests = ("a", "String.Array", r#"["rugby","golf",true]"#);
        assert!(on_attributes(r#"{"a":["golf"]}"#, &[interests]));
        assert!(on_attributes(r#"{"a":[true]}"#, &[interests]));
        assert!(!on_attributes(r#"{"a":["chess"]}"#, &[interests]));
        let either = r#"{"x":["1"],"$or":[{"a":["1"]},{"b":["1"]}]}"#;
        let x = ("x", "String", "1");
        assert!(on_attributes(either, &[x, ("b", "String", "1")]));
        assert!(!on_attributes(either, &[x, ("c", "String", "1")]));
        assert!(!on_attributes(either, &[("b", "String", "1")]));
    }

    #[test]
    fn a_policy_on_the_body_follows_its_nesting() {
        let policy = r#"{"data":{"kind":["slot"],"n":[{"numeric":[">",1]}]},"v":[null]}"#;
        assert!(on_body(
            policy,
            r#"{"data":{"kind":"slot","n":2},"v":null}"#
        ));
        assert!(!on_body(
            policy,
            r#"{"data":{"kind":"slot","n":1},"v":null}"#
        ));
        assert!(on_body(
            r#"{"a":{"b":["x"]}}"#,
            r#"{"a":[{"b":"y"},{"b":"x"}]}"#
        ));
        assert!(on_body(r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":{}}"#));
        assert!(!on_body(r#"{"a":["x"]}"#, "no JSON"));
        assert!(on_body("{}", "{}"));
    }

    #[test]
    fn what_is_no_policy_is_refused_with_a_reason() {
        for policy in [
            "{",
            "[]",
            r#"{"a":"x"}"#,
            r#"{"a":[]}"#,
            r#"{"a":{"b":["x"]}}"#,
            r#"{"a":[{"like":"x"}]}"#,
            r#"{"a":[{"numeric":[">"]}]}"#,
            r#"{"a":[{"prefix":1}]}"#,
            r#"{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}"#,
        ] {
            Filter::read(policy, Scope::Attributes).expect_err(policy);
        }
        let many: Vec<String> = (0..13).map(|i| format!("\"{i}\"")).collect();
        let many = many.join(",");
        let product = format!(r#"{{"a":[{many}],"b":[{many}]}}"#);
        Filter::read(&product, Scope::Attributes).expect_err("169 combinations");
    }
}
