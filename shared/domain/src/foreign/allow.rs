//! A JSON Schema read as an allow-list.
//!
//! Only a plain subset of JSON Schema is taken: what an allow-list cannot see through (`oneOf`,
//! `$ref`, an object without `properties`, …) is refused when the file is loaded, so that no
//! field slips into the journal through a part of the schema that nobody looked at.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::problem::Problem;

/// Keywords that may stand in a schema. All others are refused.
const KEYWORDS: [&str; 28] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "personal",
    "type",
    "enum",
    "const",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "items",
    "minItems",
    "maxItems",
];

/// Deepest nesting of a schema; the edge refuses deeper data anyway.
const DEPTH_MAX: usize = 16;

/// What a schema lets through.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fields {
    /// A scalar.
    Leaf,
    /// An object with these properties; others are left out.
    Object(BTreeMap<String, Property>),
    /// A list of such items.
    List(Box<Self>),
}

/// One property of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Property {
    personal: bool,
    fields: Fields,
}

impl Fields {
    /// Reads a schema, and closes the objects in it that left open what else they hold.
    pub(super) fn compile(schema: &mut Value, file: &str, problems: &mut Vec<Problem>) -> Self {
        let mut compiler = Compiler { file, problems };
        let fields = compiler.node(schema, "/schema", 0, false);
        if !matches!(fields, Self::Object(_)) {
            compiler.refuse("/schema", "the data of an event are an object: say `\"type\": \"object\"` and its `properties`");
        }
        fields
    }

    /// Public and personal part of a value.
    pub(super) fn split(&self, value: &Value) -> (Option<Value>, Option<Value>) {
        match (self, value) {
            (Self::Object(properties), Value::Object(members)) => {
                let mut public = Map::new();
                let mut personal = Map::new();
                for (name, property) in properties {
                    let Some(member) = members.get(name) else {
                        continue;
                    };
                    if property.personal {
                        personal.insert(name.clone(), member.clone());
                        continue;
                    }
                    let (shown, hidden) = property.fields.split(member);
                    public.extend(shown.map(|shown| (name.clone(), shown)));
                    personal.extend(hidden.map(|hidden| (name.clone(), hidden)));
                }
                let personal = (!personal.is_empty()).then_some(Value::Object(personal));
                (Some(Value::Object(public)), personal)
            }
            (Self::List(item), Value::Array(items)) => {
                let shown = items.iter().filter_map(|value| item.split(value).0);
                (Some(shown.collect()), None)
            }
            (_, Value::Object(_) | Value::Array(_)) => (None, None),
            (_, scalar) => (Some(scalar.clone()), None),
        }
    }

    /// JSON pointers to the personal fields.
    pub(super) fn personal_pointers(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_personal("", &mut found);
        found
    }

    fn collect_personal(&self, at: &str, found: &mut Vec<String>) {
        let Self::Object(properties) = self else {
            return;
        };
        for (name, property) in properties {
            let pointer = format!("{at}/{}", escape(name));
            if property.personal {
                found.push(pointer);
            } else {
                property.fields.collect_personal(&pointer, found);
            }
        }
    }

    /// Whether what stands at `pointer` is kept, and not personal.
    pub(super) fn is_public(&self, pointer: &str) -> bool {
        let mut fields = self;
        let Some(steps) = pointer.strip_prefix('/') else {
            return false;
        };
        for step in steps.split('/') {
            let name = step.replace("~1", "/").replace("~0", "~");
            match fields {
                Self::Object(properties) => match properties.get(&name) {
                    Some(property) if !property.personal => fields = &property.fields,
                    _ => return false,
                },
                _ => return false,
            }
        }
        matches!(fields, Self::Leaf)
    }

    /// A recipient's id must be there in every event, and stay in the journal.
    pub(super) fn check_recipient(&self, schema: &Value, pointer: &str) -> Result<(), String> {
        let steps = pointer
            .strip_prefix('/')
            .ok_or("a JSON pointer starts with `/`")?;
        let mut fields = self;
        let mut schema = schema;
        for step in steps.split('/') {
            let name = step.replace("~1", "/").replace("~0", "~");
            let property = match fields {
                Self::Object(properties) => properties.get(&name),
                _ => None,
            };
            let property = property.ok_or_else(|| format!("the schema has no `{name}` there"))?;
            if property.personal {
                return Err(format!(
                    "`{name}` is marked as personal, so it is not in the journal"
                ));
            }
            let required = schema.get("required").and_then(Value::as_array);
            if !required.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(&name))) {
                return Err(format!(
                    "`{name}` must be `required`, or an event could come without recipient"
                ));
            }
            schema = schema
                .get("properties")
                .and_then(|properties| properties.get(&name))
                .unwrap_or(&Value::Null);
            fields = &property.fields;
        }
        if schema.get("type").and_then(Value::as_str) == Some("string") {
            Ok(())
        } else {
            Err("a recipient's id is of `\"type\": \"string\"`".to_owned())
        }
    }
}

struct Compiler<'a> {
    file: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Compiler<'_> {
    fn refuse(&mut self, place: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(self.file, place, message));
    }

    fn node(&mut self, schema: &mut Value, at: &str, depth: usize, in_list: bool) -> Fields {
        let Value::Object(schema) = schema else {
            self.refuse(at, "a schema is an object");
            return Fields::Leaf;
        };
        if depth > DEPTH_MAX {
            self.refuse(at, format!("a schema is at most {DEPTH_MAX} levels deep"));
            return Fields::Leaf;
        }
        for keyword in schema.keys() {
            if !KEYWORDS.contains(&keyword.as_str()) {
                let message = format!(
                    "`{keyword}` is not supported: a schema here is a plain allow-list of fields"
                );
                self.refuse(at, message);
            }
        }
        let is = |name: &str| match schema.get("type") {
            Some(Value::String(one)) => one == name,
            Some(Value::Array(several)) => several.iter().any(|one| one == name),
            _ => false,
        };
        let (object, array) = (is("object"), is("array"));
        if !schema.contains_key("type") {
            self.refuse(at, "say the `type`, or anything could come through");
        }
        if object && array {
            self.refuse(at, "an object or a list, not either");
        }
        if object {
            self.object(schema, at, depth, in_list)
        } else if array {
            self.list(schema, at, depth)
        } else {
            Fields::Leaf
        }
    }

    fn object(
        &mut self,
        schema: &mut Map<String, Value>,
        at: &str,
        depth: usize,
        in_list: bool,
    ) -> Fields {
        match schema.get("additionalProperties") {
            None => {
                schema.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            Some(Value::Bool(_)) => {}
            Some(_) => self.refuse(at, "`additionalProperties` is true (others are left out) or false (others are refused)"),
        }
        let Some(Value::Object(properties)) = schema.get_mut("properties") else {
            self.refuse(
                at,
                "name the `properties` of the object: only they come through",
            );
            return Fields::Object(BTreeMap::new());
        };
        let mut found = BTreeMap::new();
        for (name, property) in properties {
            let place = format!("{at}/properties/{}", escape(name));
            let personal = match property.get("personal") {
                None | Some(Value::Bool(false)) => false,
                Some(Value::Bool(true)) => true,
                Some(_) => {
                    self.refuse(&place, "`personal` is true or false");
                    true
                }
            };
            if personal && in_list {
                self.refuse(
                    &place,
                    "mark the whole list as personal, not a field of its items",
                );
            }
            let fields = self.node(property, &place, depth + 1, in_list);
            found.insert(name.clone(), Property { personal, fields });
        }
        Fields::Object(found)
    }

    fn list(&mut self, schema: &mut Map<String, Value>, at: &str, depth: usize) -> Fields {
        let place = format!("{at}/items");
        if let Some(items) = schema.get_mut("items") {
            if items.get("personal").is_some() {
                self.refuse(&place, "mark the whole list as personal, not its items");
            }
            Fields::List(Box::new(self.node(items, &place, depth + 1, true)))
        } else {
            self.refuse(at, "say what the `items` of the list are");
            Fields::List(Box::new(Fields::Leaf))
        }
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
