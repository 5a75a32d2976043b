//! Filter policies (AWS, "Amazon SNS subscription filter policies"): reading, checking, matching.

mod condition;
mod fields;
mod message;
mod read;
#[cfg(test)]
mod tests;
mod tokens;

use crate::sqs::Attributes;
use fields::Fields;
use serde_json::{Map, Value};
pub(super) use tokens::check_object;

/// The most keys of a policy (AWS, "Filter policy constraints"). Those with conditions count, not
/// those they are nested in.
const KEYS_MAX: usize = 5;
/// The most combinations of values (AWS, same page): the number of values of each key times its
/// depth, multiplied.
const COMBINATIONS_MAX: usize = 150;

/// What a policy looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sns) enum Scope {
    Attributes,
    Body,
}

/// A filter policy, ready to match.
#[derive(Debug, Clone)]
pub(in crate::sns) struct Filter {
    scope: Scope,
    fields: Fields,
}

impl Filter {
    /// Reads a policy; the error is a reason as AWS words it.
    pub(in crate::sns) fn read(text: &str, scope: Scope) -> Result<Filter, String> {
        let refused = |reason: &str| Err(format!("FilterPolicy: {reason}"));
        let fields = match read::Reader::new(text).policy() {
            Ok(fields) => fields,
            Err(reason) => return refused(&reason),
        };
        if scope == Scope::Attributes && fields.nested() {
            return Err(
                "Filter policy scope MessageAttributes does not support nested filter policy"
                    .to_owned(),
            );
        }
        let (keys, combinations) = fields.weigh(1);
        if keys > KEYS_MAX {
            return refused(&format!(
                "Filter policy can not have more than {KEYS_MAX} keys"
            ));
        }
        if combinations > COMBINATIONS_MAX {
            return refused("Filter policy is too complex");
        }
        let fields = match scope {
            Scope::Attributes => fields,
            Scope::Body => fields.without_dots(),
        };
        Ok(Filter { scope, fields })
    }

    /// Whether a message passes.
    pub(in crate::sns) fn passes(&self, body: &str, attributes: &Attributes) -> bool {
        if self.fields.is_empty() {
            return true;
        }
        match self.scope {
            Scope::Attributes => self
                .fields
                .match_value(Some(&message::as_value(attributes))),
            // What is no JSON object passes no policy on the body.
            Scope::Body => serde_json::from_str::<Map<String, Value>>(body)
                .is_ok_and(|body| self.fields.match_value(Some(&message::without_dots(body)))),
        }
    }
}
