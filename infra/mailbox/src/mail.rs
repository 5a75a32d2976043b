//! A kept mail as a reader sees it: parsed from the raw bytes each time it is
//! read, so the bytes stay the only truth and no parse can lose a mail.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mail_parser::{
    Address, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};
use serde::{Deserialize, Serialize};

/// One mail. Fields are always present; what a mail lacks is an empty string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Rises with arrival; never used again after a deletion.
    pub id: String,
    /// The address in the header `From`, or the envelope's if there is none.
    pub from: String,
    /// The envelope's recipients: where the mail went, blind copies included.
    pub to: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// The first `text/plain` body, decoded.
    pub text: String,
    /// The first `text/html` body, decoded.
    pub html: String,
    /// The files that came with it.
    pub attachments: Vec<Attachment>,
    /// Headers by name as the sender spelled it, unfolded but not decoded;
    /// repeated ones are joined by `", "`.
    pub headers: BTreeMap<String, String>,
    /// When the body was complete, UTC.
    pub received_at: Timestamp,
}

/// A file that came with a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its media type with its parameters, as the sender spelled them.
    pub content_type: String,
    /// Its length in bytes, decoded.
    pub bytes: usize,
    /// What it says, decoded, if it is a text; else empty.
    pub text: String,
}

impl Mail {
    /// A header's value, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Reads raw bytes; anything is a mail, if only one with an empty subject.
pub(crate) fn read(
    id: i64,
    received_at: Timestamp,
    envelope_from: &str,
    to: Vec<String>,
    raw: &[u8],
) -> Mail {
    let parsed = MessageParser::default().parse(raw);
    let message = parsed.as_ref();
    Mail {
        id: id.to_string(),
        from: message
            .and_then(sender)
            .unwrap_or_else(|| envelope_from.to_owned()),
        to,
        subject: message
            .and_then(Message::subject)
            .unwrap_or_default()
            .to_owned(),
        text: message.map(text).unwrap_or_default(),
        html: message.map(html).unwrap_or_default(),
        attachments: message.map(attachments).unwrap_or_default(),
        headers: message.map(headers).unwrap_or_default(),
        received_at,
    }
}

fn sender(message: &Message<'_>) -> Option<String> {
    message
        .from()
        .and_then(Address::first)
        .and_then(|address| address.address.as_ref())
        .map(|address| address.to_string())
}

/// Only a real `text/plain` part: a text made up from HTML would hide that a
/// mail has none.
fn text(message: &Message<'_>) -> String {
    message
        .text_bodies()
        .find_map(|part| match &part.body {
            PartType::Text(text) => Some(text.to_string()),
            _ => None,
        })
        .unwrap_or_default()
}

fn html(message: &Message<'_>) -> String {
    message
        .html_bodies()
        .find_map(|part| match &part.body {
            PartType::Html(html) => Some(html.to_string()),
            _ => None,
        })
        .unwrap_or_default()
}

fn attachments(message: &Message<'_>) -> Vec<Attachment> {
    let read = |part: &MessagePart<'_>| Attachment {
        name: part.attachment_name().unwrap_or_default().to_owned(),
        content_type: part
            .headers()
            .iter()
            .find(|header| header.name == HeaderName::ContentType)
            .map(|header| unfold(slice(message, header.offset_start, header.offset_end)))
            .unwrap_or_default(),
        bytes: part.contents().len(),
        text: part.text_contents().unwrap_or_default().to_owned(),
    };
    message.attachments().map(read).collect()
}

fn headers(message: &Message<'_>) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for header in message.headers() {
        let name =
            String::from_utf8_lossy(slice(message, header.offset_field, header.offset_start));
        let name = name.trim_end_matches([':', ' ', '\t']).trim().to_owned();
        let value = unfold(slice(message, header.offset_start, header.offset_end));
        headers
            .entry(name)
            .and_modify(|known| {
                known.push_str(", ");
                known.push_str(&value);
            })
            .or_insert(value);
    }
    headers
}

fn slice<'m>(message: &'m Message<'_>, start: u32, end: u32) -> &'m [u8] {
    message
        .raw_message
        .get(start as usize..end as usize)
        .unwrap_or_default()
}

/// Joins folded lines (RFC 5322, 2.2.3) into one.
fn unfold(value: &[u8]) -> String {
    String::from_utf8_lossy(value)
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(raw: &str) -> Mail {
        read(
            1,
            Timestamp::UNIX_EPOCH,
            "envelope@example.com",
            vec!["to@example.com".into()],
            raw.as_bytes(),
        )
    }

    #[test]
    fn a_plain_mail_shows_its_headers_and_text() {
        let mail = mail(
            "From: Desk <desk@example.com>\r\nTo: to@example.com\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nX-Trace: one\r\n two\r\n\r\nHello\r\n",
        );
        assert_eq!(mail.from, "desk@example.com");
        assert_eq!(mail.subject, "Grüße");
        assert_eq!(mail.text, "Hello\r\n");
        assert_eq!(mail.html, "");
        assert_eq!(mail.headers["X-Trace"], "one two");
        assert_eq!(mail.header("x-trace"), Some("one two"));
    }

    #[test]
    fn both_bodies_of_an_alternative_are_shown() {
        let mail = mail(
            "From: a@b.c\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n5 =E2=82=AC\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>5</p>\r\n--x--\r\n",
        );
        assert_eq!(mail.text.trim(), "5 €");
        assert_eq!(mail.html.trim(), "<p>5</p>");
    }

    #[test]
    fn a_mail_with_html_alone_has_no_text() {
        let mail = mail("From: a@b.c\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n");
        assert_eq!(mail.text, "");
        assert_eq!(mail.html.trim(), "<p>Hi</p>");
    }

    #[test]
    fn rubbish_is_still_a_mail_from_its_envelope() {
        for raw in ["", "\r\n", "\0\0\0", "no headers at all", "From:\r\n\r\n"] {
            assert_eq!(mail(raw).from, "envelope@example.com", "{raw:?}");
        }
    }

    #[test]
    fn a_header_given_twice_keeps_both_values() {
        let mail = mail("From: a@b.c\r\nX-Tag: one\r\nX-Tag: two\r\n\r\n");
        assert_eq!(mail.headers["X-Tag"], "one, two");
    }
}
