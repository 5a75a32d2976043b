//! Broadcasts: whom a slot is told to, page by page.

use callboard_contracts::waitlist::BroadcastEvent;
use callboard_domain::waitlist::broadcast::{self, Next, Page, announce, next};
use callboard_domain::waitlist::slot::{self, Look, Slot, SlotStatus};
use callboard_domain::waitlist::{Considered, Selection};

use super::{Clinic, entry_at, name, person};
use crate::given::*;

pub const AUDIENCE: u8 = 3;

/// Told at once in these tests, so that a broadcast has pages.
const PAGE: usize = 2;

impl Clinic {
    pub(super) fn broadcast(&mut self, at: usize, slot: &Slot) {
        let (selection, is_last) = self.to_tell(at, slot, PAGE);
        if selection.is_empty() {
            let look = Look {
                passed: selection.passed().to_vec(),
                ..Look::as_of(Some(self.now))
            };
            let events = slot::no_candidate(slot, &look, &timing(), self.now).expect("it is free");
            self.commit(at, &events);
            return;
        }
        let page = page(&selection, is_last);
        let opened = slot::broadcast(slot, &timing(), self.now).expect("it says so");
        let after = fold(slot.clone(), &opened, self.now);
        let told = announce(&after, &broadcast::Audience::default(), page);
        drop(selection);
        self.commit(at, &opened);
        self.tell_all(at, &told);
    }

    /// The next page of a broadcast that was not told to all.
    pub(super) fn tell_more(&mut self, at: usize) {
        let slot = self.slots[at].clone();
        let key = (at, slot.version());
        let Some(audience) = self.audiences.get(&key).cloned() else {
            return;
        };
        let events = match next(&slot, slot.version(), &audience, self.now) {
            Next::Nothing => return,
            Next::Stop => broadcast::stop(&audience),
            Next::Tell { want } => {
                let ahead = broadcast::to_search(&slot, &audience);
                let (selection, is_last) = self.to_tell(at, &ahead, want.min(PAGE));
                announce(&slot, &audience, page(&selection, is_last))
            }
        };
        self.tell_all(at, &events);
        let told = announce(
            &slot,
            &self.audiences[&key],
            Page {
                found: self.entries.iter().collect(),
                look: Look::default(),
                is_last: true,
            },
        );
        let again = told.iter().filter_map(|event| match event {
            BroadcastEvent::BroadcastAnnounced(event) => Some(&event.invited),
            BroadcastEvent::AudienceSearched(_) => None,
        });
        let known = &self.audiences[&key].invited;
        let twice = again.flatten().any(|one| known.contains_key(&one.entry_id));
        assert!(!twice, "somebody would be told twice");
    }

    fn to_tell<'a>(&self, at: usize, slot: &'a Slot, want: usize) -> (Selection<'a>, bool) {
        let mut selection = Selection::to_tell(slot, want, timing(), self.now);
        let order = self.known.ranked(self.now);
        let mut looked_at = 0;
        for who in &order {
            let free = self.known.may_be_offered(*who, at, facts(slot), self.now);
            let told = slot.offered.contains(&entry_id(&name(*who)));
            let considered = selection.consider(&entry_id(&name(*who)), &self.entries[*who]);
            assert_eq!(considered == Considered::Taken, free && !told, "{who}");
            looked_at += 1;
            if selection.is_full() {
                break;
            }
        }
        (selection, looked_at == order.len())
    }

    fn tell_all(&mut self, at: usize, events: &[BroadcastEvent]) {
        let slot = self.slots[at].clone();
        self.seen.extend(names(events));
        let audience = self.audiences.entry((at, slot.version())).or_default();
        for event in events {
            let BroadcastEvent::BroadcastAnnounced(event) = event else {
                continue;
            };
            let open =
                matches!(slot.status, SlotStatus::Broadcast { ends_at } if self.now < ends_at);
            assert!(open, "told of a slot that is not to be had");
            assert!(event.invited.len() <= PAGE);
            for one in &event.invited {
                assert!(!audience.invited.contains_key(&one.entry_id), "told twice");
                assert_eq!(one.recipient_id, person(entry_at(&one.entry_id)));
            }
        }
        *audience = fold(std::mem::take(audience), events, self.now);
        assert!(
            audience.invited.len() <= AUDIENCE.into(),
            "told to too many"
        );
    }
}

fn page<'a>(selection: &'a Selection<'_>, is_last: bool) -> Page<'a> {
    Page {
        found: selection.taken().collect(),
        look: Look {
            passed: selection.passed().to_vec(),
            ..Look::default()
        },
        is_last,
    }
}
