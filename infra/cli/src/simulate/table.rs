//! The comparison for a person.

use std::fmt::Write;

use super::compare::{Compared, Report, Reproduced};
use super::figures::Mean;

/// A column: two lines of heading, its width, and what stands in it.
type Column = ([&'static str; 2], usize, fn(&Compared) -> String);

const FIRST: [Column; 9] = [
    (["filled", "%"], 12, |it| percent(it, "fillRate")),
    (["same day", "%"], 12, |it| percent(it, "sameDayFillRate")),
    (["to fill", "median"], 9, |it| {
        clock(it, "minutesToFillMedian")
    }),
    (["to fill", "p90"], 9, |it| clock(it, "minutesToFillP90")),
    (["offers", "per fill"], 10, |it| {
        number(it, "offersPerFill", 1.0, 1)
    }),
    (["accepted", "%"], 10, |it| number(it, "accepted", 100.0, 1)),
    (["messages", "per fill"], 10, |it| {
        number(it, "messagesPerFill", 1.0, 1)
    }),
    (["superseded", "%"], 12, |it| {
        number(it, "supersededShare", 100.0, 1)
    }),
    (["too late", "per fill"], 10, |it| {
        number(it, "tooLatePerFill", 1.0, 2)
    }),
];

const SECOND: [Column; 8] = [
    (["urgent", "median"], 9, |it| {
        number(it, "urgentWaitDaysMedian", 1.0, 1)
    }),
    (["", "p90"], 8, |it| number(it, "urgentWaitDaysP90", 1.0, 1)),
    (["soon", "median"], 9, |it| {
        number(it, "soonWaitDaysMedian", 1.0, 1)
    }),
    (["", "p90"], 8, |it| number(it, "soonWaitDaysP90", 1.0, 1)),
    (["routine", "median"], 10, |it| {
        number(it, "routineWaitDaysMedian", 1.0, 1)
    }),
    (["", "p90"], 8, |it| {
        number(it, "routineWaitDaysP90", 1.0, 1)
    }),
    (["Jain of", "equals"], 10, |it| number(it, "jain", 1.0, 2)),
    (["messages", "in all"], 10, |it| {
        number(it, "messages", 1.0, 0)
    }),
];

/// All of it, with a line break at its end.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut text = format!(
        "{:.0} slots became free in {} days (mean of {} seeds from {}).\n\n",
        report.slots,
        report.days,
        report.seeds.len(),
        report.seeds.first().copied().unwrap_or_default()
    );
    table(&mut text, report, &FIRST);
    text.push_str("\nDays waited by those who got a slot\n");
    table(&mut text, report, &SECOND);
    if let Some(reproduced) = &report.published {
        published(&mut text, reproduced);
    }
    recommendation(&mut text, report);
    text
}

fn table(text: &mut String, report: &Report, columns: &[Column]) {
    let names = report.policies.iter().map(|it| it.name.chars().count());
    let width = names.max().unwrap_or(0).max("policy".len());
    for line in 0..2 {
        let mut cells = format!("{:<width$}", if line == 1 { "policy" } else { "" });
        for (heading, column, _) in columns {
            // Writing to a String cannot fail.
            let _ = write!(cells, "{:>column$}", heading[line]);
        }
        text.push_str(cells.trim_end());
        text.push('\n');
    }
    for policy in &report.policies {
        let _ = write!(text, "{:<width$}", policy.name);
        for (_, column, of) in columns {
            let _ = write!(text, "{:>column$}", of(policy));
        }
        let chosen = report.recommendation.policy.as_ref() == Some(&policy.name);
        text.push_str(if chosen { "  <-\n" } else { "\n" });
    }
}

fn published(text: &mut String, it: &Reproduced) {
    let published = &it.published;
    let share = |mean: Option<Mean>| said(mean, 100.0, 1);
    let _ = write!(
        text,
        "\nPublished ({}), beside \"{}\"\n  accepted         {:.1} to {:.1} %   simulated {} %\n  offers per slot  {:.2}           simulated {}\n  filled           {:.0} %           simulated {} %\n",
        published.source,
        published.policy,
        published.accepted_low * 100.0,
        published.accepted * 100.0,
        share(it.accepted),
        published.offers_per_slot,
        said(it.offers_per_slot, 1.0, 2),
        published.filled * 100.0,
        share(it.filled),
    );
}

fn recommendation(text: &mut String, report: &Report) {
    let it = &report.recommendation;
    let _ = match &it.policy {
        Some(policy) => writeln!(text, "\nRecommended: {policy}"),
        None => writeln!(text, "\nRecommended: none"),
    };
    for sentence in &it.why {
        let _ = writeln!(text, "  {sentence}");
    }
    if it.policy.is_some() {
        let _ = writeln!(
            text,
            "  Beside \"{}\" it fills {} points more of all slots, and {} of those of the same day.",
            it.baseline,
            said(it.more_filled, 100.0, 1),
            said(it.more_filled_same_day, 100.0, 1)
        );
        if it.more_filled.is_some_and(|gain| !gain.is_certain()) {
            text.push_str("  The first may as well be none: more seeds (--seeds) would tell.\n");
        }
    }
}

/// A mean with its interval, `-` if there is none.
fn said(mean: Option<Mean>, times: f64, digits: usize) -> String {
    match mean {
        Some(Mean {
            mean,
            plus_minus: Some(half),
        }) => format!("{:.digits$} ± {:.digits$}", mean * times, half * times),
        Some(Mean { mean, .. }) => format!("{:.digits$}", mean * times),
        None => "-".to_owned(),
    }
}

fn percent(it: &Compared, name: &str) -> String {
    said(it.figures.get(name).copied(), 100.0, 1)
}

fn number(it: &Compared, name: &str, times: f64, digits: usize) -> String {
    it.mean(name).map_or_else(
        || "-".to_owned(),
        |mean| format!("{:.digits$}", mean * times),
    )
}

/// Minutes as hours and minutes.
fn clock(it: &Compared, name: &str) -> String {
    it.mean(name).map_or_else(
        || "-".to_owned(),
        |minutes| {
            let minutes = minutes.round() as u64;
            format!("{}:{:02} h", minutes / 60, minutes % 60)
        },
    )
}
