//! What a policy allows, piece by piece, and which pieces calls have used.

use std::collections::BTreeMap;
use std::fmt;

use super::access::Access;
use super::condition::{Condition, LEADING_KEYS, like};
use super::rules::{Policy, Rule};

/// The smallest piece of a policy that can be taken away: an action on a resource and, where keys
/// are named, on those of one pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The statement's `Sid`.
    pub sid: String,
    /// For instance `dynamodb:PutItem`.
    pub action: String,
    /// The resource as the template names it.
    pub resource: String,
    /// Pattern of `dynamodb:LeadingKeys`.
    pub keys: Option<String>,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        match &self.keys {
            Some(keys) => write!(f, " for {keys}"),
            None => Ok(()),
        }
    }
}

impl Policy {
    /// Every grant, each with the number of calls that used it; of several accesses of one call
    /// each counts.
    #[must_use]
    pub fn usage(&self, calls: &BTreeMap<Access, u64>) -> BTreeMap<Grant, u64> {
        let mut usage = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| rule.allow) {
            for grant in rule.grants() {
                let used = calls.iter().filter(|(access, _)| {
                    rule.applies(access)
                        && grant.keys.as_ref().is_none_or(|pattern| {
                            let mut keys = access.leading_keys.iter();
                            keys.any(|key| like(pattern, key))
                        })
                });
                *usage.entry(grant).or_default() += used.map(|(_, times)| times).sum::<u64>();
            }
        }
        usage
    }

    /// The policy without one grant.
    #[must_use]
    pub fn without(&self, grant: &Grant) -> Self {
        let mut rules = Vec::new();
        for rule in &self.rules {
            let mut rule = rule.clone();
            if rule.allow && rule.grants().contains(grant) {
                let Some(pattern) = &grant.keys else { continue };
                for condition in &mut rule.conditions {
                    condition.values.retain(|value| value != pattern);
                }
            }
            rules.push(rule);
        }
        Self { rules }
    }
}

impl Rule {
    fn grants(&self) -> Vec<Grant> {
        let of_keys = |condition: &&Condition| condition.key == LEADING_KEYS;
        let grant = |keys: Option<&String>| Grant {
            sid: self.sid.clone(),
            action: self.action.clone(),
            resource: self.named.clone(),
            keys: keys.cloned(),
        };
        match self.conditions.iter().find(of_keys) {
            None => vec![grant(None)],
            Some(condition) => condition
                .values
                .iter()
                .map(|one| grant(Some(one)))
                .collect(),
        }
    }
}
