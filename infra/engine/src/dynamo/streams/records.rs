//! `GetRecords`.

use super::super::Dynamo;
use super::super::dispatch::encode;
use super::super::refusal::{self, Outcome};
use super::describe::limited;
use super::iterators::Iterator;
use super::lives::{self, Stream};
use super::public;
use dynoxide::DynoxideError;
use dynoxide::actions::get_records::{GetRecordsRequest, Record, StreamRecord};
use dynoxide::types::{Item, item_size};
use rusqlite::{Row, params};
use serde_json::{Value, json};
use std::time::Duration;

/// The most records of one answer, and the most bytes (AWS, GetRecords: 1,000 and 1 MB).
const RECORDS_MAX: i64 = 1000;
const BYTES_MAX: i64 = 1024 * 1024;

impl Dynamo {
    pub(in super::super) async fn get_records(
        &self,
        body: &str,
        wait: Duration,
    ) -> Outcome<String> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let recorded = self.recorded.notified();
            tokio::pin!(recorded);
            // Listening begins before looking: a record written in between is not missed.
            recorded.as_mut().enable();
            let page = self.read_records(body)?;
            if wait.is_zero() || page.next.is_none() || !page.records.is_empty() {
                return page.answer();
            }
            tokio::select! {
                () = &mut recorded => {}
                () = tokio::time::sleep_until(deadline) => return page.answer(),
            }
        }
    }

    fn read_records(&self, body: &str) -> Outcome<Page> {
        let request: GetRecordsRequest = refusal::decode(body)?;
        let limit = limited(
            request
                .limit
                .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)),
            RECORDS_MAX,
        )?;
        let from = Iterator::read(&request.shard_iterator, &self.clock)?;
        let storage = self.storage();
        let arn = dynoxide::streams::stream_arn(&from.table, &from.label);
        let stream = lives::named(&storage, &arn)?;
        let mut statement = storage.conn().prepare_cached(
            "SELECT event_name, keys_json, new_image, old_image, \
             CAST(sequence_number AS INTEGER), created_at, user_identity, event_id \
             FROM _stream_records WHERE table_name = ?1 \
             AND CAST(sequence_number AS INTEGER) > ?2 AND CAST(sequence_number AS INTEGER) <= ?3 \
             ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?4",
        )?;
        let bounds = params![stream.table, from.position, stream.until(), limit];
        let mut rows = statement.query(bounds)?;
        let mut page = Page::default();
        let (mut position, mut bytes) = (from.position, 0);
        let mut more = false;
        while let Some(row) = rows.next()? {
            let record = record(row, &stream, self.arns.region())?;
            bytes += record.dynamodb.size_bytes;
            // A single record may be larger than a page.
            more = bytes > BYTES_MAX && !page.records.is_empty();
            if more {
                break;
            }
            position = row.get(4)?;
            page.identities.push(row.get(6)?);
            page.records.push(record);
        }
        more |= i64::try_from(page.records.len()).is_ok_and(|found| found == limit);
        // Behind the last record of a stream that has ended there is nothing to go on with.
        if stream.last.is_none_or(|last| more && position < last) {
            page.next = Some(Iterator::at(&stream, position, &self.clock).text()?);
        }
        Ok(page)
    }
}

#[derive(Debug, Default)]
struct Page {
    records: Vec<Record>,
    /// Of each record, as the crate and the TTL sweep write them: `type` and `principalId`.
    identities: Vec<Option<String>>,
    next: Option<String>,
}

impl Page {
    fn answer(&self) -> Outcome<String> {
        let mut answer = json!({ "Records": self.records });
        if let Some(next) = &self.next {
            answer["NextShardIterator"] = next.as_str().into();
        }
        for (index, identity) in self.identities.iter().enumerate() {
            let Some(identity) = identity else { continue };
            let identity: Value = serde_json::from_str(identity).map_err(broken)?;
            answer["Records"][index]["userIdentity"] =
                json!({ "Type": identity["type"], "PrincipalId": identity["principalId"] });
        }
        encode(&answer)
    }
}

fn record(row: &Row<'_>, stream: &Stream, region: &str) -> Outcome<Record> {
    let image = |column| -> Outcome<Option<Item>> {
        let text: Option<String> = row.get(column)?;
        Ok(text
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(broken)?)
    };
    let (keys, new, old) = (image(1)?.unwrap_or_default(), image(2)?, image(3)?);
    let bytes = |item: &Item| i64::try_from(item_size(item)).unwrap_or(i64::MAX);
    let number: i64 = row.get(4)?;
    let event_id: Option<String> = row.get(7)?;
    let made_s: i64 = row.get(5)?;
    Ok(Record {
        event_id: event_id.unwrap_or_else(|| number.to_string()),
        event_name: row.get(0)?,
        event_version: "1.1".to_owned(),
        event_source: "aws:dynamodb".to_owned(),
        aws_region: region.to_owned(),
        dynamodb: StreamRecord {
            size_bytes: bytes(&keys)
                + new.as_ref().map_or(0, bytes)
                + old.as_ref().map_or(0, bytes),
            keys,
            new_image: new,
            old_image: old,
            sequence_number: public(number),
            stream_view_type: stream.view_type.clone(),
            #[expect(clippy::cast_precision_loss, reason = "seconds fit")]
            approximate_creation_date_time: made_s as f64,
        },
        user_identity: None,
    })
}

fn broken(error: serde_json::Error) -> DynoxideError {
    DynoxideError::InternalServerError(error.to_string())
}
