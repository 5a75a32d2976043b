//! What holds for text messages, and who wants none.

use super::Outcome;
use super::form::Form;
use super::reply::{SnsError, Xml};
use super::sms;
use super::topics::page;
use crate::messages::{Messages, StorageError, Work};
use crate::wire::Answer;
use rusqlite::params;
use std::collections::BTreeMap;

pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS text_settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS opted_out(phone TEXT PRIMARY KEY) WITHOUT ROWID;
";

/// What may be set (AWS, `SetSMSAttributes`).
const SETTABLE: [&str; 6] = [
    "MonthlySpendLimit",
    "DeliveryStatusIAMRole",
    "DeliveryStatusSuccessSamplingRate",
    "DefaultSenderID",
    "DefaultSMSType",
    "UsageReportS3Bucket",
];

/// `SetSMSAttributes`: kept and shown, and of no effect on texts that are sent nowhere.
pub(super) fn set_attributes(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let attributes = form.map("attributes.entry", "key", "value");
    for (name, value) in &attributes {
        let good = match name.as_str() {
            "DefaultSMSType" => matches!(value.as_str(), "Promotional" | "Transactional"),
            "MonthlySpendLimit" => value.parse::<u32>().is_ok(),
            "DeliveryStatusSuccessSamplingRate" => {
                value.parse::<u32>().is_ok_and(|percent| percent <= 100)
            }
            name => SETTABLE.contains(&name),
        };
        if !good {
            return Err(SnsError::invalid(format!("Invalid parameter: {name}")));
        }
        work.db.execute(
            "INSERT OR REPLACE INTO text_settings VALUES(?1, ?2)",
            params![name, value],
        )?;
    }
    Ok(Xml::default())
}

/// `GetSMSAttributes`: those asked for, or all, of those that were set.
pub(super) fn attributes(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let asked = form.list("attributes.member");
    let asked: Vec<&str> = asked.into_iter().filter_map(Form::value).collect();
    let set: BTreeMap<String, String> = work
        .db
        .prepare_cached("SELECT name, value FROM text_settings")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let shown = set
        .iter()
        .filter(|(name, _)| asked.is_empty() || asked.contains(&name.as_str()));
    let mut xml = Xml::default();
    xml.entries("attributes", shown);
    Ok(xml)
}

fn number(form: &Form) -> Outcome<&str> {
    let phone = form.text("phoneNumber").unwrap_or_default();
    if sms::is_number(phone) {
        return Ok(phone);
    }
    Err(SnsError::invalid(
        "Invalid parameter: PhoneNumber Reason: input incorrectly formatted",
    ))
}

/// Whether a number wants no texts.
pub(super) fn is_opted_out(work: &Work<'_>, phone: &str) -> Result<bool, StorageError> {
    work.db
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM opted_out WHERE phone = ?1)")?
        .query_row(params![phone], |row| row.get(0))
}

/// `CheckIfPhoneNumberIsOptedOut`.
pub(super) fn check(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let out = is_opted_out(work, number(form)?)?;
    let mut xml = Xml::default();
    xml.text("isOptedOut", out);
    Ok(xml)
}

/// `ListPhoneNumbersOptedOut`.
pub(super) fn list(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let all: Vec<String> = work
        .db
        .prepare_cached("SELECT phone FROM opted_out ORDER BY phone")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let keyed = all.into_iter().map(|phone| (phone.clone(), phone));
    let (phones, token) = page(keyed, form)?;
    let mut xml = Xml::default();
    xml.within("phoneNumbers", |xml| {
        for phone in phones {
            xml.text("member", phone);
        }
    });
    if let Some(token) = token {
        xml.text("nextToken", token);
    }
    Ok(xml)
}

/// `OptInPhoneNumber`.
pub(super) fn opt_in(work: &mut Work<'_>, form: &Form) -> Outcome<Xml> {
    let phone = number(form)?;
    work.db
        .execute("DELETE FROM opted_out WHERE phone = ?1", params![phone])?;
    Ok(Xml::default())
}

/// What a person does by answering STOP: `PUT /_callboard/sms/opt-outs/{number}`.
pub(crate) fn opt_out(messages: &Messages, phone: &str) -> Answer {
    if !sms::is_number(phone) {
        return Answer::plain_json(400, r#"{"error":"no telephone number"}"#.to_owned());
    }
    let outcome = messages.transact(|work| -> Result<(), StorageError> {
        work.db
            .execute("INSERT OR IGNORE INTO opted_out VALUES(?1)", params![phone])
            .map(drop)
    });
    match outcome {
        Ok(()) => Answer::plain_json(200, "{}".to_owned()),
        Err(error) => SnsError::internal(&error).answer(),
    }
}
