//! The sections of a template: which there may be, what a resource may say, `Globals` merged in.

use crate::lists::{
    PARAMETER_KEYS, RESOURCE_KEYS, RESOURCE_TYPES, ResourceType, SECTIONS, closest,
};
use crate::problem::{Collector, Position};
use crate::yaml::{Key, Node, Yaml, join};

/// The macro that turns `AWS::Serverless::*` into plain resources.
const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// A template by sections, in the order of its text.
pub(crate) struct Document {
    pub(crate) parameters: Vec<(Key, Node)>,
    /// Where the section `Parameters` begins, or the template.
    pub(crate) parameters_at: Position,
    pub(crate) conditions: Vec<(Key, Node)>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) outputs: Vec<(Key, Node)>,
}

/// One entry of `Resources`.
pub(crate) struct Resource {
    pub(crate) logical_id: String,
    pub(crate) at: Position,
    /// `None` if the type is refused, which is then a problem already.
    pub(crate) kind: Option<&'static ResourceType>,
    pub(crate) condition: Option<(Position, String)>,
    pub(crate) depends_on: Vec<(Position, String)>,
    pub(crate) metadata: Option<Node>,
    pub(crate) properties: Vec<(Key, Node)>,
}

impl Resource {
    /// `Resources.X`.
    pub(crate) fn path(&self) -> String {
        join("Resources", &self.logical_id)
    }
}

impl Document {
    /// Takes the sections apart.
    pub(crate) fn read(root: &Node, problems: &Collector) -> Option<Self> {
        let Some(sections) = root.entries() else {
            problems.add(root.at, "", "a template is a map of sections");
            return None;
        };
        for (key, _) in sections {
            if !SECTIONS.contains(&key.name.as_str()) {
                let message = refused("section", &key.name, SECTIONS.iter().copied());
                problems.add(key.at, &key.name, message);
            }
        }
        let globals = function_globals(root, problems);
        let resources = section(root, "Resources", problems);
        if resources.is_empty() {
            problems.add(
                root.at,
                "Resources",
                "a template needs at least one resource",
            );
        }
        let resources: Vec<Resource> = resources
            .into_iter()
            .filter_map(|(key, node)| resource(key, &node, &globals, problems))
            .collect();
        check_transform(root, &resources, problems);
        let parameters_at = sections
            .iter()
            .find(|(key, _)| key.name == "Parameters")
            .map_or(root.at, |(key, _)| key.at);
        Some(Self {
            parameters: section(root, "Parameters", problems),
            parameters_at,
            conditions: section(root, "Conditions", problems),
            resources,
            outputs: section(root, "Outputs", problems),
        })
    }
}

/// Words for something that is on no list.
pub(crate) fn refused<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    match closest(name, known) {
        Some(known) => format!("{what} `{name}` is not served here; did you mean `{known}`?"),
        None => format!(
            "{what} `{name}` is not served here; to use it, give it a place in \
             infra/template/src/lists.rs"
        ),
    }
}

fn section(root: &Node, name: &str, problems: &Collector) -> Vec<(Key, Node)> {
    match root.get(name) {
        None => Vec::new(),
        Some(node) => match node.entries() {
            Some(entries) => entries.to_vec(),
            None => {
                problems.add(node.at, name, format!("must be a map, not {}", node.kind()));
                Vec::new()
            }
        },
    }
}

fn check_transform(root: &Node, resources: &[Resource], problems: &Collector) {
    let declared = root.get("Transform");
    if let Some(node) = declared
        && node.text() != Some(TRANSFORM)
    {
        problems.add(
            node.at,
            "Transform",
            format!("only `{TRANSFORM}` is served here"),
        );
    }
    let serverless = resources.iter().find(|resource| {
        resource
            .kind
            .is_some_and(|kind| kind.name.contains("::Serverless::"))
    });
    if let (None, Some(resource)) = (declared, serverless) {
        let message = format!("this type needs `Transform: {TRANSFORM}` at the top");
        problems.add(resource.at, &resource.path(), message);
    }
}

/// `Globals.Function`, whose keys must be properties of a function.
fn function_globals(root: &Node, problems: &Collector) -> Vec<(Key, Node)> {
    let mut functions = Vec::new();
    for (key, node) in section(root, "Globals", problems) {
        let path = join("Globals", &key.name);
        if key.name != "Function" {
            problems.add(
                key.at,
                &path,
                refused("section of Globals", &key.name, ["Function"]),
            );
            continue;
        }
        match node.value {
            Yaml::Map(entries) => functions = entries,
            _ => problems.add(node.at, &path, "must be a map"),
        }
    }
    functions
}

fn resource(
    key: Key,
    node: &Node,
    globals: &[(Key, Node)],
    problems: &Collector,
) -> Option<Resource> {
    let path = join("Resources", &key.name);
    if !key.name.chars().all(|c| c.is_ascii_alphanumeric()) {
        problems.add(key.at, &path, "a logical id has letters and digits only");
    }
    let Some(entries) = node.entries() else {
        problems.add(
            node.at,
            &path,
            format!("must be a map, not {}", node.kind()),
        );
        return None;
    };
    for (entry, _) in entries {
        if !RESOURCE_KEYS.contains(&entry.name.as_str()) {
            let message = refused("key", &entry.name, RESOURCE_KEYS.iter().copied());
            problems.add(entry.at, &join(&path, &entry.name), message);
        }
    }
    let kind = resource_kind(&key, node, &path, problems);
    let mut properties = match node.get("Properties") {
        None => Vec::new(),
        Some(Node {
            value: Yaml::Map(entries),
            ..
        }) => entries.clone(),
        Some(other) => {
            problems.add(other.at, &join(&path, "Properties"), "must be a map");
            Vec::new()
        }
    };
    if kind.is_some_and(|kind| kind.name == "AWS::Serverless::Function") {
        merge(globals, &mut properties);
    }
    Some(Resource {
        at: key.at,
        kind,
        condition: node.get("Condition").and_then(|value| {
            let name = value.text();
            if name.is_none() {
                problems.add(
                    value.at,
                    &join(&path, "Condition"),
                    "must be a condition's name",
                );
            }
            name.map(|name| (value.at, name.to_owned()))
        }),
        depends_on: depends_on(node, &path, problems),
        metadata: node.get("Metadata").cloned(),
        properties,
        logical_id: key.name,
    })
}

fn resource_kind(
    key: &Key,
    node: &Node,
    path: &str,
    problems: &Collector,
) -> Option<&'static ResourceType> {
    let Some(stated) = node.get("Type") else {
        problems.add(key.at, path, "`Type` is missing");
        return None;
    };
    let Some(name) = stated.text() else {
        problems.add(stated.at, &join(path, "Type"), "must be a string");
        return None;
    };
    let kind = crate::lists::resource_type(name);
    if kind.is_none() {
        let known = RESOURCE_TYPES.iter().map(|entry| entry.name);
        problems.add(
            stated.at,
            &join(path, "Type"),
            refused("resource type", name, known),
        );
    }
    kind
}

fn depends_on(node: &Node, path: &str, problems: &Collector) -> Vec<(Position, String)> {
    let names = match node.get("DependsOn") {
        None => return Vec::new(),
        Some(Node {
            value: Yaml::List(items),
            ..
        }) => items.iter().collect(),
        Some(single) => vec![single],
    };
    let mut found = Vec::new();
    for name in names {
        match name.text() {
            Some(text) => found.push((name.at, text.to_owned())),
            None => problems.add(name.at, &join(path, "DependsOn"), "must be a logical id"),
        }
    }
    found
}

/// SAM's rule: maps merge key by key, lists are appended to the global ones, else the function wins.
fn merge(globals: &[(Key, Node)], own: &mut Vec<(Key, Node)>) {
    for (key, global) in globals {
        match own
            .iter_mut()
            .find(|(candidate, _)| candidate.name == key.name)
        {
            None => own.push((key.clone(), global.clone())),
            Some((_, node)) => match (&global.value, &mut node.value) {
                (Yaml::Map(global), Yaml::Map(own)) => merge(global, own),
                (Yaml::List(global), Yaml::List(own)) => {
                    own.splice(0..0, global.iter().cloned());
                }
                _ => {}
            },
        }
    }
}

/// Reports keys of a parameter's declaration that are on no list.
pub(crate) fn check_parameter_keys(key: &Key, node: &Node, problems: &Collector) {
    let path = join("Parameters", &key.name);
    for (entry, _) in node.entries().unwrap_or_default() {
        if !PARAMETER_KEYS.contains(&entry.name.as_str()) {
            let message = refused("key", &entry.name, PARAMETER_KEYS.iter().copied());
            problems.add(entry.at, &join(&path, &entry.name), message);
        }
    }
}
