//! Intrinsic functions: from nodes of the text to values without parameters and conditions.

mod conditions;
mod references;
mod substitute;

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::declared::Declared;
use crate::document::Resource;
use crate::lists::FUNCTIONS;
use crate::parameters::Parameters;
use crate::problem::{Collector, Position};
use crate::value::{Kind, Value, complain};
use crate::yaml::{Key, Node, Yaml, join};

/// How strictly a value is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A host evaluates it: references only to what it creates, no dynamic reference.
    Served,
    /// AWS alone evaluates it: references must lead somewhere.
    Open,
    /// Not chosen by a condition: it must merely be well-formed.
    Dormant,
}

/// What `{{resolve:…}}` begins with; CloudFormation alone can look it up.
const DYNAMIC: &str = "{{resolve:";

/// Resolves values of one template under one set of parameters.
pub(crate) struct Resolver<'a> {
    pseudo: &'a Parameters,
    declared: &'a BTreeMap<String, Declared>,
    /// Names of every declared parameter, also of those whose value is a problem.
    parameter_names: Vec<&'a str>,
    conditions: &'a [(Key, Node)],
    outcomes: RefCell<BTreeMap<&'a str, Outcome>>,
    resources: BTreeMap<&'a str, &'a Resource>,
    /// Conditions whose chosen branch is being resolved, outermost first: for messages.
    chosen: RefCell<Vec<String>>,
    pub(crate) problems: &'a Collector,
}

/// What is known of a condition.
#[derive(Clone, Copy)]
enum Outcome {
    InProgress,
    Known(Option<bool>),
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(
        pseudo: &'a Parameters,
        declared: &'a BTreeMap<String, Declared>,
        document: &'a crate::document::Document,
        problems: &'a Collector,
    ) -> Self {
        let resources = document
            .resources
            .iter()
            .map(|resource| (resource.logical_id.as_str(), resource))
            .collect();
        let parameter_names = document
            .parameters
            .iter()
            .map(|(key, _)| key.name.as_str())
            .collect();
        let resolver = Self {
            pseudo,
            declared,
            parameter_names,
            conditions: &document.conditions,
            outcomes: RefCell::default(),
            resources,
            chosen: RefCell::default(),
            problems,
        };
        for (key, _) in &document.conditions {
            resolver.condition(&key.name, key.at, &join("Conditions", &key.name));
        }
        resolver
    }

    /// A resource by its logical id.
    pub(crate) fn resource(&self, logical_id: &str) -> Option<&'a Resource> {
        self.resources.get(logical_id).copied()
    }

    /// Whether a resource or output with this condition exists.
    pub(crate) fn active(&self, condition: Option<&(Position, String)>, path: &str) -> bool {
        condition.is_none_or(|(at, name)| {
            self.condition(name, *at, &join(path, "Condition"))
                .unwrap_or(true)
        })
    }

    /// Whether the value is a plain reference to a resource of this type (and that attribute of
    /// it); a problem if not.
    pub(crate) fn leads_to(&self, value: &Value, kind: &str, attribute: Option<&str>) -> bool {
        if let Kind::Reference(reference) = &value.kind {
            let target = self
                .resource(&reference.logical_id)
                .and_then(|found| found.kind);
            let same_attribute = reference.attribute.as_deref() == attribute;
            if target.is_some_and(|found| found.name == kind) && same_attribute {
                return true;
            }
        }
        let form = match attribute {
            None => "!Ref X".to_owned(),
            Some(attribute) => format!("!GetAtt X.{attribute}"),
        };
        let message = format!("must be `{form}`, X being an {kind} of this template");
        complain(value, &message, self.problems);
        false
    }

    /// The value, or nothing for `AWS::NoValue`. What is a problem becomes [`Kind::Broken`].
    pub(crate) fn resolve(&self, node: &Node, path: &str, mode: Mode) -> Option<Value> {
        let at = node.at;
        let scalar = |json: Json| Some(self.value(at, path, Kind::Scalar(json)));
        match &node.value {
            Yaml::Null => scalar(Json::Null),
            Yaml::Bool(flag) => scalar(Json::Bool(*flag)),
            Yaml::Integer(number) => scalar(Json::from(*number)),
            Yaml::Float(number) => scalar(Json::from(*number)),
            Yaml::Text(text) => {
                self.refuse_dynamic(text, at, path, mode, None);
                scalar(Json::String(text.clone()))
            }
            Yaml::List(items) => {
                let items = items
                    .iter()
                    .enumerate()
                    .filter_map(|(i, item)| self.resolve(item, &format!("{path}[{i}]"), mode))
                    .collect();
                Some(self.value(at, path, Kind::List(items)))
            }
            Yaml::Map(entries) => {
                let entries = entries
                    .iter()
                    .filter_map(|(key, value)| {
                        let value = self.resolve(value, &join(path, &key.name), mode)?;
                        Some((key.clone(), value))
                    })
                    .collect();
                Some(self.value(at, path, Kind::Map(entries)))
            }
            Yaml::Call(name, argument) => match self.call(name, argument, at, path, mode) {
                None => Some(self.value(at, path, Kind::Broken)),
                Some(Value {
                    kind: Kind::Absent, ..
                }) => None,
                found => found,
            },
        }
    }

    fn value(&self, at: Position, path: &str, kind: Kind) -> Value {
        Value {
            at,
            path: path.to_owned(),
            kind,
        }
    }

    fn call(
        &self,
        name: &str,
        argument: &Node,
        at: Position,
        path: &str,
        mode: Mode,
    ) -> Option<Value> {
        match name {
            "Ref" => {
                let Some(target) = argument.text() else {
                    self.problems.add(argument.at, path, "`Ref` takes a name");
                    return None;
                };
                let kind = self.reference(target, at, path, mode)?;
                Some(self.value(at, path, kind))
            }
            "Fn::GetAtt" => {
                let Some((target, attribute)) = references::attribute_of(argument) else {
                    let message = "`Fn::GetAtt` takes `LogicalId.Attribute`";
                    self.problems.add(argument.at, path, message);
                    return None;
                };
                let kind = self.attribute(&target, &attribute, at, path, mode)?;
                Some(self.value(at, path, kind))
            }
            "Fn::Sub" => self.substitute(argument, at, path, mode),
            "Fn::Join" => self.join(argument, at, path, mode),
            "Fn::If" => self.choose(argument, at, path, mode),
            _ => {
                let message = format!(
                    "`{name}` is not served here; values may use {}",
                    FUNCTIONS.join(", ")
                );
                self.problems.add(at, path, message);
                None
            }
        }
    }

    fn join(&self, argument: &Node, at: Position, path: &str, mode: Mode) -> Option<Value> {
        let usage = "`Fn::Join` takes a delimiter and a list";
        let Yaml::List(items) = &argument.value else {
            self.problems.add(argument.at, path, usage);
            return None;
        };
        let [
            Node {
                value: Yaml::Text(delimiter),
                ..
            },
            list,
        ] = items.as_slice()
        else {
            self.problems.add(argument.at, path, usage);
            return None;
        };
        let list = self.resolve(list, path, mode)?;
        let Kind::List(parts) = list.kind else {
            complain(&list, usage, self.problems);
            return None;
        };
        for part in &parts {
            match part.kind {
                Kind::Scalar(_) | Kind::Reference(_) | Kind::Join { .. } => {}
                Kind::Broken => return None,
                Kind::List(_) | Kind::Map(_) | Kind::Absent => {
                    self.problems
                        .add(part.at, path, "a list or map cannot be joined");
                    return None;
                }
            }
        }
        Some(self.joined(delimiter.clone(), parts, at, path))
    }

    /// A literal if every part is one.
    fn joined(&self, delimiter: String, parts: Vec<Value>, at: Position, path: &str) -> Value {
        let texts: Option<Vec<String>> = parts.iter().map(Value::scalar_text).collect();
        let kind = match texts {
            Some(texts) => Kind::Scalar(Json::String(texts.join(&delimiter))),
            None => Kind::Join { delimiter, parts },
        };
        self.value(at, path, kind)
    }

    fn choose(&self, argument: &Node, at: Position, path: &str, mode: Mode) -> Option<Value> {
        let usage = "`Fn::If` takes a condition's name and two values";
        let Yaml::List(items) = &argument.value else {
            self.problems.add(argument.at, path, usage);
            return None;
        };
        let [
            Node {
                value: Yaml::Text(name),
                ..
            },
            then,
            otherwise,
        ] = items.as_slice()
        else {
            self.problems.add(argument.at, path, usage);
            return None;
        };
        let holds = self.condition(name, at, path)?;
        let (taken, left) = if holds {
            (then, otherwise)
        } else {
            (otherwise, then)
        };
        self.resolve(left, path, Mode::Dormant);
        self.chosen.borrow_mut().push(name.clone());
        let value = self.resolve(taken, path, mode);
        self.chosen.borrow_mut().pop();
        value.or_else(|| Some(self.value(at, path, Kind::Absent)))
    }

    /// Reports a dynamic reference where a host would have to look it up. True if there was one.
    fn refuse_dynamic(
        &self,
        text: &str,
        at: Position,
        path: &str,
        mode: Mode,
        parameter: Option<&str>,
    ) -> bool {
        if mode != Mode::Served || !text.contains(DYNAMIC) {
            return false;
        }
        let mut message =
            "a dynamic reference (`{{resolve:…}}`) is looked up by AWS alone".to_owned();
        match parameter {
            Some(name) => message.push_str(&format!("; give parameter `{name}` a plain value")),
            None => message.push_str(&self.chosen_words()),
        }
        self.problems.add(at, path, message);
        true
    }
}
