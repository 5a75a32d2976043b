//! The conditions of a filter policy: reading and matching one.

use serde_json::{Map, Value};
use std::net::IpAddr;

/// One condition on one value.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Equals(Value),
    Number(f64),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    Wildcard(String),
    Numeric(Vec<(Comparison, f64)>),
    Cidr(IpAddr, u32),
    Exists(bool),
    /// Any value that none of these matches.
    AnythingBut(Vec<Condition>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

impl Condition {
    /// Reads a condition; the error is a reason for a person.
    pub(super) fn read(value: &Value) -> Result<Condition, String> {
        match value {
            Value::Number(number) => Ok(Condition::Number(number.as_f64().unwrap_or(f64::NAN))),
            Value::String(_) | Value::Bool(_) | Value::Null => Ok(Condition::Equals(value.clone())),
            Value::Object(operator) => {
                let mut entries = operator.iter();
                match (entries.next(), entries.next()) {
                    (Some((name, operand)), None) => Condition::operator(name, operand),
                    _ => Err("Only one key allowed in match expression".to_owned()),
                }
            }
            Value::Array(_) => {
                Err("Match value must be String, number, true, false, or null".to_owned())
            }
        }
    }

    fn operator(name: &str, operand: &Value) -> Result<Condition, String> {
        let text = || match operand {
            Value::String(text) => Ok(text.clone()),
            _ => Err(format!("{name} match pattern must be a string")),
        };
        match name {
            "prefix" => Ok(Condition::Prefix(text()?)),
            "suffix" => Ok(Condition::Suffix(text()?)),
            "equals-ignore-case" => Ok(Condition::EqualsIgnoreCase(text()?.to_lowercase())),
            "wildcard" => Ok(Condition::Wildcard(text()?)),
            "exists" => match operand {
                Value::Bool(exists) => Ok(Condition::Exists(*exists)),
                _ => Err("exists match pattern must be either true or false.".to_owned()),
            },
            "numeric" => numeric(operand),
            "cidr" => cidr(&text()?),
            "anything-but" => anything_but(operand),
            other => Err(format!("Unrecognized match type {other}")),
        }
    }

    pub(super) fn matches(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Condition::Equals(expected) => value == expected,
            Condition::Number(expected) => value.as_f64() == Some(*expected),
            Condition::EqualsIgnoreCase(lower) => {
                text.is_some_and(|text| text.to_lowercase() == *lower)
            }
            Condition::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Condition::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Condition::Wildcard(pattern) => text.is_some_and(|text| wildcard(pattern, text)),
            Condition::Numeric(bounds) => value
                .as_f64()
                .is_some_and(|number| bounds.iter().all(|(op, bound)| op.holds(number, *bound))),
            Condition::Cidr(network, bits) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|address| within(*network, *bits, address)),
            Condition::Exists(exists) => *exists,
            Condition::AnythingBut(excluded) => {
                !value.is_object() && !excluded.iter().any(|condition| condition.matches(value))
            }
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Comparison::Less => number < bound,
            Comparison::AtMost => number <= bound,
            Comparison::Equal => number == bound,
            Comparison::AtLeast => number >= bound,
            Comparison::Greater => number > bound,
        }
    }
}

fn anything_but(operand: &Value) -> Result<Condition, String> {
    let excluded = match operand {
        Value::Array(values) if values.is_empty() => {
            return Err("Empty arrays are not allowed".to_owned());
        }
        Value::Array(values) => values
            .iter()
            .map(|value| match value {
                Value::Object(_) => {
                    Err("Inside anything-but list, match values must be scalar".to_owned())
                }
                value => Condition::read(value),
            })
            .collect::<Result<_, _>>()?,
        Value::Object(operator) => nested(operator)?,
        scalar => vec![Condition::read(scalar)?],
    };
    Ok(Condition::AnythingBut(excluded))
}

/// `{"prefix": "a"}`, or with a list of which none may match.
fn nested(operator: &Map<String, Value>) -> Result<Vec<Condition>, String> {
    let mut entries = operator.iter();
    let (Some((name, operand)), None) = (entries.next(), entries.next()) else {
        return Err("Only one key allowed in match expression".to_owned());
    };
    if !matches!(
        name.as_str(),
        "prefix" | "suffix" | "wildcard" | "equals-ignore-case"
    ) {
        return Err(format!("Unsupported anything-but pattern: {name}"));
    }
    match operand {
        Value::Array(operands) => operands
            .iter()
            .map(|operand| Condition::operator(name, operand))
            .collect(),
        operand => Ok(vec![Condition::operator(name, operand)?]),
    }
}

fn numeric(operand: &Value) -> Result<Condition, String> {
    let pairs = operand
        .as_array()
        .filter(|parts| matches!(parts.len(), 2 | 4))
        .ok_or_else(|| "Invalid member in numeric match".to_owned())?;
    let mut bounds = Vec::new();
    for pair in pairs.chunks(2) {
        let comparison = match pair[0].as_str() {
            Some("<") => Comparison::Less,
            Some("<=") => Comparison::AtMost,
            Some("=") => Comparison::Equal,
            Some(">=") => Comparison::AtLeast,
            Some(">") => Comparison::Greater,
            _ => return Err("Unrecognized numeric range operator".to_owned()),
        };
        let Some(bound) = pair[1].as_f64() else {
            return Err("Value of a numeric match must be numeric".to_owned());
        };
        bounds.push((comparison, bound));
    }
    Ok(Condition::Numeric(bounds))
}

fn cidr(text: &str) -> Result<Condition, String> {
    let read = || {
        let (network, bits) = text.split_once('/')?;
        let network: IpAddr = network.parse().ok()?;
        let bits: u32 = bits.parse().ok()?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Condition::Cidr(network, bits))
    };
    read().ok_or_else(|| "Malformed CIDR, one '/' required".to_owned())
}

fn within(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (
            u128::from(network.to_bits()),
            u128::from(address.to_bits()),
            32,
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let shift = width - bits;
    shift == 128 || network >> shift == address >> shift
}

/// `*` stands for any run of characters, a backslash takes the next one as it is. Runs in the
/// product of both lengths at worst.
fn wildcard(pattern: &str, text: &str) -> bool {
    #[derive(PartialEq)]
    enum Part {
        Run,
        Char(char),
    }
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        parts.push(match c {
            '*' => Part::Run,
            '\\' => Part::Char(characters.next().unwrap_or('\\')),
            c => Part::Char(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut part, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        if parts.get(part) == Some(&Part::Run) {
            retry = Some((part, at));
            part += 1;
        } else if parts.get(part) == Some(&Part::Char(text[at])) {
            part += 1;
            at += 1;
        } else if let Some((run, from)) = retry {
            // Let the last run take one more.
            retry = Some((run, from + 1));
            part = run + 1;
            at = from + 1;
        } else {
            return false;
        }
    }
    parts[part..].iter().all(|part| *part == Part::Run)
}
