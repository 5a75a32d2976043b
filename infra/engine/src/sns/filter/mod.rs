//! Filter policies (AWS, "Amazon SNS subscription filter policies"): reading, checking, matching.

mod condition;
mod read;
mod tokens;

use crate::sqs::{Attribute, Attributes};
use condition::Condition;
use serde_json::{Map, Value};

/// The most keys of a policy (AWS, "Filter policy constraints"). Those with conditions count, not
/// those they are nested in.
const KEYS_MAX: usize = 5;
/// The most combinations of values (AWS, same page): the number of values of each key times its
/// depth, multiplied.
const COMBINATIONS_MAX: usize = 150;

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
    /// Reads a policy; the error is a reason as AWS words it.
    pub(in crate::sns) fn read(text: &str, scope: Scope) -> Result<Filter, String> {
        let refused = |reason: &str| Err(format!("FilterPolicy: {reason}"));
        let fields = match read::Reader::new(text).policy() {
            Ok(fields) => fields,
            Err(reason) => return refused(&reason),
        };
        if scope == Scope::Attributes && fields.nested() {
            return Err(
                "Filter policy scope MessageAttributes does not support nested filter policy"
                    .to_owned(),
            );
        }
        let (keys, combinations) = fields.weigh(1);
        if keys > KEYS_MAX {
            return refused(&format!(
                "Filter policy can not have more than {KEYS_MAX} keys"
            ));
        }
        if combinations > COMBINATIONS_MAX {
            return refused("Filter policy is too complex");
        }
        let fields = match scope {
            Scope::Attributes => fields,
            Scope::Body => fields.without_dots(),
        };
        Ok(Filter { scope, fields })
    }

    /// Whether a message passes.
    pub(in crate::sns) fn passes(&self, body: &str, attributes: &Attributes) -> bool {
        if self.fields.is_empty() {
            return true;
        }
        match self.scope {
            Scope::Attributes => self.fields.match_value(Some(&as_value(attributes))),
            // What is no JSON object passes no policy on the body.
            Scope::Body => serde_json::from_str::<Map<String, Value>>(body)
                .is_ok_and(|body| self.fields.match_value(Some(&without_dots(body)))),
        }
    }
}

/// Attributes as what a policy looks at. AWS ignores those of type Binary.
fn as_value(attributes: &Attributes) -> Value {
    let value = |attribute: &Attribute| {
        let text = attribute.string_value.as_deref()?;
        Some(match attribute.data_type.as_str() {
            "Number" => text.parse::<f64>().map_or(Value::Null, Value::from),
            "String.Array" => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
            _ => Value::from(text),
        })
    };
    attributes
        .iter()
        .filter_map(|(name, attribute)| Some((name.clone(), value(attribute)?)))
        .collect::<Map<_, _>>()
        .into()
}

/// A body in which names with dots are nested objects: AWS does not tell the two apart.
fn without_dots(body: Map<String, Value>) -> Value {
    let mut nested = Map::new();
    for (name, value) in body {
        let value = undotted(value);
        let mut names = name.split('.');
        let first = names.next().unwrap_or_default().to_owned();
        let value = names.rev().fold(value, |value, name| {
            Value::Object(Map::from_iter([(name.to_owned(), value)]))
        });
        let both = match nested.remove(&first) {
            None => value,
            Some(other) => merged(other, value),
        };
        nested.insert(first, both);
    }
    nested.into()
}

fn undotted(value: Value) -> Value {
    match value {
        Value::Object(members) => without_dots(members),
        Value::Array(elements) => elements.into_iter().map(undotted).collect(),
        scalar => scalar,
    }
}

/// Two values of one name: their members together, or else either.
fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (name, value) in other {
                let both = match one.remove(&name) {
                    None => value,
                    Some(before) => merged(before, value),
                };
                one.insert(name, both);
            }
            one.into()
        }
        (one, other) => vec![one, other].into(),
    }
}

impl Fields {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.choices.is_empty()
    }

    /// Puts a key in; as in any JSON, the last of two with one name stands.
    fn put(&mut self, name: String, node: Node) {
        self.keys.retain(|(other, _)| *other != name);
        self.keys.push((name, node));
    }

    fn nested(&self) -> bool {
        let nested = |(_, node): &(String, Node)| matches!(node, Node::Fields(_));
        self.keys.iter().any(nested) || self.choices.iter().flatten().any(Fields::nested)
    }

    /// As [`without_dots`] does with bodies.
    fn without_dots(self) -> Fields {
        let mut undotted = Fields::default();
        for (name, node) in self.keys {
            let node = match node {
                Node::Fields(fields) => Node::Fields(fields.without_dots()),
                leaf => leaf,
            };
            let mut names = name.split('.');
            let first = names.next().unwrap_or_default().to_owned();
            let node = names.rev().fold(node, |node, name| {
                Node::Fields(Fields {
                    keys: vec![(name.to_owned(), node)],
                    choices: Vec::new(),
                })
            });
            let before = undotted.keys.iter_mut().find(|(name, _)| *name == first);
            match (before, node) {
                (Some((_, Node::Fields(before))), Node::Fields(more)) => {
                    before.keys.extend(more.keys);
                    before.choices.extend(more.choices);
                }
                (_, node) => undotted.keys.push((first, node)),
            }
        }
        let choices = self.choices.into_iter();
        undotted.choices = choices
            .map(|choice| choice.into_iter().map(Fields::without_dots).collect())
            .collect();
        undotted
    }

    /// Keys with conditions, and combinations of them.
    fn weigh(&self, depth: usize) -> (usize, usize) {
        let keys = self.keys.iter().map(|(_, node)| match node {
            Node::Leaf(conditions) => (1, conditions.len().saturating_mul(depth)),
            Node::Fields(fields) => fields.weigh(depth + 1),
        });
        // Choices add up among themselves and multiply with the rest.
        let choices = self.choices.iter().map(|choices| {
            choices.iter().map(|choice| choice.weigh(depth)).fold(
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
            // All keys of one object must match within one element.
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

/// Objects are no leaves, and arrays are their elements: what holds no scalar is not there.
fn leaf_matches(conditions: &[Condition], value: Option<&Value>) -> bool {
    let mut scalars = Vec::new();
    if let Some(value) = value {
        collect_scalars(value, &mut scalars);
    }
    conditions.iter().any(|condition| {
        if scalars.is_empty() {
            matches!(condition, Condition::Exists(false))
        } else {
            scalars.iter().any(|scalar| condition.matches(scalar))
        }
    })
}

fn collect_scalars<'a>(value: &'a Value, scalars: &mut Vec<&'a Value>) {
    match value {
        Value::Object(_) => {}
        Value::Array(elements) => {
            for element in elements {
                collect_scalars(element, scalars);
            }
        }
        scalar => scalars.push(scalar),
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
            &[("a", "Number", "0")]
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
        assert!(on_body("{}", "no JSON"), "an empty policy says nothing");
    }

    #[test]
    fn the_keys_of_one_object_match_within_one_element() {
        let policy = r#"{"records":{"name":[{"prefix":"Created"}],"s3":{"key":["a"]}}}"#;
        let together = r#"{"records":[{"name":"Removed","s3":{"key":"b"}},
            {"name":"Created:Put","s3":[[{"key":"a"}]]}]}"#;
        let apart = r#"{"records":[{"name":"Created:Put","s3":{"key":"b"}},
            {"name":"Removed","s3":{"key":"a"}}]}"#;
        assert!(on_body(policy, together));
        assert!(!on_body(policy, apart));
    }

    #[test]
    fn dots_in_names_are_nesting() {
        for policy in [r#"{"a.b":["x"]}"#, r#"{"a":{"b":["x"]}}"#] {
            assert!(on_body(policy, r#"{"a.b":"x"}"#));
            assert!(on_body(policy, r#"{"a":{"b":"x"}}"#));
            assert!(on_body(policy, r#"{"a":{"b":"y"},"a.b":"x"}"#));
            assert!(!on_body(policy, r#"{"a":{"c":"x"}}"#));
        }
        assert!(on_body(
            r#"{"a.b":["x"],"a.c":["y"]}"#,
            r#"{"a":{"b":"x","c":"y"}}"#
        ));
    }

    #[test]
    fn only_leaves_exist() {
        let there = r#"{"a":[{"exists":true}]}"#;
        let missing = r#"{"a":[{"exists":false}]}"#;
        for (body, exists) in [
            (r#"{"a":null}"#, true),
            (r#"{"a":[1]}"#, true),
            (r#"{"a":{"b":1}}"#, false),
            (r#"{"a":[]}"#, false),
            (r#"{"b":1}"#, false),
        ] {
            assert_eq!(on_body(there, body), exists, "{body}");
            assert_eq!(on_body(missing, body), !exists, "{body}");
        }
    }

    #[test]
    fn the_depth_of_a_key_counts_into_the_combinations() {
        let values = |count: usize| {
            let values: Vec<String> = (0..count).map(|i| format!("\"{i}\"")).collect();
            values.join(",")
        };
        let fits = format!(
            r#"{{"a":{{"b":[{}],"c":[1]}},"d":[{}]}}"#,
            values(5),
            values(5)
        );
        let read = |policy: &str| Filter::read(policy, Scope::Body);
        // b: 5 x 2, c: 1 x 2, d: 5 x 1: 100
        read(&fits).expect("100 combinations");
        let many = format!(
            r#"{{"a":{{"b":[{}],"c":[1]}},"d":[{}]}}"#,
            values(5),
            values(8)
        );
        let reason = read(&many).expect_err("160 combinations");
        assert_eq!(reason, "FilterPolicy: Filter policy is too complex");
        let either = |last: usize| {
            format!(
                r#"{{"s":[1,2,3],"$or":[{{"n":[{}]}},{{"t":[1,2,3,4],"$or":[{{"i":[{}]}},{{"p":[{}]}}]}}]}}"#,
                values(6),
                values(4),
                values(last)
            )
        };
        read(&either(7)).expect("150 combinations, by AWS's own test of this");
        read(&either(8)).expect_err("162 combinations");
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
