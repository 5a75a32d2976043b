//! What functions called, and what they were refused.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::access::Access;

/// Calls and refusals by function; clones share it.
///
/// A refusal that a test did not take out by [`Ledger::take_denials`] is one that it did not
/// expect, and that may have gone under in a retry: [`Ledger::expect_no_denials`] says so.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    calls: BTreeMap<String, BTreeMap<Access, u64>>,
    denials: Vec<Denial>,
}

/// A call that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The function's binary.
    pub function: String,
    /// What it asked for, or why that could not be told.
    pub asked: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not: {}", self.function, self.asked)
    }
}

impl Ledger {
    /// What each function called, and how often.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, BTreeMap<Access, u64>> {
        self.entries().calls.clone()
    }

    /// Takes out what was refused so far.
    #[must_use]
    pub fn take_denials(&self) -> Vec<Denial> {
        std::mem::take(&mut self.entries().denials)
    }

    /// Says so if anything was refused.
    ///
    /// # Panics
    /// With every refusal.
    pub fn expect_no_denials(&self) {
        let denials = self.take_denials();
        let told: Vec<_> = denials.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "refused by policy:\n{}", told.join("\n"));
    }

    pub(super) fn called(&self, function: &str, accesses: Vec<Access>) {
        let mut entries = self.entries();
        let calls = entries.calls.entry(function.to_owned()).or_default();
        for access in accesses {
            *calls.entry(access).or_default() += 1;
        }
    }

    pub(super) fn denied(&self, function: &str, asked: String) {
        let denial = Denial {
            function: function.to_owned(),
            asked,
        };
        let mut entries = self.entries();
        if !entries.denials.contains(&denial) {
            entries.denials.push(denial);
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
