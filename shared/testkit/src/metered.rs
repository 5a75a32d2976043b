//! What a function would tell CloudWatch.

use std::sync::{Arc, Mutex};

use callboard_runtime::Clock;
use callboard_runtime::function::Service;
use callboard_runtime::metrics::{Metric, Owner, metered};
use serde_json::Value;

/// The metric lines of a metered function, in the order of its invocations.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Measured {
    /// `function`, metered as in Lambda, and what it writes.
    #[must_use]
    pub fn of(function: Service, clock: Clock) -> (Service, Self) {
        let measured = Self::default();
        let lines = Arc::clone(&measured.lines);
        let owner = Owner {
            stack: "callboard-test".to_owned(),
            function: "under-test".to_owned(),
        };
        let sink = move |line: &str| {
            let line = serde_json::from_str(line).expect("a metric line is JSON");
            lines.lock().expect("unpoisoned").push(line);
        };
        (metered(function, owner, clock, Arc::new(sink)), measured)
    }

    /// The values of `metric`, one per line that has it: a number, or a list of milliseconds.
    #[must_use]
    pub fn values(&self, metric: Metric) -> Vec<Value> {
        self.members(metric.name())
    }

    /// What `metric` was counted by, one object per line that has it.
    #[must_use]
    pub fn kinds(&self, metric: Metric) -> Vec<Value> {
        self.members(&format!("{}By", metric.name()))
    }

    fn members(&self, name: &str) -> Vec<Value> {
        let lines = self.lines.lock().expect("unpoisoned");
        lines
            .iter()
            .filter_map(|line| line.get(name))
            .cloned()
            .collect()
    }
}
