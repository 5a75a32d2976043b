#!/usr/bin/env bash
# Tries the commands of the people on call on a system that has told the story of `callboard demo`, and
# so has a message in its dead-letter queue that nobody can read: it is listed, replayed, comes back with
# its count and is dropped; an event is published and traced; letters that name its commit as the relay
# and Lambda do are replayed, and nothing more comes of it; the lag is asked for; the views are compared
# with the journal and rebuilt in another table.
#
#   infra/scripts/try-operations.sh ENV_FILE [CALLBOARD]
#
# ENV_FILE is that of `callboard dev` or of infra/scripts/stack-env.py, CALLBOARD the binary
# [default: target/debug/callboard]. PYTHON [default: python3] has boto3.
# Exit codes: 0 all as told, 1 something was otherwise.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
env_file=${1:?an env file is missing}
callboard=${2:-${CARGO_TARGET_DIR:-$root/target}/debug/callboard}
readonly QUEUE=notification-planner
# A consumer gives a message up after five tries at most, some seconds each.
readonly COMES_BACK_SECONDS_MAX=120

run() { "$callboard" "$@" --env-file "$env_file" --json; }

# field PATH: what stands there in the JSON on standard input; PATH is of Python.
field() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }

expect() { # WHAT WANTED FOUND
    [ "$2" = "$3" ] && return
    echo "try-operations: $1: expected $2, found $3" >&2
    exit 1
}

expect 'letters listed' 1 "$(run dlq list --queue $QUEUE | field '["queues"][0]["messages"]')"
expect 'letters that would be replayed' 1 "$(run dlq replay --queue $QUEUE | field '["replayed"]')"
expect 'letters replayed' 1 "$(run dlq replay --queue $QUEUE --execute | field '["replayed"]')"
deadline=$((SECONDS + COMES_BACK_SECONDS_MAX))
until [ "$(run dlq show --queue $QUEUE | field '[0:1]')" != '[]' ]; do
    [ "$SECONDS" -lt "$deadline" ] || expect 'the letter that nobody can read' 'back' 'gone'
    sleep 1
done
expect 'its count' 1 "$(run dlq show --queue $QUEUE | field '[0]["replays"]')"
expect 'letters dropped' 1 "$(run dlq drop --queue $QUEUE --all --execute | field '["dropped"]')"
echo 'dead letter: listed, replayed, back with its count, dropped'

data='{"orderId":"ord-try","userId":"try","items":["book"],"totalAmount":29.99}'
correlation=$(run publish --type com.example.orders.order-placed.v1 --source urn:example:try --data "$data" --wait |
    field '["answers"][0]["correlationId"]')
events=$(run trace "$correlation" | field '["events"].__len__()')
[ "$events" -ge 2 ] || expect 'events traced' 'two and more' "$events"
echo "event: published, $events events traced"

# One letter parked by the relay and one of Lambda's on-failure destination, of the newest public commit.
(. "$env_file" && "${PYTHON:-python3}" - <<'PYTHON')
import json, os, boto3
table = os.environ["CALLBOARD_JOURNAL_TABLE"]
streams, sqs = boto3.client("dynamodbstreams"), boto3.client("sqs")
arn = streams.list_streams(TableName=table)["Streams"][0]["StreamArn"]
records = []
for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    page = streams.get_records(ShardIterator=iterator)["Records"]
    records += [(record["dynamodb"], shard["ShardId"]) for record in page]
record, shard = [it for it in records if "relay" in it[0].get("NewImage", {})][-1]
at = record["ApproximateCreationDateTime"].isoformat()
number, image = record["SequenceNumber"], record["NewImage"]
sqs.send_message(QueueUrl=os.environ["CALLBOARD_OUTBOX_RELAY_DEAD_LETTER_QUEUE"], MessageBody=json.dumps(
    {"commit": f"{image['pk']['S']}@{image['sk']['N']}", "sequenceNumber": number, "eventName": "INSERT"}))
sqs.send_message(QueueUrl=os.environ["CALLBOARD_OUTBOX_RELAY_FAILURE_QUEUE"], MessageBody=json.dumps({
    "requestContext": {"condition": "RetryAttemptsExhausted"},
    "DDBStreamBatchInfo": {
        "shardId": shard, "startSequenceNumber": number, "endSequenceNumber": number, "batchSize": 1,
        "approximateArrivalOfFirstRecord": at, "approximateArrivalOfLastRecord": at, "streamArn": arn}}))
PYTHON
replayed=$(run dlq replay --queue outbox-relay --queue outbox-relay-failure --execute)
expect 'letters of the relay replayed' 2 "$(field '["replayed"]' <<<"$replayed")"
sources=$(field '["relay"]["published"]' <<<"$replayed" | grep -o "'source': '[a-z-]*'" | sort | tr -d "'" | xargs)
expect 'where they were read' 'source: journal source: stream' "$sources"
lag() { # What it counts together in all consumers.
    run lag | python3 -c 'import json, sys
print(sum(it[name] for it in json.load(sys.stdin)["consumers"] for name in sys.argv[1:]))' "$@"
}
until [ "$(lag backlog delayed inFlight)" = 0 ]; do
    [ "$SECONDS" -lt $((deadline + COMES_BACK_SECONDS_MAX)) ] || expect 'messages in queues' 0 'more'
    sleep 1
done
expect 'events traced then' "$events" "$(run trace "$correlation" | field '["events"].__len__()')"
echo 'relay: published again from the journal and the stream'

expect 'dead letters by `lag`' 0 "$(lag deadLetters)"
echo 'lag: nothing waits'

expect 'rows that differ from the journal' 0 "$(run replay --view waitlist | field '["differ"]')"
rebuilt=$(run replay --view waitlist --into "rebuilt-$$" --execute)
expect 'streams rebuilt elsewhere' True "$(field '["streams"] >= 2' <<<"$rebuilt")"
expect 'rows that differ there' 0 "$(run replay --view waitlist --into "rebuilt-$$" | field '["differ"]')"
echo "views: as the journal says; $(field '["streams"]' <<<"$rebuilt") streams rebuilt in a table of their own"
