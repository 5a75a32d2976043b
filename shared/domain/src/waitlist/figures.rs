//! A waitlist's figures: what slots and entries contribute, summed up.

use std::collections::BTreeMap;

use callboard_contracts::Timestamp;
use callboard_contracts::figures::{
    Asked, Ended, Evenness, Figure, Figures, OfferCounts, Overrides, Seconds, SlotCounts,
    SlotTally, StillWaiting, Waited, Waiting, Waits,
};
use callboard_contracts::waitlist::Urgency;

use super::statistics::{Spread, among_equals, gini, jain};

/// What is being summed up.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    slots: SlotCounts,
    offers: OfferCounts,
    seconds_to_fill: Vec<f64>,
    booked: Vec<Waited>,
    left: u32,
    waiting: Vec<Waiting>,
    overrides: Overrides,
    as_of: Option<Timestamp>,
}

impl Sums {
    /// Adds a contribution.
    pub fn add(&mut self, figure: Figure) {
        match figure {
            Figure::Slot(tally) => self.add_slot(&tally),
            Figure::Waited(waited) => {
                self.seen(waited.ended_at);
                if waited.booked {
                    self.booked.push(waited);
                } else {
                    self.left += 1;
                }
            }
            Figure::Waiting(waiting) => {
                self.seen(waiting.joined_at);
                self.waiting.push(waiting);
            }
            Figure::Override(overridden) => {
                let tally = overridden.tally;
                self.seen(tally.at);
                self.overrides.count += tally.count;
                let reason = serde_json::to_value(tally.reason).ok();
                let reason = reason.as_ref().and_then(|reason| reason.as_str());
                let reason = reason.unwrap_or_default().to_owned();
                *self.overrides.by_reason.entry(reason).or_default() += tally.count;
            }
        }
    }

    fn seen(&mut self, at: Timestamp) {
        self.as_of = self.as_of.max(Some(at));
    }

    fn add_slot(&mut self, tally: &SlotTally) {
        let ms = std::time::Duration::from_millis(tally.ms_to_fill.unwrap_or(0));
        self.seen(tally.released_at.plus(ms));
        let ended =
            tally.filled + tally.booked + tally.withdrawn + tally.opened_to_public + tally.unfilled;
        let slots = &mut self.slots;
        slots.released += tally.released;
        slots.filled += tally.filled;
        slots.booked_otherwise += tally.booked;
        slots.withdrawn += tally.withdrawn;
        slots.opened_to_public += tally.opened_to_public;
        slots.unfilled += tally.unfilled;
        slots.open += tally.released.saturating_sub(ended);
        let answered = tally.automatic + tally.by_broadcast;
        let accepted = tally.filled.saturating_sub(answered);
        let over = accepted + tally.automatic + tally.declined + tally.expired + tally.ended;
        let offers = &mut self.offers;
        offers.made += tally.offers;
        offers.accepted += accepted;
        offers.automatic += tally.automatic;
        offers.declined += tally.declined;
        offers.expired += tally.expired;
        offers.ended_by_others += tally.ended;
        offers.standing += tally.offers.saturating_sub(over);
        offers.broadcasts += tally.broadcasts;
        offers.filled_by_broadcast += tally.by_broadcast;
        self.seconds_to_fill
            .extend(tally.ms_to_fill.map(|_| ms.as_secs_f64()));
    }

    /// What they come to at `now`.
    #[must_use]
    pub fn figures(&self, asked: Asked, now: Timestamp) -> Figures {
        let share = |part: u32, of: u32| (of > 0).then(|| f64::from(part) / f64::from(of));
        let (slots, offers) = (self.slots, self.offers);
        let had_their_time = slots.filled + slots.opened_to_public + slots.unfilled;
        Figures {
            asked,
            slots,
            fill_rate: share(slots.filled, had_their_time),
            time_to_fill_seconds: spread(&self.seconds_to_fill),
            offers,
            offers_per_fill: share(offers.made, slots.filled),
            acceptance: share(
                offers.accepted,
                offers.accepted + offers.declined + offers.expired,
            ),
            ended: self.ended(),
            waiting: self.waiting(now),
            overrides: self.overrides.clone(),
            as_of: self.as_of,
        }
    }

    fn ended(&self) -> Ended {
        let mut by_urgency: BTreeMap<Urgency, Vec<f64>> = BTreeMap::new();
        let mut equals: BTreeMap<(&str, Urgency), Vec<f64>> = BTreeMap::new();
        for waited in &self.booked {
            let seconds = waited.ended_at.since(waited.joined_at).as_secs_f64();
            by_urgency.entry(waited.urgency).or_default().push(seconds);
            if !waited.front {
                let group = equals.entry((&waited.service, waited.urgency));
                group.or_default().push(seconds);
            }
        }
        let waits = |(urgency, values): (Urgency, Vec<f64>)| {
            let waits = Waits {
                seconds: spread(&values),
                evenness: Evenness {
                    jain: jain(&values),
                    gini: gini(&values),
                },
            };
            (urgency, waits)
        };
        let groups = || equals.values().map(Vec::as_slice);
        Ended {
            booked: by_urgency.into_iter().map(waits).collect(),
            among_equals: Evenness {
                jain: among_equals(groups(), jain),
                gini: among_equals(groups(), gini),
            },
            left: self.left,
        }
    }

    fn waiting(&self, now: Timestamp) -> StillWaiting {
        let mut by_urgency: BTreeMap<Urgency, Vec<f64>> = BTreeMap::new();
        for waiting in &self.waiting {
            let seconds = now.since(waiting.joined_at).as_secs_f64();
            by_urgency.entry(waiting.urgency).or_default().push(seconds);
        }
        let paused = self.waiting.iter().filter(|waiting| waiting.paused).count();
        StillWaiting {
            seconds: by_urgency
                .into_iter()
                .map(|(urgency, values)| (urgency, spread(&values)))
                .collect(),
            paused: u32::try_from(paused).unwrap_or(u32::MAX),
        }
    }
}

/// How values in seconds are spread.
fn spread(values: &[f64]) -> Seconds {
    let spread = Spread::of(values);
    Seconds {
        count: u32::try_from(values.len()).unwrap_or(u32::MAX),
        mean: spread.map(|spread| spread.mean),
        p50: spread.map(|spread| spread.p50),
        p90: spread.map(|spread| spread.p90),
        p95: spread.map(|spread| spread.p95),
        max: spread.map(|spread| spread.max),
    }
}
