//! YAML with CloudFormation's short tags, as nodes that know their place.
//!
//! Both spellings of an intrinsic function (`!Ref X` and `{Ref: X}`) become one [`Yaml::Call`].
//! Nothing here knows what a function means: see [`resolve`](crate::resolve).

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use crate::problem::{Collector, Position};

/// How deep a template may be nested. Ours reaches 14; a parser's stack is the bound to protect.
const DEPTH_MAX: usize = 100;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Yaml,
}

/// A key of a map and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) name: String,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
    /// An intrinsic function by its long name (`Fn::Sub`, `Ref`, `Condition`) and its argument.
    Call(String, Box<Node>),
}

impl Node {
    /// The entries, if this is a map.
    pub(crate) fn entries(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Yaml::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a map's key.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.entries()?
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, value)| value)
    }

    /// The text of a plain string.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as CloudFormation writes it into a string.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Yaml::Bool(flag) => Some(flag.to_string()),
            Yaml::Integer(number) => Some(number.to_string()),
            Yaml::Float(number) => Some(number.to_string()),
            Yaml::Text(text) => Some(text.clone()),
            Yaml::Null | Yaml::List(_) | Yaml::Map(_) | Yaml::Call(..) => None,
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "a boolean",
            Yaml::Integer(_) | Yaml::Float(_) => "a number",
            Yaml::Text(_) => "a string",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a map",
            Yaml::Call(..) => "an intrinsic function",
        }
    }
}

/// Parses the text. `None` if it is no YAML at all, which is then a problem.
pub(crate) fn parse(text: &str, problems: &Collector) -> Option<Node> {
    let documents = match MarkedYaml::load_from_str(text) {
        Ok(documents) => documents,
        Err(error) => {
            let marker = error.marker();
            let at = Position {
                line: marker.line().max(1),
                column: marker.col() + 1,
            };
            problems.add(at, "", format!("not valid YAML: {}", error.info()));
            return None;
        }
    };
    let start = Position { line: 1, column: 1 };
    match documents.as_slice() {
        [document] => convert(document, "", 0, problems),
        [] => {
            problems.add(start, "", "the template is empty");
            None
        }
        [_, second, ..] => {
            problems.add(
                place(second),
                "",
                "a template is one YAML document, not several",
            );
            None
        }
    }
}

fn place(node: &MarkedYaml<'_>) -> Position {
    // Line and column of the start; saphyr counts columns from 0.
    Position {
        line: node.span.start.line().max(1),
        column: node.span.start.col() + 1,
    }
}

fn convert(node: &MarkedYaml<'_>, path: &str, depth: usize, problems: &Collector) -> Option<Node> {
    let at = place(node);
    if depth > DEPTH_MAX {
        problems.add(at, path, format!("nested deeper than {DEPTH_MAX} levels"));
        return None;
    }
    let value = match &node.data {
        YamlData::Value(scalar) => from_scalar(scalar),
        YamlData::Sequence(items) => Yaml::List(
            items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    convert(item, &format!("{path}[{index}]"), depth + 1, problems)
                })
                .collect(),
        ),
        YamlData::Mapping(entries) => {
            let mut map = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let Some(name) = key_name(key, path, problems) else {
                    continue;
                };
                let below = join(path, &name);
                if let Some(value) = convert(value, &below, depth + 1, problems) {
                    map.push((
                        Key {
                            at: place(key),
                            name,
                        },
                        value,
                    ));
                }
            }
            as_call(map, path, problems)
        }
        YamlData::Tagged(tag, inner) => {
            let Some(name) = long_name(&tag.handle, &tag.suffix) else {
                problems.add(
                    at,
                    path,
                    format!("unknown tag `{}{}`", tag.handle, tag.suffix),
                );
                return None;
            };
            let inner = convert(inner, path, depth + 1, problems)?;
            Yaml::Call(name, Box::new(inner))
        }
        YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
            problems.add(
                at,
                path,
                "this value cannot be read (an alias without its anchor?)",
            );
            return None;
        }
    };
    Some(Node { at, value })
}

fn from_scalar(scalar: &Scalar<'_>) -> Yaml {
    match scalar {
        Scalar::Null => Yaml::Null,
        Scalar::Boolean(flag) => Yaml::Bool(*flag),
        Scalar::Integer(number) => Yaml::Integer(*number),
        Scalar::FloatingPoint(number) => Yaml::Float(number.into_inner()),
        Scalar::String(text) => Yaml::Text(text.to_string()),
    }
}

fn key_name(key: &MarkedYaml<'_>, path: &str, problems: &Collector) -> Option<String> {
    let name = match &key.data {
        YamlData::Value(scalar) => match from_scalar(scalar) {
            Yaml::Text(text) => Some(text),
            Yaml::Integer(number) => Some(number.to_string()),
            Yaml::Bool(flag) => Some(flag.to_string()),
            _ => None,
        },
        _ => None,
    };
    if name.is_none() {
        problems.add(place(key), path, "a key must be a string");
    }
    name
}

/// `{Fn::Sub: …}` and `{Ref: …}` are calls; every other map stays one.
fn as_call(mut map: Vec<(Key, Node)>, path: &str, problems: &Collector) -> Yaml {
    let is_function = |name: &str| name == "Ref" || name.starts_with("Fn::");
    let Some(function) = map.iter().position(|(key, _)| is_function(&key.name)) else {
        return Yaml::Map(map);
    };
    if map.len() > 1 {
        let (key, _) = &map[function];
        problems.add(
            key.at,
            path,
            format!("`{}` must be the only key of its map", key.name),
        );
    }
    let (key, argument) = map.swap_remove(function);
    Yaml::Call(key.name, Box::new(argument))
}

/// `!Sub` → `Fn::Sub`; `!Ref` and `!Condition` keep their names. `None` for any other handle.
fn long_name(handle: &str, suffix: &str) -> Option<String> {
    if handle != "!" {
        return None;
    }
    Some(match suffix {
        "Ref" | "Condition" => suffix.to_owned(),
        _ => format!("Fn::{suffix}"),
    })
}

/// A path with one more segment.
pub(crate) fn join(path: &str, segment: &str) -> String {
    if path.is_empty() {
        segment.to_owned()
    } else {
        format!("{path}.{segment}")
    }
}
