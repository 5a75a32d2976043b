//! Definitions: which event leads to which notification, for whom, and in which words.
//!
//! A definition is a folder of data under `events/notifications`: `definition.json`,
//! `subject.txt`, `body.txt` and `body.html`.

mod appointment;
mod render;

use std::collections::BTreeMap;
use std::fmt;

use callboard_contracts::notification::{Channel, UnknownPolicy};
use callboard_contracts::{RecipientId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::foreign::{RecipientError, Registry, recipient_at};
use crate::problem::{Problem, Problems};
use crate::when::Zone;

pub use appointment::Appointment;
pub use render::{Context, Part, Person, RenderError, RenderProblem, Rendered, SUBJECT_BYTES_MAX};

/// Longest id of a definition in bytes; it stands in every commit of a plan.
pub const ID_BYTES_MAX: usize = 48;

/// A link that a wording can hold; the sender signs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Shows the offer that the event is about, and takes the answer.
    Offer,
    /// Shows the place on the waitlist of the entry that the event is about, and lets the person
    /// change it.
    Place,
}

impl Link {
    /// Its name in a wording: `links.offer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Place => "place",
        }
    }
}

/// Which event leads to which notification.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Its name, also that of its folder.
    pub id: String,
    /// The full event type that it is sent on.
    pub on: String,
    /// JSON pointer to a list in the event's data, of whose items each tells of one recipient;
    /// absent for an event that is about one.
    #[serde(default)]
    pub each: Option<String>,
    /// JSON pointer to the recipient's id in the event's data, or in an item of [`each`](Self::each).
    pub recipient: String,
    /// The channel it is sent on.
    pub channel: Channel,
    /// The category that a person can opt out of.
    pub category: String,
    /// Goes out in spite of opt-out and suppression.
    #[serde(default)]
    pub critical: bool,
    /// What is done when nobody can know whether it was sent.
    pub unknown_policy: UnknownPolicy,
    /// JSON pointer to the time after which it is of no use.
    #[serde(default)]
    pub expires: Option<String>,
    /// Links that its wording holds.
    #[serde(default)]
    pub links: Vec<Link>,
    /// The appointment that it is about: a file for the person's calendar goes with it.
    #[serde(default)]
    pub calendar: Option<Appointment>,
    /// IANA time zone of the times in its wording, for recipients who have none; if absent, that
    /// of [`Catalogue::told_in`].
    #[serde(default)]
    pub zone: Option<String>,
    /// JSON pointer to the IANA time zone of the place that it is about. Its times are told by the
    /// clock there, and the recipient's own zone counts for nothing: who comes to an appointment
    /// reads the clock on that wall. Where the pointer finds no zone, [`Self::zone`] holds.
    #[serde(default)]
    pub zone_at: Option<String>,
}

/// Data that a definition's pointers do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// No recipient.
    #[error(transparent)]
    Recipient(#[from] RecipientError),
    /// No list of recipients.
    #[error("{pointer}: not a list")]
    List {
        /// Where it should be.
        pointer: String,
    },
    /// The expiry is there, but not a time.
    #[error("{pointer}: not an RFC 3339 time with an offset")]
    Expiry {
        /// Where it is.
        pointer: String,
    },
}

impl Definition {
    /// Who is told, each once.
    ///
    /// # Errors
    /// [`FactError`]; it names the place, never the value.
    pub fn recipients_of(&self, data: &Value) -> Result<Vec<RecipientId>, FactError> {
        let Some(pointer) = &self.each else {
            return Ok(vec![recipient_at(data, &self.recipient)?]);
        };
        let items = data.pointer(pointer).and_then(Value::as_array);
        let items = items.ok_or_else(|| FactError::List {
            pointer: pointer.clone(),
        })?;
        let mut told = Vec::with_capacity(items.len());
        for item in items {
            let recipient = recipient_at(item, &self.recipient)?;
            if !told.contains(&recipient) {
                told.push(recipient);
            }
        }
        Ok(told)
    }

    /// In which zone its times are told to somebody in `own`; `None` is the zone of
    /// [`Catalogue::told_in`]. What is no zone is passed over.
    fn zone_of<'a>(&'a self, data: &'a Value, own: Option<&'a str>) -> Option<&'a str> {
        let first = match &self.zone_at {
            Some(pointer) => data.pointer(pointer).and_then(Value::as_str),
            None => own,
        };
        let mut zones = [first, self.zone.as_deref()].into_iter().flatten();
        zones.find(|name| name.parse::<Zone>().is_ok())
    }

    /// After which moment it is of no use; `None` means never.
    ///
    /// # Errors
    /// [`FactError::Expiry`].
    pub fn expires_at(&self, data: &Value) -> Result<Option<Timestamp>, FactError> {
        let Some(pointer) = &self.expires else {
            return Ok(None);
        };
        match data.pointer(pointer) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_str()
                .and_then(|text| text.parse().ok())
                .map(Some)
                .ok_or_else(|| FactError::Expiry {
                    pointer: pointer.clone(),
                }),
        }
    }
}

/// All definitions, with their wordings compiled.
pub struct Catalogue {
    definitions: BTreeMap<String, Definition>,
    wordings: render::Wordings,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue")
            .field("definitions", &self.definitions)
            .finish_non_exhaustive()
    }
}

const DEFINITION_FILE: &str = "definition.json";

impl Catalogue {
    /// Reads definitions from files: `<id>/<file name>` and text of each.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn load(files: &[(&str, &str)]) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut folders: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for (path, text) in files {
            match path.split_once('/') {
                Some((folder, file)) => {
                    folders.entry(folder).or_default().insert(file, text);
                }
                None => problems.push(Problem::new(
                    *path,
                    "",
                    "stands in no folder: the files of a notification stand in one named after its id",
                )),
            }
        }
        let mut catalogue = Self {
            definitions: BTreeMap::new(),
            wordings: render::Wordings::new(),
        };
        for (folder, files) in folders {
            catalogue.read_folder(folder, &files, &mut problems);
        }
        Problems::or(problems, catalogue)
    }

    /// The definitions of this source tree.
    ///
    /// # Errors
    /// As [`Catalogue::load`]; a test keeps the files of this tree in order.
    pub fn builtin() -> Result<Self, Problems> {
        Self::load(crate::data::NOTIFICATIONS)
    }

    /// The same, with `zone` for times where neither event, recipient nor definition names one.
    #[must_use]
    pub fn told_in(mut self, zone: Zone) -> Self {
        self.wordings.tell_in(zone);
        self
    }

    fn read_folder(
        &mut self,
        folder: &str,
        files: &BTreeMap<&str, &str>,
        problems: &mut Vec<Problem>,
    ) {
        let known = |file: &str| {
            file == DEFINITION_FILE || Part::ALL.iter().any(|part| part.file_name() == file)
        };
        for file in files.keys().filter(|file| !known(file)) {
            let message =
                "not a file of a notification: definition.json, subject.txt, body.txt, body.html";
            problems.push(Problem::new(format!("{folder}/{file}"), "", message));
        }
        for part in Part::ALL {
            let place = format!("{folder}/{}", part.file_name());
            match files.get(part.file_name()) {
                Some(text) => problems.extend(self.wordings.add(folder, part, text)),
                None => problems.push(Problem::new(place, "", "the file is missing")),
            }
        }
        let place = format!("{folder}/{DEFINITION_FILE}");
        let Some(text) = files.get(DEFINITION_FILE) else {
            problems.push(Problem::new(place, "", "the file is missing"));
            return;
        };
        match serde_json::from_str::<Definition>(text) {
            Ok(definition) => {
                check(&definition, folder, &place, problems);
                self.definitions.insert(folder.to_owned(), definition);
            }
            Err(error) => problems.push(Problem::new(place, "", error.to_string())),
        }
    }

    /// The definitions that an event of this type leads to.
    pub fn for_event(&self, event_type: &str) -> impl Iterator<Item = &Definition> {
        self.definitions
            .values()
            .filter(move |definition| definition.on == event_type)
    }

    /// The definition of this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Definition> {
        self.definitions.get(id)
    }

    /// All definitions, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values()
    }

    /// Definitions that wait for an event nobody makes: neither a type of Callboard's nor a
    /// registered one.
    #[must_use]
    pub fn unknown_types(&self, registry: &Registry) -> Vec<Problem> {
        self.iter()
            .filter(|definition| {
                let named = definition.on.as_str();
                crate::data::own_event_types().all(|own| own != named)
                    && !registry.iter().any(|known| known.event_type == named)
            })
            .map(|definition| {
                Problem::new(
                    format!("{}/{DEFINITION_FILE}", definition.id),
                    "/on",
                    format!("`{}` is neither a type of Callboard's nor registered (use the full type, not the alias)", definition.on),
                )
            })
            .collect()
    }

    /// Fills a definition's wording.
    ///
    /// # Errors
    /// [`RenderError`]; it names file, line and kind of failure, never a value.
    pub fn render(
        &self,
        definition: &Definition,
        context: &Context<'_>,
    ) -> Result<Rendered, RenderError> {
        let zone = definition.zone_of(context.data, context.recipient.zone);
        self.wordings.render(&definition.id, zone, context)
    }
}

fn check(definition: &Definition, folder: &str, place: &str, problems: &mut Vec<Problem>) {
    let mut refuse = |at: &str, message: &str| {
        problems.push(Problem::new(place, at, message));
    };
    if definition.id != folder {
        refuse("/id", "the id is the name of the folder");
    }
    if !is_name(&definition.id) {
        refuse(
            "/id",
            "an id has 1 to 48 lower-case letters, digits and hyphens",
        );
    }
    if !is_name(&definition.category) {
        refuse(
            "/category",
            "a category has 1 to 48 lower-case letters, digits and hyphens",
        );
    }
    let pointers = [
        ("/recipient", Some(&definition.recipient)),
        ("/each", definition.each.as_ref()),
        ("/expires", definition.expires.as_ref()),
        ("/zoneAt", definition.zone_at.as_ref()),
    ];
    let pointers = pointers.into_iter().filter_map(|(at, it)| Some((at, it?)));
    let of_calendar = definition.calendar.iter().flat_map(Appointment::pointers);
    for (at, pointer) in pointers.chain(of_calendar) {
        if !pointer.starts_with('/') {
            refuse(at, "a JSON pointer starts with `/`");
        }
    }
    if definition
        .calendar
        .as_ref()
        .is_some_and(|it| it.uid.is_empty())
    {
        refuse("/calendar/uid", "an appointment has a name");
    }
    if definition
        .zone
        .as_ref()
        .is_some_and(|zone| zone.parse::<Zone>().is_err())
    {
        refuse("/zone", "not an IANA time zone such as `Europe/Berlin`");
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
