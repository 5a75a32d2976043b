//! Filter policies on message attributes: what passes them, and which are refused.

use super::support::{Attribute, bodies, pair, publish_with, set};
use crate::prelude::*;

const STRINGS: &str = "https://docs.aws.amazon.com/sns/latest/dg/string-value-matching.html";
const NUMBERS: &str = "https://docs.aws.amazon.com/sns/latest/dg/numeric-value-matching.html";
const KEYS: &str = "https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html";
const LOGIC: &str = "https://docs.aws.amazon.com/sns/latest/dg/and-or-logic.html";
const LIMITS: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html";
const POLICIES: &str =
    "https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html";

/// Publishes a message for each set of attributes: those that are to pass and those that are not,
/// the latter first.
async fn filtered(
    aws: &Aws,
    policy: &Value,
    passing: &[&[Attribute<'_>]],
    failing: &[&[Attribute<'_>]],
) -> Result {
    let policy = policy.to_string();
    let pair = pair(
        aws,
        &[("RawMessageDelivery", "true"), ("FilterPolicy", &policy)],
    )
    .await?;
    for (place, attributes) in failing.iter().enumerate() {
        let message = format!("{policy} should stop message {place}");
        publish_with(aws, &pair.topic, &message, attributes).await?;
    }
    let mut expected = Vec::new();
    for (place, attributes) in passing.iter().enumerate() {
        let message = format!("passing message {place}");
        publish_with(aws, &pair.topic, &message, attributes).await?;
        expected.push(message);
    }
    ensure_eq!(
        bodies(aws, &pair.queue, expected.len()).await?,
        expected,
        "by {policy}"
    );
    Ok(())
}

/// As [`filtered`], with texts of the attribute `a`.
async fn texts(aws: &Aws, conditions: Value, passing: &[&str], failing: &[&str]) -> Result {
    one_each(aws, "String", conditions, passing, failing).await
}

async fn one_each(
    aws: &Aws,
    data_type: &str,
    conditions: Value,
    passing: &[&str],
    failing: &[&str],
) -> Result {
    let passing: Vec<_> = passing
        .iter()
        .map(|value| [Attribute("a", data_type, value)])
        .collect();
    let failing: Vec<_> = failing
        .iter()
        .map(|value| [Attribute("a", data_type, value)])
        .collect();
    let passing: Vec<&[Attribute<'_>]> = passing.iter().map(|set| &set[..]).collect();
    let failing: Vec<&[Attribute<'_>]> = failing.iter().map(|set| &set[..]).collect();
    filtered(aws, &json!({"a": conditions}), &passing, &failing).await
}

/// Holds when the policy is refused for this reason, subscribing and afterwards.
async fn refused(aws: &Aws, policy: &str, reason: &str) -> Result {
    let pair = pair(aws, &[]).await?;
    let other = format!("{}-other", pair.queue.arn);
    aws.subscribing(&pair.topic, "sqs", &other, &[("FilterPolicy", policy)])
        .await?
        .refused_saying(
            400,
            "InvalidParameter",
            &format!("Invalid parameter: Attributes Reason: {reason}"),
        )?;
    set(aws, &pair.subscription, "FilterPolicy", policy)
        .await?
        .refused_saying(
            400,
            "InvalidParameter",
            &format!("Invalid parameter: {reason}"),
        )
}

async fn all_refused(aws: &Aws, policies: &[(Value, &str)]) -> Result {
    for (policy, reason) in policies {
        refused(aws, &policy.to_string(), &format!("FilterPolicy: {reason}")).await?;
    }
    Ok(())
}

checks! {
    STRINGS => async fn a_text_matches_itself_with_its_case(aws: Aws) {
        texts(&aws, json!(["rugby", "tennis"]), &["rugby", "tennis"], &["baseball", "Rugby"]).await
    }

    STRINGS => async fn an_array_matches_by_any_of_its_texts(aws: Aws) {
        one_each(&aws, "String.Array", json!(["rugby"]), &[r#"["golf","rugby"]"#], &[r#"["golf"]"#, "[]"]).await
    }

    STRINGS => async fn a_prefix_matches_beginnings(aws: Aws) {
        texts(&aws, json!([{"prefix": "bas"}]), &["baseball", "bas"], &["rugby", "abas"]).await
    }

    STRINGS => async fn a_suffix_matches_ends(aws: Aws) {
        texts(&aws, json!([{"suffix": "ball"}]), &["baseball", "ball"], &["ballad"]).await
    }

    STRINGS => async fn case_can_be_ignored(aws: Aws) {
        texts(&aws, json!([{"equals-ignore-case": "tennis"}]), &["TENNIS", "Tennis"], &["tennis "]).await
    }

    STRINGS => async fn anything_but_a_text_matches_all_others(aws: Aws) {
        texts(&aws, json!([{"anything-but": "rugby"}]), &["tennis"], &["rugby"]).await
    }

    STRINGS => async fn anything_but_texts_matches_all_others(aws: Aws) {
        texts(&aws, json!([{"anything-but": ["rugby", "tennis"]}]), &["golf"], &["rugby", "tennis"]).await
    }

    STRINGS => async fn anything_but_a_prefix_matches_all_others(aws: Aws) {
        texts(&aws, json!([{"anything-but": {"prefix": "bas"}}]), &["rugby"], &["baseball"]).await
    }

    STRINGS => async fn an_address_matches_its_block(aws: Aws) {
        texts(&aws, json!([{"cidr": "10.0.0.0/24"}]), &["10.0.0.0", "10.0.0.255"], &["10.1.1.0", "here"]).await
    }

    NUMBERS => async fn a_number_matches_itself_however_written(aws: Aws) {
        one_each(&aws, "Number", json!([301.5]), &["301.5", "301.500", "3.015e2"], &["301.6"]).await
    }

    NUMBERS => async fn equal_numbers_match(aws: Aws) {
        one_each(&aws, "Number", json!([{"numeric": ["=", 301.5]}]), &["301.5"], &["301", "302"]).await
    }

    NUMBERS => async fn a_range_has_open_and_closed_ends(aws: Aws) {
        let range = json!([{"numeric": [">", 0, "<=", 150]}]);
        one_each(&aws, "Number", range, &["0.01", "150"], &["0", "150.1", "-1"]).await
    }

    NUMBERS => async fn a_range_may_be_open_to_one_side(aws: Aws) {
        one_each(&aws, "Number", json!([{"numeric": [">=", 100]}]), &["100", "1000"], &["99.9"]).await?;
        one_each(&aws, "Number", json!([{"numeric": ["<", 100]}]), &["99.9", "-5"], &["100"]).await
    }

    NUMBERS => async fn anything_but_numbers_matches_all_others(aws: Aws) {
        one_each(&aws, "Number", json!([{"anything-but": [100, 500]}]), &["101"], &["100", "500"]).await
    }

    NUMBERS => async fn a_text_of_digits_is_no_number(aws: Aws) {
        let number = [Attribute("a", "Number", "100")];
        let text = [Attribute("a", "String", "100")];
        filtered(&aws, &json!({"a": [100]}), &[&number], &[&text]).await?;
        filtered(&aws, &json!({"a": ["100"]}), &[&text], &[&number]).await
    }

    KEYS => async fn existence_matches_any_value(aws: Aws) {
        let there = [Attribute("store", "Number", "99"), Attribute("other", "Number", "1")];
        filtered(&aws, &json!({"store": [{"exists": true}]}), &[&there], &[&there[1..], &[]]).await
    }

    KEYS => async fn absence_matches_without_the_attribute(aws: Aws) {
        let there = [Attribute("store", "Number", "99"), Attribute("other", "Number", "1")];
        filtered(&aws, &json!({"store": [{"exists": false}]}), &[&there[1..], &[]], &[&there]).await
    }

    KEYS => async fn null_and_anything_but_do_not_match_without_the_attribute(aws: Aws) {
        let there = [Attribute("attr1", "String", "other")];
        let policy = json!({"attr1": [null, {"anything-but": "whatever"}]});
        filtered(&aws, &policy, &[&there], &[&[]]).await
    }

    LOGIC => async fn all_keys_must_match(aws: Aws) {
        let both = [Attribute("a", "String", "x"), Attribute("b", "Number", "1")];
        let policy = json!({"a": ["x"], "b": [{"numeric": ["=", 1]}]});
        filtered(&aws, &policy, &[&both], &[&both[..1], &both[1..]]).await
    }

    LOGIC => async fn one_value_of_a_key_must_match(aws: Aws) {
        texts(&aws, json!(["x", {"prefix": "y"}, {"suffix": "z"}]), &["x", "yes", "fizz"], &["no"]).await
    }

    LOGIC => async fn one_choice_must_match(aws: Aws) {
        let (s, a, b) = (|| Attribute("s", "String", "1"), || Attribute("a", "String", "1"), || Attribute("b", "String", "1"));
        let policy = json!({"s": ["1"], "$or": [{"a": ["1"]}, {"b": ["1"]}]});
        filtered(&aws, &policy, &[&[s(), a()], &[s(), b()]], &[&[s()], &[a(), b()]]).await
    }

    LIMITS => async fn binary_attributes_are_passed_over(aws: Aws) {
        let binary = [Attribute("a", "Binary", "AgME")];
        filtered(&aws, &json!({"a": [{"exists": false}]}), &[&binary], &[]).await
    }

    POLICIES => async fn attributes_that_a_policy_does_not_name_do_not_matter(aws: Aws) {
        let more = [Attribute("a", "String", "x"), Attribute("b", "String", "y")];
        filtered(&aws, &json!({"a": ["x"]}), &[&more], &[&more[1..]]).await
    }

    POLICIES => async fn a_policy_that_was_taken_away_filters_no_more(aws: Aws) {
        let pair = pair(&aws, &[("RawMessageDelivery", "true"), ("FilterPolicy", r#"{"a":["x"]}"#)]).await?;
        publish_with(&aws, &pair.topic, "before", &[]).await?;
        set(&aws, &pair.subscription, "FilterPolicy", "").await?.ok()?;
        publish_with(&aws, &pair.topic, "after", &[]).await?;
        ensure_eq!(bodies(&aws, &pair.queue, 1).await?, ["after"]);
        Ok(())
    }

    LIMITS => async fn a_policy_has_five_keys_at_most(aws: Aws) {
        let policy = json!({"a": ["1"], "b": ["1"], "c": ["1"], "d": ["1"], "e": ["1"], "f": ["1"]});
        refused(&aws, &policy.to_string(), "FilterPolicy: Filter policy can not have more than 5 keys").await
    }

    LIMITS => async fn a_policy_has_150_combinations_at_most(aws: Aws) {
        let values = |count: usize| (0..count).map(|value| format!("v{value}")).collect::<Vec<_>>();
        let reason = "FilterPolicy: Filter policy is too complex";
        refused(&aws, &json!({"a": values(151)}).to_string(), reason).await?;
        refused(&aws, &json!({"a": values(100), "b": values(51)}).to_string(), reason).await?;
        let fits = json!({"a": values(50), "b": values(3)}).to_string();
        pair(&aws, &[("FilterPolicy", &fits)]).await?;
        Ok(())
    }

    LIMITS => async fn choices_add_up_to_150_combinations_at_most(aws: Aws) {
        let policy = |last: usize| json!({
            "source": ["1", "2", "3", "4"],
            "$or": [
                {"metric": ["1", "2", "3", "4", "5", "6"]},
                {"type": ["1", "2", "3", "4"], "$or": [
                    {"id": [1, 2, 3, 4]},
                    {"space": (0..last).collect::<Vec<_>>()},
                ]},
            ],
        }).to_string();
        refused(&aws, &policy(4), "FilterPolicy: Filter policy is too complex").await?;
        pair(&aws, &[("FilterPolicy", &policy(3))]).await?;
        Ok(())
    }

    LIMITS => async fn attributes_have_no_nesting(aws: Aws) {
        let nested = json!({"object": {"key": [{"prefix": "auto-"}]}}).to_string();
        let reason = "Filter policy scope MessageAttributes does not support nested filter policy";
        refused(&aws, &nested, reason).await
    }

    POLICIES => async fn a_policy_that_is_no_json_is_refused(aws: Aws) {
        for policy in ["{invalidjson}", "{", r#"{"a":["x"]"#] {
            refused(&aws, policy, "FilterPolicy: failed to parse JSON.").await?;
        }
        Ok(())
    }

    POLICIES => async fn a_keys_conditions_are_an_array(aws: Aws) {
        all_refused(&aws, &[
            (json!({"key_a": "value_one"}), "\"key_a\" must be an object or an array"),
            (json!({"key": {"suffix": "value"}}), "\"suffix\" must be an object or an array"),
            (json!({"key": [["value"]]}), "Match value must be String, number, true, false, or null"),
        ]).await
    }

    POLICIES => async fn a_condition_has_one_known_operator(aws: Aws) {
        all_refused(&aws, &[
            (json!({"key": [{"wrong-operator": true}]}), "Unrecognized match type wrong-operator"),
        ]).await?;
        let two = r#"{"key":[{"suffix":"value","prefix":"value2"}]}"#;
        refused(&aws, two, "FilterPolicy: Only one key allowed in match expression").await
    }

    STRINGS => async fn an_operator_of_texts_takes_a_text(aws: Aws) {
        let reason = "suffix match pattern must be a string";
        all_refused(&aws, &[
            (json!({"key": [{"suffix": 100}]}), reason),
            (json!({"key": [{"suffix": null}]}), reason),
            (json!({"key": [{"suffix": []}]}), reason),
            (json!({"key": [{"suffix": ["test", "test2"]}]}), reason),
        ]).await
    }

    STRINGS => async fn anything_but_takes_values_or_a_known_operator(aws: Aws) {
        all_refused(&aws, &[
            (json!({"key": [{"anything-but": {"wrong-operator": null}}]}), "Unsupported anything-but pattern: wrong-operator"),
            (json!({"key": [{"anything-but": {"exists": false}}]}), "Unsupported anything-but pattern: exists"),
            (json!({"key": [{"anything-but": {"prefix": false}}]}), "prefix match pattern must be a string"),
        ]).await
    }

    KEYS => async fn existence_is_true_or_false(aws: Aws) {
        let reason = "exists match pattern must be either true or false.";
        all_refused(&aws, &[
            (json!({"key": [{"exists": null}]}), reason),
            (json!({"key": [{"exists": "no"}]}), reason),
        ]).await
    }

    NUMBERS => async fn a_numeric_condition_is_an_operator_and_a_number(aws: Aws) {
        all_refused(&aws, &[
            (json!({"key": [{"numeric": []}]}), "Invalid member in numeric match: ]"),
            (json!({"key": [{"numeric": ["operator"]}]}), "Unrecognized numeric range operator: operator"),
            (json!({"key": [{"numeric": [1, "<="]}]}), "Invalid member in numeric match: 1"),
            (json!({"key": [{"numeric": ["=", "000"]}]}), "Value of equals must be numeric"),
            (json!({"key": [{"numeric": [">="]}]}), "Value of >= must be numeric"),
        ]).await
    }

    NUMBERS => async fn a_range_goes_up(aws: Aws) {
        all_refused(&aws, &[
            (json!({"key": [{"numeric": ["<", 100, ">", 10]}]}), "Too many elements in numeric expression"),
            (json!({"key": [{"numeric": [">=", 1, ">", 2]}]}), "Bad numeric range operator: >"),
            (json!({"key": [{"numeric": [">", 3, "<", 1]}]}), "Bottom must be less than top"),
        ]).await
    }

    NUMBERS => async fn a_range_has_two_operators_and_two_numbers(aws: Aws) {
        all_refused(&aws, &[
            (json!({"key": [{"numeric": [">", 20, "<="]}]}), "Value of <= must be numeric"),
            (json!({"key": [{"numeric": [">", 20, 30]}]}), "Bad value in numeric range: 30"),
            (json!({"key": [{"numeric": [">", 20, "test"]}]}), "Bad numeric range operator: test"),
            (json!({"key": [{"numeric": [">", "20", "<", "30"]}]}), "Value of > must be numeric"),
            (json!({"key": [{"numeric": [">", 20, "<", "30"]}]}), "Value of < must be numeric"),
            (json!({"key": [{"numeric": [">", 20, "<", 30, "<", 50]}]}), "Too many terms in numeric range expression"),
        ]).await
    }
}
