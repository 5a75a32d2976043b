//! Times as people read them.

use callboard_contracts::Timestamp;
use jiff::tz::TimeZone;

/// Day, date, time and zone: `Monday 2 February 2026, 14:30 CET`.
const FORMAT: &str = "%A %-d %B %Y, %H:%M %Z";

/// Whether `name` is an IANA time zone.
pub(super) fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// `time` in words in `zone`; `None` if the zone is not known or the time out of range.
pub(super) fn in_words(time: Timestamp, zone: &str) -> Option<String> {
    let zone = TimeZone::get(zone).ok()?;
    let time = jiff::Timestamp::from_millisecond(time.as_millis()).ok()?;
    Some(time.to_zoned(zone).strftime(FORMAT).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_time_is_told_in_its_zone_summer_and_winter() {
        let winter = at("2026-02-02T13:30:00Z");
        let summer = at("2026-07-06T13:30:00Z");
        let told = |time, zone| in_words(time, zone);
        assert_eq!(
            told(winter, "UTC").as_deref(),
            Some("Monday 2 February 2026, 13:30 UTC")
        );
        assert_eq!(
            told(winter, "Europe/Berlin").as_deref(),
            Some("Monday 2 February 2026, 14:30 CET")
        );
        assert_eq!(
            told(summer, "Europe/Berlin").as_deref(),
            Some("Monday 6 July 2026, 15:30 CEST")
        );
        assert_eq!(told(summer, "Mars/Olympus"), None);
    }
}
