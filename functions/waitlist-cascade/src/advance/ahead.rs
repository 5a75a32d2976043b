//! Those passed over who are too many to stand beside a hold: they are recorded by a commit of their
//! own, which goes ahead of it (I4).

use std::collections::HashSet;

use callboard_contracts::EntryId;
use callboard_contracts::waitlist::{CandidatesPassedOver, SlotEvent};
use callboard_domain::waitlist::Slot;
use callboard_runtime::failure::Failure;
use callboard_runtime::journal::{AppendError, Commit, Loaded, write_units};

use super::{Outcome, Try, Turn};

/// What a turn has committed before its hold.
#[derive(Default)]
pub(super) struct Ahead {
    /// The slot after it; absent if nothing was.
    pub(super) slot: Option<Loaded<Slot>>,
    /// Who is recorded.
    pub(super) recorded: HashSet<EntryId>,
}

impl Turn<'_> {
    /// Those passed over, if the hold costs more write units with them than without: two for each
    /// kilobyte in its transaction, when a commit of their own costs one.
    pub(super) fn too_many(
        &self,
        slot: &Loaded<Slot>,
        held: &Commit,
        events: &[SlotEvent],
    ) -> Result<Option<CandidatesPassedOver>, Failure> {
        let is_list = |event: &SlotEvent| matches!(event, SlotEvent::CandidatesPassedOver(_));
        let Some(SlotEvent::CandidatesPassedOver(passed)) = events.iter().find(|it| is_list(it))
        else {
            return Ok(None);
        };
        let others = events.iter().filter(|event| !is_list(event)).cloned();
        let alone = self.commit_of(slot, others.collect())?;
        let is_dearer = write_units(held.bytes()) > write_units(alone.bytes());
        Ok(is_dearer.then(|| passed.clone()))
    }

    /// Records who was passed over before the hold that follows at once. It leaves the slot as it is,
    /// so what was decided still holds on the next number.
    pub(super) async fn record(
        &self,
        passed: CandidatesPassedOver,
        ahead: &mut Ahead,
    ) -> Result<Option<Try<Outcome>>, Failure> {
        let slot = ahead.slot.as_ref().unwrap_or(self.slot);
        let entries: Vec<EntryId> = passed.passed.values().flatten().cloned().collect();
        let commit = self.commit_of(slot, vec![passed.into()])?;
        let record = commit.record().clone();
        match self.deps.journal.append(commit).await {
            Ok(_) => {
                ahead.slot = Some(slot.clone().after(&record)?);
                ahead.recorded.extend(entries);
                Ok(None)
            }
            Err(AppendError::Conflict(_)) => Ok(Some(Try::SlotMoved)),
            Err(error) => Err(error.into()),
        }
    }
}
