use serde_json::json;

use super::super::Api;
use super::{commit, refusal};

const POLICY: &str = "/v1/waitlists/w1/policy";

#[tokio::test]
async fn each_policy_has_a_number_and_the_same_again_is_none() {
    let api = Api::open().await;
    let general = json!({"windowSeconds": 600, "mode": {"is": "sequential"}, "skipLimit": 3});
    let first = api.call("PUT", POLICY, Some(&general)).await;
    assert_eq!((first.status, commit(&first)), (201, "waitlist#w1@1"));
    assert_eq!(
        first.json(),
        json!({"waitlistId": "w1", "service": null, "policyVersion": 1})
    );
    let of_dental = format!("{POLICY}?service=dental&afterVersion=1");
    let second = api.call("PUT", &of_dental, Some(&general)).await;
    assert_eq!(
        (second.status, &second.json()["policyVersion"]),
        (201, &json!(2))
    );
    // Set before, whatever has been set for others since.
    let again = api.call("PUT", POLICY, Some(&general)).await;
    assert_eq!((again.status, again.json()), (200, first.json()));
    let again = api.call("PUT", &of_dental, Some(&general)).await;
    assert_eq!((again.status, again.json()), (200, second.json()));
    let mut other = general.clone();
    other["windowSeconds"] = json!(60);
    let moved = api
        .call("PUT", &format!("{POLICY}?afterVersion=1"), Some(&other))
        .await;
    assert_eq!(refusal(&moved), (409, "policy-moved".to_owned()));
}

#[tokio::test]
async fn of_policies_set_at_once_after_the_same_one_wins() {
    let api = Api::open().await;
    let path = format!("{POLICY}?afterVersion=0");
    let sets = (1..=20).map(|seconds| {
        let body = json!({"windowSeconds": seconds, "mode": {"is": "sequential"}});
        let (api, path) = (&api, &path);
        async move { api.call("PUT", path, Some(&body)).await }
    });
    let answers = futures::future::join_all(sets).await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(won, 1);
    assert!(
        answers
            .iter()
            .all(|answer| [201, 409].contains(&answer.status))
    );
}

#[tokio::test]
async fn a_policy_that_cannot_be_kept_is_named_by_its_pointer() {
    let api = Api::open().await;
    let good = json!({"windowSeconds": 600, "mode": {"is": "sequential"}});
    for (field, value, code, pointer) in [
        ("windowSeconds", json!(0), "policy", "/windowSeconds"),
        ("windowSeconds", json!(-1), "invalid", "/windowSeconds"),
        (
            "mode",
            json!({"is": "batch", "size": 21}),
            "policy",
            "/mode/size",
        ),
        ("mode", json!({"is": "auction"}), "invalid", "/mode"),
        ("zone", json!("Mars/Olympus"), "policy", "/zone"),
        (
            "quietHours",
            json!({"from": "22:00"}),
            "invalid",
            "/quietHours",
        ),
        ("skipLimt", json!(3), "invalid", ""),
    ] {
        let mut policy = good.clone();
        policy[field] = value;
        let refused = api.call("PUT", POLICY, Some(&policy)).await;
        assert_eq!(
            refusal(&refused),
            (422, code.to_owned()),
            "{}",
            refused.text
        );
        assert_eq!(refused.pointers(), [pointer], "{}", refused.text);
    }
    let service = format!("{POLICY}?service=a%23b");
    let refused = api.call("PUT", &service, Some(&good)).await;
    assert_eq!(refusal(&refused), (422, "service-name".to_owned()));
}
