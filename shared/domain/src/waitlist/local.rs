//! Moments as they stand on a clinic's wall.

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::LocalTime;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};

/// Whether `name` is an IANA time zone.
pub(super) fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// The zone of that name. UTC if there is none, or none of that name any more: a name is checked
/// before it enters the journal, but zones come and go with releases of the IANA database.
pub(super) fn zone(name: Option<&str>) -> TimeZone {
    name.and_then(|name| TimeZone::get(name).ok())
        .unwrap_or(TimeZone::UTC)
}

/// `at` by the clock in `zone`.
pub(super) fn on_the_wall(at: Timestamp, zone: &TimeZone) -> Zoned {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}

/// The moment at which it is `time` on `date` in `zone`. Where the clocks go forward over it, it
/// is as much later as they go; where they go back, it is the first of the two.
pub(super) fn moment(date: Date, time: LocalTime, zone: &TimeZone) -> Option<Timestamp> {
    let minutes = i64::from(time.minutes());
    let civil = date.at(0, 0, 0, 0).checked_add(minutes.minutes()).ok()?;
    let at = civil.to_zoned(zone.clone()).ok()?.timestamp();
    Some(Timestamp::from_millis(at.as_millisecond()))
}
