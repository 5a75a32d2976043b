//! Making, changing and deleting tables: what AWS asks of it and the crate does not, and what hangs
//! on a table beside the crate's own.

use super::dispatch::act;
use super::refusal::{self, Outcome};
use super::{Dynamo, settings, streams, upkeep};
use dynoxide::storage::{Storage, TableMetadata};
use dynoxide::{DynoxideError, actions};
use rusqlite::params;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const VIEW_TYPES: [&str; 4] = ["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    table_name: String,
}

impl Dynamo {
    pub(super) fn create_table(&self, storage: &Storage, body: &str) -> Outcome<String> {
        let request: Value = refusal::decode(body)?;
        check_stream(&request["StreamSpecification"], "created")?;
        let answer = act(storage, body, actions::create_table::execute)?;
        self.settled(storage, body, answer)
    }

    pub(super) fn update_table(&self, storage: &Storage, body: &str) -> Outcome<String> {
        let mut request: Map<String, Value> = refusal::decode(body)?;
        if let Some(stream) = request.get("StreamSpecification") {
            check_stream(stream, "updated")?;
            check_change(storage, &request, stream)?;
        }
        let encryption = request.remove("SSESpecification").filter(Value::is_object);
        let Some(encryption) = encryption else {
            let answer = self.crate_update(storage, body)?;
            return self.settled(storage, body, answer);
        };
        let body = Value::Object(request.clone()).to_string();
        if request.keys().all(|name| name == "TableName") {
            encrypt(storage, &body, &encryption)?;
            let described = self.describe_table(storage, &body)?;
            let mut described: Value = refusal::decode(&described)?;
            return Ok(json!({ "TableDescription": described["Table"].take() }).to_string());
        }
        self.crate_update(storage, &body)?;
        encrypt(storage, &body, &encryption)?;
        // Once more, for the answer to show both.
        let answer = self.describe_table(storage, &body)?;
        let mut answer: Value = refusal::decode(&answer)?;
        let answer = json!({ "TableDescription": answer["Table"].take() }).to_string();
        self.settled(storage, &body, answer)
    }

    fn crate_update(&self, storage: &Storage, body: &str) -> Outcome<String> {
        act(storage, body, |s, q| {
            actions::update_table::execute(s, q, &self.vectors)
        })
    }

    pub(super) fn delete_table(&self, storage: &Storage, body: &str) -> Outcome<String> {
        let answer = act(storage, body, |s, q| {
            actions::delete_table::execute(s, q, &self.vectors)
        })?;
        let Named { table_name } = refusal::decode(body)?;
        settings::forget(storage, &table_name)?;
        self.settled(storage, body, answer)
    }

    pub(super) fn describe_table(&self, storage: &Storage, body: &str) -> Outcome<String> {
        let answer = act(storage, body, |s, q| {
            actions::describe_table::execute(s, q, &self.vectors)
        })?;
        let mut described: Value = refusal::decode(&answer)?;
        let table = &mut described["Table"];
        completed(table);
        let named = (table["TableName"].as_str(), table["TableId"].as_str());
        // AWS goes on naming a stream that was disabled.
        if let (Some(name), Some(id), None) = (named.0, named.1, table.get("LatestStreamArn"))
            && let Some(stream) = streams::newest(storage, name, id)?
        {
            table["LatestStreamArn"] = stream.arn().into();
            table["LatestStreamLabel"] = stream.label.into();
        }
        Ok(described.to_string())
    }

    /// Brings streams in line with the table, and the answer in line with the stream.
    fn settled(&self, storage: &Storage, body: &str, answer: String) -> Outcome<String> {
        let Named { table_name } = refusal::decode(body)?;
        let label = streams::settle(storage, &table_name, &self.clock)?;
        let answer = match label {
            Some((chosen, label)) => answer.replace(&chosen, &label),
            None => answer,
        };
        let mut answer: Value = refusal::decode(&answer)?;
        completed(&mut answer["TableDescription"]);
        Ok(answer.to_string())
    }
}

/// Adds what AWS always tells of a table and the crate only when it is otherwise.
fn completed(table: &mut Value) {
    if table.is_object() && table.get("DeletionProtectionEnabled").is_none() {
        table["DeletionProtectionEnabled"] = false.into();
    }
}

/// Changes the encryption of a table.
fn encrypt(storage: &Storage, body: &str, specification: &Value) -> Outcome<()> {
    let table = existing(storage, body)?;
    storage.conn().execute(
        "UPDATE _tables SET sse_specification = ?2 WHERE table_name = ?1",
        params![table.table_name, specification.to_string()],
    )?;
    // A change of the crate's own makes it read the table's row again.
    Ok(storage.update_deletion_protection(&table.table_name, table.deletion_protection_enabled)?)
}

/// AWS, CreateTable and UpdateTable, `StreamSpecification`: a view type when and only when enabled.
fn check_stream(stream: &Value, done: &str) -> Outcome<()> {
    let enabled = stream["StreamEnabled"] == json!(true);
    match stream["StreamViewType"].as_str() {
        Some(kind) if !VIEW_TYPES.contains(&kind) => refused(&format!(
            "1 validation error detected: Value '{kind}' at 'streamSpecification.streamViewType' \
             failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            VIEW_TYPES.join(", ")
        )),
        None if enabled => refused(&format!(
            "One or more parameter values were invalid: Table is being {done} with a stream \
             enabled but no StreamViewType was given"
        )),
        _ => Ok(()),
    }
}

/// AWS, UpdateTable: a stream is not enabled twice, and only one that is there is disabled.
fn check_change(storage: &Storage, request: &Map<String, Value>, stream: &Value) -> Outcome<()> {
    let Some(name) = request.get("TableName").and_then(Value::as_str) else {
        return Ok(());
    };
    let Some(table) = storage.get_table_metadata(name)? else {
        return Ok(());
    };
    match (stream["StreamEnabled"].as_bool(), table.stream_enabled) {
        (Some(true), true) => refused(&format!(
            "Table already has an enabled stream: TableName: {name}"
        )),
        (Some(false), false) => refused(&format!(
            "Table has no stream to disable: TableName: {name}"
        )),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TtlRequest {
    time_to_live_specification: TtlSpecification,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TtlSpecification {
    attribute_name: String,
    enabled: bool,
}

/// `UpdateTimeToLive`: nothing is enabled or disabled twice, nor by another name.
pub(super) fn update_ttl(storage: &Storage, body: &str) -> Outcome<String> {
    if let (Ok(request), Ok(table)) = (refusal::decode::<TtlRequest>(body), existing(storage, body))
    {
        let TtlSpecification {
            attribute_name,
            enabled,
        } = request.time_to_live_specification;
        let present = table.ttl_attribute.filter(|_| table.ttl_enabled);
        match present {
            Some(present) if present != attribute_name && !attribute_name.is_empty() => {
                refused(&format!(
                    "TimeToLive is active on a different AttributeName: current AttributeName is \
                     {present}"
                ))?;
            }
            Some(_) if enabled => refused("TimeToLive is already enabled")?,
            None if !enabled => refused("TimeToLive is already disabled")?,
            _ => {}
        }
    }
    let answer = act(storage, body, actions::update_time_to_live::execute)?;
    upkeep::index_all(storage)?;
    Ok(answer)
}

/// The table that a request names.
pub(super) fn existing(storage: &Storage, body: &str) -> Outcome<TableMetadata> {
    let Named { table_name } = refusal::decode(body)?;
    storage.get_table_metadata(&table_name)?.ok_or_else(|| {
        let message = format!("Requested resource not found: Table: {table_name} not found");
        DynoxideError::ResourceNotFoundException(message).into()
    })
}

fn refused(message: &str) -> Outcome<()> {
    Err(DynoxideError::ValidationException(message.to_owned()).into())
}
