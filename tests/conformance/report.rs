//! What each check found, for the tables that compare emulators.

use crate::check::{Check, Result};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Filled while checks run side by side.
#[derive(Default)]
pub struct Report {
    checks: Mutex<Vec<Value>>,
}

impl Report {
    /// Keeps one outcome.
    pub fn note(&self, check: &Check, outcome: &Result) {
        let message = outcome.as_ref().err().map(ToString::to_string);
        let line = json!({
            "service": check.service(),
            "group": check.group(),
            "operation": check.operation(),
            "name": check.name(),
            "doc": check.doc(),
            "passed": message.is_none(),
            "message": message,
        });
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.push(line);
    }

    /// Writes them, by name.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
        std::fs::write(path, serde_json::to_vec_pretty(&*checks)?)
    }
}
