//! A place in a JSON text.

/// Containers within one another after which reading is given up. AWS's own parser gives up
/// somewhere between 2,000 and 5,000 levels of an attribute value, each two of JSON.
const LEVELS_MAX: usize = 4032;

/// The text ended, or is no JSON here.
#[derive(Debug)]
pub(super) struct Unreadable;

pub(super) type Step<T> = Result<T, Unreadable>;

/// A place in a text, and how many containers are open there. Keeps to the grammar as far as it
/// must to find its way; what is left of it serde looks at.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    open: usize,
    deepest: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Cursor {
            text,
            at: 0,
            open: 0,
            deepest: 0,
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What has been passed over since.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn deepest(&self) -> usize {
        self.deepest
    }

    /// The first byte of what comes next, past white space.
    pub(super) fn peek(&mut self) -> Step<u8> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Unreadable)
    }

    /// Whether nothing but white space is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    fn take(&mut self, expected: u8) -> Step<()> {
        if self.peek()? != expected {
            return Err(Unreadable);
        }
        self.at += 1;
        Ok(())
    }

    /// Goes into an object or array.
    pub(super) fn enter(&mut self) -> Step<()> {
        self.at += 1;
        self.open += 1;
        self.deepest = self.deepest.max(self.open);
        if self.open > LEVELS_MAX {
            return Err(Unreadable);
        }
        Ok(())
    }

    /// The name of the next member, the cursor being before its value; `None` after the last.
    pub(super) fn member(&mut self, first: &mut bool) -> Step<Option<&'a str>> {
        if !self.more(b'}', first)? {
            return Ok(None);
        }
        if self.peek()? != b'"' {
            return Err(Unreadable);
        }
        let name = self.string()?;
        self.take(b':')?;
        Ok(Some(name))
    }

    /// Whether there is another element, the cursor being before it.
    pub(super) fn element(&mut self, first: &mut bool) -> Step<bool> {
        self.more(b']', first)
    }

    fn more(&mut self, end: u8, first: &mut bool) -> Step<bool> {
        if self.peek()? == end {
            self.at += 1;
            self.open -= 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.take(b',')?;
        }
        Ok(true)
    }

    /// A string as it is written, without its quotes.
    pub(super) fn string(&mut self) -> Step<&'a str> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        loop {
            let rest = bytes.get(at..).ok_or(Unreadable)?;
            let next = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            at += next.ok_or(Unreadable)?;
            if bytes[at] == b'"' {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        self.text.get(start..at).ok_or(Unreadable)
    }

    /// A number or a word, as it is written.
    pub(super) fn bare(&mut self) -> Step<&'a str> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'+' | b'.' | b'E') {
                break;
            }
            self.at += 1;
        }
        if self.at == start {
            return Err(Unreadable);
        }
        self.text.get(start..self.at).ok_or(Unreadable)
    }

    /// Passes over a value, and gives how many containers it opens within one another. Without
    /// recursion: what is here may be nested to no end.
    pub(super) fn skip(&mut self) -> Step<usize> {
        let outside = self.open;
        let mut deepest = outside;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    self.enter()?;
                    deepest = deepest.max(self.open);
                    continue;
                }
                b'}' | b']' if self.open > outside => {
                    self.at += 1;
                    self.open -= 1;
                }
                b',' | b':' if self.open > outside => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    self.bare()?;
                }
            }
            if self.open == outside {
                return Ok(deepest - outside);
            }
        }
    }
}
