//! The table `contacts`: the only home of personal data.

use std::time::Duration;

use callboard_contracts::{RecipientId, StreamId, Timestamp};
use callboard_runtime::fault::AwsFault;
use callboard_runtime::table::{
    AttributeValue, Condition, Item, Range, Table, Write, integer, key, number, string, text,
};
use serde_json::Value;

/// Sort key of a person's addresses and names.
const PROFILE: &str = "profile";

/// Sort key of what a person said about text messages; a sender of such asks for it.
const SMS_CONSENT: &str = "consent#sms";

/// What the sort keys begin with of all that is kept under a person but the profile.
const EXTRAS: [&str; 2] = ["event#", "consent#"];

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

/// What a person said about text messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SmsConsent {
    /// None may be sent.
    pub(crate) stopped: bool,
    /// When the person wrote it.
    pub(crate) said_at: Timestamp,
}

pub(crate) struct Contacts {
    table: Table,
}

impl Contacts {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    pub(crate) async fn registration(&self, id: &RecipientId) -> Result<Registration, AwsFault> {
        Ok(self.language(id).await?.0)
    }

    /// Whether somebody may be written to, and in which language (a tag), if that is known.
    pub(crate) async fn language(
        &self,
        id: &RecipientId,
    ) -> Result<(Registration, Option<String>), AwsFault> {
        Ok(match self.table.get(id.as_str(), PROFILE).await? {
            None => (Registration::Unknown, None),
            Some(item) if item.contains_key("erased") => (Registration::Erased, None),
            Some(item) => {
                let locale = text(&item, "locale").map(str::to_owned);
                (Registration::Registered, locale)
            }
        })
    }

    /// What a person last said about text messages; nothing is no objection.
    pub(crate) async fn sms_consent(
        &self,
        id: &RecipientId,
    ) -> Result<Option<SmsConsent>, AwsFault> {
        let item = self.table.get(id.as_str(), SMS_CONSENT).await?;
        Ok(item.and_then(|item| {
            Some(SmsConsent {
                stopped: item.get("stopped")?.as_bool().copied().ok()?,
                said_at: Timestamp::from_millis(number(&item, "said_at")?),
            })
        }))
    }

    /// The writes that store what a person says about text messages, unless something said later
    /// is known, or the person was erased. It stands by itself: whoever registers the person again
    /// takes no objection back.
    pub(crate) fn put_sms_consent(&self, id: &RecipientId, consent: SmsConsent) -> Vec<Write> {
        let said_at = integer(consent.said_at.as_millis());
        let mut item = key(id.as_str(), SMS_CONSENT);
        item.insert("stopped".to_owned(), AttributeValue::Bool(consent.stopped));
        item.insert("said_at".to_owned(), said_at.clone());
        let newest = Condition::new("attribute_not_exists(said_at) OR said_at < :said_at");
        vec![
            self.table.check(id.as_str(), PROFILE, not_erased()),
            self.table
                .put(item, Some(newest.value(":said_at", said_at))),
        ]
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
        for prefix in EXTRAS {
            loop {
                let range = Range {
                    pk: id.as_str(),
                    prefix: Some(prefix),
                    after: None,
                    limit: PAGE,
                    consistent: true,
                };
                let page = self.table.page(range).await?;
                if page.items.is_empty() {
                    break;
                }
                for sort_key in page.items.iter().filter_map(|item| text(item, "sk")) {
                    self.table.delete(id.as_str(), sort_key).await?;
                }
            }
        }
        Ok(())
    }
}

fn not_erased() -> Condition {
    Condition::new("attribute_not_exists(erased)")
}
