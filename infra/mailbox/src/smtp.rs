//! SMTP as a state machine without I/O (RFC 5321 with SIZE, 8BITMIME, SMTPUTF8,
//! PIPELINING): a line in, a reply out. Reading and writing is `session`'s work.
//!
//! Written here and not taken from the crate `mailin` because that one refuses
//! the null sender and `SIZE=`, does not announce a limit, and stays in its data
//! state after a failed store, so that the next command would become mail text.

mod body;
mod path;

use path::{check_mail_parameters, is_address, path};

pub(crate) use body::Body;

/// Largest mail taken, in bytes, as announced by `SIZE` (10 MiB: SES's default
/// limit for a sent message at the v1 API, and far above any notification).
pub const MESSAGE_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Recipients of one mail (RFC 5321, 4.5.3.1.8 asks for at least 100).
const RECIPIENTS_MAX: usize = 100;

/// Refused commands after which a client is taken for no SMTP client.
const ERRORS_MAX: u32 = 20;

/// What an address asks for by its local part, whole or before a `+`
/// (`bounce@example.com`, `bounce+anna@example.com`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `bounce@…`: `550`, the recipient does not exist. Final.
    Bounce,
    /// `tempfail@…`: `451`, try again later. Passes when the address changes.
    TemporaryFailure,
    /// `lost-answer@…`: the mail is kept, then the connection closes without an
    /// answer, so the sender cannot know: the ambiguous outcome.
    LostAnswer,
}

impl Fault {
    /// The fault a recipient asks for, if any.
    pub fn of(address: &str) -> Option<Self> {
        let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
        let name = local.split_once('+').map_or(local, |(name, _)| name);
        match name.to_ascii_lowercase().as_str() {
            "bounce" => Some(Self::Bounce),
            "tempfail" => Some(Self::TemporaryFailure),
            "lost-answer" => Some(Self::LostAnswer),
            _ => None,
        }
    }
}

/// One reply: a code and one or more lines of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    lines: Vec<&'static str>,
}

impl Reply {
    pub(crate) fn new(code: u16, line: &'static str) -> Self {
        Self {
            code,
            lines: vec![line],
        }
    }

    /// As sent: `250-first`, `250 last`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let mark = if index + 1 == self.lines.len() {
                ' '
            } else {
                '-'
            };
            bytes.extend_from_slice(format!("{}{mark}{line}\r\n", self.code).as_bytes());
        }
        bytes
    }
}

/// What to do after a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Answer and read the next command.
    Reply(Reply),
    /// Answer and read the body.
    Body(Reply),
    /// Answer and close.
    Close(Reply),
}

/// Who a mail is from and who it is for, as said outside the mail itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}

/// State of one connection between commands.
#[derive(Debug, Default)]
pub(crate) struct Protocol {
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
    errors: u32,
}

impl Protocol {
    pub(crate) fn greeting() -> Reply {
        Reply::new(220, "localhost callboard mailbox ESMTP")
    }

    /// Takes one command line, with or without its line end.
    pub(crate) fn command(&mut self, line: &[u8]) -> Next {
        let next = match std::str::from_utf8(line) {
            Ok(line) => self.decide(line.trim_end_matches(['\r', '\n'])),
            Err(_) => refuse(500, "5.5.2 The command is not UTF-8"),
        };
        match next {
            Next::Reply(reply) if reply.code >= 500 => self.count_error(reply),
            next => next,
        }
    }

    /// A line that is longer than any command.
    pub(crate) fn line_too_long(&mut self) -> Next {
        self.count_error(Reply::new(500, "5.5.6 Line too long"))
    }

    /// Ends the transaction and hands out its envelope.
    pub(crate) fn take_envelope(&mut self) -> Envelope {
        Envelope {
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
        }
    }

    fn count_error(&mut self, reply: Reply) -> Next {
        self.errors += 1;
        if self.errors > ERRORS_MAX {
            Next::Close(Reply::new(421, "4.7.0 Too many errors, closing"))
        } else {
            Next::Reply(reply)
        }
    }

    fn decide(&mut self, line: &str) -> Next {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(rest, true),
            "HELO" => self.hello(rest, false),
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest),
            "DATA" => self.data(),
            "RSET" => {
                self.take_envelope();
                accept("2.0.0 Forgotten")
            }
            "NOOP" => accept("2.0.0 OK"),
            "VRFY" => refuse(252, "2.5.2 Send a mail and see"),
            "HELP" => refuse(214, "2.0.0 EHLO MAIL RCPT DATA RSET NOOP QUIT"),
            "QUIT" => Next::Close(Reply::new(221, "2.0.0 Bye")),
            _ => refuse(500, "5.5.1 Unknown command"),
        }
    }

    fn hello(&mut self, client: &str, extended: bool) -> Next {
        if client.trim().is_empty() {
            return refuse(501, "5.5.4 Say your name");
        }
        self.greeted = true;
        self.take_envelope();
        Next::Reply(if extended {
            Reply {
                code: 250,
                lines: vec![
                    "localhost",
                    "PIPELINING",
                    SIZE_LINE,
                    "8BITMIME",
                    "SMTPUTF8",
                    "ENHANCEDSTATUSCODES",
                ],
            }
        } else {
            Reply::new(250, "localhost")
        })
    }

    fn mail(&mut self, rest: &str) -> Next {
        if !self.greeted {
            return refuse(503, "5.5.1 Say EHLO first");
        }
        if self.from.is_some() {
            return refuse(503, "5.5.1 A mail is already begun");
        }
        let Some((address, parameters)) = path(rest, "FROM:") else {
            return refuse(501, "5.5.4 Expected MAIL FROM:<address>");
        };
        // The null sender `<>` is how bounces travel.
        if !address.is_empty() && !is_address(address) {
            return refuse(553, "5.1.7 Bad sender address");
        }
        if let Err(reply) = check_mail_parameters(parameters) {
            return Next::Reply(reply);
        }
        self.from = Some(address.to_owned());
        accept("2.1.0 OK")
    }

    fn rcpt(&mut self, rest: &str) -> Next {
        if self.from.is_none() {
            return refuse(503, "5.5.1 Say MAIL first");
        }
        let Some((address, parameters)) = path(rest, "TO:") else {
            return refuse(501, "5.5.4 Expected RCPT TO:<address>");
        };
        if !parameters.is_empty() {
            return refuse(555, "5.5.4 Unknown parameter");
        }
        if !is_address(address) {
            return refuse(553, "5.1.3 Bad recipient address");
        }
        if self.to.len() >= RECIPIENTS_MAX {
            return refuse(452, "4.5.3 Too many recipients");
        }
        match Fault::of(address) {
            Some(Fault::Bounce) => refuse(550, "5.1.1 No such mailbox (asked for)"),
            Some(Fault::TemporaryFailure) => refuse(451, "4.3.0 Try again later (asked for)"),
            Some(Fault::LostAnswer) | None => {
                self.to.push(address.to_owned());
                accept("2.1.5 OK")
            }
        }
    }

    fn data(&mut self) -> Next {
        if self.to.is_empty() {
            return refuse(503, "5.5.1 Say MAIL and RCPT first");
        }
        Next::Body(Reply::new(354, "End with <CRLF>.<CRLF>"))
    }
}

/// `SIZE` as announced; the number is [`MESSAGE_BYTES_MAX`] (checked in a test).
const SIZE_LINE: &str = "SIZE 10485760";

fn accept(line: &'static str) -> Next {
    Next::Reply(Reply::new(250, line))
}

fn refuse(code: u16, line: &'static str) -> Next {
    Next::Reply(Reply::new(code, line))
}

/// The answer to a mail over the limit, announced or met.
pub(crate) fn too_big() -> Reply {
    Reply::new(552, "5.3.4 The mail is larger than 10 MiB")
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    fn code(next: Next) -> u16 {
        match next {
            Next::Reply(reply) | Next::Body(reply) | Next::Close(reply) => reply.code,
        }
    }

    fn greeted() -> Protocol {
        let mut protocol = Protocol::default();
        assert_eq!(code(protocol.command(b"EHLO test\r\n")), 250);
        protocol
    }

    #[test]
    fn the_announced_size_is_the_limit() {
        assert_eq!(SIZE_LINE, format!("SIZE {MESSAGE_BYTES_MAX}"));
    }

    #[test]
    fn a_whole_transaction_yields_its_envelope() {
        let mut protocol = greeted();
        assert_eq!(
            code(protocol.command(b"mail from:<a@b.c> size=5 body=8bitmime smtputf8\r\n")),
            250
        );
        assert_eq!(code(protocol.command(b"RCPT TO:<d@e.f>\r\n")), 250);
        assert_eq!(
            code(protocol.command("RCPT TO:<jürgen@e.f>\r\n".as_bytes())),
            250
        );
        assert_eq!(code(protocol.command(b"DATA\r\n")), 354);
        let envelope = protocol.take_envelope();
        assert_eq!(envelope.from, "a@b.c");
        assert_eq!(envelope.to, ["d@e.f", "jürgen@e.f"]);
        assert_eq!(
            code(protocol.command(b"DATA\r\n")),
            503,
            "the next mail starts anew"
        );
    }

    #[test]
    fn the_null_sender_of_a_bounce_is_taken() {
        assert_eq!(code(greeted().command(b"MAIL FROM:<>\r\n")), 250);
    }

    #[test]
    fn commands_out_of_order_are_refused() {
        let mut protocol = Protocol::default();
        assert_eq!(code(protocol.command(b"MAIL FROM:<a@b.c>")), 503);
        assert_eq!(code(protocol.command(b"EHLO")), 501);
        protocol.command(b"HELO x");
        assert_eq!(code(protocol.command(b"RCPT TO:<a@b.c>")), 503);
        assert_eq!(code(protocol.command(b"DATA")), 503);
        assert_eq!(code(protocol.command(b"MAIL FROM:<a@b.c>")), 250);
        assert_eq!(code(protocol.command(b"MAIL FROM:<a@b.c>")), 503);
        assert_eq!(code(protocol.command(b"RSET")), 250);
        assert_eq!(code(protocol.command(b"MAIL FROM:<a@b.c>")), 250);
    }

    #[test]
    fn a_mail_announced_over_the_limit_is_refused_before_it_is_sent() {
        let mut protocol = greeted();
        assert_eq!(
            code(protocol.command(b"MAIL FROM:<a@b.c> SIZE=10485761")),
            552
        );
        assert_eq!(
            code(protocol.command(b"MAIL FROM:<a@b.c> SIZE=99999999999999999999")),
            501
        );
        assert_eq!(
            code(protocol.command(b"MAIL FROM:<a@b.c> SIZE=10485760")),
            250
        );
    }

    #[test]
    fn bad_addresses_are_refused() {
        let mut protocol = greeted();
        for bad in [
            "MAIL FROM:a@b.c",
            "MAIL FROM:<nobody>",
            "MAIL FROM:<a b@c.d>",
            "MAIL FROM:<@b>",
            "MAIL FROM:<a@>",
            "MAIL TO:<a@b.c>",
            "MAIL",
            "MAIL FROM:<a@b\0>",
        ] {
            assert!(code(protocol.command(bad.as_bytes())) >= 500, "{bad}");
        }
        assert_eq!(code(protocol.command(b"MAIL FROM:<\"a >b\"@c.d>")), 250);
        let long = format!("RCPT TO:<{}@c.d>", "x".repeat(300));
        assert_eq!(code(protocol.command(long.as_bytes())), 553);
    }

    #[test]
    fn rubbish_is_refused_and_in_the_end_cut_off() {
        let mut protocol = greeted();
        for _ in 0..ERRORS_MAX {
            assert!(matches!(protocol.command(b"\xff\xfe\x00"), Next::Reply(_)));
        }
        assert!(matches!(
            protocol.command(b"GET / HTTP/1.1"),
            Next::Close(_)
        ));
    }

    #[test]
    fn addresses_ask_for_faults() {
        assert_eq!(Fault::of("bounce@x.y"), Some(Fault::Bounce));
        assert_eq!(Fault::of("Tempfail+7@x.y"), Some(Fault::TemporaryFailure));
        assert_eq!(Fault::of("lost-answer@x.y"), Some(Fault::LostAnswer));
        assert_eq!(Fault::of("bouncer@x.y"), None);
    }
}
