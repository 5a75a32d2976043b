//! The section `Parameters`: what is declared, which value it has, and whether its rules allow it.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Number, Value as Json};

use crate::document::{Document, check_parameter_keys};
use crate::lists::closest;
use crate::parameters::Parameters;
use crate::problem::{Collector, Position};
use crate::yaml::{Key, Node, Yaml, join};

/// A parameter and its value.
#[derive(Debug)]
pub(crate) struct Declared {
    /// A string, a number, or an array of strings.
    pub(crate) value: Json,
    /// As it was given.
    pub(crate) text: String,
    /// `NoEcho`: the value is a secret and stays out of messages.
    pub(crate) secret: bool,
}

/// Values of all parameters. One that is missing or breaks a rule is a problem and left out.
pub(crate) fn read(
    document: &Document,
    given: &Parameters,
    problems: &Collector,
) -> BTreeMap<String, Declared> {
    let mut declared = BTreeMap::new();
    for (key, node) in &document.parameters {
        if let Some(parameter) = one(key, node, given, problems) {
            declared.insert(key.name.clone(), parameter);
        }
    }
    for name in given.values.keys() {
        let known = document.parameters.iter().map(|(key, _)| key.name.as_str());
        if known.clone().any(|known| known == name) {
            continue;
        }
        let hint = closest(name, known)
            .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
        let message = format!("a value was given for `{name}`, which is no parameter{hint}");
        problems.add(document.parameters_at, "Parameters", message);
    }
    declared
}

fn one(key: &Key, node: &Node, given: &Parameters, problems: &Collector) -> Option<Declared> {
    let path = join("Parameters", &key.name);
    if node.entries().is_none() {
        problems.add(node.at, &path, "must be a map");
        return None;
    }
    check_parameter_keys(key, node, problems);
    let secret = matches!(
        node.get("NoEcho"),
        Some(Node {
            value: Yaml::Bool(true),
            ..
        })
    );
    let default = node.get("Default");
    let (at, text) = match (given.values.get(&key.name), default) {
        (Some(value), _) => (key.at, value.clone()),
        (None, Some(default)) => match default.scalar_text() {
            Some(text) => (default.at, text),
            None => {
                let message = format!("must be a string or number, not {}", default.kind());
                problems.add(default.at, &join(&path, "Default"), message);
                return None;
            }
        },
        (None, None) => {
            problems.add(key.at, &path, "has neither a value nor a default");
            return None;
        }
    };
    let rules = Rules {
        node,
        at,
        path: &path,
        text: &text,
        secret,
        problems,
    };
    let value = rules.value(key)?;
    rules.check(&value);
    Some(Declared {
        value,
        text,
        secret,
    })
}

/// One value under the rules of its declaration.
struct Rules<'a> {
    node: &'a Node,
    at: Position,
    path: &'a str,
    text: &'a str,
    secret: bool,
    problems: &'a Collector,
}

impl Rules<'_> {
    fn value(&self, key: &Key) -> Option<Json> {
        let kind = self.node.get("Type").and_then(Node::text);
        match kind {
            Some("String") => Some(Json::String(self.text.to_owned())),
            Some("Number") => {
                let whole = self.text.parse::<i64>().ok().map(Number::from);
                let number = whole.or_else(|| self.text.parse().ok().and_then(Number::from_f64));
                if number.is_none() {
                    self.broken("is not a number");
                }
                number.map(Json::Number)
            }
            Some("CommaDelimitedList") => Some(Json::Array(
                self.text
                    .split(',')
                    .map(|item| Json::String(item.trim().to_owned()))
                    .collect(),
            )),
            Some(other) => {
                let at = self.node.get("Type").map_or(key.at, |node| node.at);
                let message = format!(
                    "parameter type `{other}` is not served here; use String, Number or \
                     CommaDelimitedList"
                );
                self.problems.add(at, &join(self.path, "Type"), message);
                None
            }
            None => {
                self.problems.add(key.at, self.path, "`Type` is missing");
                None
            }
        }
    }

    fn check(&self, value: &Json) {
        let items: Vec<&str> = match value {
            Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
            _ => vec![self.text],
        };
        if let Some(Node {
            value: Yaml::List(allowed),
            ..
        }) = self.node.get("AllowedValues")
        {
            let allowed: Vec<String> = allowed.iter().filter_map(Node::scalar_text).collect();
            if items
                .iter()
                .any(|item| !allowed.iter().any(|word| word == item))
            {
                self.broken(&format!("is not one of {}", allowed.join(", ")));
            }
        }
        self.check_pattern(&items);
        let length = self.text.chars().count();
        if self
            .bound("MinLength")
            .is_some_and(|least| (length as f64) < least)
        {
            self.broken("is shorter than MinLength");
        }
        if self
            .bound("MaxLength")
            .is_some_and(|most| (length as f64) > most)
        {
            self.broken("is longer than MaxLength");
        }
        if let Some(number) = value.as_f64() {
            if let Some(least) = self.bound("MinValue").filter(|least| number < *least) {
                self.broken(&format!("is less than MinValue {least}"));
            }
            if let Some(most) = self.bound("MaxValue").filter(|most| number > *most) {
                self.broken(&format!("is greater than MaxValue {most}"));
            }
        }
    }

    fn check_pattern(&self, items: &[&str]) {
        let Some(pattern) = self.node.get("AllowedPattern") else {
            return;
        };
        let text = pattern.text().unwrap_or_default();
        // CloudFormation matches the whole value, anchors or not.
        match Regex::new(&format!("^(?:{text})$")) {
            Ok(regex) => {
                if items.iter().any(|item| !regex.is_match(item)) {
                    let words = self.node.get("ConstraintDescription").and_then(Node::text);
                    match words {
                        Some(words) => self.broken(&format!("must be {words}")),
                        None => self.broken(&format!("does not match `{text}`")),
                    }
                }
            }
            Err(error) => {
                let message = format!("the pattern cannot be read: {error}");
                self.problems
                    .add(pattern.at, &join(self.path, "AllowedPattern"), message);
            }
        }
    }

    fn bound(&self, name: &str) -> Option<f64> {
        let node = self.node.get(name)?;
        let bound = node.scalar_text().and_then(|text| text.parse().ok());
        if bound.is_none() {
            self.problems
                .add(node.at, &join(self.path, name), "must be a number");
        }
        bound
    }

    /// Says what is wrong with the value, and the value unless it can hold a password.
    fn broken(&self, rule: &str) {
        let user_in_url = self.text.contains("://") && self.text.contains('@');
        let value = if self.secret || user_in_url {
            "the value".to_owned()
        } else {
            format!("`{}`", self.text)
        };
        self.problems
            .add(self.at, self.path, format!("{value} {rule}"));
    }
}
