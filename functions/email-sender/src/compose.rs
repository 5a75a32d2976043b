//! From wording and address to the text of a mail.
//!
//! Everything that could break out of a header is refused here, before it gets near a
//! provider: `lettre` refuses CR and LF in addresses but silently encodes them in a subject.

use std::time::{Duration, UNIX_EPOCH};

use callboard_contracts::{NotificationId, Timestamp};
use callboard_domain::calendar::{FILE_NAME, Method};
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, MultiPartKind, SinglePart};

use crate::provider::Message;

/// Longest address in bytes (RFC 5321, 4.5.3.1.3: a path of 256 with its brackets).
const ADDRESS_BYTES_MAX: usize = 254;

/// Longest name in characters, as registration takes it; longer ones are no names, and would only
/// fold the header.
const NAME_CHARS_MAX: usize = 100;

/// What a mail is made of.
pub struct Draft<'a> {
    /// Gives the mail its `Message-ID`, the same on every resend.
    pub notification: NotificationId,
    /// Who it is from.
    pub from: &'a Mailbox,
    /// The recipient's address, as stored.
    pub email: &'a str,
    /// The recipient's name, as stored.
    pub name: Option<&'a str>,
    /// Subject.
    pub subject: &'a str,
    /// Plain text.
    pub text: &'a str,
    /// The same as HTML.
    pub html: &'a str,
    /// The appointment it is about, as an iCalendar object to be published.
    pub appointment: Option<&'a str>,
    /// When it is sent.
    pub at: Timestamp,
    /// Whether to say how to unsubscribe: for everything that is not critical.
    pub unsubscribe: bool,
}

/// Why no mail can be made of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// The stored address is none.
    #[error("bad-address")]
    Address,
    /// The stored name has control characters, or is too long to be one.
    #[error("bad-name")]
    Name,
    /// The rendered subject has control characters.
    #[error("the subject holds control characters")]
    Subject,
    /// `lettre` refused for another reason.
    #[error("the mail cannot be assembled")]
    Assembly,
}

/// The mail that `draft` describes.
///
/// # Errors
/// [`ComposeError`]; none of them passes by trying again.
pub fn compose(draft: &Draft<'_>) -> Result<Message, ComposeError> {
    let to = address(draft.email)?;
    let name = draft.name.map(checked_name).transpose()?.flatten();
    if draft.subject.contains(char::is_control) {
        return Err(ComposeError::Subject);
    }
    let mut builder = lettre::Message::builder()
        .from(draft.from.clone())
        .to(Mailbox::new(name, to.clone()))
        .subject(draft.subject)
        .message_id(Some(message_id(draft.notification, draft.from)))
        .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(draft.at.as_millis()).unwrap_or(0)))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned())?);
    if draft.unsubscribe {
        let mailto = format!("<mailto:{}?subject=unsubscribe>", draft.from.email);
        builder = builder.raw_header(header("List-Unsubscribe", mailto)?);
    }
    let mail = builder
        .multipart(body(draft)?)
        .map_err(|_| ComposeError::Assembly)?;
    Ok(Message {
        from: draft.from.email.clone(),
        to,
        raw: mail.formatted(),
    })
}

/// `<notification id@sender's domain>`: a mail program that gets two copies shows one.
#[must_use]
pub fn message_id(notification: NotificationId, from: &Mailbox) -> String {
    format!("<{notification}@{}>", from.email.domain())
}

/// The wording, with the appointment beside it.
///
/// The appointment is a file, which RFC 6047 allows, and not an alternative of the wording:
/// Outlook takes an object in the first part of a mixed body for the message itself, and one in a
/// later part for a file (Microsoft, MS-STANOICAL, on RFC 6047 section 2.4). The words must be
/// read: they say what to do if something is wrong.
fn body(draft: &Draft<'_>) -> Result<MultiPart, ComposeError> {
    let Some(appointment) = draft.appointment else {
        return Ok(alternative(draft));
    };
    let media_type = ContentType::parse(Method::Publish.media_type());
    let media_type = media_type.map_err(|_| ComposeError::Assembly)?;
    let file = Attachment::new(FILE_NAME.to_owned()).body(appointment.to_owned(), media_type);
    Ok(MultiPart::builder()
        .kind(MultiPartKind::Mixed)
        .boundary(format!("callboard-mixed-{}", draft.notification))
        .multipart(alternative(draft))
        .singlepart(file))
}

/// The boundaries are derived, too, so that a resend differs in its date alone.
fn alternative(draft: &Draft<'_>) -> MultiPart {
    MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("callboard-{}", draft.notification))
        .singlepart(SinglePart::plain(draft.text.to_owned()))
        .singlepart(SinglePart::html(draft.html.to_owned()))
}

fn address(text: &str) -> Result<Address, ComposeError> {
    if text.len() > ADDRESS_BYTES_MAX || text.contains(|c: char| c.is_control() || c == ' ') {
        return Err(ComposeError::Address);
    }
    text.parse().map_err(|_| ComposeError::Address)
}

fn checked_name(text: &str) -> Result<Option<String>, ComposeError> {
    let name = text.trim_matches(' ');
    if name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        return Err(ComposeError::Name);
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

fn header(name: &'static str, value: String) -> Result<HeaderValue, ComposeError> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| ComposeError::Assembly)?;
    Ok(HeaderValue::new(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_contracts::RecipientId;

    fn id() -> NotificationId {
        let recipient = RecipientId::parse("anna").expect("an id");
        NotificationId::derived("event-1", &recipient, "offer-made")
    }

    fn text(change: impl FnOnce(&mut Draft<'_>)) -> Result<String, ComposeError> {
        let from: Mailbox = "Callboard <desk@example.com>".parse().expect("a mailbox");
        let mut draft = Draft {
            notification: id(),
            from: &from,
            email: "anna@example.com",
            name: Some("Anna Ärmel"),
            subject: "A place is free — grüezi",
            text: "Take it: https://example.com/o/abc\n.\nBye",
            html: "<p>Take it</p>",
            appointment: None,
            at: Timestamp::from_millis(1_705_314_600_000),
            unsubscribe: true,
        };
        change(&mut draft);
        compose(&draft).map(|message| String::from_utf8(message.raw).expect("ASCII"))
    }

    #[test]
    fn a_mail_has_the_headers_that_tell_machines_what_it_is() {
        let mail = text(|_| {}).expect("a mail");
        assert!(mail.contains(&format!("Message-ID: <{}@example.com>\r\n", id())));
        assert!(mail.contains("Date: Mon, 15 Jan 2024 10:30:00 +0000\r\n"));
        assert!(mail.contains("Auto-Submitted: auto-generated\r\n"));
        assert!(mail.contains("List-Unsubscribe: <mailto:desk@example.com?subject=unsubscribe>"));
        assert!(mail.is_ascii());
    }

    #[test]
    fn a_critical_mail_does_not_offer_to_unsubscribe() {
        let mail = text(|draft| draft.unsubscribe = false).expect("a mail");
        assert!(!mail.contains("List-Unsubscribe"));
    }

    #[test]
    fn the_same_notification_gives_the_same_mail_to_the_byte() {
        assert_eq!(text(|_| {}), text(|_| {}));
    }

    #[test]
    fn line_breaks_are_refused_wherever_they_could_open_a_header() {
        let broken = "a\r\nBcc: eve@example.com";
        assert_eq!(
            text(|draft| draft.subject = broken),
            Err(ComposeError::Subject)
        );
        assert_eq!(
            text(|draft| draft.name = Some(broken)),
            Err(ComposeError::Name)
        );
        assert_eq!(
            text(|draft| draft.email = "anna@example.com\r\n"),
            Err(ComposeError::Address)
        );
        assert_eq!(
            text(|draft| draft.subject = "a\nb"),
            Err(ComposeError::Subject)
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for bad in [
            "",
            "anna",
            "anna@",
            "@example.com",
            "an na@example.com",
            "a@b@c",
        ] {
            assert_eq!(
                text(|draft| draft.email = bad),
                Err(ComposeError::Address),
                "{bad}"
            );
        }
    }

    #[test]
    fn every_name_that_registration_takes_can_be_written_to() {
        let name: &'static str = "李".repeat(100).leak();
        assert!(text(|draft| draft.name = Some(name)).is_ok());
    }

    #[test]
    fn an_appointment_is_a_file_beside_the_words() {
        let object = "BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nSUMMARY:Ärztin\r\nEND:VCALENDAR\r\n";
        let mail = text(|draft| draft.appointment = Some(object)).expect("a mail");
        let (head, _) = mail.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("Content-Type: multipart/mixed;"), "{head}");
        let (_, file) = mail.split_once("text/calendar").expect("a file");
        assert!(
            file.starts_with("; charset=utf-8; method=PUBLISH\r\n"),
            "{file}"
        );
        assert!(mail.contains("Content-Disposition: attachment; filename=\"appointment.ics\""));
        assert!(
            mail.find("text/html")
                .is_some_and(|at| at < mail.len() - file.len())
        );
    }

    #[test]
    fn a_blank_name_is_left_out() {
        let mail = text(|draft| draft.name = Some("  ")).expect("a mail");
        assert!(mail.contains("To: anna@example.com\r\n"));
    }
}
