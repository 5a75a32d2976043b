//! The simulation's own count beside the figures that a deployed system tells of the same events.

use callboard_contracts::figures::{Asked, Figure, Figures};
use callboard_contracts::view::{EntryView, SlotView};
use callboard_domain::waitlist::figures::Sums;
use waitlist_projector::view::{Document, Row};

use super::*;
use crate::simulate::config::CLINIC;

fn contributions(rows: Vec<Row>) -> impl Iterator<Item = Figure> {
    rows.into_iter()
        .filter(|row| row.key.pk.starts_with("figures#"))
        .map(|row| serde_json::from_str(&row.doc).unwrap())
}

/// What the rows of the projector say of the measured slots and of those who got one.
fn figures(world: &World<'_>) -> Figures {
    let measured = |at: usize| world.story.frees[at].measured;
    let mut sums = Sums::default();
    for (_, slot) in world
        .slots
        .iter()
        .enumerate()
        .filter(|(at, _)| measured(*at))
    {
        let view = SlotView::of(slot).unwrap();
        contributions(view.rows_beside().unwrap()).for_each(|figure| sums.add(figure));
    }
    for view in world.entries.iter().filter_map(EntryView::of) {
        let slot = view.slot_id.as_ref().filter(|_| view.state == "booked");
        if slot.is_some_and(|slot| measured(place(slot.as_str()))) {
            contributions(view.rows_beside().unwrap()).for_each(|figure| sums.add(figure));
        }
    }
    let asked = Asked {
        waitlist_id: world.waitlist.clone(),
        service: None,
        from: String::new(),
        to: String::new(),
        complete: true,
    };
    sums.figures(asked, world.now)
}

fn alike(name: &str, ours: Option<f64>, told: Option<f64>) {
    let same = match (ours, told) {
        (Some(ours), Some(told)) => (ours - told).abs() < 1e-9 * ours.abs().max(1.0),
        (ours, told) => ours.is_none() && told.is_none(),
    };
    assert!(same, "{name}: counted {ours:?}, told {told:?}");
}

#[test]
fn every_policy_comes_to_the_figures_that_its_events_tell() {
    let mut config = Config::read(CLINIC, "clinic.toml").unwrap();
    config.days = 7;
    config.warm_up_days = 7;
    let story = Story::draw(&config, config.seed);
    for plan in &config.policies {
        let mut world = World::new(&config, &story, plan).unwrap();
        world.run().unwrap();
        let (counts, told) = (&world.counts, figures(&world));
        let of = |what: &str| format!("{}: {what}", plan.name);
        assert!(counts.filled > 20, "{}", of("too little happened"));
        assert_eq!(told.slots.released, counts.released, "{}", of("released"));
        assert_eq!(told.slots.filled, counts.filled, "{}", of("filled"));
        assert_eq!(told.slots.open, 0, "{}", of("open"));
        let invited = world.invited.iter();
        let invited = invited.filter(|(at, _)| story.frees[**at].measured);
        let invited: u32 = invited.map(|(_, count)| count).sum();
        assert_eq!(
            told.offers.made + invited,
            counts.offers,
            "{}",
            of("offers")
        );
        assert_eq!(told.offers.standing, 0, "{}", of("standing"));
        let ours = counts.figures();
        let ours = |name: &str| ours.get(name).copied();
        let minutes = |seconds: Option<f64>| seconds.map(|seconds| seconds / 60.0);
        let to_fill = told.time_to_fill_seconds;
        alike(
            &of("p50"),
            ours("minutesToFillMedian"),
            minutes(to_fill.p50),
        );
        alike(&of("p90"), ours("minutesToFillP90"), minutes(to_fill.p90));
        alike(&of("jain"), ours("jain"), told.ended.among_equals.jain);
        for (urgency, median, p90) in [
            (Urgency::Urgent, "urgentWaitDaysMedian", "urgentWaitDaysP90"),
            (Urgency::Soon, "soonWaitDaysMedian", "soonWaitDaysP90"),
            (
                Urgency::Routine,
                "routineWaitDaysMedian",
                "routineWaitDaysP90",
            ),
        ] {
            let waits = told.ended.booked.get(&urgency).map(|waits| waits.seconds);
            let days = |seconds: Option<f64>| seconds.map(|seconds| seconds / 86_400.0);
            alike(&of(median), ours(median), days(waits.and_then(|it| it.p50)));
            alike(&of(p90), ours(p90), days(waits.and_then(|it| it.p90)));
        }
    }
}
