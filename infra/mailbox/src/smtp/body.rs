//! The text of a mail, as it comes over the wire.

use super::MESSAGE_BYTES_MAX;

/// Takes the body's bytes in pieces of any size, removes the doubled dots and
/// finds the end. Only CRLF `.` CRLF ends a body: a bare line feed does not, so
/// no sender can smuggle a second mail into the text of the first.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    place: Place,
    too_big: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    Dot,
    DotCr,
    Middle,
    Cr,
}

impl Body {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            place: Place::LineStart,
            too_big: false,
        }
    }

    /// How many bytes belong to the body, once its end is in `piece`.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Option<usize> {
        for (index, &byte) in piece.iter().enumerate() {
            self.place = match (self.place, byte) {
                (Place::LineStart, b'.') => Place::Dot,
                (Place::Dot, b'\r') => Place::DotCr,
                (Place::DotCr, b'\n') => return Some(index + 1),
                (Place::DotCr, _) => {
                    self.keep(b'\r');
                    self.keep_and_place(byte, false)
                }
                (Place::Cr, _) => self.keep_and_place(byte, true),
                (_, _) => self.keep_and_place(byte, false),
            };
        }
        None
    }

    /// The mail, or nothing if it was over the limit.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (!self.too_big).then_some(self.bytes)
    }

    fn keep_and_place(&mut self, byte: u8, after_cr: bool) -> Place {
        self.keep(byte);
        match byte {
            b'\r' => Place::Cr,
            b'\n' if after_cr => Place::LineStart,
            _ => Place::Middle,
        }
    }

    /// Over the limit the rest is read and dropped, so that the answer comes
    /// where the client expects it.
    fn keep(&mut self, byte: u8) {
        if self.bytes.len() == MESSAGE_BYTES_MAX {
            self.too_big = true;
            self.bytes = Vec::new();
        }
        if !self.too_big {
            self.bytes.push(byte);
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    fn unstuff(pieces: &[&[u8]]) -> (Vec<u8>, Option<usize>) {
        let mut body = Body::new();
        let mut end = None;
        for piece in pieces {
            end = body.push(piece);
        }
        (body.finish().unwrap(), end)
    }

    #[test]
    fn doubled_dots_are_undone_and_the_end_is_found_wherever_pieces_break() {
        let sent = b"one\r\n..two\r\n.three\r\n...\r\n.\r\nNOOP\r\n";
        let wanted = b"one\r\n.two\r\nthree\r\n..\r\n";
        let end = sent.len() - b"NOOP\r\n".len();
        let (whole, found) = unstuff(&[sent]);
        assert_eq!((whole.as_slice(), found), (wanted.as_slice(), Some(end)));
        for cut in 1..end {
            let (text, found) = unstuff(&[&sent[..cut], &sent[cut..]]);
            assert_eq!(
                (text.as_slice(), found),
                (wanted.as_slice(), Some(end - cut)),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_bare_line_feed_cannot_end_a_mail() {
        for sent in [&b"a\n.\n"[..], b"a\n.\r\n", b"a\r\n.\n", b"a\r.\r"] {
            let mut body = Body::new();
            assert_eq!(body.push(sent), None, "{sent:?}");
            assert_eq!(body.push(b"b\r\n.\r\n"), Some(6), "{sent:?}");
        }
    }

    #[test]
    fn an_empty_mail_ends_at_once() {
        assert_eq!(unstuff(&[b".\r\n"]), (Vec::new(), Some(3)));
    }

    #[test]
    fn a_mail_over_the_limit_is_read_to_its_end_and_dropped() {
        let mut body = Body::new();
        let piece = vec![b'x'; MESSAGE_BYTES_MAX];
        assert_eq!(body.push(&piece), None);
        assert_eq!(body.push(b"x\r\n.\r\n"), Some(6));
        assert_eq!(body.finish(), None);
    }
}
