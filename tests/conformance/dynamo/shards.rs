//! Reading streams: what the checks of streams and of TTL share.

use crate::prelude::*;

/// `StreamSpecification` of a table, with this view type.
pub fn streamed(view: &str) -> Value {
    json!({"StreamSpecification": {"StreamEnabled": true, "StreamViewType": view}})
}

/// The stream of a table that was made with one.
pub fn arn_of(table: &Table) -> Result<&str> {
    let arn = table.stream.as_deref();
    arn.ok_or_else(|| Failed(format!("{} has no stream", table.name)))
}

/// The first shard of a stream; waits until it has one.
pub async fn first_shard(aws: &Aws, arn: &str) -> Result<String> {
    let named = json!({"StreamArn": arn});
    aws.poll(SOON, || async {
        let reply = aws.streams("DescribeStream", named.clone()).await?.ok()?;
        let id = reply.pointer("/StreamDescription/Shards/0/ShardId");
        Ok(id.and_then(Value::as_str).map(ToOwned::to_owned))
    })
    .await
}

/// An iterator of the first shard. `more` is added to the input.
pub async fn iterator(aws: &Aws, arn: &str, kind: &str, more: Value) -> Result<String> {
    let input = json!({
        "StreamArn": arn,
        "ShardId": first_shard(aws, arn).await?,
        "ShardIteratorType": kind,
    });
    let reply = aws.streams("GetShardIterator", with(input, more)).await?;
    Ok(reply.ok()?.text_at("/ShardIterator")?.to_owned())
}

/// Reads on from an iterator until there are `count` records, and once more: no further one may
/// come with them.
pub async fn read(aws: &Aws, iterator: String, count: usize) -> Result<Vec<Value>> {
    let mut records = Vec::new();
    let mut next = Some(iterator);
    let deadline = tokio::time::Instant::now() + SOON;
    let mut after = false;
    while let Some(iterator) = next.take() {
        let input = json!({"ShardIterator": iterator});
        let page = aws.streams("GetRecords", input).await?.ok()?;
        records.extend_from_slice(page.list_at("/Records"));
        next = page["NextShardIterator"].as_str().map(ToOwned::to_owned);
        if after || tokio::time::Instant::now() > deadline {
            break;
        }
        after = records.len() >= count;
        if page.list_at("/Records").is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    ensure_eq!(records.len(), count, "records of the stream: {records:?}");
    Ok(records)
}

/// The records of a table's stream from its beginning, which are to be `count`.
pub async fn records(aws: &Aws, table: &Table, count: usize) -> Result<Vec<Value>> {
    let start = iterator(aws, arn_of(table)?, "TRIM_HORIZON", json!({})).await?;
    read(aws, start, count).await
}

/// The names of what happened, in order.
pub fn events(records: &[Value]) -> Vec<&str> {
    let names = records.iter().map(|record| record["eventName"].as_str());
    names.map(Option::unwrap_or_default).collect()
}

/// Puts an item with the key `pk`. `more` is added to the item.
pub async fn put(aws: &Aws, table: &Table, pk: &str, more: Value) -> Result {
    let item = with(json!({"pk": {"S": pk}}), more);
    let input = json!({"TableName": table.name, "Item": item});
    aws.dynamo("PutItem", input).await?.ok()?;
    Ok(())
}
