//! The walk through a body along its shape.

use super::cursor::{Cursor, Unreadable};
use super::deep::{Deep, NESTING_MAX};
use super::shape::{Origin, Shape, Structure};
use super::words;

/// Why a body cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    Unreadable,
    /// A member of the wrong type, in AWS's words.
    Type(String),
}

impl From<Unreadable> for Fault {
    fn from(_: Unreadable) -> Fault {
        Fault::Unreadable
    }
}

type Walked<T = ()> = Result<T, Fault>;

/// Where a value is: AWS words a wrong type by it.
#[derive(Clone, Copy)]
enum Place {
    /// A member of a structure.
    Member,
    /// An element of a list, or a value of a map.
    Element,
}

#[derive(Debug)]
pub(super) struct Walk<'a> {
    cursor: Cursor<'a>,
    pub(super) older: bool,
    /// A member is missing, or outside what it may be.
    pub(super) constrained: bool,
    /// A whole number is written with a fraction or an exponent.
    pub(super) fractional: bool,
    pub(super) deep: Vec<Deep<'a>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(body: &'a str) -> Self {
        Walk {
            cursor: Cursor::new(body),
            older: false,
            constrained: false,
            fractional: false,
            deep: Vec::new(),
        }
    }

    pub(super) fn deepest(&self) -> usize {
        self.cursor.deepest()
    }

    pub(super) fn document(&mut self, shape: &Structure) -> Walked {
        if self.cursor.peek()? != b'{' {
            return Err(Fault::Unreadable);
        }
        self.structure(shape)?;
        if self.cursor.at_end() {
            Ok(())
        } else {
            Err(Fault::Unreadable)
        }
    }

    fn shape(&mut self, shape: &Shape, place: Place) -> Walked {
        let next = self.cursor.peek()?;
        if next == b'n' {
            // Of a structure, what is null is not there; a list or map has no place for it.
            self.constrained |= matches!(place, Place::Element);
            self.cursor.bare()?;
            return Ok(());
        }
        match shape {
            Shape::Any => self.cursor.skip().map(drop).map_err(Fault::from),
            Shape::Text => self.text(),
            Shape::OneOf(words) => {
                let start = self.cursor.at();
                self.text()?;
                let given = self.cursor.since(start).trim_matches('"');
                self.constrained |= !words.contains(&given);
                Ok(())
            }
            Shape::Count => {
                self.constrained |= next == b'-';
                self.whole("Integer")
            }
            Shape::Whole(class) => self.whole(class),
            Shape::Flag => self.flag(&words::list_for_class(words::FLAG)),
            Shape::OldFlag => {
                self.older |= next == b'"';
                self.flag(&words::list_for_class(words::FLAG))
            }
            Shape::Struct(structure) => {
                self.object(place, || {
                    words::list_for_class(&words::class(structure.name))
                })?;
                self.structure(structure)
            }
            Shape::Value => self.plain_value(place),
            Shape::List(element) => {
                self.list(place)?;
                let mut first = true;
                while self.cursor.element(&mut first)? {
                    self.shape(element, Place::Element)?;
                }
                Ok(())
            }
            Shape::Map(values) => {
                self.map(place, values)?;
                let mut first = true;
                while self.cursor.member(&mut first)?.is_some() {
                    self.shape(values, Place::Element)?;
                }
                Ok(())
            }
            Shape::Values(origin) => {
                self.map(place, &Shape::Value)?;
                self.values(*origin)
            }
        }
    }

    fn structure(&mut self, structure: &Structure) -> Walked {
        self.cursor.enter()?;
        let (mut first, mut required, mut members) = (true, 0, 0);
        while let Some(name) = self.cursor.member(&mut first)? {
            members += 1;
            if structure.required.contains(&name) && self.cursor.peek()? != b'n' {
                required += 1;
            }
            match structure.member(name) {
                Some(shape) => self.shape(shape, Place::Member)?,
                None => drop(self.cursor.skip()?),
            }
        }
        self.constrained |= required < structure.required.len();
        self.constrained |= structure.is_union && members != 1;
        Ok(())
    }

    /// Refuses what is no object. The object is not entered.
    fn object(&mut self, place: Place, for_list: impl FnOnce() -> String) -> Walked {
        match (self.cursor.peek()?, place) {
            (b'{', _) => Ok(()),
            (b'[', _) => Err(Fault::Type(for_list())),
            (_, Place::Member) => Err(Fault::Type(words::FIELD.to_owned())),
            (_, Place::Element) => Err(Fault::Type(words::ELEMENT.to_owned())),
        }
    }

    /// Goes into a list.
    fn list(&mut self, place: Place) -> Walked {
        match (self.cursor.peek()?, place) {
            (b'[', _) => Ok(self.cursor.enter()?),
            (b'{', _) => Err(Fault::Type(words::STRUCTURE.to_owned())),
            (_, Place::Member) => Err(Fault::Type(words::FIELD.to_owned())),
            (_, Place::Element) => Err(Fault::Type(words::CAST.to_owned())),
        }
    }

    /// Goes into a map, or for one of attribute values stays before it.
    fn map(&mut self, place: Place, values: &Shape) -> Walked {
        match (self.cursor.peek()?, place) {
            (b'{', _) => Ok(self.cursor.enter()?),
            (b'[', _) => Err(Fault::Type(words::list_for_map(values))),
            (_, Place::Member) => Err(Fault::Type(words::FIELD.to_owned())),
            (_, Place::Element) => Err(Fault::Type(words::CAST.to_owned())),
        }
    }

    fn text(&mut self) -> Walked {
        match self.cursor.peek()? {
            b'"' => self.cursor.string().map(drop).map_err(Fault::from),
            b'[' => Err(Fault::Type(words::list_for_class(words::TEXT))),
            b'{' => Err(Fault::Type(words::STRUCTURE.to_owned())),
            _ => Err(Fault::Type(words::scalar(self.cursor.bare()?, "String"))),
        }
    }

    fn whole(&mut self, class: &str) -> Walked {
        match self.cursor.peek()? {
            b'-' | b'0'..=b'9' => {
                self.fractional |= self.cursor.bare()?.contains(['.', 'e', 'E']);
                Ok(())
            }
            b'"' => Err(Fault::Type(words::scalar("\"", class))),
            b'[' => Err(Fault::Type(words::list_for_class(&format!(
                "java.lang.{class}"
            )))),
            b'{' => Err(Fault::Type(words::STRUCTURE.to_owned())),
            _ => Err(Fault::Type(words::scalar(self.cursor.bare()?, class))),
        }
    }

    /// A boolean, of which AWS takes some words as well.
    fn flag(&mut self, for_list: &str) -> Walked {
        match self.cursor.peek()? {
            b't' | b'f' => self.cursor.bare().map(drop).map_err(Fault::from),
            b'"' if is_flag(self.cursor.string()?) => Ok(()),
            b'[' => Err(Fault::Type(for_list.to_owned())),
            b'{' => Err(Fault::Type(words::STRUCTURE.to_owned())),
            b'-' | b'0'..=b'9' => Err(Fault::Type(words::scalar(self.cursor.bare()?, "Boolean"))),
            _ => Err(Fault::Type(words::TOKEN.to_owned())),
        }
    }

    fn bytes(&mut self) -> Walked {
        match self.cursor.peek()? {
            b'"' => match base64_fault(self.cursor.string()?) {
                Some(words) => Err(Fault::Type(words)),
                None => Ok(()),
            },
            b'n' => self.cursor.bare().map(drop).map_err(Fault::from),
            b'[' => Err(Fault::Type(words::list_for_class(words::BYTES))),
            b'{' => Err(Fault::Type(words::STRUCTURE.to_owned())),
            _ => Err(Fault::Type(words::NO_BYTES.to_owned())),
        }
    }
}

/// Attribute values.
impl<'a> Walk<'a> {
    /// The members of a map of values, which has been entered.
    fn values(&mut self, origin: Origin) -> Walked {
        let mut first = true;
        while let Some(key) = self.cursor.member(&mut first)? {
            if self.cursor.peek()? == b'n' {
                self.cursor.bare()?;
                continue;
            }
            self.outermost(Place::Element, origin, key)?;
        }
        Ok(())
    }

    fn plain_value(&mut self, place: Place) -> Walked {
        self.outermost(place, Origin::Plain, "")
    }

    /// A value that is not inside another.
    fn outermost(&mut self, place: Place, origin: Origin, key: &'a str) -> Walked {
        let start = self.cursor.at();
        let nesting = self.value(place, 0)?;
        if nesting >= NESTING_MAX {
            self.deep.push(Deep {
                span: start..self.cursor.at(),
                origin,
                key,
                nesting,
            });
        }
        Ok(())
    }

    /// One value, so many levels inside another; gives how many levels are inside it.
    fn value(&mut self, place: Place, inside: usize) -> Walked<usize> {
        if self.cursor.peek()? == b'n' {
            self.cursor.bare()?;
            return Ok(0);
        }
        self.object(place, || {
            words::list_for_class(&words::class("AttributeValue"))
        })?;
        // One that is too deep in any case is not looked into, so that this does not recurse to
        // no end. A level of a value is two of JSON.
        if inside > NESTING_MAX {
            return Ok(self.cursor.skip()? / 2);
        }
        self.cursor.enter()?;
        let (mut first, mut nesting, mut types) = (true, 0, 0);
        while let Some(name) = self.cursor.member(&mut first)? {
            if self.cursor.peek()? == b'n' {
                self.cursor.bare()?;
                continue;
            }
            types += 1;
            match name {
                "S" | "N" => self.text()?,
                "B" => self.bytes()?,
                "BOOL" | "NULL" => {
                    self.older |= self.cursor.peek()? == b'"';
                    self.flag("")?;
                }
                "SS" | "NS" => self.each(Self::text_or_null)?,
                "BS" => self.each(Self::bytes)?,
                "L" => nesting = nesting.max(self.elements(inside)?),
                "M" => nesting = nesting.max(self.entries(inside)?),
                _ => {
                    types -= 1;
                    self.cursor.skip()?;
                }
            }
        }
        self.older |= types > 1;
        Ok(nesting)
    }

    fn text_or_null(&mut self) -> Walked {
        self.shape(&Shape::Text, Place::Member)
    }

    fn each(&mut self, mut one: impl FnMut(&mut Self) -> Walked) -> Walked {
        self.list(Place::Member)?;
        let mut first = true;
        while self.cursor.element(&mut first)? {
            one(self)?;
        }
        Ok(())
    }

    fn elements(&mut self, inside: usize) -> Walked<usize> {
        self.list(Place::Member)?;
        let (mut first, mut nesting) = (true, 0);
        while self.cursor.element(&mut first)? {
            nesting = nesting.max(1 + self.value(Place::Element, inside + 1)?);
        }
        Ok(nesting)
    }

    fn entries(&mut self, inside: usize) -> Walked<usize> {
        self.map(Place::Member, &Shape::Value)?;
        let (mut first, mut nesting) = (true, 0);
        while self.cursor.member(&mut first)?.is_some() {
            nesting = nesting.max(1 + self.value(Place::Element, inside + 1)?);
        }
        Ok(nesting)
    }
}

/// Whether AWS reads this as a boolean.
fn is_flag(text: &str) -> bool {
    let words = ["true", "t", "yes", "y", "1", "false", "f", "no", "n", "0"];
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// What is wrong with a Base64 text, as far as length and end tell. Characters that are none of
/// Base64's are the crate's to refuse.
fn base64_fault(text: &str) -> Option<String> {
    if text.contains('\\') {
        return None;
    }
    if !text.len().is_multiple_of(4) {
        return Some(words::base64_length(text.chars().count()));
    }
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    let last = *text.as_bytes().get(text.len().checked_sub(padding + 1)?)?;
    let left_over = match padding {
        0 => 0,
        1 => 0b11,
        2 => 0b1111,
        _ => return Some(words::LAST_CHARACTER.to_owned()),
    };
    let bits = match last {
        b'A'..=b'Z' => last - b'A',
        b'a'..=b'z' => last - b'a' + 26,
        b'0'..=b'9' => last - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    (bits & left_over != 0).then(|| words::LAST_CHARACTER.to_owned())
}
