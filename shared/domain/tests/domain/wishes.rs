//! What a person changes while waiting: preferences, pauses, automatic acceptance; and what staff
//! change.

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::{
    EntryEvent, Ineligible, Mode, OverrideReason, PauseReason, Preferences, RankTo, SlotEvent,
    Urgency,
};
use callboard_domain::waitlist::entry::{
    self, Entry, EntryStatus, Wishes, change_preferences, eligible, join, override_rank, pause,
    resume, settle,
};
use callboard_domain::waitlist::slot::{self, Look};
use callboard_domain::waitlist::{Considered, Refusal, RefusalKind, Selection, cascade};

use crate::given::*;

const LATER: Timestamp = Timestamp::from_millis(NOON.as_millis() + 1_805_000);

fn northern() -> Wishes {
    Wishes {
        preferences: Preferences {
            locations: vec!["north".to_owned()],
            ..Preferences::default()
        },
        proxy_id: Some("mother-of-ada".parse().expect("an id")),
        ..Wishes::default()
    }
}

fn automatic() -> Wishes {
    Wishes {
        auto_accept: true,
        ..Wishes::default()
    }
}

/// An entry that let two offers pass; the third stands since noon and is the last it may.
fn third_offer() -> Entry {
    let slot = slot_on(rules(|rules| rules.skip_limit = Some(3)));
    let mut entry = waiting("ada");
    entry.skips = 2;
    offered_on(slot, entry).1
}

#[test]
fn other_preferences_replace_the_old_ones_and_decide_what_suits() {
    let entry = waiting("ada");
    let events = change_preferences(&entry, &northern(), &timing(), NOON).expect("a change");
    assert_eq!(through_the_journal(&events), events);
    let entry = fold(entry, &events, NOON);
    assert_eq!(entry.wishes, northern());
    let why = eligible(&entry, &open_slot(), &timing(), NOON);
    assert_eq!(why, Err(Ineligible::OtherLocation));
    let again = change_preferences(&entry, &northern(), &timing(), NOON).expect_err("again");
    assert_eq!(again.kind(), RefusalKind::Repeated);
    let mut bad = northern();
    bad.preferences.horizon_days = Some(u16::MAX);
    assert_eq!(
        change_preferences(&entry, &bad, &timing(), NOON),
        Err(Refusal::Preferences("horizonDays"))
    );
}

#[test]
fn an_offer_that_stands_survives_other_preferences_and_one_that_ran_out_is_counted() {
    let (_, entry, _) = offered("ada");
    let change = |now| change_preferences(&entry, &northern(), &timing(), now).expect("a change");
    assert_eq!(names(&change(NOON)), ["preferences-changed"]);
    assert!(
        fold(entry.clone(), &change(NOON), NOON)
            .offered_slot()
            .is_some()
    );
    assert_eq!(
        names(&change(LATER)),
        ["offer-lapsed", "preferences-changed"]
    );
}

#[test]
fn a_redelivered_join_is_recognised_after_the_preferences_were_changed() {
    let mut command = join_command("ada", Urgency::Routine);
    command.wishes = northern();
    let entry = wishing("ada", northern());
    let change = change_preferences(&entry, &automatic(), &timing(), NOON).expect("a change");
    let entry = fold(entry, &change, NOON);
    assert_eq!(join(&entry, &command), Err(Refusal::AlreadyJoined));
    command.wishes = automatic();
    assert_eq!(
        join(&entry, &command),
        Err(Refusal::EntryExists),
        "it did not join so"
    );
}

#[test]
fn a_paused_entry_gets_no_offer_keeps_its_rank_and_comes_back_without_skips() {
    let mut entry = waiting("ada");
    entry.skips = 2;
    let rank = entry.candidate();
    let events = pause(&entry, &timing(), NOON).expect("a pause");
    assert_eq!(through_the_journal(&events), events);
    let paused = fold(entry, &events, NOON);
    assert_eq!(paused.status, EntryStatus::Paused(PauseReason::Asked));
    let why = eligible(&paused, &open_slot(), &timing(), NOON);
    assert_eq!(why, Err(Ineligible::Paused));
    assert_eq!(pause(&paused, &timing(), NOON), Err(Refusal::AlreadyPaused));
    let events = resume(&paused, &timing(), NOON).expect("back");
    let back = fold(paused, &events, NOON);
    assert_eq!((&back.status, back.skips), (&EntryStatus::Waiting, 0));
    assert_eq!(back.candidate(), rank);
    assert_eq!(resume(&back, &timing(), NOON), Err(Refusal::NotPaused));
}

#[test]
fn who_pauses_declines_the_offer_that_stands() {
    let (slot, entry, _) = offered("ada");
    let both = cascade::pause(Some(&slot), &entry, &timing(), NOON).expect("a pause");
    assert_eq!(names(&both.entry), ["offer-declined", "entry-paused"]);
    assert_eq!(names(&both.slot), ["hold-released"]);
}

#[test]
fn nobody_pauses_and_comes_back_past_an_acceptance_that_is_on_its_way() {
    let (_, entry, _) = offered("ada");
    let end = NOON.plus(WINDOW);
    let until = end.plus(seconds(5));
    let at = |now| pause(&entry, &timing(), now).map(|events| names(&events));
    assert_eq!(at(end), Err(Refusal::AnswerOnItsWay { until }));
    let late = vec!["offer-lapsed".to_owned(), "entry-paused".to_owned()];
    assert_eq!(at(until), Ok(late));
}

#[test]
fn an_entry_is_paused_when_it_let_as_many_offers_pass_as_the_policy_allows() {
    let entry = third_offer();
    assert_eq!(settle(&entry, &timing(), NOON), [], "it still stands");
    let why = |now| eligible(&entry, &open_slot(), &timing(), now);
    assert_eq!(why(NOON), Err(Ineligible::HasOffer));
    assert_eq!(why(LATER), Err(Ineligible::SkipLimit));
    let events = settle(&entry, &timing(), LATER);
    assert_eq!(names(&events), ["offer-lapsed", "entry-paused"]);
    assert!(matches!(&events[1], EntryEvent::EntryPaused(it)
        if it.skips == 3 && it.reason == PauseReason::Skips));
    let paused = fold(entry.clone(), &events, LATER);
    assert_eq!(
        (&paused.status, paused.skips),
        (&EntryStatus::Paused(PauseReason::Skips), 3)
    );
    assert_eq!(settle(&paused, &timing(), LATER), []);
    // Who comes back before anybody noticed was paused for a moment, and starts anew.
    let events = resume(&entry, &timing(), LATER).expect("back");
    assert_eq!(
        names(&events),
        ["offer-lapsed", "entry-paused", "entry-resumed"]
    );
    assert_eq!(fold(entry, &events, LATER).skips, 0);
}

#[test]
fn without_a_limit_nobody_is_paused() {
    let (_, mut entry, _) = offered("ada");
    entry.skips = 1_000;
    let events = settle(&entry, &timing(), LATER);
    assert_eq!(names(&events), ["offer-lapsed"]);
    let strict = slot_on(rules(|rules| rules.skip_limit = Some(1)));
    assert_eq!(
        eligible(&entry, &strict, &timing(), LATER),
        Ok(()),
        "the limit is that of the offer that was let pass"
    );
}

#[test]
fn staff_move_an_entry_to_the_front_or_to_another_class_and_say_why() {
    let entry = waiting("ada");
    let to = |entry: &Entry, to| {
        let why = OverrideReason::Safeguarding;
        override_rank(entry, to, why, &timing(), LATER)
    };
    let events = to(&entry, RankTo::Front).expect("an override");
    assert_eq!(through_the_journal(&events), events);
    let front = fold(entry.clone(), &events, LATER);
    let candidate = front.candidate().expect("a candidate");
    assert_eq!(candidate.overridden_at, Some(LATER));
    assert_eq!(
        (candidate.urgency, candidate.joined_at),
        (Urgency::Routine, NOON)
    );
    assert_eq!(to(&front, RankTo::Front), Err(Refusal::RankUnchanged));
    let urgent = fold(
        front.clone(),
        &to(&front, RankTo::Urgent).expect("it"),
        LATER,
    );
    assert_eq!(urgent.urgency(), Some(Urgency::Urgent));
    assert_eq!(urgent.candidate().and_then(|it| it.overridden_at), None);
    let own = fold(urgent, &to(&front, RankTo::Own).expect("it"), LATER);
    assert_eq!(own.candidate(), entry.candidate());
    assert_eq!(to(&own, RankTo::Own), Err(Refusal::RankUnchanged));
}

#[test]
fn who_left_or_was_booked_changes_nothing_any_more() {
    let (slot, entry, offer) = offered("ada");
    let yes = accept(&slot, &entry, &offer, NOON).expect("yes");
    let booked = fold(entry, &yes.entry, NOON);
    let gone = waiting("bob");
    let gone = fold(
        gone.clone(),
        &entry::leave(&gone, NOON).expect("leaves"),
        NOON,
    );
    let of = |entry: &Entry| {
        [
            change_preferences(entry, &northern(), &timing(), NOON),
            pause(entry, &timing(), NOON),
            resume(entry, &timing(), NOON),
            override_rank(entry, RankTo::Front, OverrideReason::Other, &timing(), NOON),
        ]
    };
    assert!(
        of(&booked)
            .iter()
            .all(|it| *it == Err(Refusal::EntryBooked))
    );
    assert!(of(&gone).iter().all(|it| *it == Err(Refusal::EntryLeft)));
    assert!(
        of(&Entry::default())
            .iter()
            .all(|it| *it == Err(Refusal::EntryNotFound))
    );
}

#[test]
fn the_proxy_is_named_wherever_the_person_is() {
    let mut entry = wishing("ada", northern());
    entry.wishes.preferences = Preferences::default();
    let (slot, entry, offer) = offered_on(open_slot(), entry);
    let mother = northern().proxy_id;
    let yes = accept(&slot, &entry, &offer, NOON).expect("yes");
    assert!(matches!(&yes.entry[0], EntryEvent::OfferAccepted(it) if it.proxy_id == mother));
    let withdrawn = fold(slot.clone(), &slot::withdraw(&slot).expect("it"), NOON);
    let told = entry::told(&entry, &withdrawn.to_tell[0]);
    assert!(matches!(&told[0], EntryEvent::OfferWithdrawn(it) if it.proxy_id == mother));
}

#[test]
fn who_wishes_so_has_the_slot_at_once_when_it_is_their_turn() {
    let (slot, entry) = (open_slot(), wishing("ada", automatic()));
    let mut selection = Selection::new(&slot, 3, timing(), LATER);
    assert_eq!(
        selection.consider(&entry_id("ada"), &entry),
        Considered::Taken
    );
    assert!(selection.is_full(), "nobody else is asked");
    let offers = selection
        .offer(None, Look::as_of(Some(NOON)))
        .expect("a booking");
    assert!(offers.accepted);
    assert_eq!(names(&offers.slot), ["slot-filled"]);
    assert!(
        matches!(&offers.slot[0], SlotEvent::SlotFilled(it) if it.auto && it.as_of == Some(NOON))
    );
    let (_, events) = &offers.entries[0];
    assert_eq!(
        names(events),
        ["offer-accepted"],
        "no offer that would have to be answered"
    );
    assert!(matches!(&events[0], EntryEvent::OfferAccepted(it) if it.auto && it.score.is_some()));
    let slot = fold(slot, &offers.slot, LATER);
    let entry = fold(entry, events, LATER);
    assert_eq!(
        accept(&slot, &entry, &offer_of("ada"), LATER),
        Err(Refusal::AlreadyAccepted)
    );
}

#[test]
fn who_would_accept_at_once_does_not_snatch_a_slot_from_those_before_them() {
    let slot = slot_on(rules(|rules| rules.mode = Mode::Batch { size: 3 }));
    let mut selection = Selection::new(&slot, 3, timing(), LATER);
    let (_, busy, _) = offered("eve");
    let early = NOON;
    assert!(matches!(
        Selection::new(&slot, 3, timing(), early).consider(&entry_id("eve"), &busy),
        Considered::PassedOver(Ineligible::HasOffer)
    ));
    assert_eq!(
        selection.consider(&entry_id("bob"), &waiting("bob")),
        Considered::Taken
    );
    let left = selection.consider(&entry_id("ada"), &wishing("ada", automatic()));
    assert_eq!(left, Considered::LeftForNext);
    assert!(selection.is_full());
    let offers = selection.offer(None, Look::default()).expect("an offer");
    assert_eq!(names(&offers.slot), ["slot-held"], "bob is asked alone");
}

#[test]
fn who_was_passed_over_is_recorded_with_the_hold_and_the_score_says_whose_turn_it_was() {
    let slot = open_slot();
    let mut selection = Selection::new(&slot, 1, timing(), LATER);
    let paused = waiting("ada");
    let paused = fold(
        paused.clone(),
        &pause(&paused, &timing(), NOON).expect("a pause"),
        NOON,
    );
    selection.consider(&entry_id("ada"), &paused);
    selection.consider(&entry_id("bob"), &wishing("bob", northern()));
    selection.consider(&entry_id("eve"), &waiting("eve"));
    let offers = selection
        .offer(None, Look::as_of(Some(NOON)))
        .expect("an offer");
    assert_eq!(names(&offers.slot), ["candidates-passed-over", "slot-held"]);
    let SlotEvent::CandidatesPassedOver(passed) = &offers.slot[0] else {
        panic!("{:?}", offers.slot)
    };
    assert_eq!(passed.passed[&Ineligible::Paused], [entry_id("ada")]);
    assert_eq!(passed.passed[&Ineligible::OtherLocation], [entry_id("bob")]);
    assert_eq!(through_the_journal(&offers.slot), offers.slot);
    let EntryEvent::OfferMade(made) = &offers.entries[0].1[0] else {
        panic!("{:?}", offers.entries)
    };
    let score = made.score.as_ref().expect("a score");
    assert_eq!(
        (score.position, score.among, score.waited_ms),
        (3, 3, 1_805_000)
    );
}
