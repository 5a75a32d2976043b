//! The table `contacts`: the only home of personal data.

use std::time::Duration;

use callboard_contracts::{RecipientId, StreamId, Timestamp};
use callboard_runtime::fault::AwsFault;
use callboard_runtime::table::{
    AttributeValue, Condition, Item, Range, Table, Write, integer, key, string, text,
};
use serde_json::Value;

/// Sort key of a person's addresses and names.
const PROFILE: &str = "profile";

/// How long the personal fields of a foreign event are kept, in days: as long as the journal
/// keeps a notification that may still need them.
const EXTRAS_DAYS: u64 = 60;

/// How many items an erasure looks up at a time, before it deletes them one by one.
const PAGE: i32 = 100;

/// A person's addresses and wishes, checked.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) opted_out: Vec<String>,
}

/// Whether somebody may be written to under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registration {
    Unknown,
    Registered,
    Erased,
}

pub(crate) struct Contacts {
    table: Table,
}

impl Contacts {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    pub(crate) async fn registration(&self, id: &RecipientId) -> Result<Registration, AwsFault> {
        Ok(match self.table.get(id.as_str(), PROFILE).await? {
            None => Registration::Unknown,
            Some(item) if item.contains_key("erased") => Registration::Erased,
            Some(_) => Registration::Registered,
        })
    }

    /// The write that stores a profile, unless the person was erased.
    pub(crate) fn put_profile(&self, id: &RecipientId, profile: &Profile) -> Write {
        let mut item = key(id.as_str(), PROFILE);
        let texts = [
            ("email", &profile.email),
            ("name", &profile.name),
            ("locale", &profile.locale),
            ("time_zone", &profile.time_zone),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                item.insert(name.to_owned(), string(text));
            }
        }
        if !profile.opted_out.is_empty() {
            item.insert(
                "opted_out".to_owned(),
                AttributeValue::Ss(profile.opted_out.clone()),
            );
        }
        self.table.put(item, Some(not_erased()))
    }

    /// The write that leaves a tombstone without data.
    pub(crate) fn put_tombstone(&self, id: &RecipientId) -> Write {
        let mut item: Item = key(id.as_str(), PROFILE);
        item.insert("erased".to_owned(), AttributeValue::Bool(true));
        self.table.put(item, None)
    }

    /// The writes that store the personal fields of a foreign event under its person, unless
    /// the person was erased.
    pub(crate) fn put_extras(
        &self,
        id: &RecipientId,
        event: &StreamId,
        fields: &Value,
        now: Timestamp,
    ) -> Vec<Write> {
        let until = now.plus(Duration::from_secs(EXTRAS_DAYS * 86_400));
        let mut item = key(id.as_str(), event.as_str());
        item.insert("fields".to_owned(), string(fields.to_string()));
        item.insert("ttl".to_owned(), integer(until.as_secs()));
        vec![
            self.table.check(id.as_str(), PROFILE, not_erased()),
            self.table.put(item, None),
        ]
    }

    /// Deletes all that is kept under an id, but its profile.
    pub(crate) async fn delete_extras(&self, id: &RecipientId) -> Result<(), AwsFault> {
        loop {
            let range = Range {
                pk: id.as_str(),
                prefix: Some("event#"),
                after: None,
                limit: PAGE,
                consistent: true,
            };
            let page = self.table.page(range).await?;
            if page.items.is_empty() {
                return Ok(());
            }
            for sort_key in page.items.iter().filter_map(|item| text(item, "sk")) {
                self.table.delete(id.as_str(), sort_key).await?;
            }
        }
    }
}

fn not_erased() -> Condition {
    Condition::new("attribute_not_exists(erased)")
}
