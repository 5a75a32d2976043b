//! The accepted appointment as an iCalendar object (RFC 5545), published (RFC 5546, 3.2.1).

use std::str::FromStr;

use callboard_contracts::Timestamp;
use callboard_domain::waitlist::SlotFacts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

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
#[derive(Debug, Clone)]
pub(crate) struct Organizer {
    address: String,
    domain: String,
}

impl FromStr for Organizer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => Ok(Self {
                address: text.to_owned(),
                domain: domain.to_owned(),
            }),
            _ => Err("expected an e-mail address"),
        }
    }
}

const END: [&str; 2] = ["END:VEVENT", "END:VCALENDAR"];

/// The appointment; `now` is when this object of it is made. `None` if a time is out of range.
///
/// Each version of a slot is an appointment of its own, so that the `UID` names both: taken up
/// twice it is one in the calendar.
pub(crate) fn of_appointment(
    facts: &SlotFacts,
    organizer: &Organizer,
    now: Timestamp,
) -> Option<String> {
    let uid = format!("{}-{}@{}", facts.slot_id, facts.version, organizer.domain);
    let mailto = utf8_percent_encode(&organizer.address, MAILTO);
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Callboard//Waitlist//EN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}", escaped(&uid)),
        "SEQUENCE:0".to_owned(),
        format!("DTSTAMP:{}", utc(now)?),
        format!("DTSTART:{}", utc(facts.starts_at)?),
        format!("DTEND:{}", utc(facts.ends_at)?),
        format!("SUMMARY:{}", escaped(&facts.service)),
        format!("ORGANIZER:mailto:{mailto}"),
        "STATUS:CONFIRMED".to_owned(),
    ];
    let place = facts.location.iter();
    let place = place.map(|place| format!("LOCATION:{}", escaped(place)));
    let lines = lines.into_iter().chain(place).chain(END.map(str::to_owned));
    Some(lines.map(|line| folded(&line)).collect())
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

/// The line with its break, folded between characters: a continuation begins with a space, which
/// counts.
fn folded(line: &str) -> String {
    let mut folded = String::with_capacity(line.len() + 2);
    let mut octets = 0;
    for character in line.chars() {
        if octets + character.len_utf8() > LINE_OCTETS_MAX {
            folded.push_str("\r\n ");
            octets = 1;
        }
        folded.push(character);
        octets += character.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_contracts::waitlist::SlotReleased;

    #[test]
    fn an_appointment_says_when_where_and_from_whom() {
        let released: SlotReleased = serde_json::from_value(serde_json::json!({
            "waitlistId": "w", "slotId": "s1", "slotVersion": 2, "service": "physio",
            "startsAt": "2030-05-02T09:00:00Z", "endsAt": "2030-05-02T09:30:00Z",
            "offerWindowSeconds": 60, "location": "Mill Lane 3, back door",
        }))
        .expect("an event");
        let organizer = "desk@clinic.example".parse().expect("an address");
        let now = "2030-05-01T08:00:00Z".parse().expect("a time");
        let text = of_appointment(&SlotFacts::from(&released), &organizer, now);
        let expected = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Callboard//Waitlist//EN\r\n\
            METHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:s1-2@clinic.example\r\nSEQUENCE:0\r\n\
            DTSTAMP:20300501T080000Z\r\nDTSTART:20300502T090000Z\r\nDTEND:20300502T093000Z\r\n\
            SUMMARY:physio\r\nORGANIZER:mailto:desk@clinic.example\r\nSTATUS:CONFIRMED\r\n\
            LOCATION:Mill Lane 3\\, back door\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        assert_eq!(text.as_deref(), Some(expected));
    }

    #[test]
    fn a_line_is_folded_at_75_octets_and_never_within_a_character() {
        for text in ["x".repeat(400), "ü€😀".repeat(60), "x".repeat(75)] {
            let line = folded(&text);
            assert!(line.ends_with("\r\n"));
            assert!(line.split("\r\n").all(|part| part.len() <= LINE_OCTETS_MAX));
            assert_eq!(line.replace("\r\n ", "").trim_end(), text, "unfolds");
        }
        assert_eq!(folded(&"x".repeat(75)).matches("\r\n").count(), 1);
    }

    #[test]
    fn text_cannot_end_its_property_nor_begin_another() {
        assert_eq!(
            escaped("a,b;c\\d\r\nATTENDEE:x\ny"),
            "a\\,b\\;c\\\\d\\nATTENDEE:x\\ny"
        );
    }

    #[test]
    fn an_organizer_is_an_address_and_fit_for_a_uri() {
        for bad in ["", "desk", "@x", "desk@"] {
            assert!(bad.parse::<Organizer>().is_err(), "{bad}");
        }
        let organizer: Organizer = "a%b?c+d@clinic.example".parse().expect("an address");
        let mailto = utf8_percent_encode(&organizer.address, MAILTO).to_string();
        assert_eq!(mailto, "a%25b%3Fc+d@clinic.example");
    }
}
