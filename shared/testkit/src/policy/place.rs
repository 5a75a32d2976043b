//! Where calls go: account, region, and which attribute of a table or index is its partition key.

use std::collections::BTreeMap;

use callboard_template::{Reference, Stack, Table};

/// The value that a reference of the template has in what was created.
pub type Lookup<'a> = &'a dyn Fn(&Reference) -> Option<String>;

/// What a request does not say of itself, and its ARNs need.
#[derive(Debug, Clone)]
pub struct Place {
    region: String,
    account: String,
    tables: BTreeMap<String, Keys>,
}

/// Names of partition keys.
#[derive(Debug, Clone)]
struct Keys {
    table: String,
    indexes: BTreeMap<String, String>,
}

impl Place {
    /// Of a stack whose resources exist.
    ///
    /// # Panics
    /// When the stack has no table: account and region are read from the ARN of one.
    #[must_use]
    pub fn of(stack: &Stack, lookup: Lookup<'_>) -> Self {
        let of = |table: &Table, attribute: Option<&str>| {
            lookup(&Reference {
                logical_id: table.logical_id.clone(),
                attribute: attribute.map(str::to_owned),
            })
        };
        let arn = stack.tables.iter().find_map(|table| of(table, Some("Arn")));
        let arn = arn.expect("a table that exists");
        let part = |at| arn.split(':').nth(at).unwrap_or_default().to_owned();
        let keys = |table: &Table| {
            let indexes = table.indexes.iter();
            let keys = Keys {
                table: table.key.hash.clone(),
                indexes: indexes
                    .map(|index| (index.name.clone(), index.key.hash.clone()))
                    .collect(),
            };
            Some((of(table, None)?, keys))
        };
        Self {
            region: part(3),
            account: part(4),
            tables: stack.tables.iter().filter_map(keys).collect(),
        }
    }

    /// The partition key's name of a table or of one of its indexes.
    pub(super) fn partition_key(&self, table: &str, index: Option<&str>) -> Option<&str> {
        let keys = self.tables.get(table)?;
        match index {
            None => Some(&keys.table),
            Some(index) => keys.indexes.get(index).map(String::as_str),
        }
    }

    /// The ARN of what `service` calls `name`.
    pub(super) fn arn(&self, service: &str, name: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{name}", self.region, self.account)
    }

    /// Who a function is to AWS: its role, assumed.
    pub(super) fn principal(&self, function: &str) -> String {
        format!(
            "arn:aws:sts::{}:assumed-role/{function}/{function}",
            self.account
        )
    }
}
