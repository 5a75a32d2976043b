//! Reads `AWS::IAM::Role`: the statements of its inline policies.

use crate::problem::Collector;
use crate::stack::{Condition, Statement};
use crate::value::{self, Fields, Kind, Value};

pub(crate) fn read(mut fields: Fields<'_>, problems: &Collector) -> Vec<Statement> {
    let mut statements = Vec::new();
    for policy in fields.list("Policies") {
        let Some(mut policy) = Fields::of(policy, problems) else {
            continue;
        };
        policy.required_text("PolicyName");
        let document = policy.map("PolicyDocument");
        policy.finish();
        let Some(mut document) = document else {
            continue;
        };
        document.required_word("Version", &["2012-10-17"]);
        let found = document.list("Statement");
        document.finish();
        statements.extend(
            found
                .into_iter()
                .filter_map(|item| statement(item, problems)),
        );
    }
    fields.finish();
    statements
}

fn statement(item: Value, problems: &Collector) -> Option<Statement> {
    let position = item.at;
    let mut fields = Fields::of(item, problems)?;
    let sid = fields.text("Sid");
    let effect = fields.required_word("Effect", &["Allow", "Deny"]);
    let actions = fields
        .required("Action")
        .map(one_or_many)
        .unwrap_or_default();
    let actions = actions
        .iter()
        .filter_map(|action| value::text(action, problems))
        .collect();
    let resources = fields
        .required("Resource")
        .map(one_or_many)
        .unwrap_or_default();
    let conditions = fields
        .map("Condition")
        .map(|block| conditions(block, problems))
        .unwrap_or_default();
    fields.finish();
    Some(Statement {
        position,
        sid,
        allow: effect? == "Allow",
        actions,
        resources: resources.iter().map(Value::to_expr).collect(),
        conditions,
    })
}

/// `Condition`: operators, below them keys, below them one value or several.
fn conditions(block: Fields<'_>, problems: &Collector) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (operator, keys) in block.into_entries() {
        let Some(keys) = Fields::of(keys, problems) else {
            continue;
        };
        for (key, values) in keys.into_entries() {
            conditions.push(Condition {
                operator: operator.name.clone(),
                key: key.name,
                values: one_or_many(values).iter().map(Value::to_expr).collect(),
            });
        }
    }
    conditions
}

fn one_or_many(value: Value) -> Vec<Value> {
    match value.kind {
        Kind::List(items) => items,
        _ => vec![value],
    }
}
