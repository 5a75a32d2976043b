//! Reading a policy, with AWS's reasons when it is none.
//!
//! The order of the checks is that of AWS's rule compiler, a pull parser: whatever it meets first
//! is what it complains of.

use super::condition::{Comparison, Condition, Wildcard};
use super::fields::{Fields, Node};
use super::tokens::{NoJson, Token, Tokens};
use std::net::IpAddr;

/// How deep a policy may nest. AWS says only that depth counts into the combinations; nothing real
/// comes near this.
const DEPTH_MAX: usize = 32;

/// Why a text is no policy, for a person.
type Reason = String;

pub(super) struct Reader<'a> {
    tokens: Tokens<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        Reader {
            tokens: Tokens::new(text),
        }
    }

    /// The whole policy. An empty object is one, and says nothing.
    pub(super) fn policy(mut self) -> Result<Fields, Reason> {
        if self.next()? != Token::ObjectStart {
            return Err(self.refuse("Filter is not an object"));
        }
        self.fields(DEPTH_MAX, false)
    }

    fn next(&mut self) -> Result<Token, Reason> {
        self.tokens.next().map_err(|why| self.no_json(&why))
    }

    fn text(&mut self) -> Result<String, Reason> {
        match self.tokens.text() {
            Ok(text) => Ok(text.to_owned()),
            Err(why) => Err(self.no_json(&why)),
        }
    }

    fn no_json(&self, NoJson(why): &NoJson) -> Reason {
        self.refuse(&format!("failed to parse JSON. {why}"))
    }

    /// A reason with the place, as AWS's parser writes it.
    fn refuse(&self, reason: &str) -> Reason {
        format!("{reason}{}", self.tokens.shown_place())
    }

    /// The members of an object that has been entered.
    fn fields(&mut self, depth: usize, choice: bool) -> Result<Fields, Reason> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.refuse("Filter policy is nested too deeply"));
        };
        let mut fields = Fields::default();
        while self.next()? != Token::ObjectEnd {
            let name = self.text()?;
            if name == "$or" {
                fields.choices.push(self.choices(depth)?);
                continue;
            }
            if choice && OPERATORS.contains(&name.as_str()) {
                return Err(self.refuse(&format!(
                    "{name} is Ruler reserved fieldName which cannot be used inside $or."
                )));
            }
            let node = match self.next()? {
                Token::ObjectStart => {
                    let nested = self.fields(depth, choice)?;
                    if nested.is_empty() {
                        return Err(self.refuse("Empty objects are not allowed"));
                    }
                    Node::Fields(nested)
                }
                Token::ArrayStart => Node::Leaf(self.conditions()?),
                _ => {
                    return Err(self.refuse(&format!("\"{name}\" must be an object or an array")));
                }
            };
            fields.put(name, node);
        }
        Ok(fields)
    }

    fn choices(&mut self, depth: usize) -> Result<Vec<Fields>, Reason> {
        if self.next()? != Token::ArrayStart {
            return Err(self.refuse("It must be an Array followed with $or."));
        }
        let mut choices = Vec::new();
        loop {
            match self.next()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => {
                    let choice = self.fields(depth, true)?;
                    if choice.is_empty() {
                        return Err(self.refuse("Empty objects are not allowed"));
                    }
                    choices.push(choice);
                }
                _ => {
                    return Err(
                        self.refuse("Only JSON object is allowed in array of $or relationship.")
                    );
                }
            }
        }
        if choices.len() < 2 {
            return Err(self.refuse("There must have at least 2 Objects in $or relationship."));
        }
        Ok(choices)
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, Reason> {
        let mut conditions = Vec::new();
        loop {
            conditions.push(match self.next()? {
                Token::ArrayEnd if conditions.is_empty() => {
                    return Err(self.refuse("Empty arrays are not allowed"));
                }
                Token::ArrayEnd => return Ok(conditions),
                Token::ObjectStart => self.expression()?,
                Token::Text => Condition::Equals(self.text()?.into()),
                Token::Number(number) => Condition::Number(number),
                Token::True => Condition::Equals(true.into()),
                Token::False => Condition::Equals(false.into()),
                Token::Null => Condition::Equals(serde_json::Value::Null),
                _ => {
                    return Err(
                        self.refuse("Match value must be String, number, true, false, or null")
                    );
                }
            });
        }
    }

    /// `{"prefix": "a"}`, entered.
    fn expression(&mut self) -> Result<Condition, Reason> {
        if self.next()? != Token::Name {
            return Err(self.refuse("Match expression name not found"));
        }
        let name = self.text()?;
        let condition = match name.as_str() {
            "numeric" => {
                if self.next()? != Token::ArrayStart {
                    return Err(self.refuse("Value of numeric must be an array."));
                }
                let condition = self.numeric()?;
                if self.next()? != Token::ObjectEnd {
                    return Err(self.refuse(TOO_MANY_ELEMENTS));
                }
                return Ok(condition);
            }
            "exists" => match self.next()? {
                Token::True => Condition::Exists(true),
                Token::False => Condition::Exists(false),
                _ => {
                    return Err(self.refuse("exists match pattern must be either true or false."));
                }
            },
            "anything-but" => self.anything_but()?,
            "cidr" | "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => {
                if self.next()? != Token::Text {
                    // AWS names the wrong operator here for `cidr`.
                    let shown = if name == "cidr" { "prefix" } else { &name };
                    return Err(self.refuse(&format!("{shown} match pattern must be a string")));
                }
                let operand = self.text()?;
                of_text(&name, operand).map_err(|reason| self.refuse(&reason))?
            }
            _ => return Err(self.refuse(&format!("Unrecognized match type {name}"))),
        };
        self.end_of_expression()?;
        Ok(condition)
    }

    fn end_of_expression(&mut self) -> Result<(), Reason> {
        if self.next()? == Token::ObjectEnd {
            Ok(())
        } else {
            Err(self.refuse("Only one key allowed in match expression"))
        }
    }

    fn anything_but(&mut self) -> Result<Condition, Reason> {
        let excluded = match self.next()? {
            Token::ObjectStart => self.anything_but_operator()?,
            Token::ArrayStart => self.anything_but_list()?,
            Token::Text => vec![Condition::Equals(self.text()?.into())],
            Token::Number(number) => vec![Condition::Number(number)],
            _ => {
                return Err(self.refuse(
                    "Value of anything-but must be an array or single string/number value.",
                ));
            }
        };
        Ok(Condition::AnythingBut(excluded))
    }

    fn anything_but_list(&mut self) -> Result<Vec<Condition>, Reason> {
        let mut excluded = Vec::new();
        loop {
            excluded.push(match self.next()? {
                Token::ArrayEnd => break,
                Token::Text => Condition::Equals(self.text()?.into()),
                Token::Number(number) => Condition::Number(number),
                _ => {
                    return Err(self
                        .refuse("Inside anything but list, start|null|boolean is not supported."));
                }
            });
        }
        let numbers = excluded
            .iter()
            .filter(|condition| matches!(condition, Condition::Number(_)))
            .count();
        if excluded.is_empty() || (numbers > 0 && numbers < excluded.len()) {
            return Err(self.refuse(
                "Inside anything but list, either all values are number or string, mixed type is \
                 not supported",
            ));
        }
        Ok(excluded)
    }

    /// `{"prefix": "a"}` or `{"prefix": ["a", "b"]}`, entered.
    fn anything_but_operator(&mut self) -> Result<Vec<Condition>, Reason> {
        if self.next()? != Token::Name {
            return Err(self.refuse("Anything-But expression name not found"));
        }
        let name = self.text()?;
        if !matches!(name.as_str(), "prefix" | "wildcard") {
            return Err(self.refuse(&format!("Unsupported anything-but pattern: {name}")));
        }
        let mut excluded = Vec::new();
        match self.next()? {
            Token::Text => excluded.push(self.excluded(&name)?),
            Token::ArrayStart => loop {
                match self.next()? {
                    Token::ArrayEnd if !excluded.is_empty() => break,
                    Token::Text => excluded.push(self.excluded(&name)?),
                    _ => {
                        return Err(self.refuse(&format!("{name} match pattern must be a string")));
                    }
                }
            },
            _ => return Err(self.refuse(&format!("{name} match pattern must be a string"))),
        }
        self.end_of_expression()?;
        Ok(excluded)
    }

    fn excluded(&mut self, operator: &str) -> Result<Condition, Reason> {
        let operand = self.text()?;
        if operand.is_empty() {
            return Err(self.refuse(&format!("Null {operator} not allowed")));
        }
        of_text(operator, operand).map_err(|reason| self.refuse(&reason))
    }

    /// `["=", 1]`, `[">", 0, "<=", 5]`, entered.
    fn numeric(&mut self) -> Result<Condition, Reason> {
        if self.next()? != Token::Text {
            let member = self.text()?;
            return Err(self.refuse(&format!("Invalid member in numeric match: {member}")));
        }
        let operator = self.text()?;
        let operand = self.next()?;
        let Some(comparison) = Comparison::read(&operator) else {
            return Err(self.refuse(&format!("Unrecognized numeric range operator: {operator}")));
        };
        let Token::Number(bound) = operand else {
            let shown = if operator == "=" { "equals" } else { &operator };
            return Err(self.refuse(&format!("Value of {shown} must be numeric")));
        };
        let mut bounds = vec![(comparison, bound)];
        let token = self.next()?;
        if token == Token::ArrayEnd {
            return Ok(Condition::Numeric(bounds));
        }
        if !matches!(comparison, Comparison::Greater | Comparison::AtLeast) {
            return Err(self.refuse(TOO_MANY_ELEMENTS));
        }
        let top = self.top_of_range(token)?;
        if bound >= top.1 {
            return Err(self.refuse("Bottom must be less than top"));
        }
        bounds.push(top);
        Ok(Condition::Numeric(bounds))
    }

    fn top_of_range(&mut self, token: Token) -> Result<(Comparison, f64), Reason> {
        let operator = self.text()?;
        if token != Token::Text {
            return Err(self.refuse(&format!("Bad value in numeric range: {operator}")));
        }
        let comparison = match Comparison::read(&operator) {
            Some(comparison @ (Comparison::Less | Comparison::AtMost)) => comparison,
            _ => return Err(self.refuse(&format!("Bad numeric range operator: {operator}"))),
        };
        let Token::Number(top) = self.next()? else {
            return Err(self.refuse(&format!("Value of {operator} must be numeric")));
        };
        if self.next()? != Token::ArrayEnd {
            return Err(self.refuse("Too many terms in numeric range expression"));
        }
        Ok((comparison, top))
    }
}

const TOO_MANY_ELEMENTS: &str = "Too many elements in numeric expression";

/// Names that are no keys within a choice.
const OPERATORS: [&str; 9] = [
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "numeric",
    "anything-but",
    "exists",
    "cidr",
];

/// A condition of one of the operators whose operand is a text.
fn of_text(operator: &str, operand: String) -> Result<Condition, Reason> {
    Ok(match operator {
        "prefix" => Condition::Prefix(operand),
        "suffix" => Condition::Suffix(operand),
        "wildcard" => Condition::Wildcard(Wildcard::read(&operand)?),
        "cidr" => cidr(&operand)?,
        _ => Condition::EqualsIgnoreCase(operand.to_lowercase()),
    })
}

fn cidr(text: &str) -> Result<Condition, Reason> {
    let Some((address, bits)) = text.split_once('/') else {
        return Err("Malformed CIDR, one '/' required".to_owned());
    };
    let Ok(bits) = bits.parse::<i32>() else {
        return Err("Malformed CIDR, mask bits must be an integer".to_owned());
    };
    let Ok(bits) = u32::try_from(bits) else {
        return Err("Malformed CIDR, mask bits must not be negative".to_owned());
    };
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("Nonstandard IP address: {address}"))?;
    let (kind, width) = match address {
        IpAddr::V4(_) => (4, 32),
        IpAddr::V6(_) => (6, 128),
    };
    if bits > width {
        return Err(format!("IPv{kind} mask bits must be < {}", width + 1));
    }
    Ok(Condition::Cidr(address, bits))
}
