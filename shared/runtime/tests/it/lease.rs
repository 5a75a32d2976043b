//! The rules of a lease, against a stream that races, loses answers and moves on.

use std::time::Duration;

use callboard_runtime::bulk;
use callboard_runtime::journal::Loaded;
use callboard_runtime::lease::{Begun, Ended, Granted, Lease, MARGIN, OnUnknown, Terms};
use callboard_runtime::{Class, Deadline, StreamId, Timestamp};
use callboard_testkit::{Fault, World, cause, stream_id};

use crate::parcel::{Carrier, Delivery, Parcel, ParcelEvent};

const KEY: &str = "carrier#0";
const TIMEOUT: Duration = Duration::from_secs(2);
/// The house's function time-out.
const INVOCATION: Duration = Duration::from_secs(10);

struct Scene {
    world: World,
    lease: Lease<Delivery>,
    stream: StreamId,
}

impl Scene {
    async fn new() -> Self {
        let world = World::on_virtual_time().await;
        let lease = Lease::new(world.journal(), world.clock(), Delivery);
        let scene = Self {
            lease,
            stream: stream_id("parcel#7"),
            world,
        };
        scene.write(ParcelEvent::Noted("planned".to_owned())).await;
        scene.world.faults().reset();
        scene
    }

    async fn load(&self) -> Loaded<Parcel> {
        self.world
            .journal()
            .load(&self.stream)
            .await
            .expect("it loads")
    }

    async fn write(&self, event: ParcelEvent) {
        let commit = self
            .load()
            .await
            .next(&cause(), self.world.now())
            .event(event)
            .build()
            .expect("a commit");
        self.world
            .journal()
            .append(commit)
            .await
            .expect("it is free");
    }

    /// The stream as the message that planned it tells.
    fn told(&self) -> Loaded<Parcel> {
        Loaded::told(self.stream.clone(), Parcel::default(), 1)
    }

    fn terms(&self, on_unknown: OnUnknown) -> Terms {
        let deadline = Deadline::at(self.world.now().plus(INVOCATION));
        Terms {
            owner: "request".to_owned(),
            deadline,
            provider_timeout: TIMEOUT,
            on_unknown,
        }
    }

    async fn begin(&self, on_unknown: OnUnknown) -> Begun<Delivery> {
        let terms = self.terms(on_unknown);
        self.lease
            .begin(self.told(), KEY, &cause(), &terms)
            .await
            .expect("the journal answers")
    }

    async fn granted(&self, on_unknown: OnUnknown) -> Granted<Delivery> {
        match self.begin(on_unknown).await {
            Begun::Granted(granted) => *granted,
            other => panic!("{other:?}"),
        }
    }

    async fn end(&self, granted: Granted<Delivery>, outcome: Carrier) -> Ended {
        self.lease
            .end(granted, &outcome)
            .await
            .expect("the journal answers")
    }

    async fn pass(&self, time: Duration) {
        self.world.advance(time).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_happy_path_costs_two_puts_and_one_read_in_bulk() {
    let scene = Scene::new().await;
    let granted = scene.granted(OnUnknown::Park).await;
    let tail = granted.tail_key(&scene.world.journal());
    let found = bulk::get(&scene.world.dynamodb(), vec![tail])
        .await
        .expect("an answer");
    assert!(found.is_empty(), "nothing has come after the attempt");
    assert!(matches!(
        scene.end(granted, Carrier::Delivered).await,
        Ended::Recorded(_)
    ));
    let costs = scene.world.faults().costs();
    assert_eq!(
        (
            costs.requests("PutItem"),
            costs.requests("BatchGetItem"),
            costs.all_requests()
        ),
        (2, 1, 3)
    );
    assert!((costs.all_write_units() - 2.0).abs() < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn of_two_senders_the_one_whose_lease_ended_is_late_and_changes_nothing() {
    let scene = Scene::new().await;
    let first = scene.granted(OnUnknown::Repeat).await;
    scene.pass(INVOCATION + MARGIN).await;
    let second = scene.granted(OnUnknown::Repeat).await;
    assert_eq!(second.took_over(), Some(first.attempt().attempt_id));
    let (first_id, second_id) = (first.attempt().attempt_id, second.attempt().attempt_id);
    assert_eq!(first.idempotency_key(), second.idempotency_key());

    assert!(matches!(
        scene.end(first, Carrier::Delivered).await,
        Ended::Late(_)
    ));
    let between = scene.load().await.state;
    assert_eq!((between.late, between.delivered_by), (1, None));

    assert!(matches!(
        scene.end(second, Carrier::Delivered).await,
        Ended::Recorded(_)
    ));
    let state = scene.load().await.state;
    assert_eq!((state.late, state.delivered_by), (1, Some(second_id)));
    assert_ne!(first_id, second_id);
}

#[tokio::test(start_paused = true)]
async fn a_late_outcome_after_the_successor_has_ended_is_late_too() {
    let scene = Scene::new().await;
    let first = scene.granted(OnUnknown::Repeat).await;
    scene.pass(INVOCATION + MARGIN).await;
    let second = scene.granted(OnUnknown::Repeat).await;
    let second_id = second.attempt().attempt_id;
    scene.end(second, Carrier::Delivered).await;
    assert!(matches!(
        scene.end(first, Carrier::Bounced).await,
        Ended::Late(_)
    ));
    assert_eq!(scene.load().await.state.delivered_by, Some(second_id));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_between_attempt_and_outcome_does_not_fence_the_healthy_sender() {
    let scene = Scene::new().await;
    let granted = scene.granted(OnUnknown::Park).await;
    let id = granted.attempt().attempt_id;
    scene.write(ParcelEvent::Cancelled).await;
    let granted = scene.lease.refresh(granted).await.expect("it loads");
    assert!(
        granted.stands() && granted.state().cancelled,
        "the sender can see it and may go on"
    );
    assert!(matches!(
        scene.end(granted, Carrier::Delivered).await,
        Ended::Recorded(_)
    ));
    let state = scene.load().await.state;
    assert_eq!((state.delivered_by, state.late), (Some(id), 0));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_slips_in_unseen_does_not_fence_either() {
    let scene = Scene::new().await;
    let granted = scene.granted(OnUnknown::Park).await;
    for n in 0..3 {
        scene.write(ParcelEvent::Noted(n.to_string())).await;
    }
    assert!(matches!(
        scene.end(granted, Carrier::Delivered).await,
        Ended::Recorded(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_after_the_lease_but_before_any_takeover_is_the_outcome() {
    let scene = Scene::new().await;
    let granted = scene.granted(OnUnknown::Park).await;
    scene.pass(Duration::from_secs(3_600)).await;
    assert!(matches!(
        scene.end(granted, Carrier::Delivered).await,
        Ended::Recorded(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_live_lease_is_met_with_its_end_and_left_alone() {
    let scene = Scene::new().await;
    let granted = scene.granted(OnUnknown::Repeat).await;
    let until = granted.attempt().lease_until;
    assert_eq!(until, scene.world.now().plus(INVOCATION + MARGIN));
    match scene.begin(OnUnknown::Repeat).await {
        held @ Begun::Held { .. } => {
            let failure = held.or_failure().expect_err("not granted");
            assert_eq!(failure.class(), Class::Held { until });
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(granted.ambiguous().class(), Class::Held { until });
}

#[tokio::test(start_paused = true)]
async fn an_expired_lease_is_parked_or_repeated_as_its_terms_say() {
    for (policy, repeats) in [(OnUnknown::Park, false), (OnUnknown::Repeat, true)] {
        let scene = Scene::new().await;
        let abandoned = scene.granted(policy).await.attempt().attempt_id;
        scene.pass(INVOCATION + MARGIN).await;
        match scene.begin(policy).await {
            Begun::Parked(loaded) if !repeats => assert!(loaded.state.parked),
            Begun::Granted(granted) if repeats => {
                assert_eq!(granted.took_over(), Some(abandoned));
                assert!(matches!(
                    scene.end(*granted, Carrier::Delivered).await,
                    Ended::Recorded(_)
                ));
            }
            other => panic!("{other:?}"),
        }
        assert!(
            matches!(scene.begin(policy).await, Begun::Settled(_)),
            "and there it ends"
        );
        let commits = scene
            .world
            .journal()
            .read(&scene.stream, 1)
            .await
            .expect("it reads");
        let unknown = commits
            .iter()
            .flat_map(|commit| commit.decode::<ParcelEvent>().expect("parcel events"));
        let unknown = unknown
            .filter(|event| matches!(event, ParcelEvent::Unknown { .. }))
            .count();
        assert_eq!(unknown, 1, "it is on record");
    }
}

#[tokio::test(start_paused = true)]
async fn the_late_owner_of_a_parked_attempt_changes_nothing() {
    let scene = Scene::new().await;
    let first = scene.granted(OnUnknown::Park).await;
    scene.pass(INVOCATION + MARGIN).await;
    assert!(matches!(
        scene.begin(OnUnknown::Park).await,
        Begun::Parked(_)
    ));
    assert!(matches!(
        scene.end(first, Carrier::Delivered).await,
        Ended::Late(_)
    ));
    let state = scene.load().await.state;
    assert_eq!(
        (state.parked, state.delivered_by, state.late),
        (true, None, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_cancelled_meanwhile_is_not_repeated() {
    let scene = Scene::new().await;
    drop(scene.granted(OnUnknown::Repeat).await);
    scene.write(ParcelEvent::Cancelled).await;
    scene.pass(INVOCATION + MARGIN).await;
    assert!(matches!(
        scene.begin(OnUnknown::Repeat).await,
        Begun::Parked(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_certain_failure_frees_the_effect_for_the_next_attempt() {
    let scene = Scene::new().await;
    let first = scene.granted(OnUnknown::Park).await;
    scene.end(first, Carrier::Bounced).await;
    let second = scene.granted(OnUnknown::Park).await;
    assert_eq!(second.took_over(), None);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_with_too_little_time_left() {
    let scene = Scene::new().await;
    let begin = async |left: Duration| {
        let deadline = Deadline::at(scene.world.now().plus(left));
        let terms = Terms {
            deadline,
            ..scene.terms(OnUnknown::Park)
        };
        scene
            .lease
            .begin(scene.told(), KEY, &cause(), &terms)
            .await
            .expect("the journal answers")
    };
    let short = begin(TIMEOUT + MARGIN - Duration::from_millis(1)).await;
    assert!(matches!(short, Begun::NoTime { .. }));
    assert!(short.or_failure().expect_err("not granted").is_retryable());
    assert_eq!(scene.world.faults().costs().all_requests(), 0);
    let Begun::Granted(granted) = begin(TIMEOUT + MARGIN).await else {
        panic!("just enough")
    };
    assert!(granted.may_call(scene.world.now(), TIMEOUT));
    scene.pass(TIMEOUT + MARGIN + Duration::from_secs(1)).await;
    assert!(
        !granted.may_call(scene.world.now(), TIMEOUT),
        "the call could outlast the lease"
    );
}

#[tokio::test(start_paused = true)]
async fn a_redelivered_message_finds_its_work_done() {
    let scene = Scene::new().await;
    let granted = scene.granted(OnUnknown::Park).await;
    scene.end(granted, Carrier::Delivered).await;
    let again = scene.begin(OnUnknown::Park).await;
    assert!(again.or_failure().expect("no failure").is_none());
    assert_eq!(scene.load().await.number, 3);
}

#[tokio::test(start_paused = true)]
async fn lost_answers_of_attempt_and_outcome_are_recognised() {
    let scene = Scene::new().await;
    scene.world.faults().next("PutItem", Fault::DropAnswer);
    let granted = scene.granted(OnUnknown::Park).await;
    scene.world.faults().next("PutItem", Fault::DropAnswer);
    assert!(matches!(
        scene.end(granted, Carrier::Delivered).await,
        Ended::Recorded(_)
    ));
    let loaded = scene.load().await;
    assert_eq!((loaded.number, loaded.state.late), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn of_many_senders_at_once_one_is_granted_and_the_others_wait() {
    let scene = Scene::new().await;
    let begun = futures_of(&scene, 8).await;
    let granted = begun
        .iter()
        .filter(|begun| matches!(begun, Begun::Granted(_)))
        .count();
    let held = begun
        .iter()
        .filter(|begun| matches!(begun, Begun::Held { .. }))
        .count();
    assert_eq!((granted, held), (1, 7));
}

async fn futures_of(scene: &Scene, senders: usize) -> Vec<Begun<Delivery>> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..senders {
        let (lease, told, terms) = (
            scene.lease.clone(),
            scene.told(),
            scene.terms(OnUnknown::Park),
        );
        tasks.spawn(async move {
            lease
                .begin(told, KEY, &cause(), &terms)
                .await
                .expect("the journal answers")
        });
    }
    tasks.join_all().await
}

#[tokio::test(start_paused = true)]
async fn a_sender_held_up_before_its_outcome_while_another_takes_over_is_late() {
    let scene = Scene::new().await;
    let first = scene.granted(OnUnknown::Repeat).await;
    let gate = callboard_testkit::Gate::new();
    scene
        .world
        .faults()
        .next("PutItem", Fault::Hold(gate.clone()));
    let lease = scene.lease.clone();
    let outcome = tokio::spawn(async move { lease.end(first, &Carrier::Delivered).await });
    gate.reached().await;
    scene.pass(INVOCATION + MARGIN).await;
    let second = scene.granted(OnUnknown::Repeat).await;
    gate.open();
    let ended = outcome
        .await
        .expect("no panic")
        .expect("the journal answers");
    assert!(matches!(ended, Ended::Late(_)));
    assert!(matches!(
        scene.end(second, Carrier::Delivered).await,
        Ended::Recorded(_)
    ));
    assert_eq!(scene.load().await.state.late, 1);
}

#[test]
fn the_margin_is_what_the_house_says() {
    assert_eq!(MARGIN, Duration::from_secs(5));
    assert_eq!(
        Timestamp::from_millis(0).plus(MARGIN),
        Timestamp::from_millis(5_000)
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_journal_nothing_begins_and_the_message_is_kept() {
    let scene = Scene::new().await;
    scene
        .world
        .faults()
        .times("PutItem", 1_000, &Fault::Throttle);
    let terms = scene.terms(OnUnknown::Park);
    let begun = scene.lease.begin(scene.told(), KEY, &cause(), &terms).await;
    let failure = callboard_runtime::Failure::from(begun.expect_err("no journal"));
    assert!(failure.is_retryable() && failure.is_kept(), "{failure}");
}
