//! What is wrong with a template, where, and in which words.

use std::cell::RefCell;
use std::fmt;

/// A place in the template's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong, at one place.
///
/// Shown as `template.yaml:12:7: Resources.JobsQueue.Properties.Foo: message`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Name of the file as it was given to [`load`](crate::load).
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// Where in the template's structure, for instance `Resources.JobsQueue.Properties.Foo`.
    pub path: String,
    /// What is wrong and, where that can be said, what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong with a template, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Gathers problems while a template is read, so that all are reported together.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    found: RefCell<Vec<(Position, String, String)>>,
}

impl Collector {
    /// One more problem.
    pub(crate) fn add(&self, at: Position, path: &str, message: impl Into<String>) {
        self.found
            .borrow_mut()
            .push((at, path.to_owned(), message.into()));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// All of them by line, each once.
    pub(crate) fn into_problems(self, file: &str) -> Problems {
        let mut problems: Vec<Problem> = self
            .found
            .into_inner()
            .into_iter()
            .map(|(at, path, message)| Problem {
                file: file.to_owned(),
                line: at.line,
                column: at.column,
                path,
                message,
            })
            .collect();
        problems.sort_by(|a, b| {
            (a.line, a.column, &a.path, &a.message).cmp(&(b.line, b.column, &b.path, &b.message))
        });
        problems.dedup();
        Problems(problems)
    }
}
