//! Whom a broadcast slot is told to.

use callboard_contracts::waitlist::{BroadcastEvent, Cursor, Ineligible, Invited, Mode, Urgency};
use callboard_domain::waitlist::broadcast::{
    AUDIENCE, Audience, Next, PAGE, Page, announce, next, room_for_others, stop, to_search,
};
use callboard_domain::waitlist::entry::{Entry, Wishes};
use callboard_domain::waitlist::slot::{self, Look, Slot};
use callboard_domain::waitlist::{Considered, Selection};

use crate::given::*;

fn open_to_all(audience_max: Option<u8>) -> Slot {
    let slot = slot_on(rules(|rules| {
        rules.mode = Mode::Broadcast;
        rules.audience_max = audience_max;
    }));
    let events = slot::broadcast(&slot, &timing(), NOON).expect("broadcast");
    fold(slot, &events, NOON)
}

fn page<'a>(found: &'a [Entry], is_last: bool) -> Page<'a> {
    Page {
        found: found.iter().collect(),
        look: Look::as_of(Some(NOON)),
        is_last,
    }
}

fn invited(events: &[BroadcastEvent]) -> Vec<String> {
    let of = |event: &BroadcastEvent| match event {
        BroadcastEvent::BroadcastAnnounced(event) => event.invited.clone(),
        BroadcastEvent::AudienceSearched(_) => Vec::new(),
    };
    let all = events.iter().flat_map(of);
    all.map(|one: Invited| one.entry_id.to_string()).collect()
}

#[test]
fn a_page_names_the_slot_and_whom_it_is_told_to_by_rank() {
    let slot = open_to_all(None);
    let proxy = Wishes {
        proxy_id: Some("mum".parse().expect("an id")),
        ..Wishes::default()
    };
    let found = [waiting("bob"), wishing("ada", proxy)];
    let events = announce(&slot, &Audience::default(), page(&found, false));
    assert_eq!(names(&events), ["broadcast-announced", "audience-searched"]);
    let BroadcastEvent::BroadcastAnnounced(told) = &events[0] else {
        panic!("{:?}", events[0])
    };
    assert_eq!((&told.slot_id, told.slot_version), (&slot_id(), 1));
    assert_eq!(told.expires_at, facts(&slot).cutoff());
    assert_eq!(invited(&events), ["bob", "ada"]);
    assert_eq!(
        told.invited[1].proxy_id.as_ref().map(|id| id.as_str()),
        Some("mum")
    );
    let audience = fold(Audience::default(), &events, NOON);
    assert!(!audience.done);
    assert_eq!(
        next(&slot, 1, &audience, NOON),
        Next::Tell { want: PAGE },
        "more are waiting"
    );
    assert_eq!(through_the_journal(&events), events);
}

#[test]
fn nobody_is_told_twice_and_a_person_with_two_entries_once() {
    let slot = open_to_all(None);
    let mut second = waiting("ada-again");
    let facts = second.facts.as_mut().expect("joined");
    facts.recipient_id = "person-of-ada".parse().expect("an id");
    let found = [waiting("ada"), second, waiting("bob")];
    let first = announce(&slot, &Audience::default(), page(&found, false));
    assert_eq!(invited(&first), ["ada", "bob"]);
    let audience = fold(Audience::default(), &first, NOON);
    let again = announce(&slot, &audience, page(&found, true));
    assert_eq!(names(&again), ["audience-searched"]);
    assert!(fold(audience, &again, NOON).done);
}

#[test]
fn the_search_goes_on_behind_the_last_page_without_those_who_were_told() {
    let slot = open_to_all(None);
    let mut first = page(&[], false);
    let found = [waiting("ada")];
    first.found = found.iter().collect();
    first.look.passed = vec![(entry_id("eve"), Ineligible::Paused)];
    first.look.cursors = vec![Cursor {
        urgency: Some(Urgency::Routine),
        since: NOON,
        entry_id: entry_id("eve"),
    }];
    let events = announce(&slot, &Audience::default(), first);
    let audience = fold(Audience::default(), &events, NOON);
    let ahead = to_search(&slot, &audience);
    assert_eq!(ahead.cursors, audience.cursors);
    assert_eq!(audience.cursors[0].entry_id, entry_id("eve"));
    let mut selection = Selection::to_tell(&ahead, PAGE, timing(), NOON);
    let considered = selection.consider(&entry_id("ada"), &waiting("ada"));
    assert_eq!(
        considered,
        Considered::PassedOver(Ineligible::OfferedBefore)
    );
    let BroadcastEvent::AudienceSearched(searched) = &events[1] else {
        panic!("{:?}", events[1])
    };
    assert_eq!(
        searched.passed[&Ineligible::Paused],
        [entry_id("eve")],
        "I4"
    );
}

#[test]
fn as_many_are_told_as_the_policy_wants_and_no_more() {
    let slot = open_to_all(Some(3));
    let all: Vec<_> = (0..5).map(|who| waiting(&format!("e{who}"))).collect();
    let audience = Audience::default();
    assert_eq!(next(&slot, 1, &audience, NOON), Next::Tell { want: 3 });
    let first = announce(&slot, &audience, page(&all[..2], false));
    let audience = fold(audience, &first, NOON);
    assert_eq!(next(&slot, 1, &audience, NOON), Next::Tell { want: 1 });
    assert_eq!(room_for_others(&slot, &audience, NOON), 1);
    let second = announce(&slot, &audience, page(&all[2..], false));
    assert_eq!(invited(&second), ["e2"]);
    let audience = fold(audience, &second, NOON);
    assert_eq!(next(&slot, 1, &audience, NOON), Next::Nothing);
    assert_eq!(room_for_others(&slot, &audience, NOON), 0);
    let unsaid = facts(&open_to_all(None)).audience_max();
    assert_eq!(unsaid, usize::from(AUDIENCE));
}

#[test]
fn who_accepts_at_once_is_told_of_a_broadcast_like_the_others() {
    let slot = open_to_all(None);
    let at_once = Wishes {
        auto_accept: true,
        ..Wishes::default()
    };
    let mut selection = Selection::to_tell(&slot, 2, timing(), NOON);
    for (name, entry) in [("ada", wishing("ada", at_once)), ("bob", waiting("bob"))] {
        assert_eq!(
            selection.consider(&entry_id(name), &entry),
            Considered::Taken
        );
    }
    assert!(selection.is_full());
}

#[test]
fn once_the_slot_is_taken_or_over_nobody_else_is_told() {
    let slot = open_to_all(None);
    let found = [waiting("ada")];
    let events = announce(&slot, &Audience::default(), page(&found, false));
    let audience = fold(Audience::default(), &events, NOON);
    let yes = accept(&slot, &waiting("ada"), &offer_of("ada"), NOON).expect("yes");
    let taken = fold(slot.clone(), &yes.slot, NOON);
    assert_eq!(next(&taken, 1, &audience, NOON), Next::Stop);
    assert_eq!(room_for_others(&taken, &audience, NOON), 0);
    let stopped = stop(&audience);
    assert_eq!(
        announce(&taken, &audience, page(&[waiting("bob")], false)),
        stopped
    );
    let audience_after = fold(audience.clone(), &stopped, NOON);
    assert_eq!(next(&taken, 1, &audience_after, NOON), Next::Nothing);
    assert_eq!(stop(&audience_after), []);
    let cutoff = facts(&slot).cutoff();
    assert_eq!(next(&slot, 1, &audience, cutoff), Next::Stop);
    assert_eq!(
        next(&slot, 2, &audience, NOON),
        Next::Stop,
        "of another version"
    );
}
