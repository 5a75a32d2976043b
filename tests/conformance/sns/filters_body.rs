//! Filter policies on the body of messages.

use super::support::{bodies, pair, publish, set};
use crate::prelude::*;

const SCOPE: &str = "https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering-scope.html";
const POLICIES: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html";
const LIMITS: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html";
const KEYS: &str = "https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html";
const LOGIC: &str = "https://docs.aws.amazon.com/sns/latest/dg/and-or-logic.html";
const NUMBERS: &str = "https://docs.aws.amazon.com/sns/latest/dg/numeric-value-matching.html";

/// Publishes messages that are to be stopped and then those that are to pass.
async fn filtered(aws: &Aws, policy: Value, passing: &[Value], failing: &[Value]) -> Result {
    let as_text = |messages: &[Value]| messages.iter().map(Value::to_string).collect::<Vec<_>>();
    texts_filtered(aws, policy, &as_text(passing), &as_text(failing)).await
}

async fn texts_filtered(
    aws: &Aws,
    policy: Value,
    passing: &[String],
    failing: &[String],
) -> Result {
    let policy = policy.to_string();
    let attributes = [
        ("RawMessageDelivery", "true"),
        ("FilterPolicyScope", "MessageBody"),
        ("FilterPolicy", policy.as_str()),
    ];
    let pair = pair(aws, &attributes).await?;
    for message in failing.iter().chain(passing) {
        publish(aws, &pair.topic, message, &[]).await?;
    }
    let mut expected = passing.to_vec();
    expected.sort();
    ensure_eq!(
        bodies(aws, &pair.queue, expected.len()).await?,
        expected,
        "by {policy}"
    );
    Ok(())
}

async fn refused(aws: &Aws, policy: Value, reason: &str) -> Result {
    let pair = pair(aws, &[("FilterPolicyScope", "MessageBody")]).await?;
    set(aws, &pair.subscription, "FilterPolicy", &policy.to_string())
        .await?
        .refused_saying(
            400,
            "InvalidParameter",
            &format!("Invalid parameter: FilterPolicy: {reason}"),
        )
}

checks! {
    SCOPE => async fn a_bodys_members_are_matched_in_their_nesting(aws: Aws) {
        let policy = json!({
            "object": {"key": [{"prefix": "auto-"}, "hardcodedvalue"], "nested_key": [{"exists": false}]},
            "test": [{"exists": false}],
        });
        filtered(&aws, policy, &[
            json!({"object": {"key": "auto-test"}}),
            json!({"object": {"key": "hardcodedvalue"}, "more": 1}),
        ], &[
            json!({"object": {"key": "test-auto"}}),
            json!({"object": {"key": "auto-test"}, "test": "just-exists"}),
            json!({"object": {"key": "auto-test", "nested_key": "just-exists"}}),
            json!({"object": {"test": "auto-test"}}),
            json!({"test": "auto-test"}),
        ]).await
    }

    SCOPE => async fn what_is_no_json_object_does_not_pass(aws: Aws) {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let failing = texts(&["Regular string message", "\"a text in JSON\"", "[{\"a\":\"x\"}]", "17"]);
        texts_filtered(&aws, json!({"a": ["x"]}), &texts(&[r#"{"a":"x"}"#]), &failing).await
    }

    SCOPE => async fn attributes_do_not_matter_to_a_policy_on_the_body(aws: Aws) {
        let scope = [("RawMessageDelivery", "true"), ("FilterPolicyScope", "MessageBody"), ("FilterPolicy", r#"{"a":["x"]}"#)];
        let pair = pair(&aws, &scope).await?;
        let given = [super::support::Attribute("a", "String", "x")];
        super::support::publish_with(&aws, &pair.topic, r#"{"a":"y"}"#, &given).await?;
        publish(&aws, &pair.topic, r#"{"a":"x"}"#, &[]).await?;
        ensure_eq!(bodies(&aws, &pair.queue, 1).await?, [r#"{"a":"x"}"#]);
        Ok(())
    }

    POLICIES => async fn an_array_matches_by_any_of_its_elements(aws: Aws) {
        filtered(&aws, json!({"headers": {"route-to": ["queue1"]}}), &[
            json!({"headers": {"route-to": ["queue1"]}}),
            json!({"headers": {"route-to": ["queue1", "queue2"]}}),
        ], &[
            json!({"headers": {"route-to": ["queue2"]}}),
            json!({"headers": {"route-to": []}}),
        ]).await
    }

    POLICIES => async fn an_array_of_objects_matches_by_one_that_has_all(aws: Aws) {
        let policy = json!({"Records": {
            "s3": {"object": {"key": [{"prefix": "auto-"}]}},
            "eventName": [{"prefix": "ObjectCreated:"}],
        }});
        let record = |event: &str, key: &str| json!({"eventName": event, "s3": {"object": {"key": key}}});
        let (created, removed) = ("ObjectCreated:Put", "ObjectRemoved:Delete");
        filtered(&aws, policy, &[
            json!({"Records": [record(created, "auto-1.xml")]}),
            json!({"Records": [record(removed, "home-1.xml"), {
                "eventName": created, "s3": {"object": [[{"key": "auto-2.xml"}]]},
            }]}),
        ], &[
            json!({"Records": [record(removed, "auto-1.xml")]}),
            json!({"Records": [record(created, "home-1.xml")]}),
            json!({"Records": [record(created, "home-1.xml"), record(removed, "auto-1.xml")]}),
        ]).await
    }

    POLICIES => async fn a_dot_in_a_name_is_nesting(aws: Aws) {
        filtered(&aws, json!({"object.nested.test": ["string.value"]}), &[
            json!({"object": {"nested": {"test": "string.value"}}}),
            json!({"object.nested.test": "string.value"}),
            json!({"object.nested": {"test": "string.value"}}),
            json!({"object": {"nested.test": "string.value"}}),
        ], &[json!({"object": {"nested": {"test": "string.notvalue"}}})]).await
    }

    LOGIC => async fn choices_may_stand_at_every_depth(aws: Aws) {
        let policy = json!({
            "$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2", "AWS/ES"]}],
            "detail": {
                "scope": ["Service"],
                "$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Alarm"]}],
            },
        });
        filtered(&aws, policy, &[
            json!({"metricName": "CPUUtilization", "detail": {"scope": "Service", "source": "aws.cloudwatch"}}),
            json!({"namespace": "AWS/ES", "detail": {"scope": "Service", "type": "Alarm"}}),
        ], &[
            json!({"metricName": "CPUUtilization", "detail": {"scope": "Service", "type": "other"}}),
            json!({"metricName": "CPUUtilization", "detail": {"type": "Alarm"}}),
            json!({"metricName": "CPUUtilization", "detail": {"scope": "Service"}}),
            json!({"metricName": "other", "detail": {"scope": "Service", "type": "Alarm"}}),
        ]).await
    }

    NUMBERS => async fn numbers_of_a_body_are_compared_as_numbers(aws: Aws) {
        filtered(&aws, json!({"price": [{"numeric": [">=", 10, "<", 20]}]}), &[
            json!({"price": 10}),
            json!({"price": 19.5}),
            json!({"price": [5, 15]}),
        ], &[json!({"price": 20}), json!({"price": "15"}), json!({"price": null})]).await
    }

    POLICIES => async fn true_false_and_null_match_themselves(aws: Aws) {
        filtered(&aws, json!({"a": [true, null]}), &[json!({"a": true}), json!({"a": null})], &[
            json!({"a": false}),
            json!({"a": "true"}),
            json!({}),
        ]).await
    }

    KEYS => async fn only_leaves_exist(aws: Aws) {
        filtered(&aws, json!({"a": [{"exists": true}]}), &[json!({"a": 0}), json!({"a": ""})], &[
            json!({"a": {"b": 1}}),
            json!({"b": 1}),
        ]).await
    }

    KEYS => async fn a_nested_key_can_be_asked_not_to_be_there(aws: Aws) {
        filtered(&aws, json!({"a": {"b": [{"exists": false}]}}), &[json!({"a": {"c": 1}}), json!({"c": 1})], &[
            json!({"a": {"b": 1}}),
        ]).await
    }

    LIMITS => async fn a_keys_depth_counts_into_the_combinations(aws: Aws) {
        let policy = |last: usize| json!({
            "key_a": {"key_b": {"key_c": ["1", "2", "3", "4"]}},
            "key_d": {"key_e": ["1", "2", "3"]},
            "key_f": (0..last).map(|value| value.to_string()).collect::<Vec<_>>(),
        });
        refused(&aws, policy(3), "Filter policy is too complex").await?;
        let fits = policy(2).to_string();
        pair(&aws, &[("FilterPolicyScope", "MessageBody"), ("FilterPolicy", &fits)]).await?;
        Ok(())
    }

    LIMITS => async fn a_policy_has_five_keys_at_most(aws: Aws) {
        let policy = json!({"a": ["1"], "b": ["1"], "c": ["1"], "d": ["1"], "e": ["1"], "f": ["1"]});
        refused(&aws, policy, "Filter policy can not have more than 5 keys").await
    }

    SCOPE => async fn a_nested_policy_keeps_its_scope(aws: Aws) {
        let nested = json!({"object": {"key": ["x"]}}).to_string();
        let pair = pair(&aws, &[("FilterPolicyScope", "MessageBody"), ("FilterPolicy", &nested)]).await?;
        set(&aws, &pair.subscription, "FilterPolicyScope", "MessageAttributes").await?
            .refused(400, "InvalidParameter")
    }
}
