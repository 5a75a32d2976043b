//! The report for a person: what was measured, beside what is promised.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::Report;
use super::costs::{BatchCosts, COMMAND};
use super::idle::Idle;
use super::load::Measured;
use super::meter::sum;

/// Width of the first column, in characters.
const LABEL: usize = 44;

/// Width of the others.
const COLUMN: usize = 20;

/// The whole report as text, with a line break at its end.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut text = format!(
        "callboard bench: {} profile, {} cores\n",
        report.profile, report.cores
    );
    if let Some(idle) = &report.idle {
        idle_part(&mut text, idle);
    }
    load_part(&mut text, &report.journals);
    for costs in &report.costs {
        costs_part(&mut text, costs);
    }
    text.push_str("\nWhat bounds it\n");
    for sentence in &report.bounds {
        line(&mut text, &format!("  {sentence}"));
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn row(text: &mut String, label: &str, columns: &[String]) {
    let mut cells = format!("  {label:<LABEL$}");
    for column in columns {
        // Writing to a String cannot fail.
        let _ = write!(cells, "{column:>COLUMN$}");
    }
    line(text, &cells);
}

fn idle_part(text: &mut String, idle: &Idle) {
    text.push_str("\n`callboard dev`, in a process of its own\n");
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "not told here".to_owned());
    let rows = [
        (
            "ready, first start",
            format!("{:.0} ms", idle.first_start_ms),
        ),
        (
            "ready, warm start              goal ≤ 1 s",
            format!("{:.0} ms", idle.warm_start_ms),
        ),
        (
            "idle, resident memory          goal ≤ 100 MB",
            or_unknown(idle.resident_mb.map(|mb| format!("{mb:.1} MB"))),
        ),
        (
            "idle, of one core              goal ≤ 2 %",
            or_unknown(idle.cpu_percent.map(|percent| format!("{percent:.1} %"))),
        ),
    ];
    for (label, value) in rows {
        row(text, label, &[value]);
    }
}

fn load_part(text: &mut String, journals: &[Measured]) {
    text.push_str("\nOrderPlaced, from POST /v1/events to the e-mail in the mailbox\n");
    let each = |cell: &dyn Fn(&Measured) -> String| journals.iter().map(cell).collect::<Vec<_>>();
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
    let mut part = |label: &str, cell: &dyn Fn(&Measured) -> String| row(text, label, &each(cell));
    part("commits in the journal at the start", &|m| {
        thousands(m.journal_commits as u64)
    });
    part("light load: to the e-mail, p50  goal ≤ 50 ms", &|m| {
        format!("{:.1} ms", m.command_to_email.p50_ms)
    });
    part("light load: to the e-mail, p99", &|m| {
        format!("{:.1} ms", m.command_to_email.p99_ms)
    });
    part("light load: to the answer, p50", &|m| {
        format!("{:.1} ms", m.command_to_answer.p50_ms)
    });
    part("load: journal events a second   goal ≥ 500", &|m| {
        thousands(m.load.journal_events_per_second as u64)
    });
    part("load: orders, journal events", &|m| {
        format!(
            "{}, {}",
            thousands(m.load.orders as u64),
            thousands(m.load.journal_events)
        )
    });
    part("load: seconds to the last outcome", &|m| {
        format!("{:.1} s", m.load.seconds)
    });
    part("load: cores busy", &|m| {
        or_unknown(m.load.cores_busy.map(|cores| format!("{cores:.2}")))
    });
    part("load: CPU per journal event", &|m| {
        or_unknown(m.load.cpu_ms_per_event.map(|ms| format!("{ms:.2} ms")))
    });
    for function in functions_of(journals) {
        part(&format!("load: {function}, records a call"), &|m| {
            let calls = m.load.functions.get(function).copied().unwrap_or_default();
            format!(
                "{:.1}",
                calls.records as f64 / calls.invocations.max(1) as f64
            )
        });
    }
}

/// Functions that were called in any of the measurements.
fn functions_of(journals: &[Measured]) -> BTreeSet<&str> {
    let names = journals
        .iter()
        .flat_map(|journal| journal.load.functions.keys());
    names.map(String::as_str).collect()
}

fn costs_part(text: &mut String, costs: &BatchCosts) {
    let index = if costs.timeline_index { "on" } else { "off" };
    let count = costs.notifications;
    let title = format!("\nAWS, {count} notifications in batches of ten; TimelineIndex {index}");
    line(text, &title);
    let headings = ["requests", "write units", "read units"].map(str::to_owned);
    row(text, "step: function, operation", &headings);
    for step in &costs.steps {
        for (function, operations) in &step.costs {
            for (operation, cost) in operations {
                let label = format!("{}: {function}, {operation}", step.step);
                let cells = [
                    cost.requests.to_string(),
                    units(cost.write_units),
                    units(cost.read_units),
                ];
                row(text, &label, &cells);
            }
        }
    }
    let command = costs
        .steps
        .iter()
        .map(|step| sum(&step.costs, |function| function == COMMAND).requests)
        .sum::<u64>();
    let each = costs.per_notification();
    let cells = [
        format!("{:.1}", each.requests),
        format!("{:.1}", each.write_units),
        format!("{:.1}", each.read_units),
    ];
    row(text, "per notification              goal ≤ 4, = 3", &cells);
    line(
        text,
        &format!("  (without the {command} requests of {COMMAND} itself, and the mappings' polls)"),
    );
}

fn units(units: f64) -> String {
    if units == 0.0 {
        "-".to_owned()
    } else {
        format!("{units}")
    }
}

/// `100,000`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [7, 999, 1_000, 100_000, 1_234_567].map(thousands),
            ["7", "999", "1,000", "100,000", "1,234,567"]
        );
    }
}
