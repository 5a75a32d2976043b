//! Versions of an event type: `callboard.waitlist.offer-made.v1` is version 1 of
//! `callboard.waitlist.offer-made`. One version is written; any number may be read.

use serde_json::Value;

use crate::command::CommandEvent;
use crate::envelope::Envelope;
use crate::notification::NotificationEvent;
use crate::recipient::RecipientEvent;
use crate::stream::{DecodeError, DomainEvent};
use crate::waitlist::{BroadcastEvent, EntryEvent, SlotEvent, WaitlistEvent};

/// Prefix of all types that are made here; every other type is foreign.
pub const OWN: &str = "callboard.";

/// The type without its version, and the version. `None` if it does not end with one.
#[must_use]
pub fn split(event_type: &str) -> Option<(&str, u32)> {
    let (family, version) = event_type.rsplit_once(".v")?;
    Some((family, version.parse().ok()?))
}

/// Whether two full types are versions of one.
#[must_use]
pub fn same_family(one: &str, other: &str) -> bool {
    match (split(one), split(other)) {
        (Some((one, _)), Some((other, _))) => one == other,
        _ => false,
    }
}

/// The error for a type that is none of those that are read.
pub(crate) fn unknown(event_type: &str, written: &'static [&'static str]) -> DecodeError {
    let known = written.iter().find(|known| same_family(event_type, known));
    match known {
        Some(known) => DecodeError::UnknownVersion {
            event_type: event_type.to_owned(),
            known,
        },
        None => DecodeError::UnknownType(event_type.to_owned()),
    }
}

/// An event's type and data as they would be written today. Whoever reads data by place and not
/// as a type (a definition's pointers, a wording) reads these. Foreign events are as they came:
/// each version of theirs is a type of its own.
///
/// # Errors
/// [`DecodeError`] when a type of ours, or its version, is unknown, or data of another version
/// do not fit it.
pub fn as_written_today(event_type: String, data: Value) -> Result<(String, Value), DecodeError> {
    if !event_type.starts_with(OWN) {
        return Ok((event_type, data));
    }
    let sets: [(&[&str], Renew); 7] = [
        (SlotEvent::TYPES, renewed::<SlotEvent>),
        (BroadcastEvent::TYPES, renewed::<BroadcastEvent>),
        (EntryEvent::TYPES, renewed::<EntryEvent>),
        (WaitlistEvent::TYPES, renewed::<WaitlistEvent>),
        (NotificationEvent::TYPES, renewed::<NotificationEvent>),
        (RecipientEvent::TYPES, renewed::<RecipientEvent>),
        (CommandEvent::TYPES, renewed::<CommandEvent>),
    ];
    let own = |(types, _): &&(&[&str], Renew)| {
        let mut types = types.iter();
        types.any(|known| same_family(known, &event_type))
    };
    match sets.iter().find(own) {
        Some((types, _)) if types.contains(&event_type.as_str()) => Ok((event_type, data)),
        Some((_, renewed)) => renewed(&event_type, data),
        None => Err(DecodeError::UnknownType(event_type)),
    }
}

type Renew = fn(&str, Value) -> Result<(String, Value), DecodeError>;

fn renewed<E: DomainEvent>(event_type: &str, data: Value) -> Result<(String, Value), DecodeError> {
    let event = E::decode(event_type, data)?;
    Ok((event.event_type().to_owned(), event.data()))
}

impl Envelope {
    /// The same with type and data [as they would be written today](as_written_today). What a
    /// commit names as its cause is made from the envelope as it came ([`Envelope::as_cause`]):
    /// a message that was handled before a deployment comes again after it with the same hash.
    ///
    /// # Errors
    /// As [`as_written_today`].
    pub fn as_written_today(&self) -> Result<Self, DecodeError> {
        let (event_type, data) = as_written_today(self.event_type.clone(), self.data.clone())?;
        Ok(Self {
            event_type,
            data,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::stream::domain_events;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    pub struct Painted {
        colours: Vec<String>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    pub struct PaintedV1 {
        colour: String,
    }

    impl From<PaintedV1> for Painted {
        fn from(former: PaintedV1) -> Self {
            Self {
                colours: vec![former.colour],
            }
        }
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    pub struct Hung {}

    domain_events! {
        /// What may happen to a picture.
        pub enum PictureEvent {
            Painted = "callboard.picture.painted.v2" Public reads {
                PaintedV1 = "callboard.picture.painted.v1",
            },
            Hung = "callboard.picture.hung.v1" Public,
        }
    }

    fn painted() -> PictureEvent {
        PictureEvent::Painted(Painted {
            colours: vec!["blue".to_owned()],
        })
    }

    #[test]
    fn both_versions_are_read_as_one_and_one_is_written() {
        let v1 = PictureEvent::decode("callboard.picture.painted.v1", json!({"colour": "blue"}));
        let v2 = PictureEvent::decode("callboard.picture.painted.v2", json!({"colours": ["blue"]}));
        assert_eq!(v1.expect("v1 is read"), painted());
        assert_eq!(v2.expect("v2 is read"), painted());
        assert_eq!(painted().event_type(), "callboard.picture.painted.v2");
        let types: Vec<_> = PictureEvent::schemas()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let read =
            ["painted.v2", "painted.v1", "hung.v1"].map(|t| format!("callboard.picture.{t}"));
        assert_eq!(types, read, "each version that is read has its schema");
    }

    #[test]
    fn data_of_one_version_under_the_name_of_the_other_are_not_misread() {
        let error = PictureEvent::decode("callboard.picture.painted.v1", json!({"colours": []}))
            .expect_err("not v1");
        assert!(error.to_string().contains("painted.v1` cannot be read"));
    }

    #[test]
    fn a_version_that_is_not_known_is_told_from_a_type_that_is_not() {
        let of =
            |event_type| PictureEvent::decode(event_type, json!({})).expect_err("not known here");
        let newer = of("callboard.picture.painted.v3");
        assert!(newer.is_of_other_version());
        assert_eq!(
            newer.to_string(),
            "`callboard.picture.painted.v3` is of a version that is not known here; `callboard.picture.painted.v2` is"
        );
        for other in [
            "callboard.picture.sold.v1",
            "callboard.picture.painted",
            "painted.v2",
        ] {
            assert!(!of(other).is_of_other_version(), "{other}");
        }
    }

    #[test]
    fn an_old_event_is_renewed_and_one_of_today_keeps_every_member() {
        let old = renewed::<PictureEvent>("callboard.picture.painted.v1", json!({"colour": "red"}));
        let written = (
            "callboard.picture.painted.v2".to_owned(),
            json!({"colours": ["red"]}),
        );
        assert_eq!(old.expect("read"), written);
        let more = json!({"waitlistId": "w", "entryId": "e", "addedLater": 1});
        let event_type = "callboard.waitlist.entry-left.v1".to_owned();
        let today = as_written_today(event_type.clone(), more.clone()).expect("read");
        assert_eq!(today, (event_type, more));
    }

    #[test]
    fn what_is_foreign_stays_and_what_is_ours_and_unknown_is_an_error() {
        let foreign = ("com.example.order-placed.v7".to_owned(), json!({"a": 1}));
        let read = as_written_today(foreign.0.clone(), foreign.1.clone());
        assert_eq!(read.expect("as it came"), foreign);
        let of =
            |name: &str| as_written_today(name.to_owned(), json!({})).expect_err("not known here");
        assert!(of("callboard.waitlist.offer-made.v99").is_of_other_version());
        assert!(matches!(
            of("callboard.waitlist.offer-sung.v1"),
            DecodeError::UnknownType(_)
        ));
    }
}
