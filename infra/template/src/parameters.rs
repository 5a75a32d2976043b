//! What the caller brings to a template: parameter values and the pseudo parameters.

use std::collections::BTreeMap;

/// Values for the template's `Parameters` section and for its pseudo parameters.
///
/// A parameter without a value here takes the template's `Default`; one that has neither, and one
/// that the template does not declare, is a [`Problem`](crate::Problem).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Value per parameter name.
    pub values: BTreeMap<String, String>,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`, twelve digits.
    pub account: String,
    /// `AWS::StackName`.
    pub stack_name: String,
}

impl Default for Parameters {
    /// No values, region `us-east-1`, account `000000000000`, stack `callboard`.
    fn default() -> Self {
        Self {
            values: BTreeMap::new(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            stack_name: "callboard".to_owned(),
        }
    }
}

impl Parameters {
    /// The same with one more value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }
}
