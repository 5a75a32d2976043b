// sqs-consumer and sqs-producer, as their READMEs use them: the client of each is made by the
// library itself, which posts to the queue's URL rather than to the endpoint.

import assert from "node:assert/strict";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient, SetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { Producer } from "sqs-producer";
import { check, eventually } from "./checks.mjs";

const sqs = new SQSClient();
const REGION = "us-east-1";

async function queue(QueueName, Attributes = {}) {
  return (await sqs.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl;
}

async function attributes(QueueUrl) {
  return (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }))).Attributes;
}

async function isEmpty(QueueUrl) {
  const found = await attributes(QueueUrl);
  return found.ApproximateNumberOfMessages === "0" && found.ApproximateNumberOfMessagesNotVisible === "0";
}

/** Runs a consumer until `done` holds; an error it reports that was not expected fails the check. */
async function consume(queueUrl, options, done, expected = () => false) {
  const problems = [];
  const consumer = Consumer.create({ queueUrl, region: REGION, waitTimeSeconds: 5, suppressFifoWarning: true, ...options });
  for (const event of ["error", "processing_error", "timeout_error"]) {
    consumer.on(event, (error) => expected(error) || problems.push(error.message));
  }
  consumer.start();
  try {
    await eventually(() => problems.length > 0 || done());
  } finally {
    consumer.stop({ abort: true });
  }
  assert.deepEqual(problems, []);
}

await check("sqs-producer sends 25 messages in batches, sqs-consumer handles and deletes each once", async () => {
  const url = await queue("jsc-all");
  const producer = Producer.create({ queueUrl: url, region: REGION });
  const ids = Array.from({ length: 25 }, (_, n) => `m${n}`);
  const sent = await producer.send(ids.map((id) => ({
    id, body: `body ${id}`, messageAttributes: { id: { DataType: "String", StringValue: id } },
  })));
  assert.equal(sent.length, 25);
  assert.equal(await producer.queueSize(), 25);
  const handled = [];
  const handleMessage = async (message) => {
    assert.equal(message.Body, `body ${message.MessageAttributes.id.StringValue}`);
    handled.push(message.MessageAttributes.id.StringValue);
    return message;
  };
  await consume(url, { handleMessage, batchSize: 10, messageAttributeNames: ["All"] }, () => isEmpty(url));
  assert.deepEqual(handled.sort(), ids.sort());
});

await check("a batch handler deletes what it acknowledges, and the rest comes again", async () => {
  const url = await queue("jsc-some", { VisibilityTimeout: "1" });
  await Producer.create({ queueUrl: url, region: REGION }).send(["yes", "no", "yes-too"]);
  const tries = {};
  const handleMessageBatch = async (messages) => messages.filter(({ Body }) => {
    tries[Body] = (tries[Body] ?? 0) + 1;
    return Body !== "no" || tries[Body] === 2;
  });
  await consume(url, { handleMessageBatch, batchSize: 10 }, () => isEmpty(url));
  assert.deepEqual(tries, { yes: 1, no: 2, "yes-too": 1 });
});

await check("a message whose handler fails is given back at once, and dead-lettered after three tries", async () => {
  const [url, dead] = [await queue("jsc-poison"), await queue("jsc-dead")];
  const deadLetterTargetArn = (await attributes(dead)).QueueArn;
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 3 });
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { RedrivePolicy } }));
  await Producer.create({ queueUrl: url, region: REGION }).send("poison");
  let tries = 0;
  const handleMessage = async () => {
    tries += 1;
    throw new Error("cannot");
  };
  const options = { handleMessage, terminateVisibilityTimeout: true };
  const arrived = async () => (await attributes(dead)).ApproximateNumberOfMessages === "1";
  await consume(url, options, arrived, (error) => error.message.endsWith("cannot"));
  assert.equal(tries, 3);
});

await check("heartbeats keep a slow message from a second consumer", async () => {
  const url = await queue("jsc-slow");
  await Producer.create({ queueUrl: url, region: REGION }).send("slow");
  let handled = 0;
  const slowly = async (message) => {
    handled += 1;
    await new Promise((resolve) => setTimeout(resolve, 3500));
    return message;
  };
  const options = { handleMessage: slowly, visibilityTimeout: 2, heartbeatInterval: 1 };
  await Promise.all([1, 2].map(() => consume(url, options, () => handled > 0 && isEmpty(url))));
  assert.equal(handled, 1);
});

await check("a FIFO queue is consumed in order", async () => {
  const url = await queue("jsc-order.fifo", { FifoQueue: "true" });
  const ids = Array.from({ length: 12 }, (_, n) => String(n));
  await Producer.create({ queueUrl: url, region: REGION }).send(
    ids.map((id) => ({ id, body: id, groupId: "g", deduplicationId: id })),
  );
  const handled = [];
  const handleMessage = async (message) => {
    handled.push(message.Body);
    return message;
  };
  await consume(url, { handleMessage }, () => isEmpty(url));
  assert.deepEqual(handled, ids);
});

await check("a consumer that is stopped in a long poll takes no message with it", async () => {
  const url = await queue("jsc-stop");
  let polled = false;
  const preReceiveMessageCallback = async () => {
    polled = true;
  };
  const nobody = async () => assert.fail("was handled after the stop");
  const start = Date.now();
  const aborted = (error) => /abort/i.test(error.message);
  await consume(url, { handleMessage: nobody, waitTimeSeconds: 20, preReceiveMessageCallback }, () => polled && Date.now() - start > 300, aborted);
  await Producer.create({ queueUrl: url, region: REGION }).send("for-the-next");
  const counts = [];
  const handleMessage = async (message) => {
    counts.push(message.Attributes.ApproximateReceiveCount);
    return message;
  };
  await consume(url, { handleMessage, messageSystemAttributeNames: ["ApproximateReceiveCount"] }, () => isEmpty(url));
  assert.deepEqual(counts, ["1"]);
});
