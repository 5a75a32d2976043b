//! Permissions: statements that AWS writes into a queue's policy for its owner. The engine keeps
//! and shows them, as it does any policy, and enforces none.

use super::queues::{Queue, find, keep};
use super::refusal::SqsError;
use super::settings::Settings;
use super::{Nothing, Outcome};
use crate::messages::Work;
use crate::scope::is_account;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The most actions of a statement (AWS, `AddPermission`: 7).
const ACTIONS_MAX: usize = 7;
/// The longest label, in characters (AWS, `AddPermission`: 80).
const LABEL_LEN_MAX: usize = 80;
/// What may be permitted to others (AWS, "Overview of managing access in Amazon SQS").
const ACTIONS: [&str; 9] = [
    "*",
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
];
/// What may not: SQS's other operations.
const OWNERS_ACTIONS: [&str; 14] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "RemovePermission",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
    "DeleteMessageBatch",
    "SendMessageBatch",
];
const POLICY: &str = "Policy";
const STATEMENT: &str = "Statement";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Add {
    queue_url: String,
    label: String,
    #[serde(default, rename = "AWSAccountIds")]
    accounts: Vec<String>,
    #[serde(default)]
    actions: Vec<String>,
}

pub(super) fn add(work: &mut Work<'_>, request: Add) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    check(&request)?;
    let arn = work.names.queue_arn(&queue.name);
    let mut policy = policy_of(&queue, &arn);
    if policy.iter().any(|statement| is(statement, &request.label)) {
        return Err(refused_label(&request.label, "Already exists."));
    }
    let principals = request.accounts.iter();
    let principals = principals.map(|account| format!("arn:aws:iam::{account}:root"));
    let actions = request.actions.iter().map(|action| format!("SQS:{action}"));
    policy.statements.push(json!({
        "Sid": request.label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_all(principals)},
        "Action": one_or_all(actions),
        "Resource": arn,
    }));
    policy.keep(work, &queue)
}

fn check(request: &Add) -> Outcome<()> {
    let label = &request.label;
    let well_formed = (1..=LABEL_LEN_MAX).contains(&label.len())
        && label
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !well_formed {
        return Err(refused_label(
            label,
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        ));
    }
    if request.actions.is_empty() {
        return Err(SqsError::missing("Actions"));
    }
    let accounts = &request.accounts;
    if accounts.is_empty() || !accounts.iter().all(|account| is_account(account)) {
        return Err(SqsError::invalid_value(
            format!("[{}]", accounts.join(", ")),
            "PrincipalId",
            "Unable to verify.",
        ));
    }
    let unknown = |action: &&String| !ACTIONS.contains(&action.as_str());
    if let Some(action) = request.actions.iter().find(unknown) {
        let reason = if OWNERS_ACTIONS.contains(&action.as_str()) {
            "Only the queue owner is allowed to invoke this action."
        } else {
            "Please refer to the appropriate WSDL for a list of valid actions. "
        };
        return Err(SqsError::invalid_value(
            format!("SQS:{action}"),
            "ActionName",
            reason,
        ));
    }
    if request.actions.len() > ACTIONS_MAX {
        return Err(SqsError::too_many_actions(
            request.actions.len(),
            ACTIONS_MAX,
        ));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Remove {
    queue_url: String,
    label: String,
}

pub(super) fn remove(work: &mut Work<'_>, request: Remove) -> Outcome<Nothing> {
    let queue = find(work, &request.queue_url)?;
    let mut policy = policy_of(&queue, &work.names.queue_arn(&queue.name));
    let before = policy.statements.len();
    policy
        .statements
        .retain(|statement| !is(statement, &request.label));
    if policy.statements.len() == before {
        return Err(refused_label(&request.label, "can't find label."));
    }
    policy.keep(work, &queue)
}

/// A queue's policy, apart from its statements.
struct Policy {
    head: Map<String, Value>,
    statements: Vec<Value>,
}

fn policy_of(queue: &Queue, arn: &str) -> Policy {
    let text = queue.settings.given.get(POLICY);
    let mut head: Map<String, Value> = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| {
            let head = json!({"Version": "2008-10-17", "Id": format!("{arn}/SQSDefaultPolicy")});
            head.as_object().cloned().unwrap_or_default()
        });
    let statements = match head.remove(STATEMENT) {
        Some(Value::Array(statements)) => statements,
        // One statement may stand without a list.
        Some(statement) => vec![statement],
        None => Vec::new(),
    };
    Policy { head, statements }
}

impl Policy {
    fn iter(&self) -> impl Iterator<Item = &Value> {
        self.statements.iter()
    }

    /// Writes the policy down. Without statements there is none.
    fn keep(mut self, work: &mut Work<'_>, queue: &Queue) -> Outcome<Nothing> {
        let mut given = queue.settings.given.clone();
        if self.statements.is_empty() {
            given.remove(POLICY);
        } else {
            self.head
                .insert(STATEMENT.to_owned(), Value::Array(self.statements));
            given.insert(POLICY.to_owned(), super::write(&self.head)?);
        }
        let changed = queue.changed(Settings::read(given)?, work.now);
        keep(work, changed)?;
        Ok(Nothing {})
    }
}

fn is(statement: &Value, label: &str) -> bool {
    statement["Sid"] == label
}

fn refused_label(label: &str, reason: &str) -> SqsError {
    SqsError::invalid_value(label, "Label", reason)
}

/// One value stands alone, as AWS writes it.
fn one_or_all(values: impl Iterator<Item = String>) -> Value {
    let mut values: Vec<String> = values.collect();
    match values.len() {
        1 => Value::from(values.remove(0)),
        _ => Value::from(values),
    }
}
