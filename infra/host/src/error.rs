//! Why a stack cannot be hosted, in words that lead to the line to change.

use aws_smithy_types::error::display::DisplayErrorContext;
use callboard_template::{Position, Problem};

use crate::stream::CheckpointError;

/// Any error of a function's `build`, of a registry entry, of an SDK call.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the host does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The template asks for something that cannot be served, or that AWS would refuse.
    #[error("{0}")]
    Template(Box<Problem>),
    /// A resource could not be created, found or changed.
    #[error("{file}:{line}: {logical_id}: cannot {action}: {message}")]
    Resource {
        /// The template.
        file: String,
        /// Line of the resource.
        line: usize,
        /// Name in the template.
        logical_id: String,
        /// What was tried: `create the queue`.
        action: &'static str,
        /// What the service said.
        message: String,
    },
    /// A function's `build` failed: a setting is missing or malformed, or a table is not there.
    #[error("the function `{binary}` does not start: {source}")]
    Build {
        /// The binary.
        binary: String,
        /// What `build` said.
        source: BoxError,
    },
    /// The checkpoints of streams cannot be read.
    #[error(transparent)]
    Checkpoints(#[from] CheckpointError),
}

/// A place in the template, for errors about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub file: &'a str,
    pub logical_id: &'a str,
    pub position: Position,
}

impl Place<'_> {
    /// A construct that cannot be served. `path` starts below the resource: `Properties.X`.
    pub(crate) fn problem(self, path: &str, message: impl Into<String>) -> HostError {
        HostError::Template(Box::new(Problem {
            file: self.file.to_owned(),
            line: self.position.line,
            column: self.position.column,
            path: format!("Resources.{}.{path}", self.logical_id),
            message: message.into(),
        }))
    }

    /// For `map_err` of an SDK call.
    pub(crate) fn failed<E>(self, action: &'static str) -> impl FnOnce(E) -> HostError
    where
        E: std::error::Error,
    {
        move |error| self.refused(action, DisplayErrorContext(error).to_string())
    }

    /// A resource that is not as it should be.
    pub(crate) fn refused(self, action: &'static str, message: impl Into<String>) -> HostError {
        HostError::Resource {
            file: self.file.to_owned(),
            line: self.position.line,
            logical_id: self.logical_id.to_owned(),
            action,
            message: message.into(),
        }
    }
}
