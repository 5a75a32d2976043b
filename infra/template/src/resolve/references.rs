//! `Ref` and `Fn::GetAtt`: that a reference leads somewhere, and to what can be evaluated.

use serde_json::Value as Json;

use super::{Mode, Resolver};
use crate::expr::Reference;
use crate::lists::{Standing, closest};
use crate::problem::Position;
use crate::value::Kind;
use crate::yaml::{Node, Yaml};

impl Resolver<'_> {
    /// `Ref`: a pseudo parameter, a parameter or a resource. `None` if that is a problem.
    pub(super) fn reference(
        &self,
        name: &str,
        at: Position,
        path: &str,
        mode: Mode,
    ) -> Option<Kind> {
        let text = |text: &str| Some(Kind::Scalar(Json::String(text.to_owned())));
        match name {
            "AWS::NoValue" => return Some(Kind::Absent),
            "AWS::Region" => return text(&self.pseudo.region),
            "AWS::AccountId" => return text(&self.pseudo.account),
            "AWS::StackName" => return text(&self.pseudo.stack_name),
            "AWS::Partition" => return text("aws"),
            "AWS::URLSuffix" => return text("amazonaws.com"),
            _ => {}
        }
        if let Some(declared) = self.declared.get(name) {
            self.refuse_dynamic(&declared.text, at, path, mode, Some(name));
            return Some(match &declared.value {
                Json::Array(items) => Kind::List(
                    items
                        .iter()
                        .map(|item| self.value(at, path, Kind::Scalar(item.clone())))
                        .collect(),
                ),
                value => Kind::Scalar(value.clone()),
            });
        }
        if self.parameter_names.contains(&name) {
            return None; // Its value is a problem already.
        }
        self.to_resource(name, None, at, path, mode)
    }

    pub(super) fn attribute(
        &self,
        name: &str,
        attribute: &str,
        at: Position,
        path: &str,
        mode: Mode,
    ) -> Option<Kind> {
        self.to_resource(name, Some(attribute), at, path, mode)
    }

    /// A reference to a resource that exists, has the attribute, and can be evaluated.
    fn to_resource(
        &self,
        name: &str,
        attribute: Option<&str>,
        at: Position,
        path: &str,
        mode: Mode,
    ) -> Option<Kind> {
        let Some(resource) = self.resource(name) else {
            let known = self
                .parameter_names
                .iter()
                .copied()
                .chain(self.resources.keys().copied());
            let hint = closest(name, known)
                .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            let message = format!("`{name}` is neither a parameter nor a resource{hint}");
            self.problems.add(at, path, message);
            return None;
        };
        let kind = resource.kind?;
        if let Some(attribute) = attribute
            && !kind.attributes.contains(&attribute)
        {
            let message = format!(
                "`{name}` is an {}, which has no attribute `{attribute}`; known: {}",
                kind.name,
                if kind.attributes.is_empty() {
                    "none".to_owned()
                } else {
                    kind.attributes.join(", ")
                }
            );
            self.problems.add(at, path, message);
            return None;
        }
        if mode == Mode::Served && kind.standing != Standing::Served {
            let message = format!(
                "`{name}` ({}) exists on AWS alone, so this cannot be evaluated here{}",
                kind.name,
                self.chosen_words()
            );
            self.problems.add(at, path, message);
            return None;
        }
        if mode != Mode::Dormant && !self.active(resource.condition.as_ref(), &resource.path()) {
            let condition = resource.condition.as_ref().map_or("", |(_, name)| name);
            let message = format!(
                "`{name}` does not exist under these parameters (its condition `{condition}` is \
                 false)"
            );
            self.problems.add(at, path, message);
            return None;
        }
        Some(Kind::Reference(Reference {
            logical_id: name.to_owned(),
            attribute: attribute.map(str::to_owned),
        }))
    }
}

/// `A.B` or `[A, B]`; the attribute may hold dots.
pub(super) fn attribute_of(argument: &Node) -> Option<(String, String)> {
    match &argument.value {
        Yaml::Text(text) => {
            let (target, attribute) = text.split_once('.')?;
            Some((target.to_owned(), attribute.to_owned()))
        }
        Yaml::List(items) => match items.as_slice() {
            [target, attribute] => Some((target.text()?.to_owned(), attribute.text()?.to_owned())),
            _ => None,
        },
        _ => None,
    }
}
