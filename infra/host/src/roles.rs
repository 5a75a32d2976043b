//! Under whose name calls are made. On AWS a function acts under its execution role, and Lambda's
//! event source mappings act under the same; here whoever starts a host may give each function an
//! SDK configuration of its own, for its own calls and for those of its mappings.

use std::sync::Arc;

use aws_config::SdkConfig;
use callboard_template::{Function, Stack};

use crate::resources::Resources;

/// A function whose role is taken.
#[derive(Debug, Clone, Copy)]
pub struct Role<'a> {
    /// The topology.
    pub stack: &'a Stack,
    /// What exists.
    pub resources: &'a Resources,
    /// The function; its statements say what the role may do.
    pub function: &'a Function,
}

type Assume = dyn Fn(Role<'_>, &SdkConfig) -> SdkConfig + Send + Sync;

/// How a function's role is taken. By default every call is made as the host makes its own.
#[derive(Clone)]
pub struct Roles(Arc<Assume>);

impl Roles {
    /// `assume` turns the configuration that a call would be made with into that of a role.
    #[must_use]
    pub fn new<F>(assume: F) -> Self
    where
        F: Fn(Role<'_>, &SdkConfig) -> SdkConfig + Send + Sync + 'static,
    {
        Self(Arc::new(assume))
    }

    pub(crate) fn assume(&self, role: Role<'_>, sdk: &SdkConfig) -> SdkConfig {
        (self.0)(role, sdk)
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self::new(|_, sdk| sdk.clone())
    }
}

impl std::fmt::Debug for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Roles")
    }
}
