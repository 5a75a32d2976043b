//! Days and hours as they stand on a clinic's wall: without a zone, which the slot has.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A day of the calendar: `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalDate(jiff::civil::Date);

/// A time of day to the minute: `09:30`; `24:00` is the day's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime(u16);

/// A text that is not a [`LocalDate`] or [`LocalTime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocalError {
    /// Not a day.
    #[error("not a day like 2026-11-21")]
    Date,
    /// Not a time of day.
    #[error("not a time of day from 00:00 to 24:00")]
    Time,
}

/// Minutes of a day that the clocks do not change in.
const MINUTES: u16 = 24 * 60;

impl LocalDate {
    /// The day as the calendar's type.
    #[must_use]
    pub const fn date(self) -> jiff::civil::Date {
        self.0
    }
}

impl From<jiff::civil::Date> for LocalDate {
    fn from(date: jiff::civil::Date) -> Self {
        Self(date)
    }
}

impl LocalTime {
    /// `hour`:`minute`; `None` beyond 24:00.
    #[must_use]
    pub const fn at(hour: u16, minute: u16) -> Option<Self> {
        if minute < 60 && hour <= 24 && hour * 60 + minute <= MINUTES {
            Some(Self(hour * 60 + minute))
        } else {
            None
        }
    }

    /// Minutes since 00:00, at most 1,440.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for LocalDate {
    type Err = LocalError;
    fn from_str(text: &str) -> Result<Self, LocalError> {
        // The calendar's parser takes more forms than this one; a key or schema must not.
        if text.len() != 10 {
            return Err(LocalError::Date);
        }
        text.parse().map(Self).map_err(|_| LocalError::Date)
    }
}

impl FromStr for LocalTime {
    type Err = LocalError;
    fn from_str(text: &str) -> Result<Self, LocalError> {
        let number = |part: &str| match part.as_bytes() {
            [a @ b'0'..=b'9', b @ b'0'..=b'9'] => {
                Some(u16::from(a - b'0') * 10 + u16::from(b - b'0'))
            }
            _ => None,
        };
        text.split_once(':')
            .and_then(|(hour, minute)| Self::at(number(hour)?, number(minute)?))
            .ok_or(LocalError::Time)
    }
}

impl fmt::Display for LocalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

macro_rules! as_text {
    ($name:ident, $pattern:literal) => {
        impl TryFrom<String> for $name {
            type Error = LocalError;
            fn try_from(text: String) -> Result<Self, LocalError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

as_text!(LocalDate, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
as_text!(LocalTime, "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_goes_from_midnight_to_midnight_and_is_told_as_it_was_read() {
        for text in ["00:00", "09:30", "23:59", "24:00"] {
            let time: LocalTime = text.parse().expect("a time");
            assert_eq!(time.to_string(), text);
        }
        for text in ["24:01", "9:30", "09:60", "0930", "+9:30", ""] {
            assert_eq!(text.parse::<LocalTime>(), Err(LocalError::Time), "{text}");
        }
    }

    #[test]
    fn a_day_must_be_of_the_calendar() {
        let day: LocalDate = "2028-02-29".parse().expect("a leap day");
        assert_eq!(day.to_string(), "2028-02-29");
        for text in ["2027-02-29", "20270201", "2027-2-1", "2027-02-01T00:00"] {
            assert_eq!(text.parse::<LocalDate>(), Err(LocalError::Date), "{text}");
        }
    }
}
