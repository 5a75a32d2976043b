//! The use case: from one word of the calendar to what becomes of the slot.
//!
//! The slot's stream follows from waitlist and the calendar's own name, and the stream keeps the
//! number of the calendar's last word. So a word that comes again, or too late, finds that out in
//! the journal: no other memory is needed.

use callboard_contracts::{Cause, Envelope, StreamId};
use callboard_domain::foreign::Registry;
use callboard_domain::waitlist::policy::Usual;
use callboard_domain::waitlist::slot::{self, Freed, FromCalendar, News, Slot, told_by_calendar};
use callboard_domain::waitlist::{Policies, Refusal, RefusalKind, Timing};
use callboard_domain::when::Zone;
use callboard_runtime::journal::{AppendError, Journal, Loaded};
use callboard_runtime::{Clock, Failure};

/// How often a word is decided again at once when another commit came between. After that the
/// message waits.
const TRIES_MAX: u32 = 4;

/// What the use case works with.
#[derive(Debug)]
pub struct Deps {
    /// The journal.
    pub journal: Journal,
    /// Which foreign types there are, and what they mean to a slot.
    pub registry: Registry,
    /// The present.
    pub clock: Clock,
    /// How long an offer stands where no policy was set, in seconds.
    pub offer_window_seconds: u32,
    /// The zone in which the clinic tells times, where neither slot nor policy names one.
    pub clinic_zone: Zone,
    /// When open work is due.
    pub timing: Timing,
}

/// What became of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was recorded, with what follows from it.
    Recorded,
    /// It was known, or overtaken by a later one.
    Outdated,
    /// The event is of no waitlist.
    NoSlot,
}

/// Takes what `event` says of a slot to the slot.
///
/// # Errors
/// Terminal, when it cannot be done as it is said: a person has to look. Retryable, when the
/// journal cannot be reached, or other code than this knows what the event is.
pub async fn run(deps: &Deps, event: &Envelope) -> Result<Outcome, Failure> {
    let cause = event.as_cause();
    let Some(said) = read(deps, event)? else {
        return Ok(Outcome::NoSlot);
    };
    let stream = StreamId::slot(&said.slot_id());
    let policies = policies(deps, &said).await?;
    for _ in 0..TRIES_MAX {
        let slot = deps.journal.load::<Slot>(&stream).await?;
        if let Some(outcome) = attempt(deps, &slot, &said, &policies, &cause).await? {
            tracing::info!(%stream, revision = said.revision, ?outcome, "the calendar was heard");
            return Ok(outcome);
        }
    }
    Err(Failure::retryable(
        "the slot changes faster than it is read",
    ))
}

/// What the event says. A type is registered where the event came in: if it is not here, that was
/// done by other code.
fn read(deps: &Deps, event: &Envelope) -> Result<Option<FromCalendar>, Failure> {
    let event = event.as_written_today()?;
    let event_type = event.event_type.as_str();
    let registered = deps.registry.find(event_type).ok_or_else(|| {
        Failure::retryable(format!("`{event_type}` is not registered in this version"))
    })?;
    registered
        .of_slot(&event.data)
        .map_err(|fault| Failure::terminal(format!("the data's {fault}")))
}

/// The policies, by one strongly consistent read: only a release needs them.
async fn policies(deps: &Deps, said: &FromCalendar) -> Result<Policies, Failure> {
    match said.news {
        News::Free(_) => {
            let stream = StreamId::waitlist(&said.waitlist_id);
            Ok(deps.journal.load::<Policies>(&stream).await?.state)
        }
        News::Booked { .. } | News::Gone => Ok(Policies::default()),
    }
}

/// One decision on the slot as it was just read; `None` if another commit came between.
async fn attempt(
    deps: &Deps,
    slot: &Loaded<Slot>,
    said: &FromCalendar,
    policies: &Policies,
    cause: &Cause,
) -> Result<Option<Outcome>, Failure> {
    let now = deps.clock.now();
    let resolve = |freed: &Freed| {
        let usual = Usual {
            window_seconds: deps.offer_window_seconds,
            zone: deps.clinic_zone.name(),
        };
        // From the system: nobody may know the lots before they are drawn.
        let random = uuid::Uuid::new_v4().as_u128();
        policies.resolve(&freed.service, freed.zone.as_deref(), usual, random)
    };
    let events = match told_by_calendar(&slot.state, said, resolve, now) {
        Ok(events) => events,
        Err(refusal) if refusal.kind() == RefusalKind::Repeated => {
            return Ok(Some(Outcome::Outdated));
        }
        Err(refusal) => return Err(refused(said, &refusal)),
    };
    let commit = slot
        .next(&within(slot, said, cause), now)
        .events(events)
        .handled(|slot| slot::handling(slot, &deps.timing))
        .build()?;
    match deps.journal.append(commit).await {
        Ok(_) => Ok(Some(Outcome::Recorded)),
        Err(AppendError::Conflict(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What a calendar does to a slot that is ours belongs to its cascade; a release begins one.
fn within(slot: &Loaded<Slot>, said: &FromCalendar, cause: &Cause) -> Cause {
    match said.news {
        News::Booked { .. } | News::Gone => slot.within(cause),
        News::Free(_) => cause.clone(),
    }
}

/// Names the slot, and never the data.
fn refused(said: &FromCalendar, refusal: &Refusal) -> Failure {
    let (slot, revision) = (said.slot_id(), said.revision);
    let code = refusal.code();
    Failure::terminal(format!(
        "{code}: slot {slot}, the calendar's number {revision}: {refusal}"
    ))
}
