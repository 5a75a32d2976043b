//! The tree of a policy: its keys and choices, what they weigh, and what matches them.

use super::condition::Condition;
use serde_json::Value;

/// Keys that must all match, and choices of which one must.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) keys: Vec<(String, Node)>,
    pub(super) choices: Vec<Vec<Fields>>,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Leaf(Vec<Condition>),
    Fields(Fields),
}

impl Fields {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.choices.is_empty()
    }

    /// Puts a key in; as in any JSON, the last of two with one name stands.
    pub(super) fn put(&mut self, name: String, node: Node) {
        self.keys.retain(|(other, _)| *other != name);
        self.keys.push((name, node));
    }

    pub(super) fn nested(&self) -> bool {
        let nested = |(_, node): &(String, Node)| matches!(node, Node::Fields(_));
        self.keys.iter().any(nested) || self.choices.iter().flatten().any(Fields::nested)
    }

    /// As [`super::message::without_dots`] does with bodies.
    pub(super) fn without_dots(self) -> Fields {
        let mut undotted = Fields::default();
        for (name, node) in self.keys {
            let node = match node {
                Node::Fields(fields) => Node::Fields(fields.without_dots()),
                leaf => leaf,
            };
            let mut names = name.split('.');
            let first = names.next().unwrap_or_default().to_owned();
            let node = names.rev().fold(node, |node, name| {
                Node::Fields(Fields {
                    keys: vec![(name.to_owned(), node)],
                    choices: Vec::new(),
                })
            });
            let before = undotted.keys.iter_mut().find(|(name, _)| *name == first);
            match (before, node) {
                (Some((_, Node::Fields(before))), Node::Fields(more)) => {
                    before.keys.extend(more.keys);
                    before.choices.extend(more.choices);
                }
                (_, node) => undotted.keys.push((first, node)),
            }
        }
        let choices = self.choices.into_iter();
        undotted.choices = choices
            .map(|choice| choice.into_iter().map(Fields::without_dots).collect())
            .collect();
        undotted
    }

    /// Keys with conditions, and combinations of them.
    pub(super) fn weigh(&self, depth: usize) -> (usize, usize) {
        let keys = self.keys.iter().map(|(_, node)| match node {
            Node::Leaf(conditions) => (1, conditions.len().saturating_mul(depth)),
            Node::Fields(fields) => fields.weigh(depth + 1),
        });
        // Choices add up among themselves and multiply with the rest.
        let choices = self.choices.iter().map(|choices| {
            choices.iter().map(|choice| choice.weigh(depth)).fold(
                (0, 0usize),
                |(most, sum), (keys, combinations)| {
                    (most.max(keys), sum.saturating_add(combinations))
                },
            )
        });
        keys.chain(choices)
            .fold((0, 1usize), |(keys, product), (k, c)| {
                (keys + k, product.saturating_mul(c))
            })
    }

    pub(super) fn match_value(&self, value: Option<&Value>) -> bool {
        if let Some(Value::Array(elements)) = value {
            // All keys of one object must match within one element.
            return elements
                .iter()
                .any(|element| self.match_value(Some(element)));
        }
        let members = value.and_then(Value::as_object);
        let keys = self.keys.iter().all(|(key, node)| {
            let value = members.and_then(|members| members.get(key));
            match node {
                Node::Leaf(conditions) => leaf_matches(conditions, value),
                Node::Fields(fields) => fields.match_value(value),
            }
        });
        keys && self
            .choices
            .iter()
            .all(|choices| choices.iter().any(|choice| choice.match_value(value)))
    }
}

/// Objects are no leaves, and arrays are their elements: what holds no scalar is not there.
fn leaf_matches(conditions: &[Condition], value: Option<&Value>) -> bool {
    let mut scalars = Vec::new();
    if let Some(value) = value {
        collect_scalars(value, &mut scalars);
    }
    conditions.iter().any(|condition| {
        if scalars.is_empty() {
            matches!(condition, Condition::Exists(false))
        } else {
            scalars.iter().any(|scalar| condition.matches(scalar))
        }
    })
}

fn collect_scalars<'a>(value: &'a Value, scalars: &mut Vec<&'a Value>) {
    match value {
        Value::Object(_) => {}
        Value::Array(elements) => {
            for element in elements {
                collect_scalars(element, scalars);
            }
        }
        scalar => scalars.push(scalar),
    }
}
