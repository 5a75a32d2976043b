//! As much of DER (ITU-T X.690) as a key and a certificate need.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// The version of a certificate (RFC 5280, section 4.1).
pub(super) const VERSION: u8 = 0xa0;

/// One element, without what is before its content.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) content: &'a [u8],
}

/// The content of the one element that a text is.
pub(super) fn inside(text: &[u8]) -> Option<&[u8]> {
    match elements(text)?.as_slice() {
        [one] => Some(one.content),
        _ => None,
    }
}

/// The elements of a text, one after the other.
pub(super) fn elements(mut text: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut found = Vec::new();
    while let [_, first, rest @ ..] = text {
        let (length, rest) = match *first {
            short @ ..0x80 => (usize::from(short), rest),
            long => {
                let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                let digits = length.iter();
                let number = digits.fold(0usize, |all, byte| (all << 8) | usize::from(*byte));
                (number, rest)
            }
        };
        let (content, after) = rest.split_at_checked(length)?;
        found.push(Element { content });
        text = after;
    }
    text.is_empty().then_some(found)
}

/// An element of this kind with these contents.
pub(super) fn element(kind: u8, contents: &[&[u8]]) -> Vec<u8> {
    let content = contents.concat();
    let mut written = vec![kind];
    match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => written.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let digits = &length[length.iter().take_while(|byte| **byte == 0).count()..];
            written.push(0x80 | digits.len() as u8);
            written.extend_from_slice(digits);
        }
    }
    written.extend(content);
    written
}
