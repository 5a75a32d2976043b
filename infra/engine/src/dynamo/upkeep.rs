//! What time ends: items past their TTL, stream records past their retention.

use super::dispatch::run;
use super::{Dynamo, streams};
use dynoxide::storage::{Storage, TableMetadata};
use dynoxide::{DynoxideError, Result, actions};
use rusqlite::params;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Items deleted, or records trimmed, under one hold of the storage's lock: other calls wait for
/// one such page (a few milliseconds), not for all.
const PAGE: usize = 50;
/// A TTL further back than this is ignored (AWS, "How it works: TTL": five years).
const TTL_AGE_S_MAX: i64 = 5 * 365 * 24 * 3600;
/// Marks the records of one page of removals as AWS marks those of its own TTL process. It lives
/// for that page only, and its update is part of the transaction that writes the record.
const MARK: &str = "CREATE TEMP TRIGGER IF NOT EXISTS _callboard_ttl AFTER INSERT ON main._stream_records BEGIN \
     UPDATE _stream_records SET user_identity = \
     '{\"type\":\"Service\",\"principalId\":\"dynamodb.amazonaws.com\"}' WHERE id = NEW.id; END";
const UNMARK: &str = "DROP TRIGGER IF EXISTS temp._callboard_ttl";

/// Gives every table with a TTL an index on it, so that looking for expired items costs nothing
/// while there are none. The crate's own sweep reads whole tables.
pub(super) fn index_all(storage: &Storage) -> Result<()> {
    for table in storage.list_ttl_enabled_tables()? {
        if let Some(expression) = ttl_expression(&table) {
            let attribute = table.ttl_attribute.as_deref().unwrap_or_default();
            let name = quoted(&format!("_callboard_ttl_{}_{attribute}", table.table_name));
            storage.conn().execute_batch(&format!(
                "CREATE INDEX IF NOT EXISTS {name} ON {}({expression}) WHERE {expression} IS NOT NULL",
                quoted(&table.table_name)
            ))?;
        }
    }
    Ok(())
}

fn ttl_expression(table: &TableMetadata) -> Option<String> {
    let attribute = table.ttl_attribute.as_deref()?;
    let path = format!("$.\"{attribute}\".N").replace('\'', "''");
    Some(format!("CAST(item_json ->> '{path}' AS INTEGER)"))
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Dynamo {
    /// Deletes what has expired and trims what is too old, a page at a time.
    pub(crate) async fn upkeep(&self) {
        let now_s = self.clock.now_ms() / 1000;
        if let Err(error) = self.expire(now_s).await {
            tracing::error!(%error, "the TTL sweep failed");
        }
        if let Err(error) = self.trim(now_s - streams::RETENTION_S).await {
            tracing::error!(%error, "the trimming of streams failed");
        }
    }

    async fn expire(&self, now_s: i64) -> Result<()> {
        let tables = self.storage().list_ttl_enabled_tables()?;
        for table in tables {
            while self.expire_page(&table.table_name, now_s)? == PAGE {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn expire_page(&self, table_name: &str, now_s: i64) -> Result<usize> {
        let storage = self.storage();
        // Read again under this hold of the lock: the table may be gone or its TTL another.
        let Some(table) = storage.get_table_metadata(table_name)? else {
            return Ok(0);
        };
        let keys = expired_keys(&storage, &table, now_s)?;
        if keys.is_empty() {
            return Ok(0);
        }
        storage.conn().execute_batch(MARK)?;
        let outcome = keys.iter().try_for_each(|key| {
            let request = json!({ "TableName": table_name, "Key": key });
            let request = serde_json::from_value(request)
                .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
            run(actions::delete_item::execute(&*storage, request)).map(|_| ())
        });
        storage.conn().execute_batch(UNMARK)?;
        self.tell_of_records(&storage);
        outcome.map(|()| keys.len())
    }

    async fn trim(&self, before_s: i64) -> Result<()> {
        loop {
            let removed = self.storage().conn().execute(
                "DELETE FROM _stream_records WHERE created_at < ?1 AND id IN \
                 (SELECT id FROM _stream_records ORDER BY id LIMIT ?2)",
                params![before_s, PAGE],
            )?;
            if removed < PAGE {
                return streams::forget_ended(&self.storage(), &self.clock);
            }
            tokio::task::yield_now().await;
        }
    }
}

fn expired_keys(storage: &Storage, table: &TableMetadata, now_s: i64) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    struct Element {
        #[serde(rename = "AttributeName")]
        name: String,
    }
    let Some(expression) = ttl_expression(table).filter(|_| table.ttl_enabled) else {
        return Ok(Vec::new());
    };
    let schema: Vec<Element> = serde_json::from_str(&table.key_schema)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
    let mut statement = storage.conn().prepare(&format!(
        "SELECT item_json FROM {} WHERE {expression} IS NOT NULL AND {expression} > ?1 \
         AND {expression} <= ?2 LIMIT ?3",
        quoted(&table.table_name)
    ))?;
    let rows = statement.query_map(params![now_s - TTL_AGE_S_MAX, now_s, PAGE], |row| {
        row.get::<_, String>(0)
    })?;
    let mut keys = Vec::new();
    for row in rows {
        let mut item: Map<String, Value> = serde_json::from_str(&row?)
            .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
        let key: Map<String, Value> = schema
            .iter()
            .filter_map(|element| item.remove_entry(&element.name))
            .collect();
        keys.push(Value::Object(key));
    }
    Ok(keys)
}
