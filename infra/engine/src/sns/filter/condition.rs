//! The conditions of a filter policy: matching one value.

use serde_json::Value;
use std::net::IpAddr;

/// One condition on one value.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Equals(Value),
    Number(f64),
    /// In lower case.
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    Wildcard(Wildcard),
    Numeric(Vec<(Comparison, f64)>),
    /// The first address, and how many of its bits all have in common.
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
    /// Whether a value that is there, and is no container, matches.
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
            Condition::Wildcard(pattern) => text.is_some_and(|text| pattern.matches(text)),
            Condition::Numeric(bounds) => value
                .as_f64()
                .is_some_and(|number| bounds.iter().all(|(op, bound)| op.holds(number, *bound))),
            Condition::Cidr(network, bits) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|address| within(*network, *bits, address)),
            Condition::Exists(exists) => *exists,
            Condition::AnythingBut(excluded) => {
                !excluded.iter().any(|condition| condition.matches(value))
            }
        }
    }
}

impl Comparison {
    pub(super) fn read(operator: &str) -> Option<Comparison> {
        Some(match operator {
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            "=" => Comparison::Equal,
            ">=" => Comparison::AtLeast,
            ">" => Comparison::Greater,
            _ => return None,
        })
    }

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

/// From the address itself up to the last that shares its first `bits`, as AWS takes it: the
/// address need not be the block's first.
fn within(first: IpAddr, bits: u32, address: IpAddr) -> bool {
    let (first, address, width) = match (first, address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => (
            u128::from(first.to_bits()),
            u128::from(address.to_bits()),
            32,
        ),
        (IpAddr::V6(first), IpAddr::V6(address)) => (first.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let free = u128::MAX.checked_shr(128 - (width - bits)).unwrap_or(0);
    (first..=first | free).contains(&address)
}

/// A pattern in which `*` stands for any run of characters.
#[derive(Debug, Clone)]
pub(super) struct Wildcard(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Run,
    Char(char),
}

impl Wildcard {
    /// Reads a pattern; a backslash takes a following `*` or backslash as it is.
    pub(super) fn read(pattern: &str) -> Result<Wildcard, String> {
        let mut parts = Vec::new();
        let mut characters = pattern.chars().enumerate();
        while let Some((at, c)) = characters.next() {
            parts.push(match c {
                '*' if parts.last() == Some(&Part::Run) => {
                    return Err(format!(
                        "Consecutive wildcard characters at pos {}",
                        at.saturating_sub(1)
                    ));
                }
                '*' => Part::Run,
                '\\' => match characters.next() {
                    Some((_, escaped @ ('*' | '\\'))) => Part::Char(escaped),
                    _ => return Err(format!("Invalid escape character at pos {at}")),
                },
                c => Part::Char(c),
            });
        }
        Ok(Wildcard(parts))
    }

    /// Runs in the product of both lengths at worst.
    fn matches(&self, text: &str) -> bool {
        let parts = &self.0;
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
}
