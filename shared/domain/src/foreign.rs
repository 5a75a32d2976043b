//! Foreign event types, registered as data: what may come in, and what of it is personal.
//!
//! A type's JSON Schema is an allow-list: what it does not name never reaches the journal, and
//! what it marks as personal goes to `contacts` (invariant I12). Validation against
//! [`ForeignType::schema`] is the edge's work; here only the fields are parted.

mod allow;
mod calendar;

use std::collections::BTreeMap;

use callboard_contracts::{IdError, RecipientId};
use serde::Deserialize;
use serde_json::Value;

use crate::problem::{Problem, Problems};
use crate::waitlist::slot::FromCalendar;
use allow::Fields;
pub use calendar::{Mapping, Unmapped};

/// A word for whoever sends a type that is not registered.
pub const HOW_TO_REGISTER: &str =
    "register the type by a file in events/foreign, as events/README.md shows";

/// Longest default source in bytes: it is part of a stream id.
pub const SOURCE_BYTES_MAX: usize = 64;

/// The file that registers a type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    alias: Option<String>,
    source: String,
    #[serde(default)]
    recipient: Option<String>,
    #[serde(default)]
    waitlist: Option<Mapping>,
    schema: Value,
    example: Value,
}

/// A registered foreign event type.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignType {
    /// Its full type with version, as it stands in the journal.
    pub event_type: String,
    /// The short name that the minimal shape may use, for instance `OrderPlaced`.
    pub alias: Option<String>,
    /// The source of an event that names none.
    pub source: String,
    /// JSON pointer to the recipient's id in the data; absent only in what is about no person.
    pub recipient: Option<String>,
    /// What it means to a waitlist's slots, if anything.
    pub waitlist: Option<Mapping>,
    /// JSON Schema to validate `data` against. Objects that said nothing of additional
    /// properties refuse them here.
    pub schema: Value,
    /// An example of the data; it fills the wordings in tests and previews.
    pub example: Value,
    /// JSON pointers to the fields marked as personal.
    pub personal: Vec<String>,
    fields: Fields,
}

/// Data parted into what the journal keeps and what `contacts` keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// What the allow-list lets through, without personal fields.
    pub public: Value,
    /// The personal fields, in the same nesting; an empty object if there are none.
    pub personal: Value,
}

/// Data that name no recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// Nothing there, or not a text.
    #[error("{pointer}: the recipient's id is missing")]
    Missing {
        /// Where it should be.
        pointer: String,
    },
    /// A text that is not an id.
    #[error("{pointer}: {source}")]
    NotAnId {
        /// Where it is.
        pointer: String,
        /// What is wrong with it.
        source: IdError,
    },
}

/// Reads a recipient's id at `pointer`.
///
/// # Errors
/// [`RecipientError`]; it names the place, never the value.
pub fn recipient_at(data: &Value, pointer: &str) -> Result<RecipientId, RecipientError> {
    let text = data
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or_else(|| RecipientError::Missing {
            pointer: pointer.to_owned(),
        })?;
    RecipientId::parse(text).map_err(|source| RecipientError::NotAnId {
        pointer: pointer.to_owned(),
        source,
    })
}

impl ForeignType {
    /// Parts data into public and personal fields. Fields that the schema does not name, and
    /// values of another shape than it says, are left out of both.
    #[must_use]
    pub fn split_personal(&self, data: &Value) -> Split {
        let (public, personal) = self.fields.split(data);
        Split {
            public: public.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
            personal: personal.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        }
    }

    /// The recipient that the data name; `None` if the type is about no person.
    ///
    /// # Errors
    /// [`RecipientError`]; it names the place, never the value.
    pub fn recipient_of(&self, data: &Value) -> Result<Option<RecipientId>, RecipientError> {
        let pointer = self.recipient.as_deref();
        pointer.map(|at| recipient_at(data, at)).transpose()
    }

    /// What the data say of a waitlist's slot; `None` if nothing.
    ///
    /// # Errors
    /// [`Unmapped`] names the place of what is missing or cannot be read, never the value.
    pub fn of_slot(&self, data: &Value) -> Result<Option<FromCalendar>, Unmapped> {
        match &self.waitlist {
            Some(mapping) => mapping.read(data, self.recipient.as_deref()),
            None => Ok(None),
        }
    }

    fn read(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let file: File = serde_json::from_str(text)
            .map_err(|error| vec![Problem::new(name, "", error.to_string())])?;
        let mut problems = Vec::new();
        let mut refuse = |place: &str, message: &str| {
            problems.push(Problem::new(name, place, message));
        };
        if !is_type(&file.event_type) {
            refuse(
                "/type",
                "a type has at most 100 letters, digits, `.`, `-` and `_`, and ends with a version such as `.v1`",
            );
        }
        if file.event_type.starts_with("callboard.") {
            refuse(
                "/type",
                "types that start with `callboard.` are made here, not registered",
            );
        }
        if file
            .alias
            .as_deref()
            .is_some_and(|alias| alias.is_empty() || alias.len() > 100)
        {
            refuse("/alias", "an alias has 1 to 100 bytes");
        }
        if file.source.is_empty()
            || file.source.len() > SOURCE_BYTES_MAX
            || file.source.contains('#')
        {
            refuse("/source", "a source has 1 to 64 bytes, without `#`");
        }
        let mut schema = file.schema;
        let fields = Fields::compile(&mut schema, name, &mut problems);
        let personal = fields.personal_pointers();
        match &file.recipient {
            Some(pointer) => {
                if let Err(message) = fields.check_recipient(&schema, pointer) {
                    problems.push(Problem::new(name, "/recipient", message));
                }
            }
            None if file.waitlist.is_none() || !personal.is_empty() => {
                let message =
                    "say whom it is about; only what concerns a slot alone may be without";
                problems.push(Problem::new(name, "/recipient", message));
            }
            None => {}
        }
        if let Some(mapping) = &file.waitlist {
            problems.extend(mapping.problems(name, &fields));
        }
        let found = Self {
            personal,
            event_type: file.event_type,
            alias: file.alias,
            source: file.source,
            recipient: file.recipient,
            waitlist: file.waitlist,
            schema,
            example: file.example,
            fields,
        };
        if let Err(error) = found.recipient_of(&found.example) {
            problems.push(Problem::new(name, "/example", error.to_string()));
        }
        if let Err(error) = found.of_slot(&found.example) {
            problems.push(Problem::new(name, "/example", error.to_string()));
        }
        if problems.is_empty() {
            Ok(found)
        } else {
            Err(problems)
        }
    }
}

fn is_type(text: &str) -> bool {
    let version = text.rsplit_once(".v").map(|(_, version)| version);
    text.len() <= 100
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
        && version.is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()))
}

/// All registered foreign event types.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Registry {
    types: Vec<ForeignType>,
    by_name: BTreeMap<String, usize>,
}

impl Registry {
    /// Reads the registry from files: name and text of each.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn load(files: &[(&str, &str)]) -> Result<Self, Problems> {
        let mut registry = Self::default();
        let mut problems = Vec::new();
        for (name, text) in files {
            match ForeignType::read(name, text) {
                Ok(found) => registry.add(name, found, &mut problems),
                Err(found) => problems.extend(found),
            }
        }
        Problems::or(problems, registry)
    }

    /// The types registered in this source tree.
    ///
    /// # Errors
    /// As [`Registry::load`]; a test keeps the files of this tree in order.
    pub fn builtin() -> Result<Self, Problems> {
        Self::load(crate::data::FOREIGN)
    }

    fn add(&mut self, file: &str, found: ForeignType, problems: &mut Vec<Problem>) {
        let at = self.types.len();
        for name in [Some(&found.event_type), found.alias.as_ref()]
            .into_iter()
            .flatten()
        {
            if self.by_name.insert(name.clone(), at).is_some() {
                let message = format!("`{name}` is registered twice");
                problems.push(Problem::new(file, "", message));
            }
        }
        self.types.push(found);
    }

    /// The type of this full name or alias.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ForeignType> {
        self.by_name.get(name).and_then(|at| self.types.get(*at))
    }

    /// All types.
    pub fn iter(&self) -> impl Iterator<Item = &ForeignType> {
        self.types.iter()
    }
}
