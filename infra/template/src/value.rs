//! Resolved values with their places, and a reader that accounts for every key of a map.

use serde_json::Value as Json;

use crate::expr::{Expr, Reference};
use crate::lists::closest;
use crate::problem::{Collector, Position};
use crate::yaml::{Key, join};

/// A value without parameters, conditions and pseudo parameters.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) at: Position,
    pub(crate) path: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Null, boolean, number or string.
    Scalar(Json),
    Reference(Reference),
    Join {
        delimiter: String,
        parts: Vec<Value>,
    },
    List(Vec<Value>),
    Map(Vec<(Key, Value)>),
    /// `AWS::NoValue`: what holds it leaves it out.
    Absent,
    /// A problem that was reported; whoever meets it says nothing more.
    Broken,
}

impl Value {
    /// As an expression; all-literal lists and maps become one literal.
    pub(crate) fn to_expr(&self) -> Expr {
        match &self.kind {
            Kind::Scalar(json) => Expr::Literal(json.clone()),
            Kind::Absent | Kind::Broken => Expr::Literal(Json::Null),
            Kind::Reference(reference) => Expr::Reference(reference.clone()),
            Kind::Join { delimiter, parts } => Expr::Join {
                delimiter: delimiter.clone(),
                parts: parts.iter().map(Self::to_expr).collect(),
            },
            Kind::List(items) => match self.to_json() {
                Some(json) => Expr::Literal(json),
                None => Expr::List(items.iter().map(Self::to_expr).collect()),
            },
            Kind::Map(entries) => match self.to_json() {
                Some(json) => Expr::Literal(json),
                None => Expr::Map(
                    entries
                        .iter()
                        .map(|(key, value)| (key.name.clone(), value.to_expr()))
                        .collect(),
                ),
            },
        }
    }

    /// As JSON, if it holds no reference.
    pub(crate) fn to_json(&self) -> Option<Json> {
        match &self.kind {
            Kind::Scalar(json) => Some(json.clone()),
            Kind::Reference(_) | Kind::Join { .. } | Kind::Absent | Kind::Broken => None,
            Kind::List(items) => items
                .iter()
                .map(Self::to_json)
                .collect::<Option<Vec<_>>>()
                .map(Json::Array),
            Kind::Map(entries) => entries
                .iter()
                .map(|(key, value)| Some((key.name.clone(), value.to_json()?)))
                .collect::<Option<serde_json::Map<_, _>>>()
                .map(Json::Object),
        }
    }

    /// A scalar's text as CloudFormation writes it into a string.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.kind {
            Kind::Scalar(Json::String(text)) => Some(text.clone()),
            Kind::Scalar(Json::Number(number)) => Some(number.to_string()),
            Kind::Scalar(Json::Bool(flag)) => Some(flag.to_string()),
            _ => None,
        }
    }
}

/// Reads a map key by key; [`Fields::finish`] reports what nobody asked for.
pub(crate) struct Fields<'a> {
    at: Position,
    path: String,
    entries: Vec<(Key, Value)>,
    asked: Vec<&'static str>,
    problems: &'a Collector,
}

impl<'a> Fields<'a> {
    /// Of a value that must be a map.
    pub(crate) fn of(value: Value, problems: &'a Collector) -> Option<Self> {
        match value.kind {
            Kind::Map(entries) => Some(Self {
                at: value.at,
                path: value.path,
                entries,
                asked: Vec::new(),
                problems,
            }),
            Kind::Broken => None,
            _ => {
                problems.add(value.at, &value.path, "must be a map");
                None
            }
        }
    }

    /// Of properties that are already in hand.
    pub(crate) fn new(
        at: Position,
        path: String,
        entries: Vec<(Key, Value)>,
        problems: &'a Collector,
    ) -> Self {
        Self {
            at,
            path,
            entries,
            asked: Vec::new(),
            problems,
        }
    }

    /// Where in the structure the map stands.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Reports a problem at the map itself.
    pub(crate) fn problem(&self, message: impl Into<String>) {
        self.problems.add(self.at, &self.path, message);
    }

    /// The value of a key, or nothing.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.asked.push(name);
        let index = self.entries.iter().position(|(key, _)| key.name == name)?;
        Some(self.entries.swap_remove(index).1)
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&mut self, name: &'static str) -> Option<Value> {
        let value = self.take(name);
        if value.is_none() {
            self.problem(format!("`{name}` is missing"));
        }
        value
    }

    /// A literal string.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.take(name)?;
        text(&value, self.problems)
    }

    /// A literal string that must be there.
    pub(crate) fn required_text(&mut self, name: &'static str) -> Option<String> {
        let value = self.required(name)?;
        text(&value, self.problems)
    }

    /// One of a few words.
    pub(crate) fn word(
        &mut self,
        name: &'static str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let value = self.take(name)?;
        word(&value, words, self.problems)
    }

    /// One of a few words, which must be there.
    pub(crate) fn required_word(
        &mut self,
        name: &'static str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let value = self.required(name)?;
        word(&value, words, self.problems)
    }

    /// A whole number in a range.
    pub(crate) fn integer(
        &mut self,
        name: &'static str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.take(name)?;
        integer(&value, range, self.problems)
    }

    /// A whole number in a range, or its default.
    pub(crate) fn count(
        &mut self,
        name: &'static str,
        range: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        self.integer(name, i64::from(*range.start())..=i64::from(*range.end()))
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(default)
    }

    /// A boolean.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.take(name)?;
        match value.scalar_text().as_deref() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                complain(&value, "must be true or false", self.problems);
                None
            }
        }
    }

    /// A list's items; empty if the key is absent.
    pub(crate) fn list(&mut self, name: &'static str) -> Vec<Value> {
        match self.take(name) {
            None => Vec::new(),
            Some(value) => list(value, self.problems),
        }
    }

    /// A map below, read by the same rules.
    pub(crate) fn map(&mut self, name: &'static str) -> Option<Fields<'a>> {
        let value = self.take(name)?;
        Fields::of(value, self.problems)
    }

    /// Every key with its value, where any key may stand.
    pub(crate) fn into_entries(self) -> Vec<(Key, Value)> {
        self.entries
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(self) {
        for (key, _) in &self.entries {
            let path = join(&self.path, &key.name);
            let mut message = format!("`{}` is not known here", key.name);
            if let Some(known) = closest(&key.name, self.asked.iter().copied()) {
                message.push_str(&format!("; did you mean `{known}`?"));
            } else {
                message.push_str(&format!("; known: {}", self.asked.join(", ")));
            }
            self.problems.add(key.at, &path, message);
        }
    }
}

/// Reports what is wrong with a value, unless it is broken already.
pub(crate) fn complain(value: &Value, message: &str, problems: &Collector) {
    if !matches!(value.kind, Kind::Broken) {
        problems.add(value.at, &value.path, message);
    }
}

/// The items of a value that must be a list.
pub(crate) fn list(value: Value, problems: &Collector) -> Vec<Value> {
    match value.kind {
        Kind::List(items) => items,
        _ => {
            complain(&value, "must be a list", problems);
            Vec::new()
        }
    }
}

/// A literal string (numbers and booleans are taken as their text).
pub(crate) fn text(value: &Value, problems: &Collector) -> Option<String> {
    let text = value.scalar_text();
    if text.is_none() {
        let why = match value.kind {
            Kind::Reference(_) | Kind::Join { .. } => {
                "must be known before anything is created; a reference to a resource cannot stand here"
            }
            _ => "must be a string",
        };
        complain(value, why, problems);
    }
    text
}

/// A literal string out of a few.
pub(crate) fn word(
    value: &Value,
    words: &[&'static str],
    problems: &Collector,
) -> Option<&'static str> {
    let given = text(value, problems)?;
    let found = words.iter().find(|word| **word == given).copied();
    if found.is_none() {
        let message = format!("`{given}` is not served; use {}", words.join(" or "));
        problems.add(value.at, &value.path, message);
    }
    found
}

/// A whole number in a range; a string of digits counts, as it does for CloudFormation.
pub(crate) fn integer(
    value: &Value,
    range: std::ops::RangeInclusive<i64>,
    problems: &Collector,
) -> Option<i64> {
    let number = value
        .scalar_text()
        .and_then(|text| text.parse::<i64>().ok());
    match number {
        Some(number) if range.contains(&number) => Some(number),
        Some(number) => {
            let message = format!(
                "{number} is out of range: {} to {}",
                range.start(),
                range.end()
            );
            problems.add(value.at, &value.path, message);
            None
        }
        None => {
            complain(value, "must be a whole number", problems);
            None
        }
    }
}
