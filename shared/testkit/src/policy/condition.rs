//! Conditions of a statement: `StringEquals` and `StringLike`, alone or for all or any of several
//! values, and `Null`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use callboard_template::Condition as Declared;

use super::access::Access;
use super::place::Lookup;

/// The key that holds partition keys.
pub(super) const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// One operator on one key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    set: Set,
    operator: Operator,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// How a key with several values is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Set {
    One,
    ForAllValues,
    ForAnyValue,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    StringEquals,
    StringLike,
    Null,
}

impl Condition {
    pub(super) fn of(declared: &Declared, lookup: Lookup<'_>) -> Self {
        let text = declared.operator.as_str();
        let (set, operator) = match text.split_once(':') {
            None => (Set::One, text),
            Some(("ForAllValues", operator)) => (Set::ForAllValues, operator),
            Some(("ForAnyValue", operator)) => (Set::ForAnyValue, operator),
            Some(_) => panic!("no condition of IAM: {text}"),
        };
        let operator = match operator {
            "StringEquals" => Operator::StringEquals,
            "StringLike" => Operator::StringLike,
            "Null" => Operator::Null,
            _ => panic!("teach policy::condition what {operator} means"),
        };
        let values = declared.values.iter();
        Self {
            set,
            operator,
            key: declared.key.clone(),
            values: values
                .map(|value| value.evaluate_text(lookup).expect("a condition's value"))
                .collect(),
        }
    }

    pub(super) fn holds(&self, access: &Access) -> bool {
        let found: Vec<&str> = match self.key.as_str() {
            LEADING_KEYS => access.leading_keys.iter().map(String::as_str).collect(),
            "dynamodb:EnclosingOperation" => access.enclosing.into_iter().collect(),
            "ses:FromAddress" => access.from_address.as_deref().into_iter().collect(),
            key => panic!("teach policy::condition where to find {key}"),
        };
        if self.operator == Operator::Null {
            return self.values == [found.is_empty().to_string()];
        }
        let fits = |value: &str| self.values.iter().any(|wanted| self.fits(wanted, value));
        match self.set {
            // Without any value it is true, which is why it may stand beside actions only that
            // always have one.
            Set::ForAllValues => found.into_iter().all(fits),
            Set::ForAnyValue | Set::One => found.into_iter().any(fits),
        }
    }

    fn fits(&self, wanted: &str, value: &str) -> bool {
        match self.operator {
            Operator::StringLike => like(wanted, value),
            Operator::StringEquals | Operator::Null => wanted == value,
        }
    }
}

/// Whether `text` is as `pattern` says: `*` is any number of characters, `?` one.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stood, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
