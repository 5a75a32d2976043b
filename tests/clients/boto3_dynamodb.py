"""boto3 on DynamoDB and its streams: items, conditions, queries, transactions, change records."""

import decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key

from checks import check, equal, finish, refused

dynamodb = boto3.client("dynamodb")
resource = boto3.resource("dynamodb")
streams = boto3.client("dynamodbstreams")

KEY = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def table(name, **more):
    dynamodb.create_table(TableName=name, **{**KEY, **more})
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return resource.Table(name)


def key(pk, sk):
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}}


@check("a table is made, described, listed, refused a second time, and deleted")
def _():
    table("py-table")
    description = dynamodb.describe_table(TableName="py-table")["Table"]
    equal((description["TableStatus"], description["KeySchema"]), ("ACTIVE", KEY["KeySchema"]))
    equal(description["TableArn"], "arn:aws:dynamodb:us-east-1:000000000000:table/py-table")
    pages = dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 1})
    assert "py-table" in [name for page in pages for name in page["TableNames"]]
    refused("ResourceInUseException", dynamodb.create_table, TableName="py-table", **KEY)
    dynamodb.delete_table(TableName="py-table")
    dynamodb.get_waiter("table_not_exists").wait(TableName="py-table", WaiterConfig={"Delay": 1})
    refused("ResourceNotFoundException", dynamodb.get_item, TableName="py-table", Key=key("a", 1))


@check("an item of every type comes back as it was put")
def _():
    items = table("py-types")
    item = {
        "pk": "a",
        "sk": decimal.Decimal("-1.5"),
        "text": "hällo",
        "number": decimal.Decimal("12345678901234567890.123456789"),
        "binary": b"\x00\xff",
        "yes": True,
        "nothing": None,
        "list": [1, "two", {"three": [3]}],
        "map": {"empty": {}, "none": []},
        "texts": {"x", "y"},
        "numbers": {1, decimal.Decimal("2.5")},
        "binaries": {b"\x00", b"\x01"},
    }
    items.put_item(Item=item)
    got = items.get_item(Key={"pk": "a", "sk": decimal.Decimal("-1.5")}, ConsistentRead=True)["Item"]
    equal(got["binary"].value, item["binary"])
    equal({each.value if hasattr(each, "value") else each for each in got["binaries"]}, item["binaries"])
    for name in item.keys() - {"binary", "binaries"}:
        equal(got[name], item[name])


@check("a failed condition changes nothing and shows the item that stood in the way")
def _():
    items = table("py-condition")
    items.put_item(Item={"pk": "a", "sk": 1, "owner": "first"})
    error = refused(
        "ConditionalCheckFailedException",
        dynamodb.put_item,
        TableName="py-condition",
        Item={**key("a", 1), "owner": {"S": "second"}},
        ConditionExpression="attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    equal(error.response["Item"]["owner"], {"S": "first"})
    equal(items.get_item(Key={"pk": "a", "sk": 1})["Item"]["owner"], "first")


@check("an update counts, appends, removes, and returns what it changed")
def _():
    items = table("py-update")
    items.put_item(Item={"pk": "a", "sk": 1, "stale": "x", "log": ["a"]})
    answer = items.update_item(
        Key={"pk": "a", "sk": 1},
        UpdateExpression="SET #l = list_append(#l, :b), made = if_not_exists(made, :n) ADD hits :n REMOVE stale",
        ExpressionAttributeNames={"#l": "log"},
        ExpressionAttributeValues={":b": ["b"], ":n": 1},
        ReturnValues="ALL_NEW",
        ReturnConsumedCapacity="TOTAL",
    )
    equal(answer["Attributes"], {"pk": "a", "sk": 1, "log": ["a", "b"], "made": 1, "hits": 1})
    equal(answer["ConsumedCapacity"]["CapacityUnits"], 1)


@check("a query pages in order, backwards too, with its filter applied after the page")
def _():
    items = table("py-query")
    with items.batch_writer() as writer:
        for n in range(60):
            writer.put_item(Item={"pk": "a", "sk": n, "even": n % 2 == 0})
    pages = list(
        dynamodb.get_paginator("query").paginate(
            TableName="py-query",
            KeyConditionExpression="pk = :a AND sk BETWEEN :from AND :to",
            FilterExpression="even = :yes",
            ExpressionAttributeValues={":a": {"S": "a"}, ":from": {"N": "10"}, ":to": {"N": "19"}, ":yes": {"BOOL": True}},
            PaginationConfig={"PageSize": 4},
        )
    )
    equal([page["ScannedCount"] for page in pages], [4, 4, 2])
    equal([int(item["sk"]["N"]) for page in pages for item in page["Items"]], [10, 12, 14, 16, 18])
    last = items.query(KeyConditionExpression=Key("pk").eq("a"), ScanIndexForward=False, Limit=2)
    equal([int(item["sk"]) for item in last["Items"]], [59, 58])
    equal(items.scan(FilterExpression=Attr("even").eq(False), Select="COUNT")["Count"], 30)


@check("a global index finds items by another key, with the projected attributes alone")
def _():
    items = table(
        "py-index",
        AttributeDefinitions=KEY["AttributeDefinitions"] + [{"AttributeName": "owner", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-owner",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    items.put_item(Item={"pk": "a", "sk": 1, "owner": "kim", "note": "x"})
    items.put_item(Item={"pk": "a", "sk": 2, "note": "nobody's"})
    found = items.query(IndexName="by-owner", KeyConditionExpression=Key("owner").eq("kim"))["Items"]
    equal(found, [{"pk": "a", "sk": 1, "owner": "kim"}])


@check("a batch reads and writes several items, and says which were missing by leaving them out")
def _():
    table("py-batch")
    put = [{"PutRequest": {"Item": {**key("a", n), "n": {"N": str(n)}}}} for n in range(3)]
    equal(dynamodb.batch_write_item(RequestItems={"py-batch": put})["UnprocessedItems"], {})
    answer = dynamodb.batch_get_item(RequestItems={"py-batch": {"Keys": [key("a", 1), key("a", 9)]}})
    equal(answer["Responses"]["py-batch"], [{**key("a", 1), "n": {"N": "1"}}])
    equal(answer["UnprocessedKeys"], {})


@check("a transaction writes all or nothing and gives a reason per item")
def _():
    items = table("py-transaction")
    items.put_item(Item={"pk": "a", "sk": 1, "left": 0})

    def write(sk):
        take = {
            "TableName": "py-transaction",
            "Key": key("a", 1),
            "UpdateExpression": "SET #l = #l - :one",
            "ConditionExpression": "#l >= :one",
            "ExpressionAttributeNames": {"#l": "left"},
            "ExpressionAttributeValues": {":one": {"N": "1"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return [{"Put": {"TableName": "py-transaction", "Item": key("a", sk)}}, {"Update": take}]

    error = refused("TransactionCanceledException", dynamodb.transact_write_items, TransactItems=write(2))
    reasons = error.response["CancellationReasons"]
    equal([reason["Code"] for reason in reasons], ["None", "ConditionalCheckFailed"])
    equal(reasons[1]["Item"]["left"], {"N": "0"})
    assert "Item" not in items.get_item(Key={"pk": "a", "sk": 2})

    items.put_item(Item={"pk": "a", "sk": 1, "left": 5})
    for _ in range(2):  # The token makes the second one a repetition.
        dynamodb.transact_write_items(TransactItems=write(2), ClientRequestToken="once")
    refused("IdempotentParameterMismatchException", dynamodb.transact_write_items, TransactItems=write(3), ClientRequestToken="once")
    got = dynamodb.transact_get_items(
        TransactItems=[{"Get": {"TableName": "py-transaction", "Key": key("a", sk)}} for sk in (1, 2, 3)]
    )["Responses"]
    equal([answer.get("Item", {}).get("left") for answer in got], [{"N": "4"}, None, None])
    equal(["Item" in answer for answer in got], [True, True, False])


@check("what DynamoDB does not take is a ValidationException")
def _():
    table("py-invalid")
    put = {"TableName": "py-invalid"}
    refused("ValidationException", dynamodb.put_item, Item={"pk": {"S": "a"}}, **put)
    refused("ValidationException", dynamodb.put_item, Item={**key("a", 1), "pk": {"S": ""}}, **put)
    refused("ValidationException", dynamodb.get_item, Key={"pk": {"S": "a"}}, **put)
    refused("ValidationException", dynamodb.update_item, Key=key("a", 1), UpdateExpression="SET #x = :x", **put)
    refused("ValidationException", dynamodb.put_item, Item={**key("a", 1), "big": {"S": "x" * 409_600}}, **put)


@check("PartiQL selects and updates")
def _():
    table("py-partiql").put_item(Item={"pk": "a", "sk": 1, "state": "open"})
    parameters = [{"S": "done"}, {"S": "a"}, {"N": "1"}]
    dynamodb.execute_statement(Statement='UPDATE "py-partiql" SET state = ? WHERE pk = ? AND sk = ?', Parameters=parameters)
    found = dynamodb.execute_statement(Statement="SELECT state FROM \"py-partiql\" WHERE pk = 'a'")["Items"]
    equal(found, [{"state": {"S": "done"}}])


@check("time to live is switched on and described")
def _():
    table("py-ttl")
    dynamodb.update_time_to_live(
        TableName="py-ttl", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    found = dynamodb.describe_time_to_live(TableName="py-ttl")["TimeToLiveDescription"]
    assert found["TimeToLiveStatus"] in ("ENABLING", "ENABLED"), found
    equal(found["AttributeName"], "expires")


@check("a stream has each change of each item once, in order, with both images")
def _():
    changes = table("py-stream", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    arn = dynamodb.describe_table(TableName="py-stream")["Table"]["LatestStreamArn"]
    equal([found["StreamArn"] for found in streams.list_streams(TableName="py-stream")["Streams"]], [arn])
    changes.put_item(Item={"pk": "a", "sk": 1, "n": 1})
    changes.update_item(Key={"pk": "a", "sk": 1}, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": 1})
    changes.delete_item(Key={"pk": "a", "sk": 1})
    changes.delete_item(Key={"pk": "a", "sk": 1})  # Nothing is there to delete, so nothing is recorded.

    def records(**position):
        found = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], **position)["ShardIterator"]
            while iterator:
                answer = streams.get_records(ShardIterator=iterator, Limit=2)
                if not answer["Records"]:
                    break
                found += answer["Records"]
                iterator = answer.get("NextShardIterator")
        return found

    all_of_them = records(ShardIteratorType="TRIM_HORIZON")
    equal([record["eventName"] for record in all_of_them], ["INSERT", "MODIFY", "REMOVE"])
    equal(all_of_them[1]["dynamodb"]["OldImage"]["n"], {"N": "1"})
    equal(all_of_them[1]["dynamodb"]["NewImage"]["n"], {"N": "2"})
    assert "NewImage" not in all_of_them[2]["dynamodb"]
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in all_of_them]
    equal(numbers, sorted(set(numbers)))
    first = all_of_them[0]["dynamodb"]["SequenceNumber"]
    rest = records(ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=first)
    equal([record["eventID"] for record in rest], [record["eventID"] for record in all_of_them[1:]])
    equal(records(ShardIteratorType="LATEST"), [])


finish()
