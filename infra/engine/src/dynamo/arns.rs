//! ARNs: the crate knows one fixed region and account, clients see the engine's own.

use serde_json::Value;
use std::borrow::Cow;

/// How every ARN of the crate begins.
const CRATE_PREFIX: &str = "arn:aws:dynamodb:dynoxide:000000000000:";
/// The region and account in them, of which a key of KMS has them too.
const CRATE_SCOPE: &str = ":dynoxide:000000000000:";
const ANY_PREFIX: &str = "arn:aws:dynamodb:";

#[derive(Debug)]
pub(super) struct Arns {
    prefix: String,
    region: String,
    account: String,
}

/// What an ARN names that is not here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Another account, which no policy lets this one use: there are none.
    Account {
        caller: String,
        arn: String,
    },
    Region,
}

impl Arns {
    pub(super) fn new(region: &str, account: &str) -> Arns {
        Arns {
            prefix: format!("{ANY_PREFIX}{region}:{account}:"),
            region: region.to_owned(),
            account: account.to_owned(),
        }
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// A request as the crate can take it: table ARNs become names (its transactions take no
    /// others), and other ARNs become the crate's.
    ///
    /// # Errors
    /// The ARN of a table or stream of another account or region.
    pub(super) fn inward<'a>(&self, body: &'a str) -> Result<Cow<'a, str>, Foreign> {
        if !body.contains(ANY_PREFIX) {
            return Ok(Cow::Borrowed(body));
        }
        let Ok(mut request) = serde_json::from_str::<Value>(body) else {
            return Ok(Cow::Borrowed(body));
        };
        self.rename(&mut request)?;
        if let Some(tables) = request
            .get_mut("RequestItems")
            .and_then(Value::as_object_mut)
        {
            let entries = std::mem::take(tables);
            for (table, entry) in entries {
                self.check(&table)?;
                tables.insert(table_name(&table).unwrap_or(table), entry);
            }
        }
        for action in request
            .get_mut("TransactItems")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
            .flat_map(|actions| actions.values_mut())
        {
            self.rename(action)?;
        }
        Ok(Cow::Owned(request.to_string()))
    }

    /// Whether an ARN is one of here. What is no whole ARN is for the crate to refuse.
    fn check(&self, arn: &str) -> Result<(), Foreign> {
        let Some(rest) = arn.strip_prefix(ANY_PREFIX) else {
            return Ok(());
        };
        let mut parts = rest.split(':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(_), Some(account), Some(_)) if account != self.account => Err(Foreign::Account {
                caller: self.account.clone(),
                arn: arn.to_owned(),
            }),
            (Some(region), Some(_), Some(_)) if region != self.region => Err(Foreign::Region),
            _ => Ok(()),
        }
    }

    fn rename(&self, request: &mut Value) -> Result<(), Foreign> {
        let Some(members) = request.as_object_mut() else {
            return Ok(());
        };
        if let Some(Value::String(table)) = members.get_mut("TableName") {
            self.check(table)?;
            if let Some(name) = table_name(table) {
                *table = name;
            }
        }
        for member in ["StreamArn", "ResourceArn", "ExclusiveStartStreamArn"] {
            let Some(Value::String(arn)) = members.get_mut(member) else {
                continue;
            };
            self.check(arn)?;
            if let Some(rest) = arn.strip_prefix(&self.prefix) {
                *arn = format!("{CRATE_PREFIX}{rest}");
            }
        }
        Ok(())
    }

    /// An answer as clients should see it. Only operations whose answers name ARNs are touched:
    /// items are the clients' own.
    pub(super) fn outward(&self, operation: &str, body: String) -> String {
        let names_arns = matches!(
            operation,
            "CreateTable"
                | "DeleteTable"
                | "DescribeTable"
                | "UpdateTable"
                | "ListStreams"
                | "DescribeStream"
                | "GetShardIterator"
                | "TagResource"
                | "UntagResource"
                | "ListTagsOfResource"
                | "GetResourcePolicy"
        );
        if !names_arns || !body.contains(CRATE_SCOPE) {
            return body;
        }
        body.replace(CRATE_SCOPE, &format!(":{}:{}:", self.region, self.account))
    }
}

/// The table that a table ARN names.
fn table_name(arn: &str) -> Option<String> {
    let (_, name) = arn.strip_prefix(ANY_PREFIX)?.split_once(":table/")?;
    (!name.contains('/')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_and_batches_take_table_arns() {
        let arns = Arns::new("eu-west-1", "111122223333");
        let body = r#"{"TransactItems":[{"Put":{"TableName":"arn:aws:dynamodb:eu-west-1:111122223333:table/journal","Item":{"TableName":{"S":"arn:aws:dynamodb:x"}}}}]}"#;
        let inward = arns.inward(body).expect("of here");
        assert!(inward.contains(r#""TableName":"journal""#), "{inward}");
        assert!(inward.contains(r#"{"S":"arn:aws:dynamodb:x"}"#), "{inward}");
        let batch =
            r#"{"RequestItems":{"arn:aws:dynamodb:eu-west-1:111122223333:table/views":[]}}"#;
        let inward = arns.inward(batch).expect("of here");
        assert_eq!(inward, r#"{"RequestItems":{"views":[]}}"#);
    }

    #[test]
    fn answers_name_the_engines_region_and_account() {
        let arns = Arns::new("eu-west-1", "111122223333");
        let body = r#"{"StreamArn":"arn:aws:dynamodb:dynoxide:000000000000:table/t/stream/1"}"#;
        assert_eq!(
            arns.outward("ListStreams", body.to_owned()),
            r#"{"StreamArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/t/stream/1"}"#
        );
        assert_eq!(arns.outward("GetItem", body.to_owned()), body);
    }
}
