//! A waitlist's policies: set, numbered, one for each service or for all, and taken along.

use callboard_contracts::waitlist::{LocalTime, Mode, Policy, QuietHours};
use callboard_domain::waitlist::policy::{
    self, Policies, SERVICES_MAX, SetPolicy, check, set, standard,
};
use callboard_domain::waitlist::{Refusal, RefusalKind};

use crate::given::*;

fn command(service: Option<&str>, policy: Policy) -> SetPolicy {
    SetPolicy {
        waitlist_id: waitlist_id(),
        service: service.map(str::to_owned),
        policy,
        after_version: None,
    }
}

fn batches(size: u8) -> Policy {
    let mut policy = standard();
    policy.rules.mode = Mode::Batch { size };
    policy
}

fn after(policies: Policies, command: &SetPolicy) -> Policies {
    let events = set(&policies, command).expect("a policy");
    assert_eq!(through_the_journal(&events), events);
    fold(policies, &events, NOON)
}

#[test]
fn a_waitlist_without_a_policy_has_the_standard_one_under_number_zero() {
    let of = Policies::default().of("physio");
    assert_eq!((of.version, &of.policy), (0, &standard()));
    assert_eq!(check(&standard()), Ok(()));
}

#[test]
fn a_service_has_its_own_policy_or_that_of_all() {
    let policies = after(Policies::default(), &command(None, batches(2)));
    let policies = after(policies, &command(Some("dentist"), batches(5)));
    assert_eq!(policies.version, 2);
    assert_eq!(policies.of("dentist").policy, batches(5));
    assert_eq!(policies.of("dentist").version, 2);
    assert_eq!(policies.of("physio").policy, batches(2));
    assert_eq!(policies.of("physio").version, 1);
    let snapshot = serde_json::to_string(&policies).expect("a snapshot");
    assert_eq!(
        serde_json::from_str::<Policies>(&snapshot).expect("a state"),
        policies
    );
}

#[test]
fn the_same_policy_again_is_a_repetition_and_one_decided_on_old_ground_a_lost_race() {
    let policies = after(Policies::default(), &command(None, batches(2)));
    let again = set(&policies, &command(None, batches(2))).expect_err("again");
    assert_eq!(again.kind(), RefusalKind::Repeated);
    let mut late = command(None, batches(3));
    late.after_version = Some(0);
    assert_eq!(
        set(&policies, &late),
        Err(Refusal::PolicyMoved { version: 1 })
    );
    late.after_version = Some(1);
    assert!(set(&policies, &late).is_ok());
}

#[test]
fn a_policy_that_cannot_be_kept_is_refused_by_field() {
    let refused = |change: fn(&mut Policy)| {
        let mut policy = standard();
        change(&mut policy);
        match check(&policy) {
            Err(Refusal::Policy(field)) => field,
            other => panic!("{other:?}"),
        }
    };
    let quiet = |from, to| {
        LocalTime::at(from, 0)
            .zip(LocalTime::at(to, 0))
            .map(|(from, to)| QuietHours { from, to })
    };
    assert_eq!(refused(|p| p.window_seconds = 0), "windowSeconds");
    assert_eq!(refused(|p| p.window_seconds = 8 * 86_400), "windowSeconds");
    assert_eq!(
        refused(|p| p.zone = Some("Mars/Olympus".to_owned())),
        "zone"
    );
    assert_eq!(
        refused(|p| p.rules.mode = Mode::Batch { size: 0 }),
        "mode/size"
    );
    assert_eq!(
        refused(|p| p.rules.mode = Mode::Batch { size: 21 }),
        "mode/size"
    );
    assert_eq!(
        refused(|p| p.rules.window_percent = Some(0)),
        "windowPercent"
    );
    assert_eq!(
        refused(|p| p.rules.window_percent = Some(101)),
        "windowPercent"
    );
    assert_eq!(
        refused(|p| p.rules.cutoff_seconds = u32::MAX),
        "cutoffSeconds"
    );
    assert_eq!(
        refused(|p| p.rules.grace_seconds = u32::MAX),
        "graceSeconds"
    );
    assert_eq!(
        refused(|p| p.rules.broadcast_within_seconds = u32::MAX),
        "broadcastWithinSeconds"
    );
    assert_eq!(refused(|p| p.rules.skip_limit = Some(0)), "skipLimit");
    assert_eq!(refused(|p| p.rules.max_wait_days = Some(0)), "maxWaitDays");
    assert_eq!(refused(|p| p.rules.swap_depth = 11), "swapDepth");
    for (from, to) in [(7, 7), (7, 24), (20, 13)] {
        let mut policy = standard();
        policy.rules.quiet_hours = quiet(from, to);
        assert_eq!(
            check(&policy),
            Err(Refusal::Policy("quietHours")),
            "{from} to {to}"
        );
    }
}

#[test]
fn no_more_services_than_a_snapshot_can_hold_have_a_policy_of_their_own() {
    let mut policies = Policies::default();
    for at in 0..SERVICES_MAX {
        policies = after(policies, &command(Some(&format!("s{at}")), batches(2)));
    }
    assert_eq!(
        set(&policies, &command(Some("one-more"), batches(2))),
        Err(Refusal::Policy("service"))
    );
    assert!(set(&policies, &command(Some("s7"), batches(3))).is_ok());
}

#[test]
fn a_slot_takes_its_terms_along_and_a_seed_only_for_lots() {
    let numbered = policy::Numbered {
        version: 7,
        policy: batches(4),
    };
    let terms = numbered.terms(0xab);
    assert_eq!((terms.policy_version, terms.seed.as_deref()), (7, None));
    let slot = slot_on(terms.clone());
    assert_eq!(facts(&slot).terms, terms);
    assert_eq!(facts(&slot).offers_at_once(), 4);
    let mut lots = numbered;
    lots.policy.rules.mode = Mode::Lottery;
    let seed = lots.terms(0xab).seed.expect("a seed");
    assert_eq!(seed, format!("{:032x}", 0xab));
}
