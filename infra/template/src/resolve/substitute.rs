//! `Fn::Sub`.

use serde_json::Value as Json;

use super::{Mode, Resolver};
use crate::problem::Position;
use crate::value::{Kind, Value};
use crate::yaml::{Node, Yaml};

impl Resolver<'_> {
    /// `Fn::Sub`, as text or as `[text, {name: value}]`.
    pub(super) fn substitute(
        &self,
        argument: &Node,
        at: Position,
        path: &str,
        mode: Mode,
    ) -> Option<Value> {
        let (template, locals) = match &argument.value {
            Yaml::Text(text) => (text, None),
            Yaml::List(items) => match items.as_slice() {
                [
                    Node {
                        value: Yaml::Text(text),
                        ..
                    },
                    locals,
                ] if locals.entries().is_some() => (text, Some(locals)),
                _ => {
                    let message = "`Fn::Sub` takes a string, or a list of a string and a map";
                    self.problems.add(argument.at, path, message);
                    return None;
                }
            },
            _ => {
                self.problems
                    .add(argument.at, path, "`Fn::Sub` takes a string");
                return None;
            }
        };
        // The dynamic reference may span a placeholder, so the whole text is looked at first.
        if self.refuse_dynamic(template, at, path, mode, None) {
            return None;
        }
        let mut parts = Vec::new();
        for piece in pieces(template) {
            match piece {
                Piece::Text(text) => {
                    parts.push(self.value(at, path, Kind::Scalar(Json::String(text))));
                }
                Piece::Unclosed => {
                    self.problems.add(at, path, "`${` without its `}`");
                    return None;
                }
                Piece::Name(name) => {
                    let local = locals.and_then(|locals| locals.get(&name));
                    let value = match (local, name.split_once('.')) {
                        (Some(local), _) => self.resolve(local, path, mode),
                        (None, Some((target, attribute))) => self
                            .attribute(target, attribute, at, path, mode)
                            .map(|kind| self.value(at, path, kind)),
                        (None, None) => self
                            .reference(&name, at, path, mode)
                            .map(|kind| self.value(at, path, kind)),
                    };
                    let value = value?;
                    match value.kind {
                        Kind::Scalar(_) | Kind::Reference(_) | Kind::Join { .. } => {
                            parts.push(value);
                        }
                        Kind::Broken => return None,
                        Kind::List(_) | Kind::Map(_) | Kind::Absent => {
                            let message = format!("`${{{name}}}` is no text");
                            self.problems.add(at, path, message);
                            return None;
                        }
                    }
                }
            }
        }
        Some(self.joined(String::new(), parts, at, path))
    }
}

enum Piece {
    Text(String),
    Name(String),
    Unclosed,
}

/// Takes the text of a `Fn::Sub` apart: `${Name}` is a name, `${!Text}` stays as `${Text}`.
fn pieces(template: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut plain = String::new();
    let mut rest = template;
    while let Some(start) = rest.find("${") {
        plain.push_str(&rest[..start]);
        let after = &rest[start + 2..];
        let Some(end) = after.find('}') else {
            found.push(Piece::Unclosed);
            return found;
        };
        match after[..end].strip_prefix('!') {
            Some(literal) => plain.push_str(&format!("${{{literal}}}")),
            None => {
                if !plain.is_empty() {
                    found.push(Piece::Text(std::mem::take(&mut plain)));
                }
                found.push(Piece::Name(after[..end].trim().to_owned()));
            }
        }
        rest = &after[end + 1..];
    }
    plain.push_str(rest);
    if !plain.is_empty() || found.is_empty() {
        found.push(Piece::Text(plain));
    }
    found
}
