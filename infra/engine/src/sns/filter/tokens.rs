//! A policy's JSON, token by token, with the place at which AWS's parser would stand.
//!
//! AWS reads policies as a stream, and its refusals name the place where the reader stood. That
//! reader is lazy in one point that shows: a string is entered by its opening quote and read to its
//! end only when its text is asked for or the next token is wanted; and a name takes the beginning
//! of its value with it.

/// What comes next in a policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    /// A member's name: [`Tokens::text`] gives it.
    Name,
    Text,
    Number(f64),
    True,
    False,
    Null,
}

/// Text that is no JSON: why, in the words of AWS's parser, which is Jackson.
#[derive(Debug)]
pub(super) struct NoJson(pub(super) String);

/// A container that is open, and whether it has anything in it yet.
#[derive(Debug)]
struct Open {
    object: bool,
    filled: bool,
}

/// A reader of one JSON text.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    source: &'a str,
    /// Bytes consumed.
    at: usize,
    open: Vec<Open>,
    /// The value that a name has taken along.
    ahead: Option<Token>,
    /// A string has been entered, and not yet read to its end.
    within_text: bool,
    text: String,
}

type Read<T> = Result<T, NoJson>;

/// What is wanted where a value should be.
const VALUE: &str = "expected a valid value (JSON String, Number, Array, Object or token 'null', \
                     'true' or 'false')";

/// Says why a text is no JSON object, in AWS's words.
pub(in crate::sns) fn check_object(text: &str) -> Result<(), String> {
    let mut tokens = Tokens::new(text);
    let read = |tokens: &mut Tokens<'_>| -> Read<bool> {
        let object = tokens.next()? == Token::ObjectStart;
        while !tokens.open.is_empty() {
            tokens.next()?;
        }
        Ok(object)
    };
    match read(&mut tokens) {
        Ok(true) => Ok(()),
        Ok(false) => Err("failed to parse JSON.".to_owned()),
        Err(NoJson(why)) => Err(format!(
            "failed to parse JSON. {why}{}",
            tokens.shown_place()
        )),
    }
}

impl<'a> Tokens<'a> {
    pub(super) fn new(source: &'a str) -> Tokens<'a> {
        Tokens {
            source,
            at: 0,
            open: Vec::new(),
            ahead: None,
            within_text: false,
            text: String::new(),
        }
    }

    /// Where the reader stands: line and column, both from 1, the column in UTF-16 units.
    pub(super) fn place(&self) -> (usize, usize) {
        let read = &self.source[..self.at];
        let line = read.matches('\n').count() + 1;
        let last = read.rsplit('\n').next().unwrap_or_default();
        (line, last.encode_utf16().count() + 1)
    }

    /// The place as AWS's parser writes it. It has shown no source since 2025.
    pub(super) fn shown_place(&self) -> String {
        let (line, column) = self.place();
        format!(
            "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); \
             line: {line}, column: {column}]"
        )
    }

    pub(super) fn next(&mut self) -> Read<Token> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(ahead);
        }
        if self.within_text {
            self.finish_text()?;
        }
        self.skip_blank();
        let Some(open) = self.open.last_mut() else {
            return self.value();
        };
        let (object, filled) = (open.object, std::mem::replace(&mut open.filled, true));
        let end = if object { '}' } else { ']' };
        if self.eat(end) {
            self.open.pop();
            end.to_string().clone_into(&mut self.text);
            return Ok(if object {
                Token::ObjectEnd
            } else {
                Token::ArrayEnd
            });
        }
        if filled {
            let entries = if object { "Object" } else { "Array" };
            self.expect(',', &format!("comma to separate {entries} entries"))?;
            self.skip_blank();
        }
        if !object {
            return self.value();
        }
        self.expect('"', "double-quote to start field name")?;
        self.finish_text()?;
        let name = std::mem::take(&mut self.text);
        self.skip_blank();
        self.expect(':', "a colon to separate field name and value")?;
        self.skip_blank();
        self.ahead = Some(self.value()?);
        self.text = name;
        Ok(Token::Name)
    }

    /// The text of the last token, read to its end.
    pub(super) fn text(&mut self) -> Read<&str> {
        // A name is not the string that it has taken along.
        if self.within_text && self.ahead.is_none() {
            self.finish_text()?;
        }
        Ok(&self.text)
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn eat(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        if there {
            self.at += c.len_utf8();
        }
        there
    }

    fn expect(&mut self, c: char, wanted: &str) -> Read<()> {
        if self.eat(c) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("was expecting {wanted}")))
        }
    }

    fn unexpected(&self, wanted: &str) -> NoJson {
        NoJson(match self.rest().chars().next() {
            Some(c) => format!(
                "Unexpected character ('{c}' (code {})): {wanted}",
                u32::from(c)
            ),
            None => "Unexpected end-of-input".to_owned(),
        })
    }

    fn skip_blank(&mut self) {
        let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(blank).len();
    }

    /// Enters a value.
    fn value(&mut self) -> Read<Token> {
        let first = self.rest().chars().next();
        let first = first.ok_or_else(|| self.unexpected(VALUE))?;
        match first {
            '{' | '[' => {
                self.at += 1;
                let object = first == '{';
                self.open.push(Open {
                    object,
                    filled: false,
                });
                first.to_string().clone_into(&mut self.text);
                Ok(if object {
                    Token::ObjectStart
                } else {
                    Token::ArrayStart
                })
            }
            '"' => {
                self.at += 1;
                self.within_text = true;
                Ok(Token::Text)
            }
            't' => self.word("true", Token::True),
            'f' => self.word("false", Token::False),
            'n' => self.word("null", Token::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, token: Token) -> Read<Token> {
        if !self.rest().starts_with(word) {
            return Err(self.unexpected(VALUE));
        }
        self.at += word.len();
        word.clone_into(&mut self.text);
        Ok(token)
    }

    fn number(&mut self) -> Read<Token> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let number = serde_json::from_str(&rest[..length]);
        let number: f64 = number.map_err(|_| self.unexpected(VALUE))?;
        self.at += length;
        rest[..length].clone_into(&mut self.text);
        Ok(Token::Number(number))
    }

    /// Reads the string that was entered to its end.
    fn finish_text(&mut self) -> Read<()> {
        self.within_text = false;
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.find(|c| {
            let end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            end
        });
        let end = end.ok_or_else(|| {
            NoJson("Unexpected end-of-input: was expecting closing quote for a string value".into())
        })?;
        let quoted = &self.source[self.at - 1..=self.at + end];
        self.text = serde_json::from_str(quoted)
            .map_err(|_| NoJson("Illegal character or escape in a string value".into()))?;
        self.at += end + 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_entered_before_they_are_read() {
        let mut tokens = Tokens::new(r#"{"key":[{"suffix":"value"}]}"#);
        let mut seen = Vec::new();
        while let Ok(token) = tokens.next() {
            seen.push((token, tokens.place().1));
        }
        use Token::{ArrayEnd, ArrayStart, Name, ObjectEnd, ObjectStart, Text};
        let expected = [
            (ObjectStart, 2),
            (Name, 9),
            (ArrayStart, 9),
            (ObjectStart, 10),
            (Name, 20),
            (Text, 20),
            (ObjectEnd, 27),
            (ArrayEnd, 28),
            (ObjectEnd, 29),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_no_json_is_told() {
        for text in [
            "",
            "{",
            "{x}",
            r#"{"a" 1}"#,
            "[1 2]",
            "[tru]",
            "[\"a",
            "[1,]",
            "[1-]",
        ] {
            let mut tokens = Tokens::new(text);
            let ended = (0..20).any(|_| tokens.next().is_err());
            assert!(ended, "{text}");
        }
    }
}
