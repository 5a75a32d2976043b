//! iCalendar objects (RFC 5545): an appointment for a person's own calendar, the slots of a list
//! for the practice's.
//!
//! Times are written in UTC: every programme tells them by its reader's clock, and no rule of a
//! zone that changes later can move them. The present comes from the caller. (A library that
//! writes iCalendar reads the clock where a stamp is missing, and invents identifiers; this is
//! the part of the format that is needed, checked with a parser by others in `tests/pages`.)

use std::str::FromStr;
use std::time::Duration;

use callboard_contracts::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The name under which an appointment is handed over.
pub const FILE_NAME: &str = "appointment.ics";

/// Longest content line in octets, its line break not counted (RFC 5545, 3.1).
const LINE_OCTETS_MAX: usize = 75;

/// What an address keeps in a `mailto:` (RFC 6068, section 2).
const MAILTO: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'@')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~')
    .remove(b'+');

/// Whom a published appointment is from; RFC 5546 wants one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organizer {
    address: String,
    domain: String,
}

/// The text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an e-mail address")]
pub struct OrganizerError;

impl FromStr for Organizer {
    type Err = OrganizerError;

    fn from_str(text: &str) -> Result<Self, OrganizerError> {
        match text.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => Ok(Self {
                address: text.to_owned(),
                domain: domain.to_owned(),
            }),
            _ => Err(OrganizerError),
        }
    }
}

impl Organizer {
    /// The name of something of the organizer's in every calendar; see RFC 5545, 3.8.4.7.
    #[must_use]
    pub fn uid(&self, local: &str) -> String {
        format!("{local}@{}", self.domain)
    }
}

/// The organizer's own name for something that is named by several things, such as a slot and its
/// version: each version of a slot is an appointment of its own.
#[must_use]
pub fn joined(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<_>>().join("-")
}

/// What is to be done with an object (RFC 5546).
///
/// `REQUEST` is not among them: who gets an appointment has said yes already, and a reply to it
/// would go to an address that nobody reads, and change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Take it up (3.2.1).
    Publish,
    /// Take it out (3.2.5).
    Cancel,
}

impl Method {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Cancel => "CANCEL",
        }
    }

    /// The media type of an object with this method (RFC 6047, 2.4).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Publish => "text/calendar; charset=utf-8; method=PUBLISH",
            Self::Cancel => "text/calendar; charset=utf-8; method=CANCEL",
        }
    }
}

/// How certain an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It may come to pass.
    Tentative,
    /// It takes place.
    Confirmed,
    /// It does not take place.
    Cancelled,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tentative => "TENTATIVE",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// One event of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name in every calendar.
    pub uid: String,
    /// Rises with every change of it.
    pub sequence: u64,
    /// When this object of it was made; without a method, when it was last changed.
    pub stamp: Timestamp,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// What it is, in a line.
    pub summary: String,
    /// Where it is.
    pub location: Option<String>,
    /// More about it.
    pub description: Option<String>,
    /// How certain it is.
    pub status: Status,
}

impl Event {
    /// Writes it; `None` if a time is out of range.
    fn write(&self, out: &mut String, organizer: Option<&Organizer>) -> Option<()> {
        line(out, "BEGIN", "VEVENT");
        line(out, "UID", &escaped(&self.uid));
        line(out, "SEQUENCE", &self.sequence.to_string());
        line(out, "DTSTAMP", &utc(self.stamp)?);
        line(out, "DTSTART", &utc(self.starts_at)?);
        line(out, "DTEND", &utc(self.ends_at)?);
        line(out, "SUMMARY", &escaped(&self.summary));
        if let Some(organizer) = organizer {
            let address = utf8_percent_encode(&organizer.address, MAILTO);
            line(out, "ORGANIZER", &format!("mailto:{address}"));
        } else {
            line(out, "LAST-MODIFIED", &utc(self.stamp)?);
        }
        line(out, "STATUS", self.status.as_str());
        if self.status == Status::Cancelled {
            line(out, "TRANSP", "TRANSPARENT");
        }
        for (name, text) in [
            ("LOCATION", &self.location),
            ("DESCRIPTION", &self.description),
        ] {
            if let Some(text) = text {
                line(out, name, &escaped(text));
            }
        }
        line(out, "END", "VEVENT");
        Some(())
    }
}

/// One event that is handed to a person; `None` if a time is out of range.
#[must_use]
pub fn message(event: &Event, method: Method, organizer: &Organizer) -> Option<String> {
    let mut out = head();
    line(&mut out, "METHOD", method.as_str());
    event.write(&mut out, Some(organizer))?;
    line(&mut out, "END", "VCALENDAR");
    Some(out)
}

/// What a calendar to subscribe to says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its name.
    pub name: String,
    /// What is in it, and what is not.
    pub description: String,
    /// How often a programme should look for changes.
    pub refresh: Duration,
}

/// A calendar to subscribe to; `None` if a time is out of range.
#[must_use]
pub fn feed<'a>(feed: &Feed, events: impl IntoIterator<Item = &'a Event>) -> Option<String> {
    let mut out = head();
    let refresh = format!("PT{}S", feed.refresh.as_secs());
    // RFC 7986, and what Apple's and Microsoft's programmes read in its place.
    for name in ["NAME", "X-WR-CALNAME"] {
        line(&mut out, name, &escaped(&feed.name));
    }
    for name in ["DESCRIPTION", "X-WR-CALDESC"] {
        line(&mut out, name, &escaped(&feed.description));
    }
    line(&mut out, "REFRESH-INTERVAL;VALUE=DURATION", &refresh);
    line(&mut out, "X-PUBLISHED-TTL", &refresh);
    for event in events {
        event.write(&mut out, None)?;
    }
    line(&mut out, "END", "VCALENDAR");
    Some(out)
}

fn head() -> String {
    let mut out = String::new();
    line(&mut out, "BEGIN", "VCALENDAR");
    line(&mut out, "VERSION", "2.0");
    line(&mut out, "PRODID", "-//Callboard//Waitlist//EN");
    out
}

fn utc(at: Timestamp) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
    Some(at.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// A value of type TEXT (RFC 5545, 3.3.11).
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace(';', "\\;")
        .replace(',', "\\,")
        .replace("\r\n", "\\n")
        .replace(['\r', '\n'], "\\n")
}

/// A line with its break, folded between characters: a continuation begins with a space, which
/// counts.
fn line(out: &mut String, name: &str, value: &str) {
    let mut octets = 0;
    for character in name.chars().chain([':']).chain(value.chars()) {
        if octets + character.len_utf8() > LINE_OCTETS_MAX {
            out.push_str("\r\n ");
            octets = 1;
        }
        // A control character has no place in a value (RFC 5545, 3.1).
        if character != '\t' && character.is_control() {
            continue;
        }
        out.push(character);
        octets += character.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            uid: "s1-2@clinic.example".to_owned(),
            sequence: 0,
            stamp: "2030-05-01T08:00:00Z".parse().expect("a time"),
            starts_at: "2030-05-02T09:00:00Z".parse().expect("a time"),
            ends_at: "2030-05-02T09:30:00Z".parse().expect("a time"),
            summary: "physio".to_owned(),
            location: Some("Mill Lane 3, back door".to_owned()),
            description: None,
            status: Status::Confirmed,
        }
    }

    fn organizer() -> Organizer {
        "desk@clinic.example".parse().expect("an address")
    }

    #[test]
    fn an_appointment_says_when_where_and_from_whom() {
        let text = message(&event(), Method::Publish, &organizer());
        let expected = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Callboard//Waitlist//EN\r\n\
            METHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:s1-2@clinic.example\r\nSEQUENCE:0\r\n\
            DTSTAMP:20300501T080000Z\r\nDTSTART:20300502T090000Z\r\nDTEND:20300502T093000Z\r\n\
            SUMMARY:physio\r\nORGANIZER:mailto:desk@clinic.example\r\nSTATUS:CONFIRMED\r\n\
            LOCATION:Mill Lane 3\\, back door\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(text.as_deref(), Some(expected));
        assert_eq!(organizer().uid("s1-2"), event().uid);
    }

    #[test]
    fn a_cancelled_appointment_blocks_no_time_any_more() {
        let gone = Event {
            sequence: 1,
            status: Status::Cancelled,
            ..event()
        };
        let text = message(&gone, Method::Cancel, &organizer()).expect("an object");
        for line in [
            "METHOD:CANCEL",
            "SEQUENCE:1",
            "STATUS:CANCELLED",
            "TRANSP:TRANSPARENT",
        ] {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
        }
    }

    #[test]
    fn a_feed_says_what_it_is_and_names_no_organizer() {
        let about = Feed {
            name: "Waitlist w; north".to_owned(),
            description: "All.".to_owned(),
            refresh: Duration::from_secs(900),
        };
        let text = feed(&about, [&event()]).expect("a calendar");
        for line in [
            "NAME:Waitlist w\\; north",
            "X-WR-CALDESC:All.",
            "REFRESH-INTERVAL;VALUE=DURATION:PT900S",
            "LAST-MODIFIED:20300501T080000Z",
        ] {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
        }
        assert!(!text.contains("METHOD") && !text.contains("ORGANIZER"));
    }

    #[test]
    fn a_line_is_folded_at_75_octets_and_never_within_a_character() {
        for text in ["x".repeat(400), "ü€😀".repeat(60), "x".repeat(73)] {
            let mut folded = String::new();
            line(&mut folded, "A", &text);
            assert!(folded.ends_with("\r\n"));
            assert!(
                folded
                    .split("\r\n")
                    .all(|part| part.len() <= LINE_OCTETS_MAX)
            );
            let unfolded = folded.replace("\r\n ", "");
            assert_eq!(unfolded.trim_end(), format!("A:{text}"), "unfolds");
        }
        let mut one = String::new();
        line(&mut one, "A", &"x".repeat(73));
        assert_eq!(one.matches("\r\n").count(), 1);
    }

    #[test]
    fn text_cannot_end_its_property_nor_begin_another() {
        let text = "a,b;c\\d\r\nATTENDEE:x\ny\u{7}\u{85}";
        let mut out = String::new();
        line(&mut out, "SUMMARY", &escaped(text));
        assert_eq!(out, "SUMMARY:a\\,b\\;c\\\\d\\nATTENDEE:x\\ny\r\n");
    }

    #[test]
    fn an_organizer_is_an_address_and_fit_for_a_uri() {
        for bad in ["", "desk", "@x", "desk@"] {
            assert_eq!(bad.parse::<Organizer>(), Err(OrganizerError), "{bad}");
        }
        let organizer: Organizer = "a%b?c+d@clinic.example".parse().expect("an address");
        let text = message(&event(), Method::Publish, &organizer).expect("an object");
        assert!(text.contains("ORGANIZER:mailto:a%25b%3Fc+d@clinic.example\r\n"));
    }
}
