//! Policies read and matched, operator by operator.

use super::{Filter, Scope};
use crate::sqs::{Attribute, Attributes};

fn attributes(pairs: &[(&str, &str, &str)]) -> Attributes {
    pairs
        .iter()
        .map(|(name, data_type, value)| {
            let attribute = Attribute {
                data_type: (*data_type).to_owned(),
                ..Attribute::string(*value)
            };
            ((*name).to_owned(), attribute)
        })
        .collect()
}

fn on_attributes(policy: &str, pairs: &[(&str, &str, &str)]) -> bool {
    let filter = Filter::read(policy, Scope::Attributes).expect("a policy");
    filter.passes("", &attributes(pairs))
}

fn on_body(policy: &str, body: &str) -> bool {
    let filter = Filter::read(policy, Scope::Body).expect("a policy");
    filter.passes(body, &Attributes::new())
}

#[test]
fn each_operator_matches_what_aws_documents() {
    let cases = [
        (r#"["a","b"]"#, "b", "c"),
        (r#"[{"prefix":"ord"}]"#, "order", "border"),
        (r#"[{"suffix":"er"}]"#, "order", "orders"),
        (r#"[{"equals-ignore-case":"Order"}]"#, "oRDER", "orde"),
        (r#"[{"wildcard":"a*c*e"}]"#, "abcde", "abcd"),
        (r#"[{"wildcard":"*.fifo"}]"#, "x.y.fifo", "x.fifo.y"),
        (r#"[{"anything-but":["a","b"]}]"#, "c", "a"),
        (r#"[{"anything-but":"a"}]"#, "b", "a"),
        (r#"[{"anything-but":{"prefix":"a"}}]"#, "b", "ab"),
        (r#"[{"anything-but":{"prefix":["a","b"]}}]"#, "c", "bx"),
        (r#"[{"anything-but":{"wildcard":"*x*"}}]"#, "b", "axb"),
        (r#"[{"cidr":"10.0.0.0/24"}]"#, "10.0.0.255", "10.0.1.0"),
        (
            r#"[{"cidr":"2001:db8::/32"}]"#,
            "2001:db8::1",
            "2001:db9::1",
        ),
    ];
    for (conditions, passing, refused) in cases {
        let policy = format!(r#"{{"key":{conditions}}}"#);
        assert!(
            on_attributes(&policy, &[("key", "String", passing)]),
            "{policy} {passing}"
        );
        assert!(
            !on_attributes(&policy, &[("key", "String", refused)]),
            "{policy} {refused}"
        );
        assert!(
            !on_attributes(&policy, &[]),
            "{policy} without the attribute"
        );
    }
}

#[test]
fn numbers_are_compared_as_numbers() {
    let between = r#"{"price":[{"numeric":[">",0,"<=",150]}]}"#;
    for (value, passes) in [("150", true), ("0", false), ("0.01", true), ("151", false)] {
        assert_eq!(
            on_attributes(between, &[("price", "Number", value)]),
            passes,
            "{value}"
        );
    }
    let exact = r#"{"price":[{"numeric":["=",301.5]}]}"#;
    assert!(on_attributes(exact, &[("price", "Number", "3.015e2")]));
    assert!(on_attributes(
        r#"{"price":[100]}"#,
        &[("price", "Number", "100.0")]
    ));
    assert!(!on_attributes(
        r#"{"price":[100]}"#,
        &[("price", "String", "100")]
    ));
    let not = r#"{"price":[{"anything-but":[100,500]}]}"#;
    assert!(on_attributes(not, &[("price", "Number", "101")]));
    assert!(!on_attributes(not, &[("price", "Number", "100")]));
}

#[test]
fn existence_arrays_and_choices_are_told() {
    assert!(on_attributes(r#"{"a":[{"exists":false}]}"#, &[]));
    assert!(!on_attributes(
        r#"{"a":[{"exists":false}]}"#,
        &[("a", "String", "x")]
    ));
    assert!(on_attributes(
        r#"{"a":[{"exists":true}]}"#,
        &[("a", "Number", "0")]
    ));
    let interests = ("a", "String.Array", r#"["rugby","golf",true]"#);
    assert!(on_attributes(r#"{"a":["golf"]}"#, &[interests]));
    assert!(on_attributes(r#"{"a":[true]}"#, &[interests]));
    assert!(!on_attributes(r#"{"a":["chess"]}"#, &[interests]));
    let either = r#"{"x":["1"],"$or":[{"a":["1"]},{"b":["1"]}]}"#;
    let x = ("x", "String", "1");
    assert!(on_attributes(either, &[x, ("b", "String", "1")]));
    assert!(!on_attributes(either, &[x, ("c", "String", "1")]));
    assert!(!on_attributes(either, &[("b", "String", "1")]));
}

#[test]
fn a_policy_on_the_body_follows_its_nesting() {
    let policy = r#"{"data":{"kind":["slot"],"n":[{"numeric":[">",1]}]},"v":[null]}"#;
    assert!(on_body(
        policy,
        r#"{"data":{"kind":"slot","n":2},"v":null}"#
    ));
    assert!(!on_body(
        policy,
        r#"{"data":{"kind":"slot","n":1},"v":null}"#
    ));
    assert!(on_body(
        r#"{"a":{"b":["x"]}}"#,
        r#"{"a":[{"b":"y"},{"b":"x"}]}"#
    ));
    assert!(on_body(r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":{}}"#));
    assert!(!on_body(r#"{"a":["x"]}"#, "no JSON"));
    assert!(on_body("{}", "{}"));
    assert!(on_body("{}", "no JSON"), "an empty policy says nothing");
}

#[test]
fn the_keys_of_one_object_match_within_one_element() {
    let policy = r#"{"records":{"name":[{"prefix":"Created"}],"s3":{"key":["a"]}}}"#;
    let together = r#"{"records":[{"name":"Removed","s3":{"key":"b"}},
        {"name":"Created:Put","s3":[[{"key":"a"}]]}]}"#;
    let apart = r#"{"records":[{"name":"Created:Put","s3":{"key":"b"}},
        {"name":"Removed","s3":{"key":"a"}}]}"#;
    assert!(on_body(policy, together));
    assert!(!on_body(policy, apart));
}

#[test]
fn dots_in_names_are_nesting() {
    for policy in [r#"{"a.b":["x"]}"#, r#"{"a":{"b":["x"]}}"#] {
        assert!(on_body(policy, r#"{"a.b":"x"}"#));
        assert!(on_body(policy, r#"{"a":{"b":"x"}}"#));
        assert!(on_body(policy, r#"{"a":{"b":"y"},"a.b":"x"}"#));
        assert!(!on_body(policy, r#"{"a":{"c":"x"}}"#));
    }
    assert!(on_body(
        r#"{"a.b":["x"],"a.c":["y"]}"#,
        r#"{"a":{"b":"x","c":"y"}}"#
    ));
}

#[test]
fn only_leaves_exist() {
    let there = r#"{"a":[{"exists":true}]}"#;
    let missing = r#"{"a":[{"exists":false}]}"#;
    for (body, exists) in [
        (r#"{"a":null}"#, true),
        (r#"{"a":[1]}"#, true),
        (r#"{"a":{"b":1}}"#, false),
        (r#"{"a":[]}"#, false),
        (r#"{"b":1}"#, false),
    ] {
        assert_eq!(on_body(there, body), exists, "{body}");
        assert_eq!(on_body(missing, body), !exists, "{body}");
    }
}

#[test]
fn the_depth_of_a_key_counts_into_the_combinations() {
    let values = |count: usize| {
        let values: Vec<String> = (0..count).map(|i| format!("\"{i}\"")).collect();
        values.join(",")
    };
    let fits = format!(
        r#"{{"a":{{"b":[{}],"c":[1]}},"d":[{}]}}"#,
        values(5),
        values(5)
    );
    let read = |policy: &str| Filter::read(policy, Scope::Body);
    // b: 5 x 2, c: 1 x 2, d: 5 x 1: 100
    read(&fits).expect("100 combinations");
    let many = format!(
        r#"{{"a":{{"b":[{}],"c":[1]}},"d":[{}]}}"#,
        values(5),
        values(8)
    );
    let reason = read(&many).expect_err("160 combinations");
    assert_eq!(reason, "FilterPolicy: Filter policy is too complex");
    let either = |last: usize| {
        format!(
            r#"{{"s":[1,2,3],"$or":[{{"n":[{}]}},{{"t":[1,2,3,4],"$or":[{{"i":[{}]}},{{"p":[{}]}}]}}]}}"#,
            values(6),
            values(4),
            values(last)
        )
    };
    read(&either(7)).expect("150 combinations, by AWS's own test of this");
    read(&either(8)).expect_err("162 combinations");
}

#[test]
fn what_is_no_policy_is_refused_with_a_reason() {
    for policy in [
        "{",
        "[]",
        r#"{"a":"x"}"#,
        r#"{"a":[]}"#,
        r#"{"a":{"b":["x"]}}"#,
        r#"{"a":[{"like":"x"}]}"#,
        r#"{"a":[{"numeric":[">"]}]}"#,
        r#"{"a":[{"prefix":1}]}"#,
        r#"{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}"#,
    ] {
        Filter::read(policy, Scope::Attributes).expect_err(policy);
    }
    let many: Vec<String> = (0..13).map(|i| format!("\"{i}\"")).collect();
    let many = many.join(",");
    let product = format!(r#"{{"a":[{many}],"b":[{many}]}}"#);
    Filter::read(&product, Scope::Attributes).expect_err("169 combinations");
}
