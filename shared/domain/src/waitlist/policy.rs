//! A waitlist's policy: how its slots are offered, for each service and for the rest.
//!
//! A policy is set, never edited, and each set is numbered. A slot takes with it what held when it
//! was released (its [`Terms`]), so that a cascade goes on as it began, and needs no further read.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_contracts::waitlist::{
    LocalTime, Mode, OfferRules, Policy, PolicySet, QuietHours, Terms, WaitlistEvent,
};
use callboard_contracts::{Fold, Timestamp, WaitlistId};
use serde::{Deserialize, Serialize};

use super::broadcast::AUDIENCE_MAX;
use super::local::is_zone;
use super::refusal::Refusal;
use super::slot::{OFFER_WINDOW_MAX, check_service};

/// Most entries that are offered a slot at once: their commits and the slot's are one
/// transaction, and a person who is one of more has little chance.
pub const BATCH_MAX: u8 = 20;

/// Longest grace before the first offer, and longest cutoff before the start, in seconds: a week.
pub const WAIT_SECONDS_MAX: u32 = 7 * 24 * 3_600;

/// Services with a policy of their own: the fold of a waitlist must fit into a commit.
pub const SERVICES_MAX: usize = 100;

/// Longest quiet hours, in minutes: 16 hours leave eight for an answer.
const QUIET_MINUTES_MAX: u16 = 16 * 60;

/// Most bookings swapped in a row. Each is a transaction of its own, so this bounds how long the
/// effects of one cancellation go on.
const SWAP_DEPTH_MAX: u8 = 10;

/// Who has waited for longer goes before every urgency.
#[must_use]
pub fn max_wait(rules: &OfferRules) -> Option<Duration> {
    let days = rules.max_wait_days?;
    Some(Duration::from_secs(u64::from(days) * 24 * 3_600))
}

/// The policy of a waitlist for which none was set.
///
/// Half an hour to answer, and a quarter of the time to the slot if that is less, so that a slot
/// of the same day is offered several times; the skips of frontdesk.care; a routine entry waits
/// at most half a year, however many urgent ones come.
#[must_use]
pub fn standard() -> Policy {
    Policy {
        window_seconds: 1_800,
        zone: None,
        rules: OfferRules {
            mode: Mode::Sequential,
            window_percent: Some(25),
            quiet_hours: LocalTime::at(22, 0)
                .zip(LocalTime::at(7, 0))
                .map(|(from, to)| QuietHours { from, to }),
            cutoff_seconds: 900,
            grace_seconds: 0,
            broadcast_within_seconds: 0,
            audience_max: None,
            skip_limit: Some(3),
            max_wait_days: Some(182),
            swap_depth: 3,
        },
    }
}

/// A policy with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// Its number among the waitlist's policies.
    pub version: u32,
    /// The policy.
    pub policy: Policy,
}

/// The state of a waitlist's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policies {
    /// The number of the latest policy; 0 if none was ever set.
    pub version: u32,
    /// For every service that has none of its own.
    pub general: Option<Numbered>,
    /// For one service each.
    pub services: BTreeMap<String, Numbered>,
}

impl Fold for Policies {
    type Event = WaitlistEvent;
    const VERSION: u32 = 1;

    fn evolve(mut self, event: &WaitlistEvent, _: Timestamp) -> Self {
        let WaitlistEvent::PolicySet(event) = event;
        self.version = event.version;
        let numbered = Numbered {
            version: event.version,
            policy: event.policy.clone(),
        };
        match &event.service {
            Some(service) => {
                self.services.insert(service.clone(), numbered);
            }
            None => self.general = Some(numbered),
        }
        self
    }
}

impl Policies {
    /// The policy for a service, with its number; [`standard`] with number 0 if none was set.
    #[must_use]
    pub fn of(&self, service: &str) -> Numbered {
        let own = self.services.get(service).or(self.general.as_ref());
        own.cloned().unwrap_or_else(|| Numbered {
            version: 0,
            policy: standard(),
        })
    }

    /// What the policy means for a slot of `service` that is released now. Its zone is the one
    /// given with it; without one the policy's, else the usual one: mails, pages, quiet hours and
    /// the weekdays that people can come on must all mean the same clock. `random` is as for
    /// [`Numbered::terms`].
    #[must_use]
    pub fn resolve(
        &self,
        service: &str,
        zone: Option<&str>,
        usual: Usual<'_>,
        random: u128,
    ) -> Resolved {
        let numbered = self.of(service);
        let zone = zone
            .map(str::to_owned)
            .or_else(|| numbered.policy.zone.clone())
            .or_else(|| usual.zone.map(str::to_owned));
        let mut terms = numbered.terms(random);
        let mut window_seconds = numbered.policy.window_seconds;
        if numbered.version == 0 {
            window_seconds = usual.window_seconds;
            // Nobody has said when it is night there.
            if zone.is_none() {
                terms.rules.quiet_hours = None;
            }
        }
        Resolved {
            window_seconds,
            zone,
            terms,
        }
    }
}

/// What holds where nothing was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual<'a> {
    /// How long an offer stands where no policy was set, in seconds.
    pub window_seconds: u32,
    /// The clinic's time zone (IANA), if it has named one.
    pub zone: Option<&'a str>,
}

/// What a policy means for one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// How long an offer stands, in seconds.
    pub window_seconds: u32,
    /// The time zone (IANA) that people read its times in.
    pub zone: Option<String>,
    /// What the slot takes with it.
    pub terms: Terms,
}

impl Numbered {
    /// What a slot takes with it when it is released. `random` is from the caller, who must not
    /// know yet who will wait when the lots are drawn.
    #[must_use]
    pub fn terms(&self, random: u128) -> Terms {
        let rules = self.policy.rules.clone();
        let draws = rules.mode == Mode::Lottery;
        Terms {
            policy_version: self.version,
            rules,
            seed: draws.then(|| format!("{random:032x}")),
        }
    }
}

/// Sets a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetPolicy {
    /// The waitlist.
    pub waitlist_id: WaitlistId,
    /// The service it is for; absent for all that have none of their own.
    pub service: Option<String>,
    /// The policy.
    pub policy: Policy,
    /// The number after which it is set, if the caller wants to be sure that nobody came before.
    pub after_version: Option<u32>,
}

/// Decides on a policy.
///
/// # Errors
/// [`Refusal::Policy`] with the field that is wrong, [`Refusal::PolicyUnchanged`] for a
/// repetition, [`Refusal::PolicyMoved`] if somebody came before.
pub fn set(policies: &Policies, command: &SetPolicy) -> Result<Vec<WaitlistEvent>, Refusal> {
    check(&command.policy)?;
    if let Some(service) = &command.service {
        check_service(service)?;
        let new = !policies.services.contains_key(service);
        if new && policies.services.len() >= SERVICES_MAX {
            return Err(Refusal::Policy("service"));
        }
    }
    let own = match &command.service {
        Some(service) => policies.services.get(service),
        None => policies.general.as_ref(),
    };
    let version = policies.version;
    if own.is_some_and(|own| own.policy == command.policy) {
        return Err(Refusal::PolicyUnchanged);
    }
    if command.after_version.is_some_and(|after| after != version) {
        return Err(Refusal::PolicyMoved { version });
    }
    Ok(vec![
        PolicySet {
            waitlist_id: command.waitlist_id.clone(),
            version: version + 1,
            service: command.service.clone(),
            policy: command.policy.clone(),
        }
        .into(),
    ])
}

/// Whether a policy can be kept.
///
/// # Errors
/// [`Refusal::Policy`] with the field that is wrong.
pub fn check(policy: &Policy) -> Result<(), Refusal> {
    let rules = &policy.rules;
    let size_fits = match rules.mode {
        Mode::Batch { size } => (1..=BATCH_MAX).contains(&size),
        _ => true,
    };
    let checks = [
        (
            "windowSeconds",
            (1..=OFFER_WINDOW_MAX.as_secs()).contains(&policy.window_seconds.into()),
        ),
        ("zone", policy.zone.as_deref().is_none_or(is_zone)),
        ("mode/size", size_fits),
        (
            "windowPercent",
            rules.window_percent.is_none_or(|p| (1..=100).contains(&p)),
        ),
        ("quietHours", rules.quiet_hours.is_none_or(are_short_enough)),
        ("cutoffSeconds", rules.cutoff_seconds <= WAIT_SECONDS_MAX),
        ("graceSeconds", rules.grace_seconds <= WAIT_SECONDS_MAX),
        (
            "broadcastWithinSeconds",
            rules.broadcast_within_seconds <= WAIT_SECONDS_MAX,
        ),
        (
            "audienceMax",
            rules
                .audience_max
                .is_none_or(|max| (1..=AUDIENCE_MAX).contains(&max)),
        ),
        ("skipLimit", rules.skip_limit != Some(0)),
        ("maxWaitDays", rules.max_wait_days != Some(0)),
        ("swapDepth", rules.swap_depth <= SWAP_DEPTH_MAX),
    ];
    match checks.iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(Refusal::Policy(field)),
        None => Ok(()),
    }
}

fn are_short_enough(quiet: QuietHours) -> bool {
    let (from, to) = (quiet.from.minutes(), quiet.to.minutes());
    let minutes = if to > from {
        to - from
    } else {
        24 * 60 - from + to
    };
    from != to && minutes <= QUIET_MINUTES_MAX
}
