//! Whether a slot suits a person: one reason for each preference, to the moment, and on days on
//! which the clocks are changed.

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::{
    DateRange, Minutes, OwnBooking, Preferences, Weekday, WeeklyWindow,
};
use callboard_domain::waitlist::matching::{self, check, suits};
use callboard_domain::waitlist::{Ineligible, Refusal, SlotFacts};

use crate::given::*;

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A slot in Berlin between two moments.
fn slot(starts_at: &str, ends_at: &str) -> SlotFacts {
    SlotFacts {
        location: Some("north".to_owned()),
        provider: Some("dr-noether".to_owned()),
        zone: Some("Europe/Berlin".to_owned()),
        starts_at: time(starts_at),
        ends_at: time(ends_at),
        ..facts(&open_slot()).clone()
    }
}

/// Wednesday 4 November 2026, 10:00 to 10:30 in Berlin.
fn wednesday() -> SlotFacts {
    slot("2026-11-04T09:00:00Z", "2026-11-04T09:30:00Z")
}

fn judge(slot: &SlotFacts, wish: impl FnOnce(&mut Preferences)) -> Result<(), Ineligible> {
    let mut preferences = Preferences::default();
    wish(&mut preferences);
    suits(&preferences, slot, time("2026-11-01T12:00:00Z"))
}

fn window(days: &[Weekday], from: &str, to: &str) -> WeeklyWindow {
    WeeklyWindow {
        days: days.to_vec(),
        from: from.parse().expect("a time of day"),
        to: to.parse().expect("a time of day"),
    }
}

fn dates(from: Option<&str>, to: Option<&str>) -> DateRange {
    let day = |text: &str| text.parse().expect("a day");
    DateRange {
        from: from.map(day),
        to: to.map(day),
    }
}

#[test]
fn who_wishes_nothing_can_take_everything() {
    assert_eq!(judge(&wednesday(), |_| {}), Ok(()));
}

#[test]
fn places_and_providers_must_be_among_those_named_and_known() {
    let north = |p: &mut Preferences| p.locations = vec!["south".to_owned(), "north".to_owned()];
    let south = |p: &mut Preferences| p.locations = vec!["south".to_owned()];
    assert_eq!(judge(&wednesday(), north), Ok(()));
    assert_eq!(judge(&wednesday(), south), Err(Ineligible::OtherLocation));
    let somewhere = SlotFacts {
        location: None,
        ..wednesday()
    };
    assert_eq!(judge(&somewhere, north), Err(Ineligible::OtherLocation));
    let other = |p: &mut Preferences| p.providers = vec!["dr-germain".to_owned()];
    assert_eq!(judge(&wednesday(), other), Err(Ineligible::OtherProvider));
}

#[test]
fn the_length_may_be_exactly_what_is_allowed() {
    let length = |min, max| judge(&wednesday(), |p| p.minutes = Some(Minutes { min, max }));
    assert_eq!(length(Some(30), Some(30)), Ok(()));
    assert_eq!(length(Some(31), None), Err(Ineligible::WrongDuration));
    assert_eq!(length(None, Some(29)), Err(Ineligible::WrongDuration));
}

#[test]
fn dates_are_days_in_the_clinic_and_both_ends_count() {
    let range = |from, to| judge(&wednesday(), |p| p.dates = Some(dates(from, to)));
    assert_eq!(range(Some("2026-11-04"), Some("2026-11-04")), Ok(()));
    assert_eq!(
        range(Some("2026-11-05"), None),
        Err(Ineligible::OutsideDates)
    );
    assert_eq!(
        range(None, Some("2026-11-03")),
        Err(Ineligible::OutsideDates)
    );
    // 23:30 UTC on the 3rd is 00:30 on the 4th in Berlin.
    let night = slot("2026-11-03T23:30:00Z", "2026-11-03T23:45:00Z");
    let on_the_fourth = |p: &mut Preferences| p.dates = Some(dates(Some("2026-11-04"), None));
    assert_eq!(judge(&night, on_the_fourth), Ok(()));
    let in_utc = SlotFacts {
        zone: None,
        ..night
    };
    assert_eq!(judge(&in_utc, on_the_fourth), Err(Ineligible::OutsideDates));
}

#[test]
fn a_day_ruled_out_is_touched_by_a_slot_past_midnight_but_not_by_one_until_midnight() {
    let not_on = |day: &str| {
        let day = day.parse().expect("a day");
        move |p: &mut Preferences| p.blackout_dates = vec![day]
    };
    assert_eq!(
        judge(&wednesday(), not_on("2026-11-04")),
        Err(Ineligible::BlackoutDate)
    );
    assert_eq!(judge(&wednesday(), not_on("2026-11-05")), Ok(()));
    let past_midnight = slot("2026-11-04T22:30:00Z", "2026-11-04T23:30:00Z");
    assert_eq!(
        judge(&past_midnight, not_on("2026-11-05")),
        Err(Ineligible::BlackoutDate)
    );
    let until_midnight = slot("2026-11-04T22:30:00Z", "2026-11-04T23:00:00Z");
    assert_eq!(judge(&until_midnight, not_on("2026-11-05")), Ok(()));
}

#[test]
fn the_whole_slot_lies_in_one_window_of_its_day() {
    let windows = |windows: Vec<WeeklyWindow>| judge(&wednesday(), |p| p.windows = windows);
    let outside = Err(Ineligible::OutsideWindows);
    assert_eq!(windows(vec![window(&[], "10:00", "10:30")]), Ok(()));
    assert_eq!(
        windows(vec![window(&[Weekday::Wed], "08:00", "24:00")]),
        Ok(())
    );
    assert_eq!(
        windows(vec![window(&[Weekday::Thu], "08:00", "24:00")]),
        outside
    );
    assert_eq!(windows(vec![window(&[], "10:01", "12:00")]), outside);
    assert_eq!(windows(vec![window(&[], "09:00", "10:29")]), outside);
    let (first, second) = (window(&[], "09:00", "10:15"), window(&[], "10:15", "11:00"));
    assert_eq!(
        windows(vec![first, second]),
        outside,
        "two halves are no window"
    );
    let until_midnight = slot("2026-11-04T22:30:00Z", "2026-11-04T23:00:00Z");
    let evening = |p: &mut Preferences| p.windows = vec![window(&[], "22:00", "24:00")];
    assert_eq!(judge(&until_midnight, evening), Ok(()));
    let past_midnight = slot("2026-11-04T22:30:00Z", "2026-11-04T23:01:00Z");
    assert_eq!(judge(&past_midnight, evening), outside);
}

#[test]
fn windows_follow_the_wall_clock_when_it_is_changed() {
    let from_nine = |p: &mut Preferences| p.windows = vec![window(&[], "09:00", "12:00")];
    // Berlin goes back on 25 October 2026: 08:00 UTC is 10:00 the day before, and 09:00 that day.
    let before = slot("2026-10-24T07:00:00Z", "2026-10-24T07:30:00Z");
    let after = slot("2026-10-25T08:00:00Z", "2026-10-25T08:30:00Z");
    let too_early = slot("2026-10-25T07:00:00Z", "2026-10-25T07:30:00Z");
    let judge = |slot| {
        let mut preferences = Preferences::default();
        from_nine(&mut preferences);
        suits(&preferences, slot, time("2026-10-20T12:00:00Z"))
    };
    assert_eq!(judge(&before), Ok(()));
    assert_eq!(judge(&after), Ok(()));
    assert_eq!(judge(&too_early), Err(Ineligible::OutsideWindows));
    // And forward on 29 March 2026, from 02:00 to 03:00: an hour from 01:30 ends at 03:30.
    let over_the_gap = slot("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z");
    let until = |to| {
        let preferences = Preferences {
            windows: vec![window(&[Weekday::Sun], "01:30", to)],
            ..Preferences::default()
        };
        suits(&preferences, &over_the_gap, time("2026-03-20T12:00:00Z"))
    };
    assert_eq!(until("03:30"), Ok(()));
    assert_eq!(until("03:29"), Err(Ineligible::OutsideWindows));
}

#[test]
fn the_horizon_counts_days_from_today_in_the_clinic() {
    let horizon = |days| judge(&wednesday(), |p| p.horizon_days = Some(days));
    assert_eq!(horizon(3), Ok(()));
    assert_eq!(horizon(2), Err(Ineligible::BeyondHorizon));
    // Half an hour before midnight UTC it is the next day in Berlin.
    let preferences = Preferences {
        horizon_days: Some(2),
        ..Preferences::default()
    };
    assert_eq!(
        suits(&preferences, &wednesday(), time("2026-11-01T23:30:00Z")),
        Ok(())
    );
}

#[test]
fn notice_is_kept_to_the_millisecond() {
    let preferences = Preferences {
        min_notice_seconds: Some(3_600),
        ..Preferences::default()
    };
    let at = |text| suits(&preferences, &wednesday(), time(text));
    assert_eq!(at("2026-11-04T08:00:00Z"), Ok(()));
    assert_eq!(
        at("2026-11-04T08:00:00.001Z"),
        Err(Ineligible::TooShortNotice)
    );
}

fn own(starts_at: &str, swap: bool, gap: u32) -> impl FnOnce(&mut Preferences) {
    let starts_at = time(starts_at);
    move |p: &mut Preferences| {
        p.gap_seconds = Some(gap);
        p.own_booking = Some(OwnBooking {
            slot_id: None,
            starts_at,
            ends_at: starts_at.plus(seconds(1_800)),
            swap,
        });
    }
}

#[test]
fn a_booking_that_is_kept_needs_its_distance_on_both_sides() {
    let judge = |starts_at, gap| judge(&wednesday(), own(starts_at, false, gap));
    assert_eq!(judge("2026-11-04T09:30:00Z", 0), Ok(()));
    assert_eq!(
        judge("2026-11-04T09:29:00Z", 0),
        Err(Ineligible::TooCloseToOwnBooking)
    );
    assert_eq!(judge("2026-11-04T10:30:00Z", 3_600), Ok(()));
    assert_eq!(
        judge("2026-11-04T10:29:59Z", 3_600),
        Err(Ineligible::TooCloseToOwnBooking)
    );
    assert_eq!(judge("2026-11-04T07:30:00Z", 3_600), Ok(()));
    assert_eq!(
        judge("2026-11-04T07:31:00Z", 3_600),
        Err(Ineligible::TooCloseToOwnBooking)
    );
}

#[test]
fn a_booking_is_given_up_for_a_sooner_slot_only() {
    let judge = |starts_at, gap| judge(&wednesday(), own(starts_at, true, gap));
    assert_eq!(judge("2026-11-05T09:30:00Z", 86_400), Ok(()));
    assert_eq!(
        judge("2026-11-05T09:29:00Z", 86_400),
        Err(Ineligible::TooCloseToOwnBooking)
    );
    assert_eq!(judge("2026-11-04T09:00:00Z", 0), Err(Ineligible::NoSooner));
    assert_eq!(judge("2026-11-01T13:00:00Z", 0), Err(Ineligible::NoSooner));
}

#[test]
fn preferences_that_cannot_be_kept_are_refused_by_field() {
    let refused = |wish: fn(&mut Preferences)| {
        let mut preferences = Preferences::default();
        wish(&mut preferences);
        match check(&preferences) {
            Err(Refusal::Preferences(field)) => field,
            other => panic!("{other:?}"),
        }
    };
    let names = || vec!["x".to_owned(); matching::NAMES_MAX + 1];
    assert_eq!(
        refused(|p| p.locations = vec!["x".to_owned(); 9]),
        "locations"
    );
    assert_eq!(refused(|p| p.providers = vec![String::new()]), "providers");
    assert_eq!(
        refused(|p| p.windows = vec![window(&[], "10:00", "10:00")]),
        "windows"
    );
    assert_eq!(
        refused(|p| p.dates = Some(dates(Some("2026-11-04"), Some("2026-11-03")))),
        "dates"
    );
    let backwards = |p: &mut Preferences| {
        p.minutes = Some(Minutes {
            min: Some(31),
            max: Some(30),
        });
    };
    assert_eq!(refused(backwards), "minutes");
    assert_eq!(
        refused(|p| p.min_notice_seconds = Some(u32::MAX)),
        "minNoticeSeconds"
    );
    assert_eq!(refused(|p| p.gap_seconds = Some(u32::MAX)), "gapSeconds");
    assert_eq!(refused(|p| p.horizon_days = Some(u16::MAX)), "horizonDays");
    let many = |p: &mut Preferences| {
        p.blackout_dates = vec!["2026-11-04".parse().expect("a day"); 17];
    };
    assert_eq!(refused(many), "blackoutDates");
    assert_eq!(
        refused(|p| own("2026-11-04T09:00:00Z", true, 0)(p)),
        "ownBooking/slotId",
        "nothing can be freed that is not one of our slots"
    );
    assert_eq!(
        check(&Preferences {
            locations: names(),
            ..Preferences::default()
        }),
        Err(Refusal::Preferences("locations"))
    );
    assert_eq!(check(&Preferences::default()), Ok(()));
}
