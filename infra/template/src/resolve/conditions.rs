//! The section `Conditions`: which hold under the given parameters.

use super::{Mode, Outcome, Resolver};
use crate::lists::closest;
use crate::problem::Position;
use crate::value::complain;
use crate::yaml::{Node, Yaml, join};

impl Resolver<'_> {
    /// Whether a condition of the section `Conditions` holds; `None` if that is a problem.
    pub(super) fn condition(&self, name: &str, at: Position, path: &str) -> Option<bool> {
        let Some((key, node)) = self.conditions.iter().find(|(key, _)| key.name == name) else {
            let known = self.conditions.iter().map(|(key, _)| key.name.as_str());
            let hint = closest(name, known)
                .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            self.problems
                .add(at, path, format!("no condition is called `{name}`{hint}"));
            return None;
        };
        let before = self.outcomes.borrow().get(key.name.as_str()).copied();
        match before {
            Some(Outcome::Known(outcome)) => return outcome,
            Some(Outcome::InProgress) => {
                self.problems
                    .add(at, path, format!("condition `{name}` depends on itself"));
                return None;
            }
            None => {}
        }
        self.outcomes
            .borrow_mut()
            .insert(&key.name, Outcome::InProgress);
        let outcome = self.holds(node, &join("Conditions", &key.name));
        self.outcomes
            .borrow_mut()
            .insert(&key.name, Outcome::Known(outcome));
        outcome
    }

    fn holds(&self, node: &Node, path: &str) -> Option<bool> {
        let (function, argument) = match &node.value {
            Yaml::Call(name, argument) => (name.as_str(), argument.as_ref()),
            // `{Condition: Name}` is the long form of `!Condition Name`.
            Yaml::Map(entries) if entries.len() == 1 && entries[0].0.name == "Condition" => {
                ("Condition", &entries[0].1)
            }
            _ => {
                let message = "a condition is `Fn::Equals`, `Fn::Not`, `Fn::And`, `Fn::Or` or \
                               `Condition`";
                self.problems.add(node.at, path, message);
                return None;
            }
        };
        if function == "Condition" {
            let Some(name) = argument.text() else {
                self.problems
                    .add(argument.at, path, "`Condition` takes a condition's name");
                return None;
            };
            return self.condition(name, argument.at, path);
        }
        let items: &[Node] = match &argument.value {
            Yaml::List(items) => items,
            _ => &[],
        };
        match (function, items) {
            ("Fn::Equals", [left, right]) => {
                // Both are read before either may end this, so that both are checked.
                let (left, right) = (self.operand(left, path), self.operand(right, path));
                Some(left? == right?)
            }
            ("Fn::Not", [single]) => self.holds(single, path).map(|holds| !holds),
            ("Fn::And" | "Fn::Or", [_, _, ..]) => {
                let outcomes: Vec<Option<bool>> =
                    items.iter().map(|item| self.holds(item, path)).collect();
                let outcomes: Vec<bool> = outcomes.into_iter().collect::<Option<_>>()?;
                Some(match function {
                    "Fn::And" => outcomes.iter().all(|holds| *holds),
                    _ => outcomes.iter().any(|holds| *holds),
                })
            }
            ("Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or", _) => {
                let message = format!("`{function}` has the wrong number of arguments");
                self.problems.add(node.at, path, message);
                None
            }
            _ => {
                self.problems
                    .add(node.at, path, format!("`{function}` is no condition"));
                None
            }
        }
    }

    fn operand(&self, node: &Node, path: &str) -> Option<String> {
        let value = self.resolve(node, path, Mode::Dormant)?;
        let text = value.scalar_text();
        if text.is_none() {
            complain(
                &value,
                "a condition compares parameters and literals only",
                self.problems,
            );
        }
        text
    }

    /// Which parameters could choose otherwise, if a condition led here.
    pub(super) fn chosen_words(&self) -> String {
        let chosen = self.chosen.borrow();
        let Some(condition) = chosen.last() else {
            return String::new();
        };
        let mut names = Vec::new();
        if let Some((_, node)) = self
            .conditions
            .iter()
            .find(|(key, _)| key.name == *condition)
        {
            collect_refs(node, &mut names);
        }
        match names.is_empty() {
            true => format!("; condition `{condition}` chose it"),
            false => format!(
                "; condition `{condition}` chose it: give parameter `{}` another value",
                names.join("` or `")
            ),
        }
    }
}

fn collect_refs(node: &Node, names: &mut Vec<String>) {
    match &node.value {
        Yaml::Call(function, argument) => match (function.as_str(), argument.text()) {
            ("Ref", Some(name)) => names.push(name.to_owned()),
            _ => collect_refs(argument, names),
        },
        Yaml::List(items) => items.iter().for_each(|item| collect_refs(item, names)),
        _ => {}
    }
}
