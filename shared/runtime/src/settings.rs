//! Settings from an injected map, checked once at start.
//!
//! A function never reads the process's environment itself: several functions may run in one
//! process, each with a map of its own. A missing or malformed value stops the function at start
//! with the variable's *name*; values are never shown, for some of them are keys.
//!
//! ```
//! use callboard_runtime::settings::{self, Vars};
//! let vars = Vars::from([("OFFER_WINDOW_SECONDS".to_owned(), "1800".to_owned())]);
//! let window: u32 = settings::parsed(&vars, "OFFER_WINDOW_SECONDS")?;
//! assert_eq!(window, 1800);
//! let error = settings::required(&vars, "QUEUE_URL").unwrap_err();
//! assert_eq!(error.to_string(), "the setting QUEUE_URL is missing");
//! # Ok::<(), settings::SettingsError>(())
//! ```

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// The settings of one function: variable name to value.
pub type Vars = BTreeMap<String, String>;

/// Why a function cannot start. Names the setting, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not there, or empty.
    #[error("the setting {name} is missing")]
    Missing {
        /// The variable.
        name: String,
    },
    /// There, and of no use.
    #[error("the setting {name} is malformed: {why}")]
    Malformed {
        /// The variable.
        name: String,
        /// What is wrong with it, without its value.
        why: String,
    },
}

impl SettingsError {
    /// A setting whose value cannot be used; `why` must not quote the value.
    #[must_use]
    pub fn malformed(name: &str, why: impl Display) -> Self {
        Self::Malformed {
            name: name.to_owned(),
            why: why.to_string(),
        }
    }
}

/// The value of `name`.
///
/// # Errors
/// [`SettingsError::Missing`] when it is absent or empty.
pub fn required(vars: &Vars, name: &str) -> Result<String, SettingsError> {
    optional(vars, name).ok_or_else(|| SettingsError::Missing {
        name: name.to_owned(),
    })
}

/// The value of `name`, if it is there and not empty.
#[must_use]
pub fn optional(vars: &Vars, name: &str) -> Option<String> {
    vars.get(name).filter(|value| !value.is_empty()).cloned()
}

/// The value of `name`, read as a `T`.
///
/// # Errors
/// [`SettingsError`] when it is missing or cannot be read.
pub fn parsed<T>(vars: &Vars, name: &str) -> Result<T, SettingsError>
where
    T: FromStr,
    T::Err: Display,
{
    parse(name, &required(vars, name)?)
}

/// The value of `name` read as a `T`, or `default` when it is missing.
///
/// # Errors
/// [`SettingsError::Malformed`] when it is there and cannot be read.
pub fn parsed_or<T>(vars: &Vars, name: &str, default: T) -> Result<T, SettingsError>
where
    T: FromStr,
    T::Err: Display,
{
    optional(vars, name).map_or(Ok(default), |value| parse(name, &value))
}

/// A switch: `true` or `false`; missing means `false`.
///
/// # Errors
/// [`SettingsError::Malformed`] for any other value: a typing error must not switch silently.
pub fn flag(vars: &Vars, name: &str) -> Result<bool, SettingsError> {
    match vars.get(name).map(String::as_str) {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(SettingsError::malformed(name, "expected true or false")),
    }
}

fn parse<T>(name: &str, value: &str) -> Result<T, SettingsError>
where
    T: FromStr,
    T::Err: Display,
{
    // A parser's message may quote what it was given.
    value.parse().map_err(|error: T::Err| {
        SettingsError::malformed(name, error.to_string().replace(value, "…"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Quoting;
    impl FromStr for Quoting {
        type Err = String;
        fn from_str(text: &str) -> Result<Self, String> {
            Err(format!("cannot use {text}"))
        }
    }

    fn vars(name: &str, value: &str) -> Vars {
        Vars::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_missing_setting_is_named() {
        assert_eq!(
            required(&Vars::new(), "DLQ_URL"),
            Err(SettingsError::Missing {
                name: "DLQ_URL".to_owned()
            })
        );
        assert!(required(&vars("DLQ_URL", ""), "DLQ_URL").is_err());
    }

    #[test]
    fn a_malformed_setting_is_named_without_its_value() {
        let error = parsed::<Quoting>(&vars("LINK_KEYS", "s3cret"), "LINK_KEYS")
            .err()
            .expect("an error");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("LINK_KEYS") && !text.contains("s3cret"),
            "{text}"
        );
    }

    #[test]
    fn a_default_stands_in_for_a_missing_value_but_not_for_a_malformed_one() {
        assert_eq!(parsed_or(&Vars::new(), "N", 7), Ok(7));
        assert_eq!(parsed_or(&vars("N", "8"), "N", 7), Ok(8));
        assert!(parsed_or(&vars("N", "eight"), "N", 7).is_err());
    }

    #[test]
    fn a_switch_takes_true_and_false_and_nothing_else() {
        assert_eq!(flag(&vars("T", "true"), "T"), Ok(true));
        assert_eq!(flag(&Vars::new(), "T"), Ok(false));
        assert!(flag(&vars("T", "yes"), "T").is_err());
    }
}
