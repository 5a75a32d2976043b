//! What each function works on, and what has happened before.

use callboard_contracts::Timestamp;
use callboard_runtime::Clock;
use serde_json::Value;

use crate::Error;

/// A sample under `events/samples`: function and case.
pub type Sample = (&'static str, &'static str);

/// The first invocation of one function.
pub struct Story {
    /// Its binary.
    pub function: &'static str,
    /// The case that it gets.
    pub sample: &'static str,
    /// What others have handled before, so that it finds work to do.
    pub so_far: &'static [Sample],
}

const REGISTER: Sample = ("command-api", "register-recipient");
const JOIN: Sample = ("command-api", "join-waitlist-unregistered");
const RELEASE: Sample = ("command-api", "release-slot");
const ORDER: Sample = ("command-api", "order-placed");
const PROJECT: Sample = ("waitlist-projector", "good");
const PLAN: Sample = ("notification-planner", "good");

/// All functions.
pub const STORIES: &[Story] = &[
    story("command-api", "order-placed", &[REGISTER]),
    story(
        "query-api",
        "unknown-slot",
        &[REGISTER, JOIN, RELEASE, PROJECT],
    ),
    story("outbox-relay", "good", &[]),
    story(
        "waitlist-cascade",
        "good",
        &[REGISTER, JOIN, RELEASE, PROJECT],
    ),
    story("waitlist-projector", "good", &[REGISTER, JOIN, RELEASE]),
    story("deadline-clock", "good", &[]),
    story("notification-planner", "good", &[REGISTER, ORDER]),
    story("email-sender", "good", &[REGISTER, ORDER, PLAN]),
];

const fn story(function: &'static str, sample: &'static str, so_far: &'static [Sample]) -> Story {
    Story {
        function,
        sample,
        so_far,
    }
}

/// The samples tell of different people and slots; here they tell one story.
const SAME: &[(&str, &str)] = &[
    ("slot-0900", "slot-1"),
    ("slot-nowhere", "slot-1"),
    ("w-physio", "physio-north"),
    ("entry-ada", "entry-1"),
    ("usr-unknown", "usr-456"),
    ("event#orders#ord-123", "event#orders#evt-001"),
    // What the planner makes of its own sample.
    (
        "460edc9b63b957b98482a5c5e9db13ac",
        "0096979b3dc4586293e30be15a36158d",
    ),
    (
        "460edc9b-63b9-57b9-8482-a5c5e9db13ac",
        "0096979b-3dc4-5862-93e3-0be15a36158d",
    ),
];

/// The day of the samples. What is older than two weeks is dropped, so it becomes today.
const SAMPLE_DAY: &str = "2026-03-02T";

/// A sample, told as part of the one story and as of today.
pub fn sample(function: &str, case: &str) -> Result<Value, Error> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/samples");
    let mut text = std::fs::read_to_string(format!("{root}/{function}/{case}.json"))?;
    for (theirs, ours) in SAME {
        text = text.replace(theirs, ours);
    }
    let now: Timestamp = Clock::system().now();
    let today = now.to_string();
    let day = today.split_inclusive('T').next().unwrap_or_default();
    let mut event: Value = serde_json::from_str(&text.replace(SAMPLE_DAY, day))?;
    // Its second mail is for an offer, which the planner's sample does not lead to.
    if let ("email-sender", Some(records)) = (function, event["Records"].as_array_mut()) {
        records.truncate(1);
    }
    Ok(event)
}

/// Whether an answer says that the work was done: a start that fails early must not look fast.
pub fn check(answer: &Value) -> Result<(), Error> {
    let done = match (answer.get("statusCode"), answer.get("batchItemFailures")) {
        (Some(status), _) => status.as_u64().is_some_and(|status| status < 300),
        (None, Some(failures)) => failures.as_array().is_some_and(Vec::is_empty),
        (None, None) => false,
    };
    done.then_some(())
        .ok_or_else(|| format!("it did not do its work: {answer}").into())
}
