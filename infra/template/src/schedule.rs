//! Reads schedules: SAM's event `Type: Schedule`, with a rate.

use std::time::Duration;

use crate::problem::{Collector, Position};
use crate::source::ScheduleSource;
use crate::value::{self, Fields};

/// Minutes by the units of a rate expression. Singular for one, plural for more:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html>
const UNITS: [(&str, &str, u64); 3] = [
    ("minute", "minutes", 1),
    ("hour", "hours", 60),
    ("day", "days", 24 * 60),
];

pub(crate) fn read(
    name: String,
    position: Position,
    mut fields: Fields<'_>,
    problems: &Collector,
) -> Option<ScheduleSource> {
    let schedule = fields.required("Schedule");
    fields.take("Description");
    let enabled = fields.flag("Enabled").unwrap_or(true);
    fields.finish();
    let schedule = schedule?;
    let text = value::text(&schedule, problems)?;
    let Some(every) = rate(&text) else {
        let message = "must be rate(1 minute), rate(5 minutes), rate(2 hours) and the like; \
                       cron(…) is not served";
        problems.add(schedule.at, &schedule.path, message);
        return None;
    };
    Some(ScheduleSource {
        name,
        position,
        every,
        enabled,
    })
}

fn rate(text: &str) -> Option<Duration> {
    let (number, unit) = text
        .strip_prefix("rate(")?
        .strip_suffix(')')?
        .split_once(' ')?;
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    let minutes = UNITS.iter().find_map(|(one, more, minutes)| {
        let fits = unit == if number == 1 { *one } else { *more };
        fits.then(|| number.checked_mul(*minutes))?
    })?;
    Some(Duration::from_secs(minutes.checked_mul(60)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_its_unit() {
        let minutes = |text| rate(text).map(|every| every.as_secs() / 60);
        assert_eq!(minutes("rate(1 minute)"), Some(1));
        assert_eq!(minutes("rate(5 minutes)"), Some(5));
        assert_eq!(minutes("rate(2 hours)"), Some(120));
        assert_eq!(minutes("rate(1 day)"), Some(1_440));
        for wrong in [
            "rate(1 minutes)",
            "rate(2 minute)",
            "rate(0 minutes)",
            "rate(1 second)",
            "rate(minute)",
            "cron(0 * * * ? *)",
            "",
        ] {
            assert_eq!(minutes(wrong), None, "{wrong}");
        }
    }
}
