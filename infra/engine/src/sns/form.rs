//! The Query protocol's form: dotted names are a tree, with numbers for the places in a list.

use super::Outcome;
use super::reply::SnsError;
use crate::wire::FORM_PARTS_MAX;
use std::collections::BTreeMap;

/// What comes with a form, in the head of its request.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    /// The X-Ray header.
    pub(crate) trace: Option<String>,
    /// Whether there is a signature, whatever it is worth.
    pub(crate) signed: bool,
}

/// A form, or a branch of one.
#[derive(Debug, Default)]
pub(super) struct Form {
    value: Option<String>,
    branches: BTreeMap<String, Form>,
    /// Of a whole form: with what it came.
    caller: Caller,
}

impl Form {
    pub(super) fn new(fields: Vec<(String, String)>, caller: Caller) -> Form {
        let mut root = Form {
            caller,
            ..Form::default()
        };
        for (name, value) in fields {
            let mut at = &mut root;
            for part in name.splitn(FORM_PARTS_MAX, '.') {
                at = at.branches.entry(part.to_owned()).or_default();
            }
            at.value = Some(value);
        }
        root
    }

    /// The X-Ray header of the call, which goes with what it publishes.
    pub(super) fn trace(&self) -> Option<&str> {
        self.caller.trace.as_deref()
    }

    /// Whether the call bears a signature. It is not checked.
    pub(super) fn signed(&self) -> bool {
        self.caller.signed
    }

    fn at(&self, path: &str) -> Option<&Form> {
        path.split('.')
            .try_fold(self, |form, part| form.branches.get(part))
    }

    /// The text at a dotted path.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.value.as_deref()
    }

    /// As [`Form::text`], refusing a form that does not say it.
    pub(super) fn given(&self, path: &str) -> Outcome<&str> {
        self.text(path).ok_or_else(|| {
            SnsError::invalid(format!(
                "Invalid parameter: {path} Reason: no value for required parameter"
            ))
        })
    }

    /// As [`Form::given`], refusing an empty text too.
    pub(super) fn required(&self, path: &str) -> Outcome<&str> {
        match self.given(path)? {
            "" => Err(SnsError::invalid(format!("Invalid parameter: {path}"))),
            text => Ok(text),
        }
    }

    /// The elements of a list, in their order: `Tags.member`, `Attributes.entry`.
    pub(super) fn list(&self, path: &str) -> Vec<&Form> {
        let Some(list) = self.at(path) else {
            return Vec::new();
        };
        let mut numbered: Vec<(u64, &Form)> = list
            .branches
            .iter()
            .filter_map(|(number, form)| Some((number.parse().ok()?, form)))
            .collect();
        numbered.sort_by_key(|(number, _)| *number);
        numbered.into_iter().map(|(_, form)| form).collect()
    }

    /// A list of names and values, as a map.
    pub(super) fn map(&self, path: &str, key: &str, value: &str) -> BTreeMap<String, String> {
        self.list(path)
            .into_iter()
            .filter_map(|entry| {
                Some((
                    entry.text(key)?.to_owned(),
                    entry.text(value).unwrap_or_default().to_owned(),
                ))
            })
            .collect()
    }

    /// The value of this branch itself.
    pub(super) fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_are_lists_and_maps_in_numeric_order() {
        let fields = [
            ("Attributes.entry.2.key", "b"),
            ("Attributes.entry.2.value", "2"),
            ("Attributes.entry.1.key", "a"),
            ("Attributes.entry.1.value", "1"),
            ("TagKeys.member.10", "tenth"),
            ("TagKeys.member.9", "ninth"),
        ];
        let form = Form::new(
            fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            Caller::default(),
        );
        let map = form.map("Attributes.entry", "key", "value");
        assert_eq!(map["a"], "1");
        assert_eq!(map["b"], "2");
        let keys: Vec<_> = form
            .list("TagKeys.member")
            .iter()
            .filter_map(|f| f.value())
            .collect();
        assert_eq!(keys, ["ninth", "tenth"]);
        form.required("TopicArn").expect_err("missing");
    }
}
