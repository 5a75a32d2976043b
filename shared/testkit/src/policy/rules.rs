//! What a role may do.

use callboard_template::{Expr, Function, Reference, Statement};

use super::access::Access;
use super::condition::{Condition, like};
use super::place::Lookup;

/// The policies of one role: every statement taken apart, so that a rule is one action on one
/// resource.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) rules: Vec<Rule>,
}

/// One action of one statement on one of its resources.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) allow: bool,
    /// The statement's `Sid`.
    pub(super) sid: String,
    pub(super) action: String,
    /// Absent for what exists on AWS alone: no call reaches it here.
    pub(super) resource: Option<String>,
    /// The resource as the template names it.
    pub(super) named: String,
    pub(super) conditions: Vec<Condition>,
}

impl Policy {
    /// The role of `function`, with references as `lookup` has them.
    ///
    /// # Panics
    /// When the template uses something of IAM that is not known here.
    #[must_use]
    pub fn of(function: &Function, lookup: Lookup<'_>) -> Self {
        let rules = function
            .statements
            .iter()
            .flat_map(|statement| taken_apart(statement, lookup));
        Self {
            rules: rules.collect(),
        }
    }

    /// Whether a rule allows it and none denies it.
    #[must_use]
    pub fn allows(&self, access: &Access) -> bool {
        let applies = |allow: bool| {
            let mut rules = self.rules.iter();
            rules.any(|rule| rule.allow == allow && rule.applies(access))
        };
        applies(true) && !applies(false)
    }
}

fn taken_apart<'a>(statement: &'a Statement, lookup: Lookup<'a>) -> impl Iterator<Item = Rule> {
    let conditions: Vec<_> = statement
        .conditions
        .iter()
        .map(|condition| Condition::of(condition, lookup))
        .collect();
    let mut rules = Vec::new();
    for action in &statement.actions {
        for resource in &statement.resources {
            rules.push(Rule {
                allow: statement.allow,
                sid: statement.sid.clone().unwrap_or_default(),
                action: action.clone(),
                resource: resource.evaluate_text(lookup).ok(),
                named: named(resource),
                conditions: conditions.clone(),
            });
        }
    }
    rules.into_iter()
}

impl Rule {
    pub(super) fn applies(&self, access: &Access) -> bool {
        // IAM tells no case apart in actions.
        let action = like(
            &self.action.to_ascii_lowercase(),
            &access.action.to_ascii_lowercase(),
        );
        let resource = self.resource.as_deref();
        action
            && resource.is_some_and(|pattern| like(pattern, &access.resource))
            && self.conditions.iter().all(|one| one.holds(access))
    }
}

/// A resource by its logical id: `JournalTable/index/agenda`; a literal ARN by its last part.
fn named(resource: &Expr) -> String {
    let text = match resource {
        Expr::Reference(Reference {
            logical_id,
            attribute,
        }) => match attribute.as_deref() {
            None | Some("Arn") => logical_id.clone(),
            Some("StreamArn") => format!("{logical_id}/stream"),
            Some(attribute) => format!("{logical_id}.{attribute}"),
        },
        Expr::Join { delimiter, parts } => {
            let parts: Vec<_> = parts.iter().map(named).collect();
            parts.join(delimiter)
        }
        Expr::Literal(value) => value.as_str().unwrap_or_default().to_owned(),
        Expr::List(_) | Expr::Map(_) => String::new(),
    };
    match text.strip_prefix("arn:") {
        Some(arn) => arn.splitn(5, ':').last().unwrap_or_default().to_owned(),
        None => text,
    }
}
