//! What a foreign event means to a waitlist's slots: where in its data the calendar says what.
//!
//! The member `waitlist` of a type's file. It is data, so that another calendar, which calls
//! things otherwise, needs no line of code.

use callboard_contracts::{Timestamp, WaitlistId};
use serde::Deserialize;
use serde_json::Value;

use super::allow::Fields;
use super::recipient_at;
use crate::problem::Problem;
use crate::waitlist::slot::{Freed, FromCalendar, News};

/// What to do with the slot that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Command {
    /// It is free, whether it was ever ours or not.
    #[serde(rename = "release-slot")]
    Release,
    /// It was booked elsewhere.
    #[serde(rename = "book-slot")]
    Book,
    /// There is no such appointment any more.
    #[serde(rename = "withdraw-slot")]
    Withdraw,
}

/// Where an event's data say what; JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mapping {
    command: Command,
    /// Data without it are of no waitlist, and mean nothing here.
    waitlist_id: String,
    external_id: String,
    /// A number that counts up, or a time.
    revision: String,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    starts_at: Option<String>,
    #[serde(default)]
    ends_at: Option<String>,
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    slot_version: Option<String>,
}

/// Data of which no command to a slot can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct Unmapped {
    /// Where the data lack it.
    pub pointer: String,
    /// What should stand there.
    pub detail: &'static str,
}

const TEXT: &str = "expected a text";
const TIME: &str = "expected a time such as 2026-02-02T13:30:00Z";
const NUMBER: &str = "expected a number that counts up, or a time such as 2026-02-02T13:30:00Z";
const VERSION: &str = "expected the version of a slot";
const ID: &str = "expected the id of a waitlist: 1 to 64 letters, digits and . _ ~ : @ -";
const RECIPIENT: &str = "expected the id of a recipient: 1 to 64 letters, digits and . _ ~ : @ -";

impl Mapping {
    /// What is wrong with it, beside a schema that lets these fields through.
    pub(super) fn problems(&self, file: &str, fields: &Fields) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut refuse = |member: &str, message: &str| {
            found.push(Problem::new(file, format!("/waitlist/{member}"), message));
        };
        for (member, pointer) in self.pointers() {
            let of_release = !["waitlistId", "externalId", "revision"].contains(&member);
            match pointer {
                Some(_) if of_release && self.command != Command::Release => {
                    refuse(member, "only a release needs it");
                }
                Some(pointer) if !fields.is_public(pointer) => {
                    refuse(member, "the schema has no such field, or it is personal");
                }
                None if self.command == Command::Release && is_needed(member) => {
                    refuse(
                        member,
                        "a release needs it: say where it stands in the data",
                    );
                }
                _ => {}
            }
        }
        found
    }

    fn pointers(&self) -> [(&'static str, Option<&String>); 10] {
        [
            ("waitlistId", Some(&self.waitlist_id)),
            ("externalId", Some(&self.external_id)),
            ("revision", Some(&self.revision)),
            ("service", self.service.as_ref()),
            ("startsAt", self.starts_at.as_ref()),
            ("endsAt", self.ends_at.as_ref()),
            ("location", self.location.as_ref()),
            ("provider", self.provider.as_ref()),
            ("zone", self.zone.as_ref()),
            ("slotVersion", self.slot_version.as_ref()),
        ]
    }

    /// What the data say; `None` if they name no waitlist. `recipient` is the pointer to the
    /// person.
    pub(super) fn read(
        &self,
        data: &Value,
        recipient: Option<&str>,
    ) -> Result<Option<FromCalendar>, Unmapped> {
        let Some(waitlist) = text(data, Some(&self.waitlist_id))? else {
            return Ok(None);
        };
        let waitlist_id = WaitlistId::parse(waitlist);
        let waitlist_id = waitlist_id.map_err(|_| lacks(&self.waitlist_id, ID))?;
        let news = match self.command {
            Command::Release => News::Free(self.freed(data)?),
            Command::Book => {
                let id = recipient.map(|pointer| {
                    recipient_at(data, pointer).map_err(|_| lacks(pointer, RECIPIENT))
                });
                News::Booked {
                    recipient_id: id.transpose()?,
                }
            }
            Command::Withdraw => News::Gone,
        };
        Ok(Some(FromCalendar {
            waitlist_id,
            external_id: needed(
                &self.external_id,
                text(data, Some(&self.external_id))?,
                TEXT,
            )?
            .to_owned(),
            revision: self.revision(data)?,
            news,
        }))
    }

    fn freed(&self, data: &Value) -> Result<Freed, Unmapped> {
        let owned = |pointer: &Option<String>| {
            text(data, pointer.as_deref()).map(|found| found.map(str::to_owned))
        };
        let service = self.service.as_deref().unwrap_or_default();
        Ok(Freed {
            service: needed(service, text(data, Some(service))?, TEXT)?.to_owned(),
            starts_at: time(data, self.starts_at.as_deref().unwrap_or_default())?,
            ends_at: time(data, self.ends_at.as_deref().unwrap_or_default())?,
            location: owned(&self.location)?,
            provider: owned(&self.provider)?,
            zone: owned(&self.zone)?,
            after_version: self.after_version(data)?,
        })
    }

    fn after_version(&self, data: &Value) -> Result<Option<u32>, Unmapped> {
        let Some((pointer, value)) = self
            .slot_version
            .as_deref()
            .and_then(|pointer| Some((pointer, data.pointer(pointer)?)))
        else {
            return Ok(None);
        };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.map(Some).ok_or_else(|| lacks(pointer, VERSION))
    }

    fn revision(&self, data: &Value) -> Result<u64, Unmapped> {
        let number = match data.pointer(&self.revision) {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(time)) => {
                let millis = time.parse::<Timestamp>().ok().map(Timestamp::as_millis);
                millis.and_then(|millis| u64::try_from(millis).ok())
            }
            _ => None,
        };
        number.ok_or_else(|| lacks(&self.revision, NUMBER))
    }
}

fn is_needed(member: &str) -> bool {
    ["service", "startsAt", "endsAt"].contains(&member)
}

fn lacks(pointer: &str, detail: &'static str) -> Unmapped {
    Unmapped {
        pointer: pointer.to_owned(),
        detail,
    }
}

fn needed<'a>(
    pointer: &str,
    found: Option<&'a str>,
    detail: &'static str,
) -> Result<&'a str, Unmapped> {
    found.ok_or_else(|| lacks(pointer, detail))
}

fn text<'a>(data: &'a Value, pointer: Option<&str>) -> Result<Option<&'a str>, Unmapped> {
    let Some((pointer, value)) = pointer.and_then(|at| Some((at, data.pointer(at)?))) else {
        return Ok(None);
    };
    let text = value.as_str().ok_or_else(|| lacks(pointer, TEXT))?;
    Ok(Some(text))
}

fn time(data: &Value, pointer: &str) -> Result<Timestamp, Unmapped> {
    let text = needed(pointer, text(data, Some(pointer))?, TIME)?;
    text.parse().map_err(|_| lacks(pointer, TIME))
}
