//! Values that may depend on resources which do not exist yet.

use std::collections::BTreeMap;

use serde_json::Value;

/// A pointer to something a created resource has: its `Ref` value, or an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Logical id of the resource, which is known to be in the template.
    pub logical_id: String,
    /// `None` for `Ref` (a queue's URL, a topic's ARN, a table's name); else the attribute of
    /// `Fn::GetAtt` (`Arn`, `StreamArn`, `QueueName`, …).
    pub attribute: Option<String>,
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.attribute {
            None => write!(f, "{}", self.logical_id),
            Some(attribute) => write!(f, "{}.{attribute}", self.logical_id),
        }
    }
}

/// A value of the template with parameters, conditions and pseudo parameters resolved.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Known now. Holds no reference anywhere inside.
    Literal(Value),
    /// Known once the resource exists.
    Reference(Reference),
    /// `Fn::Join`, and `Fn::Sub` (as a join with an empty delimiter): always a string.
    Join {
        /// Stands between the parts.
        delimiter: String,
        /// Each evaluates to a string, number or boolean.
        parts: Vec<Expr>,
    },
    /// A list with a reference somewhere inside.
    List(Vec<Expr>),
    /// A map with a reference somewhere inside.
    Map(BTreeMap<String, Expr>),
}

/// An expression points to a resource that the caller does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The lookup had no value for it.
    #[error("`{0}` has no value: no resource with this attribute was created")]
    Unknown(Reference),
    /// A list or map stands where a string is joined.
    #[error("a list or map cannot be part of a string")]
    NotText,
}

impl Expr {
    /// A literal string.
    #[must_use]
    pub fn text(value: impl Into<String>) -> Self {
        Self::Literal(Value::String(value.into()))
    }

    /// The value, with every reference replaced by what `lookup` says of it.
    ///
    /// # Errors
    /// [`Unresolved`] where `lookup` answers `None`, or where a joined part is no scalar.
    pub fn evaluate(
        &self,
        lookup: &dyn Fn(&Reference) -> Option<String>,
    ) -> Result<Value, Unresolved> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Reference(reference) => lookup(reference)
                .map(Value::String)
                .ok_or_else(|| Unresolved::Unknown(reference.clone())),
            Self::Join { delimiter, parts } => {
                let mut texts = Vec::with_capacity(parts.len());
                for part in parts {
                    texts.push(part.evaluate_text(lookup)?);
                }
                Ok(Value::String(texts.join(delimiter)))
            }
            Self::List(items) => {
                let values: Result<Vec<_>, _> =
                    items.iter().map(|item| item.evaluate(lookup)).collect();
                Ok(Value::Array(values?))
            }
            Self::Map(entries) => {
                let mut map = serde_json::Map::new();
                for (key, value) in entries {
                    map.insert(key.clone(), value.evaluate(lookup)?);
                }
                Ok(Value::Object(map))
            }
        }
    }

    /// The value as text, as CloudFormation writes scalars into strings.
    ///
    /// # Errors
    /// As [`Expr::evaluate`], and [`Unresolved::NotText`] for a list, a map or null.
    pub fn evaluate_text(
        &self,
        lookup: &dyn Fn(&Reference) -> Option<String>,
    ) -> Result<String, Unresolved> {
        match self.evaluate(lookup)? {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(Unresolved::NotText),
        }
    }

    /// The one resource this points to, if it is a plain reference (`!Ref X`, `!GetAtt X.Arn`).
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Reference(reference) => Some(&reference.logical_id),
            _ => None,
        }
    }

    /// The text, if it is known now.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Literal(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Every reference inside, in the order of reading.
    #[must_use]
    pub fn references(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        self.collect_references(&mut found);
        found
    }

    fn collect_references<'a>(&'a self, found: &mut Vec<&'a Reference>) {
        match self {
            Self::Literal(_) => {}
            Self::Reference(reference) => found.push(reference),
            Self::Join { parts, .. } | Self::List(parts) => {
                for part in parts {
                    part.collect_references(found);
                }
            }
            Self::Map(entries) => {
                for entry in entries.values() {
                    entry.collect_references(found);
                }
            }
        }
    }
}
