//! Answers, and what a check asks of them.

use crate::check::{Failed, Result, ensure};
use crate::client::Answer;
use http::HeaderMap;
use serde_json::Value;

/// An answer in JSON: SQS, DynamoDB, DynamoDB Streams.
pub struct Reply {
    operation: String,
    pub status: u16,
    pub headers: HeaderMap,
    /// `Null` when the body was empty.
    pub body: Value,
}

impl Reply {
    /// Reads an answer.
    pub fn read(operation: &str, answer: Answer) -> Result<Reply> {
        let body = match answer.body.as_ref() {
            [] => Value::Null,
            text => serde_json::from_slice(text).map_err(|error| {
                let text = String::from_utf8_lossy(text);
                Failed(format!("{operation} answered no JSON ({error}): {text}"))
            })?,
        };
        Ok(Reply {
            operation: operation.to_owned(),
            status: answer.status.as_u16(),
            headers: answer.headers,
            body,
        })
    }

    /// The body of an answer with status 200.
    pub fn ok(self) -> Result<Value> {
        ensure!(self.status == 200, "{}", self.words());
        Ok(self.body)
    }

    /// The code of a refusal, without its namespace.
    pub fn code(&self) -> &str {
        let code = self.body["__type"].as_str().unwrap_or_default();
        code.rsplit('#').next().unwrap_or_default()
    }

    /// The code that SQS's older protocol has for the refusal, which AWS adds in a header and most
    /// SDKs show in place of the other.
    pub fn query_code(&self) -> &str {
        let header = self.header("x-amzn-query-error").unwrap_or_default();
        header.split(';').next().unwrap_or_default()
    }

    /// The message of a refusal.
    pub fn message(&self) -> &str {
        let message = self.body["message"].as_str();
        message
            .or(self.body["Message"].as_str())
            .unwrap_or_default()
    }

    /// Holds when the call was refused with this status and code, in the body or in the header: an
    /// SDK's user sees one or the other.
    pub fn refused(&self, status: u16, code: &str) -> Result {
        self.refused_as_one_of(status, &[code])
    }

    /// Holds when the code is one of these: AWS's pages name one, its service answers another.
    pub fn refused_as_one_of(&self, status: u16, codes: &[&str]) -> Result {
        ensure!(
            self.status == status
                && (codes.contains(&self.code()) || codes.contains(&self.query_code())),
            "expected {status} {}: {}",
            codes.join(" or "),
            self.words()
        );
        Ok(())
    }

    /// Holds when the call was refused so, with `words` somewhere in its message.
    pub fn refused_saying(&self, status: u16, code: &str, words: &str) -> Result {
        self.refused(status, code)?;
        ensure!(
            self.message().contains(words),
            "expected the words `{words}`: {}",
            self.words()
        );
        Ok(())
    }

    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn words(&self) -> String {
        format!("{} answered {} {}", self.operation, self.status, self.body)
    }
}

/// Fields of a JSON value by pointer, with a failure that shows the value.
pub trait Look {
    /// What is at this JSON pointer.
    fn at(&self, pointer: &str) -> Result<&Value>;
    /// The text at this JSON pointer.
    fn text_at(&self, pointer: &str) -> Result<&str>;
    /// The array at this JSON pointer; empty when there is none, as AWS leaves out empty lists.
    fn list_at(&self, pointer: &str) -> &[Value];
}

impl Look for Value {
    fn at(&self, pointer: &str) -> Result<&Value> {
        self.pointer(pointer)
            .ok_or_else(|| Failed(format!("nothing at {pointer} in {self}")))
    }

    fn text_at(&self, pointer: &str) -> Result<&str> {
        let found = self.at(pointer)?;
        found
            .as_str()
            .ok_or_else(|| Failed(format!("no text at {pointer} in {self}")))
    }

    fn list_at(&self, pointer: &str) -> &[Value] {
        let found = self.pointer(pointer).and_then(Value::as_array);
        found.map(Vec::as_slice).unwrap_or_default()
    }
}

/// An answer in XML: SNS, and SQS's older protocol.
pub struct XmlReply {
    operation: String,
    pub status: u16,
    pub headers: HeaderMap,
    /// The answer as it came.
    pub raw: String,
    root: Element,
}

/// An element of an answer, without namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    /// The text directly within it.
    pub text: String,
    pub children: Vec<Element>,
}

impl XmlReply {
    /// Reads an answer.
    pub fn read(operation: &str, answer: Answer) -> Result<XmlReply> {
        let raw = String::from_utf8_lossy(&answer.body).into_owned();
        let root = roxmltree::Document::parse(&raw)
            .map(|document| Element::of(document.root_element()))
            .map_err(|error| Failed(format!("{operation} answered no XML ({error}): {raw}")))?;
        Ok(XmlReply {
            operation: operation.to_owned(),
            status: answer.status.as_u16(),
            headers: answer.headers,
            raw,
            root,
        })
    }

    /// The root element.
    pub fn root(&self) -> &Element {
        &self.root
    }

    /// Itself, when its status is 200.
    pub fn ok(self) -> Result<XmlReply> {
        ensure!(self.status == 200, "{}", self.words());
        Ok(self)
    }

    /// The text of the first element at `path`; see [`Element::find`].
    pub fn text(&self, path: &str) -> Result<&str> {
        let found = self.root.find(path);
        let first = found
            .first()
            .ok_or_else(|| Failed(format!("no element {path}: {}", self.words())))?;
        Ok(&first.text)
    }

    /// The texts of all elements at `path`; see [`Element::find`].
    pub fn all(&self, path: &str) -> Vec<&str> {
        let found = self.root.find(path);
        found.iter().map(|element| element.text.as_str()).collect()
    }

    /// Holds when the call was refused with this status and code.
    pub fn refused(&self, status: u16, code: &str) -> Result {
        ensure!(
            self.status == status && self.all("Error/Code") == [code],
            "expected {status} {code}: {}",
            self.words()
        );
        Ok(())
    }

    /// Holds when the call was refused so, with `words` somewhere in its message.
    pub fn refused_saying(&self, status: u16, code: &str, words: &str) -> Result {
        self.refused(status, code)?;
        ensure!(
            self.text("Error/Message")?.contains(words),
            "expected the words `{words}`: {}",
            self.words()
        );
        Ok(())
    }

    fn words(&self) -> String {
        format!("{} answered {} {}", self.operation, self.status, self.raw)
    }
}

impl Element {
    fn of(node: roxmltree::Node<'_, '_>) -> Element {
        Element {
            name: node.tag_name().name().to_owned(),
            text: node
                .children()
                .filter_map(|child| child.text().filter(|_| child.is_text()))
                .collect(),
            children: node
                .children()
                .filter(roxmltree::Node::is_element)
                .map(Element::of)
                .collect(),
        }
    }

    /// All elements at `path`, in the order of the document. The first name of the path may stand
    /// anywhere below, the others are children: `Topics/member/TopicArn`.
    pub fn find(&self, path: &str) -> Vec<&Element> {
        let mut names = path.split('/');
        let mut found = Vec::new();
        if let Some(first) = names.next() {
            self.collect(first, &mut found);
        }
        for name in names {
            found = found
                .iter()
                .flat_map(|element| element.children.iter())
                .filter(|child| child.name == name)
                .collect();
        }
        found
    }

    fn collect<'a>(&'a self, name: &str, found: &mut Vec<&'a Element>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            child.collect(name, found);
        }
    }
}
