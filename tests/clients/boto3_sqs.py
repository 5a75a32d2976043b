"""boto3 on SQS: queues, messages, batches, visibility, dead letters, FIFO, and how it is refused."""

import hashlib
import threading
import time

import boto3

from checks import check, equal, eventually, finish, refused

sqs = boto3.client("sqs")


def queue(name, **attributes):
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def fifo(name, **attributes):
    return queue(f"{name}.fifo", FifoQueue="true", **attributes)


def arn(url):
    return attribute(url, "QueueArn")


def attribute(url, name):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]


def receive(url, count=10, wait=0, **more):
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=count,
        WaitTimeSeconds=wait,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
        **more,
    )
    return answer.get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


def delete(url, message):
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def md5_of_attributes(attributes):
    """As the SQS developer guide defines it: length-prefixed name, type and value, sorted by name."""
    digest = hashlib.md5()

    def add(data):
        digest.update(len(data).to_bytes(4, "big") + data)

    for name in sorted(attributes):
        value = attributes[name]
        add(name.encode())
        add(value["DataType"].encode())
        if "BinaryValue" in value:
            digest.update(b"\x02")
            add(value["BinaryValue"])
        else:
            digest.update(b"\x01")
            add(value["StringValue"].encode())
    return digest.hexdigest()


@check("a queue has AWS's defaults, and is found by its name, prefix and tags")
def _():
    url = sqs.create_queue(QueueName="py-plain", tags={"team": "front desk"})["QueueUrl"]
    equal(sqs.get_queue_url(QueueName="py-plain")["QueueUrl"], url)
    equal(sqs.list_queues(QueueNamePrefix="py-pl")["QueueUrls"], [url])
    equal(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "front desk"})
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    equal(found["QueueArn"], "arn:aws:sqs:us-east-1:000000000000:py-plain")
    equal(
        [found[name] for name in ("VisibilityTimeout", "DelaySeconds", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds")],
        ["30", "0", "345600", "0"],
    )


@check("creating a queue again is fine with equal attributes and refused with others")
def _():
    url = queue("py-again", VisibilityTimeout="11")
    equal(queue("py-again", VisibilityTimeout="11"), url)
    error = refused(
        "QueueAlreadyExists", sqs.create_queue, QueueName="py-again", Attributes={"VisibilityTimeout": "12"}
    )
    assert isinstance(error, sqs.exceptions.QueueNameExists), type(error)


@check("a queue that is not there is refused under both of its names")
def _():
    error = refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="py-nowhere")
    assert isinstance(error, sqs.exceptions.QueueDoesNotExist), type(error)


@check("queues are listed in pages")
def _():
    urls = {queue(f"py-page-{n}") for n in range(5)}
    pages = list(sqs.get_paginator("list_queues").paginate(QueueNamePrefix="py-page-", PaginationConfig={"PageSize": 2}))
    equal([len(page["QueueUrls"]) for page in pages], [2, 2, 1])
    equal({url for page in pages for url in page["QueueUrls"]}, urls)


@check("a message keeps its body, attributes and trace header, with the MD5 of each")
def _():
    url = queue("py-message")
    attributes = {
        "colour": {"DataType": "String", "StringValue": "grün"},
        "count": {"DataType": "Number", "StringValue": "-1.50"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        "own": {"DataType": "String.json", "StringValue": "{}"},
    }
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="hällo\n",
        MessageAttributes=attributes,
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
    )
    equal(sent["MD5OfMessageBody"], hashlib.md5("hällo\n".encode()).hexdigest())
    equal(sent["MD5OfMessageAttributes"], md5_of_attributes(attributes))
    [message] = receive(url)
    equal(message["Body"], "hällo\n")
    equal(message["MessageAttributes"], attributes)
    equal(message["MD5OfMessageAttributes"], md5_of_attributes(attributes))
    equal(message["Attributes"]["AWSTraceHeader"], trace)
    equal(message["Attributes"]["ApproximateReceiveCount"], "1")
    equal(message["MessageId"], sent["MessageId"])
    delete(url, message)


@check("only the attributes that were asked for come, by name and by prefix")
def _():
    url = queue("py-chosen")
    text = {"DataType": "String", "StringValue": "x"}
    sqs.send_message(QueueUrl=url, MessageBody="b", MessageAttributes={"a.one": text, "a.two": text, "b": text})
    [message] = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["a.*"], VisibilityTimeout=0)["Messages"]
    equal(sorted(message["MessageAttributes"]), ["a.one", "a.two"])
    assert "Attributes" not in message, message["Attributes"]


@check("a batch takes its good entries and names the bad ones")
def _():
    url = queue("py-batch")
    answer = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[{"Id": "good", "MessageBody": "g"}, {"Id": "late", "MessageBody": "l", "DelaySeconds": 901}],
    )
    equal([entry["Id"] for entry in answer["Successful"]], ["good"])
    [failed] = answer["Failed"]
    equal((failed["Id"], failed["Code"], failed["SenderFault"]), ("late", "InvalidParameterValue", True))
    [message] = receive(url)
    answer = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[{"Id": "it", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "no", "ReceiptHandle": "no"}],
    )
    equal([entry["Id"] for entry in answer["Successful"]], ["it"])
    equal([(entry["Id"], entry["Code"]) for entry in answer["Failed"]], [("no", "ReceiptHandleIsInvalid")])


@check("a batch is refused whole when it is empty, too long, or names an entry twice")
def _():
    url = queue("py-batch-bad")
    entries = [{"Id": f"e{n}", "MessageBody": "x"} for n in range(11)]
    prefix = "AWS.SimpleQueueService."
    refused(prefix + "EmptyBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=[])
    refused(prefix + "TooManyEntriesInBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=entries)
    refused(prefix + "BatchEntryIdsNotDistinct", sqs.send_message_batch, QueueUrl=url, Entries=[entries[0]] * 2)
    equal(receive(url), [])


@check("a long poll ends when a message comes, not when its time is over")
def _():
    url = queue("py-poll")
    start = time.monotonic()
    sender = threading.Timer(0.5, lambda: sqs.send_message(QueueUrl=url, MessageBody="now"))
    sender.start()
    equal(bodies(receive(url, wait=15)), ["now"])
    took = time.monotonic() - start
    assert 0.5 <= took < 10, f"{took:.1f} s"
    sender.join()


@check("a message is hidden while in flight, and back when its lease is given up")
def _():
    url = queue("py-lease")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    [first] = receive(url)
    equal(receive(url), [])
    equal(attribute(url, "ApproximateNumberOfMessagesNotVisible"), "1")
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    [second] = receive(url)
    equal(second["Attributes"]["ApproximateReceiveCount"], "2")
    delete(url, second)
    refused(
        "InvalidParameterValue",
        sqs.change_message_visibility,
        QueueUrl=url,
        ReceiptHandle=second["ReceiptHandle"],
        VisibilityTimeout=43201,
    )


@check("a delayed message comes when its delay is over")
def _():
    url = queue("py-delay")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1)
    equal(receive(url), [])
    equal(attribute(url, "ApproximateNumberOfMessagesDelayed"), "1")
    equal(bodies(receive(url, wait=5)), ["later"])


@check("a message received too often goes to the dead letters, and a task moves it back")
def _():
    dead, url = queue("py-dead"), queue("py-source", VisibilityTimeout="0")
    policy = '{"deadLetterTargetArn": "%s", "maxReceiveCount": 2}' % arn(dead)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    equal(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    equal([len(receive(url)) for _ in range(3)], [1, 1, 0])
    [message] = eventually(lambda: receive(dead, VisibilityTimeout=0))
    equal(message["Attributes"]["DeadLetterQueueSourceArn"], arn(url))
    task = sqs.start_message_move_task(SourceArn=arn(dead))["TaskHandle"]
    assert task
    equal(bodies(eventually(lambda: receive(url))), ["poison"])
    [result] = sqs.list_message_move_tasks(SourceArn=arn(dead))["Results"]
    equal((result["Status"], result["ApproximateNumberOfMessagesMoved"]), ("COMPLETED", 1))


@check("a FIFO queue keeps the order of each group and locks a group while it is in flight")
def _():
    url = fifo("py-order")
    sent = [
        sqs.send_message(QueueUrl=url, MessageBody=f"{group}{n}", MessageGroupId=group, MessageDeduplicationId=f"{group}{n}")
        for n in range(3)
        for group in "ab"
    ]
    numbers = [int(answer["SequenceNumber"]) for answer in sent]
    equal(numbers, sorted(set(numbers)))
    [first] = receive(url, count=1)
    equal(first["Body"], "a0")
    equal(bodies(receive(url)), ["b0", "b1", "b2"])
    equal(receive(url), [])
    delete(url, first)
    equal(bodies(receive(url)), ["a1", "a2"])


@check("a FIFO queue takes a message once, by its id or its content")
def _():
    url = fifo("py-once", ContentBasedDeduplication="true")
    one = sqs.send_message(QueueUrl=url, MessageBody="same", MessageGroupId="g")
    two = sqs.send_message(QueueUrl=url, MessageBody="same", MessageGroupId="g")
    equal((two["MessageId"], two["SequenceNumber"]), (one["MessageId"], one["SequenceNumber"]))
    sqs.send_message(QueueUrl=url, MessageBody="same", MessageGroupId="g", MessageDeduplicationId="other")
    equal(bodies(receive(url)), ["same", "same"])


@check("a FIFO queue refuses what FIFO forbids")
def _():
    url = fifo("py-strict")
    refused("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="x")
    refused("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g")
    refused(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=url,
        MessageBody="x",
        MessageGroupId="g",
        MessageDeduplicationId="d",
        DelaySeconds=1,
    )
    refused("InvalidParameterValue", sqs.create_queue, QueueName="py-no-suffix", Attributes={"FifoQueue": "true"})


@check("a receive that is repeated with its attempt id gives the same messages")
def _():
    url = fifo("py-attempt")
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
    [one] = receive(url, ReceiveRequestAttemptId="try")
    [two] = receive(url, ReceiveRequestAttemptId="try")
    equal(two["MessageId"], one["MessageId"])
    equal(receive(url), [])


@check("a standard queue takes a fair-queue group id and gives it back")
def _():
    url = queue("py-fair")
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="tenant")
    equal(receive(url)[0]["Attributes"]["MessageGroupId"], "tenant")


@check("the resource interface sends, receives and deletes")
def _():
    box = boto3.resource("sqs").create_queue(QueueName="py-resource")
    box.send_messages(Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(3)])
    messages = box.receive_messages(MaxNumberOfMessages=10, WaitTimeSeconds=1)
    equal(sorted(message.body for message in messages), ["m0", "m1", "m2"])
    for message in messages:
        message.delete()
    box.reload()
    equal(box.attributes["ApproximateNumberOfMessagesNotVisible"], "0")


@check("a purge empties the queue, and a deleted queue is gone")
def _():
    url = queue("py-purge")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.purge_queue(QueueUrl=url)
    eventually(lambda: attribute(url, "ApproximateNumberOfMessages") == "0")
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.NonExistentQueue", sqs.send_message, QueueUrl=url, MessageBody="x")


finish()
