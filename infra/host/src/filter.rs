//! Filter criteria of event source mappings: which records reach the function.
//!
//! The pattern language is EventBridge's as Lambda documents it
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax>):
//! exact values, `null`, `exists`, `prefix`, `suffix`, `equals-ignore-case`,
//! `anything-but` (also with `prefix` and `suffix`), `numeric` and `$or`. Several
//! patterns are alternatives. A pattern that Lambda would refuse is refused here, at
//! the start, with the place in the pattern.

use serde_json::{Map, Value};

/// Patterns that one mapping may have.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>
const PATTERNS_MAX: usize = 10;

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter pattern, at `{at}`: {problem}")]
pub struct FilterError {
    /// Dotted path of keys inside the pattern.
    pub at: String,
    /// What is wrong there.
    pub problem: String,
}

/// The compiled filter criteria of one mapping. Without patterns everything passes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filters(Vec<Node>);

/// A part of a pattern.
#[derive(Debug, Clone)]
enum Node {
    /// All entries must match, the alternatives of each `$or` apart.
    All {
        fields: Vec<(String, Node)>,
        one_of: Vec<Vec<Node>>,
    },
    /// One of the rules must match a leaf.
    Leaf(Vec<Rule>),
}

#[derive(Debug, Clone)]
enum Rule {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Rule>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Filters {
    /// Compiles parsed patterns.
    pub(crate) fn compile(patterns: &[Value]) -> Result<Self, FilterError> {
        if patterns.len() > PATTERNS_MAX {
            return Err(FilterError {
                at: "Filters".to_owned(),
                problem: format!("at most {PATTERNS_MAX} patterns, found {}", patterns.len()),
            });
        }
        patterns
            .iter()
            .map(|pattern| match pattern {
                Value::Object(object) => compile_object(object, "$"),
                _ => Err(FilterError {
                    at: "$".to_owned(),
                    problem: "a pattern is an object".to_owned(),
                }),
            })
            .collect::<Result<_, _>>()
            .map(Filters)
    }

    /// Whether a record passes.
    pub(crate) fn pass(&self, record: &Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|node| node.matches(Some(record)))
    }

    /// Whether there is nothing to check, so that no record needs to be made for it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a pattern looks *into* the body, which must then be parsed as JSON.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html>
    pub(crate) fn parses_body(&self) -> bool {
        self.0.iter().any(|node| match node {
            Node::All { fields, .. } => fields
                .iter()
                .any(|(key, value)| key == "body" && matches!(value, Node::All { .. })),
            Node::Leaf(_) => false,
        })
    }
}

fn compile_object(object: &Map<String, Value>, at: &str) -> Result<Node, FilterError> {
    let mut fields = Vec::new();
    let mut one_of = Vec::new();
    for (key, value) in object {
        let at = format!("{at}.{key}");
        match value {
            Value::Array(alternatives) if key == "$or" => {
                let nodes = alternatives
                    .iter()
                    .map(|alternative| match alternative {
                        Value::Object(object) => compile_object(object, &at),
                        _ => Err(refuse(&at, "an alternative of $or is an object")),
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                one_of.push(nodes);
            }
            Value::Array(rules) if rules.is_empty() => {
                return Err(refuse(&at, "an empty list matches nothing"));
            }
            Value::Array(rules) => {
                let rules = rules
                    .iter()
                    .map(|rule| compile_rule(rule, &at))
                    .collect::<Result<_, _>>()?;
                fields.push((key.clone(), Node::Leaf(rules)));
            }
            Value::Object(object) => fields.push((key.clone(), compile_object(object, &at)?)),
            _ => return Err(refuse(&at, "rules stand in a list")),
        }
    }
    Ok(Node::All { fields, one_of })
}

fn compile_rule(rule: &Value, at: &str) -> Result<Rule, FilterError> {
    let object = match rule {
        Value::Object(object) => object,
        Value::Array(_) => return Err(refuse(at, "a rule is no list")),
        scalar => return Ok(Rule::Equals(scalar.clone())),
    };
    let mut entries = object.iter();
    let (Some((operator, operand)), None) = (entries.next(), entries.next()) else {
        return Err(refuse(at, "a rule has one operator"));
    };
    match (operator.as_str(), operand) {
        ("exists", Value::Bool(wanted)) => Ok(Rule::Exists(*wanted)),
        ("prefix", Value::String(text)) => Ok(Rule::Prefix(text.clone())),
        ("suffix", Value::String(text)) => Ok(Rule::Suffix(text.clone())),
        ("equals-ignore-case", Value::String(text)) => {
            Ok(Rule::EqualsIgnoreCase(text.to_lowercase()))
        }
        ("anything-but", Value::Array(values)) => values
            .iter()
            .map(|value| compile_rule(value, at))
            .collect::<Result<_, _>>()
            .map(Rule::AnythingBut),
        ("anything-but", value) => Ok(Rule::AnythingBut(vec![compile_rule(value, at)?])),
        ("numeric", Value::Array(parts)) => compile_numeric(parts, at).map(Rule::Numeric),
        _ => Err(refuse(at, &format!("`{operator}` is no known rule here"))),
    }
}

fn compile_numeric(parts: &[Value], at: &str) -> Result<Vec<(Comparison, f64)>, FilterError> {
    let (pairs, rest) = parts.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(refuse(at, "`numeric` takes pairs of operator and number"));
    }
    pairs
        .iter()
        .map(|[operator, number]| {
            let comparison = match operator.as_str() {
                Some("<") => Comparison::Less,
                Some("<=") => Comparison::LessOrEqual,
                Some("=") => Comparison::Equal,
                Some(">=") => Comparison::GreaterOrEqual,
                Some(">") => Comparison::Greater,
                _ => return Err(refuse(at, "operators are <, <=, =, >= and >")),
            };
            let number = number
                .as_f64()
                .ok_or_else(|| refuse(at, "a number follows the operator"))?;
            Ok((comparison, number))
        })
        .collect()
}

fn refuse(at: &str, problem: &str) -> FilterError {
    FilterError {
        at: at.to_owned(),
        problem: problem.to_owned(),
    }
}

impl Node {
    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Node::All { fields, one_of } => {
                // An array of objects matches if one of its elements does.
                if let Some(Value::Array(elements)) = value {
                    return elements.iter().any(|element| self.matches(Some(element)));
                }
                fields
                    .iter()
                    .all(|(key, node)| node.matches(value.and_then(|value| value.get(key))))
                    && one_of
                        .iter()
                        .all(|nodes| nodes.iter().any(|node| node.matches(value)))
            }
            Node::Leaf(rules) => rules.iter().any(|rule| rule.matches(value)),
        }
    }
}

impl Rule {
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // `exists` knows leaves only: an object in its place does not count.
            (Rule::Exists(wanted), value) => {
                *wanted == value.is_some_and(|value| !value.is_object())
            }
            (_, None) => false,
            (Rule::AnythingBut(rules), Some(Value::Array(elements))) => elements
                .iter()
                .any(|element| rules.iter().all(|rule| !rule.matches_scalar(element))),
            (rule, Some(Value::Array(elements))) => {
                elements.iter().any(|element| rule.matches_scalar(element))
            }
            (rule, Some(value)) => rule.matches_scalar(value),
        }
    }

    fn matches_scalar(&self, value: &Value) -> bool {
        match (self, value) {
            (Rule::Equals(Value::Number(wanted)), Value::Number(number)) => {
                wanted == number || wanted.as_f64() == number.as_f64()
            }
            (Rule::Equals(wanted), value) => wanted == value,
            (Rule::EqualsIgnoreCase(wanted), Value::String(text)) => text.to_lowercase() == *wanted,
            (Rule::Prefix(prefix), Value::String(text)) => text.starts_with(prefix),
            (Rule::Suffix(suffix), Value::String(text)) => text.ends_with(suffix),
            (Rule::AnythingBut(rules), value) => {
                !value.is_object() && rules.iter().all(|rule| !rule.matches_scalar(value))
            }
            (Rule::Numeric(bounds), Value::Number(number)) => {
                number.as_f64().is_some_and(|number| {
                    bounds
                        .iter()
                        .all(|(comparison, bound)| comparison.holds(number, *bound))
                })
            }
            (Rule::Exists(wanted), value) => *wanted != value.is_object(),
            _ => false,
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Comparison::Less => number < bound,
            Comparison::LessOrEqual => number <= bound,
            Comparison::Equal => number == bound,
            Comparison::GreaterOrEqual => number >= bound,
            Comparison::Greater => number > bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn passes(pattern: Value, record: Value) -> bool {
        Filters::compile(&[pattern])
            .expect("a good pattern")
            .pass(&record)
    }

    #[test]
    fn the_relays_pattern_passes_marked_items_and_drops_the_rest() {
        let pattern = json!({"dynamodb": {"NewImage": {"relay": {"S": ["1"]}}}});
        assert!(passes(
            pattern.clone(),
            json!({"dynamodb": {"NewImage": {"relay": {"S": "1"}, "pk": {"S": "x"}}}})
        ));
        assert!(!passes(
            pattern.clone(),
            json!({"dynamodb": {"NewImage": {"pk": {"S": "x"}}}})
        ));
        assert!(!passes(
            pattern,
            json!({"eventName": "REMOVE", "dynamodb": {"Keys": {}}})
        ));
    }

    #[test]
    fn each_operator_does_what_the_documentation_says() {
        let record = json!({"a": {"text": "Order-7", "n": 7, "none": null, "list": ["x", "y"]}});
        for (rule, expected) in [
            (json!({"text": ["Order-7"]}), true),
            (json!({"text": [{"prefix": "Order"}]}), true),
            (json!({"text": [{"suffix": "-8"}]}), false),
            (json!({"text": [{"equals-ignore-case": "ORDER-7"}]}), true),
            (json!({"text": [{"anything-but": ["Order-7", "z"]}]}), false),
            (json!({"text": [{"anything-but": "z"}]}), true),
            (
                json!({"text": [{"anything-but": {"prefix": "Ord"}}]}),
                false,
            ),
            (json!({"n": [{"numeric": [">", 6, "<=", 7]}]}), true),
            (json!({"n": [{"numeric": ["=", 7.0]}]}), true),
            (json!({"n": [7]}), true),
            (json!({"text": [{"numeric": ["=", 7]}]}), false),
            (json!({"none": [null]}), true),
            (json!({"none": [{"exists": true}]}), true),
            (json!({"absent": [{"exists": false}]}), true),
            (json!({"absent": [{"exists": true}]}), false),
            (json!({"absent": [{"anything-but": ["q"]}]}), false),
            (json!({"list": ["y"]}), true),
            (json!({"text": ["q"], "n": [7]}), false),
            (json!({"$or": [{"text": ["q"]}, {"n": [7]}]}), true),
            (json!({"$or": [{"text": ["q"]}, {"n": [8]}]}), false),
        ] {
            assert_eq!(
                passes(json!({"a": rule.clone()}), record.clone()),
                expected,
                "{rule}"
            );
        }
    }

    #[test]
    fn several_patterns_are_alternatives() {
        let filters =
            Filters::compile(&[json!({"a": ["1"]}), json!({"b": ["2"]})]).expect("good patterns");
        assert!(filters.pass(&json!({"b": "2"})));
        assert!(!filters.pass(&json!({"b": "3"})));
        assert!(Filters::default().pass(&json!({"b": "3"})));
    }

    #[test]
    fn a_pattern_lambda_would_refuse_is_refused_with_its_place() {
        for (pattern, at) in [
            (json!("text"), "$"),
            (json!({"a": "x"}), "$.a"),
            (json!({"a": {"b": []}}), "$.a.b"),
            (json!({"a": [{"like": "x"}]}), "$.a"),
            (json!({"a": [{"numeric": [">"]}]}), "$.a"),
        ] {
            let error = Filters::compile(&[pattern]).expect_err("a bad pattern");
            assert_eq!(error.at, at);
        }
    }
}
