//! How long an offer stands: the window, a share of the time left, quiet hours and the cutoff.

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::QuietHours;
use callboard_domain::waitlist::SlotFacts;
use callboard_domain::waitlist::window::offer_end;
use proptest::prelude::*;

use crate::given::*;

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn quiet(from: &str, to: &str) -> Option<QuietHours> {
    let time = |text: &str| text.parse().expect("a time of day");
    Some(QuietHours {
        from: time(from),
        to: time(to),
    })
}

/// A slot in Berlin at noon of 10 November 2026, with offers of half an hour.
fn slot() -> SlotFacts {
    SlotFacts {
        zone: Some("Europe/Berlin".to_owned()),
        starts_at: time("2026-11-10T11:00:00Z"),
        ends_at: time("2026-11-10T11:30:00Z"),
        window_seconds: 1_800,
        ..facts(&open_slot()).clone()
    }
}

fn end(slot: &SlotFacts, now: &str) -> String {
    offer_end(slot, time(now)).to_string()
}

#[test]
fn an_offer_stands_for_its_window_and_for_less_when_the_slot_is_near() {
    let mut slot = slot();
    slot.terms.rules.window_percent = Some(25);
    assert_eq!(
        end(&slot, "2026-11-10T08:00:00Z"),
        "2026-11-10T08:30:00.000Z"
    );
    // A quarter of 80 minutes.
    assert_eq!(
        end(&slot, "2026-11-10T09:40:00Z"),
        "2026-11-10T10:00:00.000Z"
    );
    // A quarter of two minutes is too short to answer in.
    assert_eq!(
        end(&slot, "2026-11-10T10:58:00Z"),
        "2026-11-10T10:59:00.000Z"
    );
}

#[test]
fn no_offer_stands_past_the_cutoff() {
    let mut slot = slot();
    slot.terms.rules.cutoff_seconds = 3_600;
    assert_eq!(
        end(&slot, "2026-11-10T09:29:00Z"),
        "2026-11-10T09:59:00.000Z"
    );
    assert_eq!(
        end(&slot, "2026-11-10T09:45:00Z"),
        "2026-11-10T10:00:00.000Z"
    );
    assert_eq!(slot.cutoff(), time("2026-11-10T10:00:00Z"));
    assert_eq!(slot.last_call(), time("2026-11-10T09:59:00Z"));
    slot.terms.rules.quiet_hours = quiet("22:00", "10:30");
    // Quiet until 09:30 UTC, then half an hour.
    assert_eq!(
        end(&slot, "2026-11-10T05:00:00Z"),
        "2026-11-10T10:00:00.000Z"
    );
}

#[test]
fn the_time_of_an_offer_stands_still_in_quiet_hours() {
    let mut slot = slot();
    slot.terms.rules.quiet_hours = quiet("22:00", "07:00");
    // 21:50 in Berlin: ten minutes in the evening, and twenty in the morning.
    assert_eq!(
        end(&slot, "2026-11-05T20:50:00Z"),
        "2026-11-06T06:20:00.000Z"
    );
    // 23:00 in Berlin: half an hour in the morning.
    assert_eq!(
        end(&slot, "2026-11-05T22:00:00Z"),
        "2026-11-06T06:30:00.000Z"
    );
    // It ends at the very moment at which the quiet hours begin.
    assert_eq!(
        end(&slot, "2026-11-05T20:30:00Z"),
        "2026-11-05T21:00:00.000Z"
    );
    // At noon nothing is quiet; with a siesta it is.
    assert_eq!(
        end(&slot, "2026-11-05T11:00:00Z"),
        "2026-11-05T11:30:00.000Z"
    );
    slot.terms.rules.quiet_hours = quiet("12:00", "14:00");
    assert_eq!(
        end(&slot, "2026-11-05T11:00:00Z"),
        "2026-11-05T13:30:00.000Z"
    );
    // Thirty-one hours awake are two nights later.
    slot.terms.rules.quiet_hours = quiet("22:00", "07:00");
    slot.window_seconds = 31 * 3_600;
    assert_eq!(
        end(&slot, "2026-11-05T06:00:00Z"),
        "2026-11-07T07:00:00.000Z"
    );
}

#[test]
fn quiet_hours_end_by_the_wall_clock_when_it_is_changed() {
    let mut slot = SlotFacts {
        starts_at: time("2026-12-01T11:00:00Z"),
        ..slot()
    };
    slot.terms.rules.quiet_hours = quiet("22:00", "07:00");
    // The night to 25 October 2026 is an hour longer: 07:00 is 06:00 UTC.
    assert_eq!(
        end(&slot, "2026-10-24T21:00:00Z"),
        "2026-10-25T06:30:00.000Z"
    );
    // The night to 29 March 2026 is an hour shorter: 07:00 is 05:00 UTC.
    assert_eq!(
        end(&slot, "2026-03-28T22:00:00Z"),
        "2026-03-29T05:30:00.000Z"
    );
    // Quiet hours that end in the hour that is left out end an hour later on the wall.
    slot.terms.rules.quiet_hours = quiet("22:00", "02:30");
    assert_eq!(
        end(&slot, "2026-03-28T22:00:00Z"),
        "2026-03-29T02:00:00.000Z"
    );
    // And those that end in the hour that comes twice end in the first.
    assert_eq!(
        end(&slot, "2026-10-24T21:00:00Z"),
        "2026-10-25T01:00:00.000Z"
    );
}

proptest! {
    #[test]
    fn an_offer_ends_after_it_is_made_by_the_cutoff_and_never_in_the_middle_of_the_night(
        minute in 0..60 * 24 * 20i64, window in 60..7 * 24 * 3_600u32,
        from in 0..24u16, length in 1..=16u16, percent in prop::option::of(1..=100u8)
    ) {
        let mut slot = SlotFacts { starts_at: time("2027-03-28T11:00:00Z"), ..slot() };
        let to = (from + length) % 24;
        slot.terms.rules.quiet_hours = quiet(&format!("{from:02}:00"), &format!("{to:02}:00"));
        slot.terms.rules.window_percent = percent;
        slot.terms.rules.cutoff_seconds = 900;
        slot.window_seconds = window;
        let now = Timestamp::from_millis(time("2027-03-08T10:00:00Z").as_millis() + minute * 60_000);
        let end = offer_end(&slot, now);
        prop_assert!(end <= slot.cutoff());
        if now < slot.cutoff() {
            prop_assert!(end > now);
        }
        if end < slot.cutoff() {
            // The clock in Berlin shows a time that is not quiet, or the first moment that is.
            let berlin = |at: Timestamp| {
                let summer = at >= time("2027-03-28T01:00:00Z");
                let minutes = at.as_millis() / 60_000 + if summer { 120 } else { 60 };
                u16::try_from(minutes.rem_euclid(24 * 60)).expect("minutes of a day")
            };
            let into_quiet = (24 * 60 + berlin(end) - from * 60) % (24 * 60);
            let exact = end.as_millis() % 60_000 == 0;
            prop_assert!(into_quiet >= length * 60 || (into_quiet == 0 && exact), "{end} {from}+{length}");
        }
    }
}
