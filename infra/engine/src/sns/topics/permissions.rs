//! Permissions: statements added to a topic's policy, which nobody reads here.

use super::super::Outcome;
use super::super::form::Form;
use super::super::reply::{SnsError, Xml};
use super::{Topic, attributes, find, keep};
use crate::messages::Work;
use serde_json::{Value, json};

/// What may be allowed (AWS, "Amazon SNS API permissions").
const ACTIONS: [&str; 9] = [
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
    "Receive",
];

pub(in crate::sns) fn add(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let arn = form.given("TopicArn")?;
    let topic = find(work, arn)?;
    let label = form.required("Label")?;
    let accounts = values(form, "AWSAccountId.member")?;
    let actions = values(form, "ActionName.member")?;
    if actions
        .iter()
        .any(|action| !ACTIONS.contains(&action.as_str()))
    {
        return Err(SnsError::invalid(
            "Invalid parameter: Policy statement action out of service scope!",
        ));
    }
    let policy = policy(&topic, work);
    let mut statements = statements(&policy);
    if statements.iter().any(|it| it["Sid"] == label) {
        return Err(SnsError::invalid(
            "Invalid parameter: Statement already exists",
        ));
    }
    let principals = accounts.iter().map(|id| format!("arn:aws:iam::{id}:root"));
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_all(principals.collect())},
        "Action": one_or_all(actions.iter().map(|it| format!("SNS:{it}")).collect()),
        "Resource": arn,
    }));
    set(work, &topic, policy, statements)
}

/// Removing what is not there is done already.
pub(in crate::sns) fn remove(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let topic = find(work, form.given("TopicArn")?)?;
    let label = form.required("Label")?;
    let policy = policy(&topic, work);
    let mut statements = statements(&policy);
    statements.retain(|it| it["Sid"] != label);
    set(work, &topic, policy, statements)
}

fn values(form: &Form, path: &str) -> Outcome<Vec<String>> {
    let values = form.list(path).into_iter().filter_map(Form::value);
    let values: Vec<String> = values.map(str::to_owned).collect();
    if values.is_empty() {
        let name = path.trim_end_matches(".member");
        return Err(SnsError::invalid(format!("Invalid parameter: {name}")));
    }
    Ok(values)
}

/// AWS writes a list of one as that one.
fn one_or_all(mut all: Vec<String>) -> Value {
    match all.len() {
        1 => all.remove(0).into(),
        _ => all.into(),
    }
}

fn policy(topic: &Topic, work: &Work<'_>) -> Value {
    let shown = attributes::shown(topic, work);
    let policy = shown.get("Policy").map(String::as_str).unwrap_or_default();
    serde_json::from_str(policy).unwrap_or_default()
}

/// The statements of a policy, which may hold one without a list.
fn statements(policy: &Value) -> Vec<Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        only @ Value::Object(_) => vec![only.clone()],
        _ => Vec::new(),
    }
}

fn set(
    work: &mut Work<'_>,
    topic: &Topic,
    mut policy: Value,
    statements: Vec<Value>,
) -> Outcome<Xml> {
    policy["Statement"] = statements.into();
    let mut topic = topic.clone();
    let text = policy.to_string();
    topic.attributes.insert("Policy".to_owned(), text);
    keep(work, topic)?;
    Ok(Xml::default())
}
