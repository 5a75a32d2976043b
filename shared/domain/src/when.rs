//! Times as people read them: by the clock of a zone, with the zone's name beside them.

use std::fmt;
use std::str::FromStr;

use callboard_contracts::Timestamp;
use jiff::tz::TimeZone;

/// A time zone of the IANA database. By default UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The name is not that of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IANA time zone such as `Europe/Berlin`")]
pub struct ZoneError;

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, ZoneError> {
        TimeZone::get(name).map(Self).map_err(|_| ZoneError)
    }
}

/// A moment in words; displayed as `Monday 2 February 2026, 14:30 CET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Day and date: `Monday 2 February 2026`.
    pub date: String,
    /// By the clock, of 24 hours: `14:30`.
    pub time: String,
    /// The zone as it is called at that moment: `CET`, `UTC`, or an offset such as `-03`.
    pub zone: String,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} {}", self.date, self.time, self.zone)
    }
}

impl Zone {
    /// Its name; `None` for the one that stands where nobody has named any.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.iana_name().filter(|_| *self != Self::default())
    }

    /// `time` in numbers, which every language reads: `2026-02-02 14:30 CET`; `None` if it is out
    /// of the calendar's range.
    #[must_use]
    pub fn numbers(&self, time: Timestamp) -> Option<String> {
        let time = jiff::Timestamp::from_millisecond(time.as_millis()).ok()?;
        let time = time.to_zoned(self.0.clone());
        Some(time.strftime("%Y-%m-%d %H:%M %Z").to_string())
    }

    /// `time` in words; `None` if it is out of the calendar's range.
    #[must_use]
    pub fn tell(&self, time: Timestamp) -> Option<Told> {
        let time = jiff::Timestamp::from_millisecond(time.as_millis()).ok()?;
        let time = time.to_zoned(self.0.clone());
        Some(Told {
            date: time.strftime("%A %-d %B %Y").to_string(),
            time: time.strftime("%H:%M").to_string(),
            zone: time.strftime("%Z").to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(time: &str, zone: &str) -> String {
        let zone: Zone = zone.parse().expect("a zone");
        zone.tell(time.parse().expect("a time"))
            .expect("in range")
            .to_string()
    }

    #[test]
    fn a_time_is_told_in_its_zone_summer_and_winter() {
        let (winter, summer) = ("2026-02-02T13:30:00Z", "2026-07-06T13:30:00Z");
        assert_eq!(told(winter, "UTC"), "Monday 2 February 2026, 13:30 UTC");
        assert_eq!(
            told(winter, "Europe/Berlin"),
            "Monday 2 February 2026, 14:30 CET"
        );
        assert_eq!(
            told(summer, "Europe/Berlin"),
            "Monday 6 July 2026, 15:30 CEST"
        );
    }

    #[test]
    fn what_is_no_zone_is_refused_and_without_one_it_is_utc() {
        for name in ["Mars/Olympus", "", "CET+", "Europe/Berlin "] {
            assert_eq!(name.parse::<Zone>(), Err(ZoneError), "{name}");
        }
        assert_eq!("UTC".parse(), Ok(Zone::default()));
        let named = |name: &str| {
            name.parse::<Zone>()
                .map(|zone| zone.name().map(str::to_owned))
        };
        assert_eq!(named("UTC"), Ok(None));
        for name in ["Europe/Berlin", "Atlantic/Reykjavik", "Etc/UTC"] {
            assert_eq!(named(name), Ok(Some(name.to_owned())));
        }
    }
}
