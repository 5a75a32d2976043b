//! What the practice's own calendar says of a slot, heard twice, late and in any order.

use callboard_contracts::waitlist::{BookedBy, CalendarWord, SlotEvent};
use callboard_contracts::{RecipientId, Timestamp};
use callboard_domain::foreign::Registry;
use callboard_domain::waitlist::policy::Usual;
use callboard_domain::waitlist::slot::{
    self, Freed, FromCalendar, News, Slot, SlotStatus, told_by_calendar,
};
use callboard_domain::waitlist::{Policies, Refusal, RefusalKind};
use serde_json::{Value, json};

use crate::given::{NOON, fold, names, seconds, waitlist_id};

const USUAL: Usual<'_> = Usual {
    window_seconds: 600,
    zone: None,
};

fn said(revision: u64, news: News) -> FromCalendar {
    FromCalendar {
        waitlist_id: waitlist_id(),
        external_id: "apt-77".to_owned(),
        revision,
        news,
    }
}

fn freed() -> Freed {
    Freed {
        service: "physio".to_owned(),
        starts_at: NOON.plus(seconds(86_400)),
        ends_at: NOON.plus(seconds(88_200)),
        location: Some("north".to_owned()),
        provider: None,
        zone: Some("Europe/Berlin".to_owned()),
        after_version: None,
    }
}

fn free(revision: u64) -> FromCalendar {
    said(revision, News::Free(freed()))
}

fn booked(revision: u64, person: Option<&str>) -> FromCalendar {
    let recipient_id = person.map(|id| RecipientId::parse(id).expect("an id"));
    said(revision, News::Booked { recipient_id })
}

fn gone(revision: u64) -> FromCalendar {
    said(revision, News::Gone)
}

fn decide(slot: &Slot, word: &FromCalendar) -> Result<Vec<SlotEvent>, Refusal> {
    let policies = Policies::default();
    let resolve = |freed: &Freed| policies.resolve(&freed.service, freed.zone.as_deref(), USUAL, 7);
    told_by_calendar(slot, word, resolve, NOON)
}

/// The slot after the calendar's words; what is known already changes nothing.
fn after(slot: Slot, words: &[FromCalendar]) -> Slot {
    words
        .iter()
        .fold(slot, |slot, word| match decide(&slot, word) {
            Ok(events) => fold(slot, &events, NOON),
            Err(refusal) if refusal.kind() == RefusalKind::Repeated => slot,
            Err(refusal) => panic!("{word:?} of {slot:?}: {refusal:?}"),
        })
}

/// A slot of the calendar's that `person` got through the waitlist.
fn filled(slot: Slot, person: &str) -> Slot {
    let entry = callboard_contracts::EntryId::parse("e1").expect("an id");
    let look = slot::Look::as_of(Some(NOON));
    let timing = callboard_domain::waitlist::Timing::default();
    let events = slot::hold(&slot, std::slice::from_ref(&entry), &look, &timing, NOON);
    let slot = fold(slot, &events.expect("a hold"), NOON);
    let offer = slot.held()[0].offer_id.clone();
    let person = RecipientId::parse(person).expect("an id");
    let events = slot::accept(&slot, &offer, Some(&person), NOON).expect("accepted");
    fold(slot, &events, NOON)
}

fn is_open(slot: &Slot) -> bool {
    matches!(slot.status, SlotStatus::Open { .. })
}

#[test]
fn a_cancellation_elsewhere_releases_a_slot_that_was_never_ours() {
    let events = decide(&Slot::default(), &free(3)).expect("released");
    assert_eq!(names(&events), ["slot-released", "calendar-told"]);
    let slot = fold(Slot::default(), &events, NOON);
    let facts = slot.facts.as_ref().expect("facts");
    assert!(is_open(&slot));
    assert_eq!(facts.slot_id, free(3).slot_id());
    assert_eq!(facts.slot_id, slot::id_by_name(&waitlist_id(), "apt-77"));
    assert_eq!(facts.version, 1);
    assert_eq!(facts.offer_expires_at(NOON), NOON.plus(seconds(600)));
    assert_eq!(facts.external_id.as_deref(), Some("apt-77"));
}

#[test]
fn a_booking_elsewhere_ends_the_offer_that_stands() {
    let slot = after(Slot::default(), &[free(1)]);
    let entry = callboard_contracts::EntryId::parse("e1").expect("an id");
    let look = slot::Look::as_of(Some(NOON));
    let held = slot::hold(
        &slot,
        &[entry],
        &look,
        &callboard_domain::waitlist::Timing::default(),
        NOON,
    );
    let slot = fold(slot, &held.expect("a hold"), NOON);
    let events = decide(&slot, &booked(2, Some("usr-9"))).expect("booked");
    assert_eq!(names(&events), ["slot-booked", "calendar-told"]);
    let slot = fold(slot, &events, NOON);
    assert_eq!(slot.to_tell.len(), 1);
    assert!(matches!(
        slot.status,
        SlotStatus::Booked {
            by: BookedBy::Elsewhere,
            ..
        }
    ));
}

#[test]
fn in_whichever_order_and_however_often_it_is_heard_the_last_word_counts() {
    for last in 1..=6_usize {
        let words: Vec<_> = (1..=last as u64)
            .map(|number| match number {
                1 | 3 | 5 => free(number),
                2 => booked(2, Some("usr-1")),
                4 => booked(4, Some("usr-2")),
                _ => gone(number),
            })
            .collect();
        for order in permutations(last) {
            let heard: Vec<_> = order.iter().map(|at| words[*at].clone()).collect();
            let mut slot = Slot::default();
            for word in &heard {
                slot = after(slot, &[word.clone(), word.clone()]);
            }
            slot = after(slot, &heard);
            assert_eq!(is_open(&slot), last % 2 == 1, "{order:?}: {slot:?}");
            let told = slot.calendar.expect("told");
            assert_eq!(told.revision, last as u64, "{order:?}");
        }
    }
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let longer = |order: Vec<usize>| {
        (0..count).map(move |at| {
            let mut order = order.clone();
            order.insert(at, count - 1);
            order
        })
    };
    shorter.into_iter().flat_map(longer).collect()
}

#[test]
fn an_old_cancellation_does_not_free_what_was_booked_since() {
    let slot = after(Slot::default(), &[free(2), booked(3, None)]);
    assert_eq!(decide(&slot, &free(2)), Err(Refusal::CalendarToldLater));
    let unheard = after(Slot::default(), &[booked(3, None)]);
    assert_eq!(unheard.status, SlotStatus::Absent);
    assert_eq!(decide(&unheard, &free(2)), Err(Refusal::CalendarToldLater));
    assert!(is_open(&after(unheard, &[free(4)])));
}

#[test]
fn i1_who_got_it_through_the_waitlist_keeps_it_unless_the_calendar_knew_of_them() {
    let slot = filled(after(Slot::default(), &[free(1)]), "usr-1");
    for word in [free(2), gone(2), booked(2, Some("usr-2"))] {
        assert_eq!(decide(&slot, &word), Err(Refusal::SlotTaken), "{word:?}");
    }
    let known = after(slot.clone(), &[booked(2, Some("usr-1"))]);
    assert_eq!(
        known.status, slot.status,
        "the booking that it heard of from us"
    );
    assert_eq!(known.version(), 1);
    let again = after(known, &[free(3)]);
    assert!(is_open(&again));
    assert_eq!(again.version(), 2);
    let taken = filled(again, "usr-3");
    assert_eq!(
        decide(&taken, &free(4)),
        Err(Refusal::SlotTaken),
        "that booking it does not know"
    );
    let mut by_version = freed();
    by_version.after_version = Some(1);
    let word = said(4, News::Free(by_version.clone()));
    assert_eq!(
        decide(&taken, &word),
        Err(Refusal::SlotTaken),
        "an older version"
    );
    by_version.after_version = Some(2);
    let third = after(taken, &[said(4, News::Free(by_version))]);
    assert_eq!((is_open(&third), third.version()), (true, 3));
}

#[test]
fn what_the_calendar_says_twice_under_one_number_must_be_the_same() {
    let slot = after(Slot::default(), &[free(1)]);
    assert_eq!(
        decide(&slot, &booked(1, None)),
        Err(Refusal::CalendarContradicts)
    );
    assert_eq!(Refusal::CalendarContradicts.kind(), RefusalKind::LostRace);
}

#[test]
fn an_edit_of_what_is_free_is_recorded_and_a_move_is_refused() {
    let slot = after(Slot::default(), &[free(1)]);
    let events = decide(&slot, &free(2)).expect("recorded");
    assert_eq!(names(&events), ["calendar-told"]);
    let mut moved = freed();
    moved.starts_at = NOON.plus(seconds(80_000));
    let refusal = decide(&slot, &said(2, News::Free(moved)));
    assert_eq!(refusal, Err(Refusal::AlreadyReleased { version: 1 }));
    let mut past = freed();
    past.starts_at = Timestamp::from_millis(0);
    let refusal = decide(&Slot::default(), &said(1, News::Free(past)));
    assert_eq!(refusal, Err(Refusal::StartsInPast));
}

#[test]
fn a_slot_that_went_back_to_the_public_or_was_withdrawn_is_released_again() {
    let slot = after(Slot::default(), &[free(1), gone(2)]);
    assert_eq!(slot.status, SlotStatus::Withdrawn);
    let slot = after(slot, &[free(3)]);
    assert_eq!((is_open(&slot), slot.version()), (true, 2));
    let last = slot.calendar.expect("told");
    assert_eq!((last.word, last.version), (CalendarWord::Free, 2));
}

fn mapped(alias: &str, change: impl FnOnce(&mut Value)) -> Result<Option<FromCalendar>, String> {
    let registry = Registry::builtin().expect("the registry");
    let found = registry.find(alias).expect("the type");
    let mut data = found.example.clone();
    change(&mut data);
    found.of_slot(&data).map_err(|fault| fault.to_string())
}

#[test]
fn a_files_mapping_says_where_the_calendar_says_what() {
    let cancelled = mapped("AppointmentCancelled", |_| {}).expect("mapped");
    let cancelled = cancelled.expect("of a slot");
    assert_eq!(
        (cancelled.external_id.as_str(), cancelled.revision),
        ("apt-77", 8)
    );
    let News::Free(freed) = &cancelled.news else {
        panic!("{cancelled:?}");
    };
    assert_eq!(
        (freed.location.as_deref(), freed.after_version),
        (Some("north"), None)
    );
    let booked = mapped("AppointmentBooked", |_| {})
        .expect("mapped")
        .expect("of a slot");
    let person = RecipientId::parse("usr-456").expect("an id");
    assert_eq!(
        booked.news,
        News::Booked {
            recipient_id: Some(person)
        }
    );
    assert_eq!(booked.slot_id(), cancelled.slot_id());
    let gone = mapped("SlotUnpublished", |_| {})
        .expect("mapped")
        .expect("of a slot");
    assert_eq!(gone.news, News::Gone);
}

#[test]
fn data_that_name_no_waitlist_say_nothing_and_what_is_missing_is_named() {
    let remove = |name: &'static str| {
        move |data: &mut Value| {
            data.as_object_mut().expect("an object").remove(name);
        }
    };
    assert_eq!(mapped("AppointmentBooked", remove("waitlistId")), Ok(None));
    assert_eq!(mapped("OrderPlaced", |_| {}), Ok(None));
    let at = |result: Result<Option<FromCalendar>, String>| {
        let fault = result.expect_err("a fault");
        fault
            .split(':')
            .next()
            .map(str::to_owned)
            .unwrap_or_default()
    };
    assert_eq!(
        at(mapped("AppointmentBooked", remove("revision"))),
        "/revision"
    );
    assert_eq!(at(mapped("SlotPublished", remove("service"))), "/service");
    let set = |name: &'static str, value: Value| move |data: &mut Value| data[name] = value;
    for (name, value) in [
        ("waitlistId", json!("canary !")),
        ("startsAt", json!("canary")),
        ("endsAt", json!("canary")),
        ("revision", json!(-1)),
        ("revision", json!("canary")),
        ("slotVersion", json!(1.5)),
    ] {
        let fault = mapped("SlotPublished", set(name, value)).expect_err("a fault");
        assert!(fault.starts_with(&format!("/{name}: ")), "{fault}");
        assert!(!fault.contains("canary"), "{fault}");
    }
    let by_time = mapped(
        "SlotPublished",
        set("revision", json!("2026-02-02T13:30:00Z")),
    );
    let by_time = by_time.expect("mapped").expect("of a slot");
    assert_eq!(by_time.revision, 1_770_039_000_000);
}

#[test]
fn a_mapping_must_point_to_fields_that_come_in_and_are_not_personal() {
    let file = |waitlist: Value, recipient: Option<&str>| {
        let mut file = json!({
            "type": "com.example.thing-happened.v1", "source": "things", "waitlist": waitlist,
            "schema": {"type": "object", "required": ["who", "w"], "properties": {
                "who": {"type": "string"}, "w": {"type": "string"}, "id": {"type": "string"},
                "n": {"type": "integer"}, "secret": {"type": "string", "personal": true},
            }},
            "example": {"who": "usr-1", "w": "w1", "id": "a", "n": 1},
        });
        if let Some(pointer) = recipient {
            file["recipient"] = json!(pointer);
        }
        let text = file.to_string();
        let loaded = Registry::load(&[("thing.json", &text)]);
        loaded.map(drop).map_err(|problems| problems.to_string())
    };
    let good = json!({"command": "withdraw-slot", "waitlistId": "/w", "externalId": "/id", "revision": "/n"});
    assert_eq!(file(good.clone(), Some("/who")), Ok(()));
    assert!(
        file(good.clone(), None)
            .expect_err("personal")
            .contains("/recipient")
    );
    for (member, value, word) in [
        ("externalId", json!("/secret"), "/waitlist/externalId"),
        ("revision", json!("/nothing"), "/waitlist/revision"),
        ("startsAt", json!("/id"), "only a release needs it"),
        ("command", json!("release-slot"), "a release needs it"),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        let problems = file(bad, Some("/who")).expect_err("a problem");
        assert!(problems.contains(word), "{problems}");
    }
}
