//! What a slot and an entry contribute to the figures of their waitlist.

use callboard_contracts::figures::{
    Figure, Overridden, Waited, Waiting, entry_figure_key, figures_key, override_figure_key,
    slot_figure_key, utc_day, waiting_key,
};
use callboard_contracts::view::{EntryView, SlotView, candidate_sort_key};

use crate::view::Row;

fn row(pk: String, sk: String, figure: &Figure) -> Result<Row, serde_json::Error> {
    Ok(Row::lasting(pk, sk, serde_json::to_string(figure)?))
}

/// A row for each version: under the waitlist and the day of its own release, whatever comes after.
pub(crate) fn of_slot(slot: &SlotView) -> Result<Vec<Row>, serde_json::Error> {
    let rows = slot.tallies.iter().map(|tally| {
        row(
            figures_key(&tally.waitlist_id, &utc_day(tally.released_at)),
            slot_figure_key(&slot.slot_id, tally.version),
            &Figure::Slot(tally.clone()),
        )
    });
    rows.collect()
}

/// A row among those who wait, by time of joining, or under the day of the end; and one for each
/// change of rank.
pub(crate) fn of_entry(entry: &EntryView) -> Result<Vec<Row>, serde_json::Error> {
    // What a former version wrote has no rows of figures beside it.
    let Some(overrides) = &entry.overrides else {
        return Ok(Vec::new());
    };
    let (waitlist, service) = (&entry.waitlist_id, &entry.service);
    let mut rows = vec![match entry.ended_at {
        None => row(
            waiting_key(waitlist),
            candidate_sort_key(entry.joined_at, &entry.entry_id),
            &Figure::Waiting(Waiting {
                service: service.clone(),
                urgency: entry.urgency,
                joined_at: entry.joined_at,
                paused: entry.state == "paused",
            }),
        ),
        Some(ended_at) => row(
            figures_key(waitlist, &utc_day(ended_at)),
            entry_figure_key(&entry.entry_id),
            &Figure::Waited(Waited {
                service: service.clone(),
                urgency: entry.urgency,
                joined_at: entry.joined_at,
                ended_at,
                // A booking that was given up later ended the waiting all the same.
                booked: matches!(entry.state.as_str(), "booked" | "given-up"),
                front: entry.overridden_at.is_some(),
            }),
        ),
    }?];
    for (number, tally) in overrides.iter().enumerate() {
        rows.push(row(
            figures_key(waitlist, &utc_day(tally.at)),
            override_figure_key(&entry.entry_id, number),
            &Figure::Override(Overridden {
                service: service.clone(),
                tally: tally.clone(),
            }),
        )?);
    }
    Ok(rows)
}
