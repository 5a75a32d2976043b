//! SNS filter policies: which messages each operator passes in both scopes, and how AWS words its
//! refusals.

use crate::sns::{Both, arn, bodies, both};
use crate::support::{engine, queue};
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;

fn attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .expect("complete")
}

/// Conditions on `key`, a value that passes and one that does not, as text in JSON.
const CASES: &[(&str, &str, &str)] = &[
    (r#"["a", "b"]"#, r#""b""#, r#""c""#),
    (r#"[{"prefix": "or"}]"#, r#""order""#, r#""border""#),
    (r#"[{"suffix": "er"}]"#, r#""order""#, r#""orders""#),
    (
        r#"[{"equals-ignore-case": "ORDER"}]"#,
        r#""Order""#,
        r#""orde""#,
    ),
    (r#"[{"wildcard": "a*c*e"}]"#, r#""abcde""#, r#""abcd""#),
    (r#"[{"anything-but": "a"}]"#, r#""b""#, r#""a""#),
    (r#"[{"anything-but": ["a", "b"]}]"#, r#""c""#, r#""b""#),
    (r#"[{"anything-but": [1, 2]}]"#, "3", "2"),
    (
        r#"[{"anything-but": {"prefix": "a"}}]"#,
        r#""b""#,
        r#""ab""#,
    ),
    (
        r#"[{"anything-but": {"prefix": ["a", "b"]}}]"#,
        r#""c""#,
        r#""bc""#,
    ),
    (
        r#"[{"anything-but": {"wildcard": "*a*"}}]"#,
        r#""b""#,
        r#""bab""#,
    ),
    (
        r#"[{"cidr": "10.1.2.0/24"}]"#,
        r#""10.1.2.255""#,
        r#""10.1.3.0""#,
    ),
    (
        r#"[{"cidr": "2001:db8::/32"}]"#,
        r#""2001:db8::1""#,
        r#""2001:db9::1""#,
    ),
    (r#"[{"numeric": ["=", 3.015e2]}]"#, "301.5", "301"),
    (r#"[{"numeric": ["<", 0]}]"#, "-1", "0"),
    (r#"[{"numeric": [">", 0, "<=", 150]}]"#, "150", "0"),
    (r#"[100]"#, "100.0", "101"),
    (
        r#"["golf", "chess"]"#,
        r#"["rugby", "golf"]"#,
        r#"["rugby"]"#,
    ),
    (
        r#"[{"prefix": "go"}]"#,
        r#"["rugby", "golf"]"#,
        r#"["rugby", "tennis"]"#,
    ),
    (r#"[{"exists": true}]"#, r#""x""#, ""),
    (r#"[{"exists": false}]"#, "", r#""x""#),
];

async fn publish(both: &Both, topic: &str, value: &str, name: &str) {
    let body = match value {
        "" => format!(r#"{{"name": "{name}"}}"#),
        value => format!(r#"{{"name": "{name}", "key": {value}}}"#),
    };
    let attribute = match value.chars().next() {
        None => None,
        Some('"') => Some(attribute("String", value.trim_matches('"'))),
        Some('[') => Some(attribute("String.Array", value)),
        Some(_) => Some(attribute("Number", value)),
    };
    let mut message = both.sns.publish().topic_arn(topic).message(body);
    if let Some(attribute) = attribute {
        message = message.message_attributes("key", attribute);
    }
    message.send().await.expect("published");
}

#[tokio::test(start_paused = true)]
async fn every_operator_passes_the_same_in_attributes_and_in_bodies() {
    let both = both(&engine().await);
    for (number, (conditions, passes, fails)) in CASES.iter().enumerate() {
        let topic = both.topic(&format!("topic-{number}"), &[]).await;
        let policy = format!(r#"{{"key": {conditions}}}"#);
        let mut urls = Vec::new();
        for scope in ["MessageAttributes", "MessageBody"] {
            let name = format!("{scope}-{number}");
            urls.push((scope, queue(&both.sqs, &name, &[]).await));
            let attributes = [
                ("RawMessageDelivery", "true"),
                ("FilterPolicy", &policy),
                ("FilterPolicyScope", scope),
            ];
            both.subscribe(&topic, &name, &attributes).await;
        }
        publish(&both, &topic, fails, "fails").await;
        publish(&both, &topic, passes, "passes").await;
        for (scope, url) in urls {
            let received = both.receive(&url).await;
            let received = bodies(&received);
            assert_eq!(received.len(), 1, "{scope} {policy}: {received:?}");
            assert!(received[0].contains("passes"), "{scope} {policy}");
        }
    }
}

/// Refused policies and AWS's words, as recorded from AWS in LocalStack's own tests.
const REFUSALS: &[(&str, &str)] = &[
    (
        r#"{"key":[["value"]]}"#,
        "Match value must be String, number, true, false, or null; 10",
    ),
    (
        r#"{"key":[{"suffix":"value","prefix":"value2"}]}"#,
        "Only one key allowed in match expression; 37",
    ),
    (
        r#"{"key":[{"wrong-operator":true}]}"#,
        "Unrecognized match type wrong-operator; 31",
    ),
    (
        r#"{"key":[{"suffix":100}]}"#,
        "suffix match pattern must be a string; 22",
    ),
    (
        r#"{"key":[{"suffix":null}]}"#,
        "suffix match pattern must be a string; 23",
    ),
    (
        r#"{"key":[{"suffix":[]}]}"#,
        "suffix match pattern must be a string; 20",
    ),
    (
        r#"{"key":{"suffix":"value"}}"#,
        "\"suffix\" must be an object or an array; 19",
    ),
    (
        r#"{"key":[{"numeric":[]}]}"#,
        "Invalid member in numeric match: ]; 22",
    ),
    (
        r#"{"key":[{"numeric":["operator"]}]}"#,
        "Unrecognized numeric range operator: operator; 32",
    ),
    (
        r#"{"key":[{"numeric":[1,"<="]}]}"#,
        "Invalid member in numeric match: 1; 22",
    ),
    (
        r#"{"key":[{"numeric":["=","000"]}]}"#,
        "Value of equals must be numeric; 26",
    ),
    (
        r#"{"key":[{"numeric":[">="]}]}"#,
        "Value of >= must be numeric; 26",
    ),
    (
        r#"{"key":[{"numeric":["<",100,">",10]}]}"#,
        "Too many elements in numeric expression; 30",
    ),
    (
        r#"{"key":[{"numeric":[">=",1,">",2]}]}"#,
        "Bad numeric range operator: >; 31",
    ),
    (
        r#"{"key":[{"numeric":[">",3,"<",1]}]}"#,
        "Bottom must be less than top; 33",
    ),
    (
        r#"{"key":[{"numeric":[">",20,"<="]}]}"#,
        "Value of <= must be numeric; 33",
    ),
    (
        r#"{"key":[{"numeric":[">",20,30]}]}"#,
        "Bad value in numeric range: 30; 30",
    ),
    (
        r#"{"key":[{"numeric":[">",20,"test"]}]}"#,
        "Bad numeric range operator: test; 34",
    ),
    (
        r#"{"key":[{"numeric":[">",20,"<","30"]}]}"#,
        "Value of < must be numeric; 33",
    ),
    (
        r#"{"key":[{"numeric":[">",20,"<",30,"<",50]}]}"#,
        "Too many terms in numeric range expression; 36",
    ),
    (
        r#"{"key":[{"exists":null}]}"#,
        "exists match pattern must be either true or false.; 23",
    ),
    (
        r#"{"key":[{"exists":"no"}]}"#,
        "exists match pattern must be either true or false.; 20",
    ),
    (
        r#"{"key":[{"anything-but":{"wrong-operator":null}}]}"#,
        "Unsupported anything-but pattern: wrong-operator; 47",
    ),
    (
        r#"{"key":[{"anything-but":{"suffix":"test"}}]}"#,
        "Unsupported anything-but pattern: suffix; 36",
    ),
    (
        r#"{"key":[{"anything-but":{"exists":false}}]}"#,
        "Unsupported anything-but pattern: exists; 40",
    ),
    (
        r#"{"key":[{"anything-but":{"prefix":false}}]}"#,
        "prefix match pattern must be a string; 40",
    ),
    (
        r#"{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}"#,
        "Filter policy can not have more than 5 keys",
    ),
    (
        r#"{"a":[1,2,3,4,5,6,7,8,9,10,11,12,13],"b":[1,2,3,4,5,6,7,8,9,10,11,12]}"#,
        "Filter policy is too complex",
    ),
];

#[tokio::test(start_paused = true)]
async fn a_bad_policy_is_refused_in_awss_words() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let subscribed = both.subscribe(&topic, "readers", &[]).await;
    for (policy, expected) in REFUSALS {
        let expected = match expected.rsplit_once("; ") {
            Some((reason, column)) if column.parse::<u8>().is_ok() => {
                format!("{reason}{}", place(column))
            }
            _ => (*expected).to_owned(),
        };
        let error = both
            .sns
            .subscribe()
            .topic_arn(&topic)
            .protocol("sqs")
            .endpoint(arn("other"))
            .attributes("FilterPolicy", *policy)
            .send()
            .await
            .expect_err(policy)
            .into_service_error();
        assert!(error.is_invalid_parameter_exception(), "{error:?}");
        let subscribing = format!("Invalid parameter: Attributes Reason: FilterPolicy: {expected}");
        assert_eq!(error.message(), Some(subscribing.as_str()));
        let error = set(&both, &subscribed, "FilterPolicy", policy).await;
        assert_eq!(
            error,
            format!("Invalid parameter: FilterPolicy: {expected}")
        );
    }
}

fn place(column: &str) -> String {
    format!(
        "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); \
         line: 1, column: {column}]"
    )
}

async fn set(both: &Both, subscription: &str, name: &str, value: &str) -> String {
    both.sns
        .set_subscription_attributes()
        .subscription_arn(subscription)
        .attribute_name(name)
        .attribute_value(value)
        .send()
        .await
        .expect_err(value)
        .into_service_error()
        .message()
        .expect("a message")
        .to_owned()
}

#[tokio::test(start_paused = true)]
async fn scope_redrive_and_raw_delivery_are_checked_in_awss_words() {
    let both = both(&engine().await);
    let topic = both.topic("news", &[]).await;
    let subscribed = both.subscribe(&topic, "readers", &[]).await;
    for (name, value, expected) in [
        (
            "FilterPolicy",
            r#"{"object":{"key":[{"prefix":"auto-"}]}}"#,
            "Filter policy scope MessageAttributes does not support nested filter policy",
        ),
        (
            "FilterPolicyScope",
            "RandomValue",
            "FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or \
             MessageAttributes",
        ),
        (
            "RawMessageDelivery",
            "wrong",
            "RawMessageDelivery: Invalid value [wrong]. Must be true or false.",
        ),
        (
            "RawMessageDelivery",
            "",
            "RawMessageDelivery: Invalid value []. Must be true or false.",
        ),
        (
            "RedrivePolicy",
            r#"{"deadLetterTargetArn":"queue"}"#,
            "RedrivePolicy: deadLetterTargetArn is an invalid arn",
        ),
        ("FilterPolice", "{}", "AttributeName"),
    ] {
        let error = set(&both, &subscribed, name, value).await;
        assert_eq!(error, format!("Invalid parameter: {expected}"));
    }
    for name in ["FilterPolicy", "RedrivePolicy"] {
        let error = set(&both, &subscribed, name, "{invalidjson}").await;
        let expected = format!(
            "Invalid parameter: {name}: failed to parse JSON. Unexpected character ('i' (code \
             105)): was expecting double-quote to start field name{}",
            place("2")
        );
        assert_eq!(error, expected);
    }
}
