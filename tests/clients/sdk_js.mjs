// The AWS SDK for JavaScript v3 on SQS, SNS, DynamoDB and streams. Its SQS client compares the MD5
// of every body it sends and receives, and fails where one is wrong.

import assert from "node:assert/strict";
import {
  ConditionalCheckFailedException, DynamoDBClient, CreateTableCommand, DescribeTableCommand, GetItemCommand,
  PutItemCommand, QueryCommand, TransactWriteItemsCommand, TransactionCanceledException, UpdateItemCommand,
  paginateQuery, waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import {
  DescribeStreamCommand, DynamoDBStreamsClient, GetRecordsCommand, GetShardIteratorCommand,
} from "@aws-sdk/client-dynamodb-streams";
import {
  CreateTopicCommand, NotFoundException, PublishBatchCommand, PublishCommand, SNSClient, SubscribeCommand,
} from "@aws-sdk/client-sns";
import {
  ChangeMessageVisibilityCommand, CreateQueueCommand, DeleteMessageCommand, GetQueueAttributesCommand,
  GetQueueUrlCommand, QueueDoesNotExist, ReceiveMessageCommand, SQSClient, SendMessageBatchCommand, SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { check, eventually } from "./checks.mjs";

const sqs = new SQSClient();
const sns = new SNSClient();
const dynamodb = new DynamoDBClient();
const streams = new DynamoDBStreamsClient();

async function queue(QueueName, Attributes = {}) {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
  const found = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  return { QueueUrl, arn: found.Attributes.QueueArn };
}

async function receive({ QueueUrl }, more = {}) {
  const asked = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] };
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ ...asked, ...more }));
  return Messages ?? [];
}

async function table(TableName, more = {}) {
  await dynamodb.send(new CreateTableCommand({
    TableName,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }, { AttributeName: "sk", AttributeType: "N" }],
    KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }, { AttributeName: "sk", KeyType: "RANGE" }],
    ...more,
  }));
  await waitUntilTableExists({ client: dynamodb, minDelay: 1, maxDelay: 1, maxWaitTime: 10 }, { TableName });
}

const item = (sk, more = {}) => ({ pk: { S: "a" }, sk: { N: String(sk) }, ...more });

await check("sqs: a message keeps its body and attributes, and is deleted", async () => {
  const it = await queue("js-message");
  const MessageAttributes = {
    colour: { DataType: "String", StringValue: "grün" },
    raw: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) },
  };
  const sent = await sqs.send(new SendMessageCommand({ ...it, MessageBody: "hällo & <bye>\n", MessageAttributes }));
  const [message] = await receive(it, { WaitTimeSeconds: 2 });
  assert.equal(message.Body, "hällo & <bye>\n");
  assert.equal(message.MessageId, sent.MessageId);
  assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  assert.equal(message.MessageAttributes.colour.StringValue, "grün");
  assert.deepEqual([...message.MessageAttributes.raw.BinaryValue], [0, 255]);
  await sqs.send(new ChangeMessageVisibilityCommand({ ...it, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0 }));
  const [again] = await receive(it);
  assert.equal(again.Attributes.ApproximateReceiveCount, "2");
  await sqs.send(new DeleteMessageCommand({ ...it, ReceiptHandle: again.ReceiptHandle }));
  assert.deepEqual(await receive(it), []);
});

await check("sqs: a batch has results per entry", async () => {
  const it = await queue("js-batch");
  const Entries = [{ Id: "good", MessageBody: "g" }, { Id: "late", MessageBody: "l", DelaySeconds: 901 }];
  const { Successful, Failed } = await sqs.send(new SendMessageBatchCommand({ ...it, Entries }));
  assert.deepEqual(Successful.map((entry) => entry.Id), ["good"]);
  assert.deepEqual(Failed.map((entry) => [entry.Id, entry.Code]), [["late", "InvalidParameterValue"]]);
});

await check("sqs: a FIFO queue is in order per group, and takes a message once", async () => {
  const it = await queue("js-fifo.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  for (const body of ["a1", "a2", "a2", "b1"]) {
    await sqs.send(new SendMessageCommand({ ...it, MessageBody: body, MessageGroupId: body[0] }));
  }
  const bodies = (await receive(it)).map((message) => message.Body);
  assert.deepEqual(bodies.filter((body) => body.startsWith("a")), ["a1", "a2"]);
  assert.equal(bodies.length, 3);
  assert.deepEqual(await receive(it), []);
});

await check("sqs: twenty long polls at once share ten messages without loss or repetition", async () => {
  const it = await queue("js-polls");
  const polls = Array.from({ length: 20 }, () => receive(it, { WaitTimeSeconds: 3, MaxNumberOfMessages: 1 }));
  const want = Array.from({ length: 10 }, (_, n) => `m${n}`);
  await Promise.all(want.map((MessageBody) => sqs.send(new SendMessageCommand({ ...it, MessageBody }))));
  const got = (await Promise.all(polls)).flat().map((message) => message.Body);
  assert.deepEqual(got.sort(), want);
});

await check("sqs: a long poll that was given up takes no message with it", async () => {
  const it = await queue("js-abort");
  const abort = new AbortController();
  const poll = sqs.send(new ReceiveMessageCommand({ ...it, WaitTimeSeconds: 20 }), { abortSignal: abort.signal });
  setTimeout(() => abort.abort(), 300);
  await assert.rejects(poll, { name: "AbortError" });
  await sqs.send(new SendMessageCommand({ ...it, MessageBody: "still here" }));
  const [message] = await receive(it, { WaitTimeSeconds: 2 });
  assert.equal(message?.Body, "still here");
  assert.equal(message.Attributes.ApproximateReceiveCount, "1");
});

await check("sqs: a queue that is not there is the modelled error", async () => {
  await assert.rejects(sqs.send(new GetQueueUrlCommand({ QueueName: "js-nowhere" })), QueueDoesNotExist);
});

await check("sns: a filtered publish reaches its queue, raw and wrapped", async () => {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "js-topic" }));
  const [raw, wrapped] = [await queue("js-raw"), await queue("js-wrapped")];
  const FilterPolicy = JSON.stringify({ price: [{ numeric: [">=", 100] }] });
  const subscribe = (Endpoint, Attributes) => sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint, Attributes }));
  await subscribe(raw.arn, { RawMessageDelivery: "true", FilterPolicy });
  await subscribe(wrapped.arn, {});
  const publish = (Message, price) => sns.send(new PublishCommand({
    TopicArn, Message, MessageAttributes: { price: { DataType: "Number", StringValue: price } },
  }));
  await publish("cheap & <small>", "99.5");
  const { MessageId } = await publish("dear", "100");
  const got = await eventually(async () => (await receive(raw)).map((message) => [message.Body, message.MessageAttributes.price.StringValue]));
  assert.deepEqual(got, [["dear", "100"]]);
  const notifications = (await receive(wrapped)).map((message) => JSON.parse(message.Body));
  assert.deepEqual(notifications.map((each) => each.Message).sort(), ["cheap & <small>", "dear"]);
  assert.equal(notifications.find((each) => each.Message === "dear").MessageId, MessageId);
});

await check("sns: a batch has results per entry, and a missing topic is the modelled error", async () => {
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "js-batch" }));
  const MessageAttributes = { n: { DataType: "Number", StringValue: "not one" } };
  const PublishBatchRequestEntries = [{ Id: "one", Message: "1" }, { Id: "two", Message: "2", MessageAttributes }];
  const { Successful, Failed } = await sns.send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries }));
  assert.deepEqual([Successful.map((entry) => entry.Id), Failed.map((entry) => entry.Id)], [["one"], ["two"]]);
  await assert.rejects(sns.send(new PublishCommand({ TopicArn: `${TopicArn}-no`, Message: "x" })), NotFoundException);
});

await check("dynamodb: conditions, updates and pages", async () => {
  const TableName = "js-items";
  await table(TableName);
  for (let n = 0; n < 5; n++) await dynamodb.send(new PutItemCommand({ TableName, Item: item(n) }));
  const put = { TableName, Item: item(1), ConditionExpression: "attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure: "ALL_OLD" };
  await assert.rejects(dynamodb.send(new PutItemCommand(put)), (error) => {
    assert(error instanceof ConditionalCheckFailedException);
    assert.deepEqual(error.Item, item(1));
    return true;
  });
  const add = { TableName, Key: item(1), UpdateExpression: "ADD hits :n", ExpressionAttributeValues: { ":n": { N: "2" } }, ReturnValues: "UPDATED_NEW" };
  assert.deepEqual((await dynamodb.send(new UpdateItemCommand(add))).Attributes, { hits: { N: "2" } });
  const query = { TableName, KeyConditionExpression: "pk = :a", ExpressionAttributeValues: { ":a": { S: "a" } }, ScanIndexForward: false };
  const pages = [];
  for await (const page of paginateQuery({ client: dynamodb, pageSize: 2 }, { ...query })) pages.push(page.Items.map((each) => each.sk.N));
  assert.deepEqual(pages, [["4", "3"], ["2", "1"], ["0"]]);
  assert.equal((await dynamodb.send(new QueryCommand({ ...query, Select: "COUNT" }))).Count, 5);
});

await check("dynamodb: a cancelled transaction has a reason per item and writes nothing", async () => {
  const TableName = "js-transaction";
  await table(TableName);
  const TransactItems = [
    { Put: { TableName, Item: item(1) } },
    { ConditionCheck: { TableName, Key: item(2), ConditionExpression: "attribute_exists(pk)" } },
  ];
  await assert.rejects(dynamodb.send(new TransactWriteItemsCommand({ TransactItems })), (error) => {
    assert(error instanceof TransactionCanceledException);
    assert.deepEqual(error.CancellationReasons.map((reason) => reason.Code), ["None", "ConditionalCheckFailed"]);
    return true;
  });
  assert.equal((await dynamodb.send(new GetItemCommand({ TableName, Key: item(1) }))).Item, undefined);
});

await check("dynamodb streams: changes come in order, and a reader goes on where it stood", async () => {
  const TableName = "js-stream";
  await table(TableName, { StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_IMAGE" } });
  const StreamArn = (await dynamodb.send(new DescribeTableCommand({ TableName }))).Table.LatestStreamArn;
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
  const [{ ShardId }] = StreamDescription.Shards;
  let { ShardIterator } = await streams.send(new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: "LATEST" }));
  for (const round of ["1", "2"]) {
    await dynamodb.send(new PutItemCommand({ TableName, Item: item(1, { round: { S: round } }) }));
    const records = await eventually(async () => {
      const answer = await streams.send(new GetRecordsCommand({ ShardIterator }));
      ShardIterator = answer.NextShardIterator;
      return answer.Records.length && answer.Records;
    });
    assert.deepEqual(records.map((record) => record.dynamodb.NewImage.round.S), [round]);
    assert(records[0].dynamodb.ApproximateCreationDateTime instanceof Date);
  }
});
