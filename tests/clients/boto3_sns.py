"""boto3 on SNS: topics, deliveries to queues, filter policies, batches, FIFO, dead letters."""

import json

import boto3

from checks import check, equal, eventually, finish, refused

sns = boto3.client("sns")
sqs = boto3.client("sqs")


def topic(name, **attributes):
    return sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]


def queue(name, **attributes):
    """A queue's URL and ARN."""
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def subscribe(topic_arn, queue_arn, **attributes):
    text = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
    return sns.subscribe(
        TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=text, ReturnSubscriptionArn=True
    )["SubscriptionArn"]


def take(url):
    """Everything that waits in a queue, removed from it."""
    taken = []
    while True:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"])
        messages = answer.get("Messages", [])
        if not messages:
            return taken
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        taken += messages


def arrived(url, count):
    """The messages of a queue, once there are as many; SNS may take its time."""
    taken = []

    def look():
        taken.extend(take(url))
        return len(taken) >= count

    eventually(look)
    equal(len(taken), count)
    return taken


def attributes_of(**values):
    def one(value):
        if isinstance(value, list):
            return {"DataType": "String.Array", "StringValue": json.dumps(value)}
        if isinstance(value, (int, float)):
            return {"DataType": "Number", "StringValue": str(value)}
        return {"DataType": "String", "StringValue": value}

    return {name: one(value) for name, value in values.items()}


@check("a topic is made once, keeps its attributes and tags, and is listed")
def _():
    arn = sns.create_topic(Name="py-topic", Tags=[{"Key": "team", "Value": "front desk"}])["TopicArn"]
    equal(arn, "arn:aws:sns:us-east-1:000000000000:py-topic")
    equal(topic("py-topic"), arn)
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="Desk")
    equal(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"], "Desk")
    equal(sns.list_tags_for_resource(ResourceArn=arn)["Tags"], [{"Key": "team", "Value": "front desk"}])
    listed = [found["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for found in page["Topics"]]
    assert arn in listed, listed


@check("a wrapped delivery has all the fields of AWS's notification")
def _():
    arn, (url, queue_arn) = topic("py-wrapped"), queue("py-wrapped")
    subscription = subscribe(arn, queue_arn)
    sent = sns.publish(TopicArn=arn, Subject="Hi", Message="hällo", MessageAttributes=attributes_of(colour="red"))
    [message] = arrived(url, 1)
    notification = json.loads(message["Body"])
    for name in ("Timestamp", "SignatureVersion", "Signature", "SigningCertURL"):
        assert notification.pop(name), name
    assert subscription in notification.pop("UnsubscribeURL")
    equal(
        notification,
        {
            "Type": "Notification",
            "MessageId": sent["MessageId"],
            "TopicArn": arn,
            "Subject": "Hi",
            "Message": "hällo",
            "MessageAttributes": {"colour": {"Type": "String", "Value": "red"}},
        },
    )


@check("a raw delivery is the message itself with its attributes")
def _():
    arn, (url, queue_arn) = topic("py-raw"), queue("py-raw")
    subscribe(arn, queue_arn, RawMessageDelivery="true")
    attributes = {**attributes_of(colour="red", count=2), "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    sns.publish(TopicArn=arn, Message="plain", MessageAttributes=attributes)
    [message] = arrived(url, 1)
    equal((message["Body"], message["MessageAttributes"]), ("plain", attributes))


@check("a message has its own text per protocol")
def _():
    arn, (url, queue_arn) = topic("py-structure"), queue("py-structure")
    subscribe(arn, queue_arn, RawMessageDelivery="true")
    sns.publish(TopicArn=arn, MessageStructure="json", Message=json.dumps({"default": "d", "sqs": "for queues"}))
    equal([message["Body"] for message in arrived(url, 1)], ["for queues"])
    refused("InvalidParameter", sns.publish, TopicArn=arn, MessageStructure="json", Message='{"sqs": "no default"}')


# Policy, attributes that it lets through, attributes that it does not.
FILTERS = {
    "exact": ({"a": ["x", "y"]}, {"a": "y"}, {"a": "z"}),
    "both keys": ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "y"}, {"a": "x"}),
    "prefix": ({"a": [{"prefix": "cat-"}]}, {"a": "cat-1"}, {"a": "a cat-1"}),
    "suffix": ({"a": [{"suffix": ".jpg"}]}, {"a": "1.jpg"}, {"a": "1.jpg.gz"}),
    "equals-ignore-case": ({"a": [{"equals-ignore-case": "Red"}]}, {"a": "rED"}, {"a": "reds"}),
    "wildcard": ({"a": [{"wildcard": "s*/*.png"}]}, {"a": "shop/1.png"}, {"a": "shop/1.gif"}),
    "anything-but": ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "z"}, {"a": "x"}),
    "anything-but prefix": ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "yx"}, {"a": "xy"}),
    "anything-but wildcard": ({"a": [{"anything-but": {"wildcard": "x*z"}}]}, {"a": "xy"}, {"a": "xyz"}),
    "number": ({"a": [300]}, {"a": 300.0}, {"a": 301}),
    "numeric range": ({"a": [{"numeric": [">", 0, "<=", 150.5]}]}, {"a": 150.5}, {"a": 0}),
    "exists": ({"a": [{"exists": True}]}, {"a": "x"}, {"b": "x"}),
    "not exists": ({"a": [{"exists": False}]}, {"b": "x"}, {"a": "x"}),
    "cidr": ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}, {"a": "10.0.1.0"}),
    "$or": ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}, {"a": "y", "b": "x"}),
    "array": ({"a": ["x"]}, {"a": ["w", "x"]}, {"a": ["w"]}),
}


@check(f"filter policies on attributes: {', '.join(FILTERS)}")
def _():
    for number, (name, (policy, passing, failing)) in enumerate(FILTERS.items()):
        arn, (url, queue_arn) = topic(f"py-filter-{number}"), queue(f"py-filter-{number}")
        subscribe(arn, queue_arn, RawMessageDelivery="true", FilterPolicy=policy)
        sns.publish(TopicArn=arn, Message=f"{name}: kept out", MessageAttributes=attributes_of(**failing))
        sns.publish(TopicArn=arn, Message=f"{name}: let in", MessageAttributes=attributes_of(**passing))
        equal([message["Body"] for message in arrived(url, 1)], [f"{name}: let in"])


@check("a filter policy on the body looks into nested objects and arrays")
def _():
    arn, (url, queue_arn) = topic("py-body"), queue("py-body")
    policy = {"order": {"state": ["paid"], "total": [{"numeric": [">=", 10]}], "lines": {"sku": ["b"]}}}
    subscribe(arn, queue_arn, RawMessageDelivery="true", FilterPolicyScope="MessageBody", FilterPolicy=policy)

    def order(state, total, *skus):
        return json.dumps({"order": {"state": state, "total": total, "lines": [{"sku": sku} for sku in skus]}})

    for body in (order("paid", 9, "b"), order("open", 10, "b"), order("paid", 10, "a"), "not json", order("paid", 10, "a", "b")):
        sns.publish(TopicArn=arn, Message=body)
    equal([message["Body"] for message in arrived(url, 1)], [order("paid", 10, "a", "b")])


@check("a filter policy that AWS does not take is refused")
def _():
    arn, (_, queue_arn) = topic("py-bad-filter"), queue("py-bad-filter")
    for policy in (
        '{"a": "x"}', '{"a": [{"prefx": "x"}]}', '{"a": [{"numeric": ["<"]}]}', "{", '{"a": {"b": ["x"]}}',
        '{"a": [{"anything-but": {"suffix": "x"}}]}',
    ):
        refused("InvalidParameter", subscribe, topic_arn=arn, queue_arn=queue_arn, FilterPolicy=policy)
    equal(sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"], [])


@check("a subscription is made once, changed, found in the lists, and ended")
def _():
    arn, (url, queue_arn) = topic("py-subscription"), queue("py-subscription")
    subscription = subscribe(arn, queue_arn)
    equal(subscribe(arn, queue_arn), subscription)
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue='{"a": ["x"]}'
    )
    found = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    equal((json.loads(found["FilterPolicy"]), found["RawMessageDelivery"]), ({"a": ["x"]}, "false"))
    equal((found["Protocol"], found["Endpoint"], found["PendingConfirmation"]), ("sqs", queue_arn, "false"))
    pages = sns.get_paginator("list_subscriptions").paginate()
    assert subscription in [each["SubscriptionArn"] for page in pages for each in page["Subscriptions"]]
    sns.unsubscribe(SubscriptionArn=subscription)
    sns.publish(TopicArn=arn, Message="to nobody", MessageAttributes=attributes_of(a="x"))
    equal(take(url), [])


@check("a batch publishes its good entries and names the bad ones")
def _():
    arn, (url, queue_arn) = topic("py-batch"), queue("py-batch")
    subscribe(arn, queue_arn, RawMessageDelivery="true")
    answer = sns.publish_batch(
        TopicArn=arn,
        PublishBatchRequestEntries=[
            {"Id": "good", "Message": "good"},
            {
                "Id": "bad",
                "Message": "bad",
                "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "one"}},
            },
        ],
    )
    equal([entry["Id"] for entry in answer["Successful"]], ["good"])
    equal([(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]], [("bad", True)])
    equal([message["Body"] for message in arrived(url, 1)], ["good"])


@check("a batch is refused whole when it is empty, too long, or names an entry twice")
def _():
    arn = topic("py-batch-bad")
    entries = [{"Id": f"e{n}", "Message": "x"} for n in range(11)]
    refused("EmptyBatchRequest", sns.publish_batch, TopicArn=arn, PublishBatchRequestEntries=[])
    refused("TooManyEntriesInBatchRequest", sns.publish_batch, TopicArn=arn, PublishBatchRequestEntries=entries)
    refused("BatchEntryIdsNotDistinct", sns.publish_batch, TopicArn=arn, PublishBatchRequestEntries=[entries[0]] * 2)


@check("a FIFO topic delivers in order and once, to FIFO queues and to standard ones")
def _():
    arn = topic("py-fifo.fifo", FifoTopic="true", ContentBasedDeduplication="true")
    ordered, plain = queue("py-fifo.fifo", FifoQueue="true"), queue("py-fifo-plain")
    for _, queue_arn in (ordered, plain):
        subscribe(arn, queue_arn, RawMessageDelivery="true")
    for body in ("one", "two", "two", "three"):
        assert sns.publish(TopicArn=arn, Message=body, MessageGroupId="g")["SequenceNumber"]
    messages = arrived(ordered[0], 3)
    equal([message["Body"] for message in messages], ["one", "two", "three"])
    equal({message["Attributes"]["MessageGroupId"] for message in messages}, {"g"})
    equal(sorted(message["Body"] for message in arrived(plain[0], 3)), ["one", "three", "two"])
    refused("InvalidParameter", sns.publish, TopicArn=arn, Message="no group")


@check("what cannot be delivered goes to the subscription's dead letters")
def _():
    arn, (url, queue_arn), (dead, dead_arn) = topic("py-lost"), queue("py-lost"), queue("py-lost-dead")
    subscribe(arn, queue_arn, RawMessageDelivery="true", RedrivePolicy={"deadLetterTargetArn": dead_arn})
    sqs.delete_queue(QueueUrl=url)
    sns.publish(TopicArn=arn, Message="homeless")
    equal([message["Body"] for message in arrived(dead, 1)], ["homeless"])


@check("the resource interface subscribes and publishes")
def _():
    desk, (url, queue_arn) = boto3.resource("sns").create_topic(Name="py-resource"), queue("py-resource-topic")
    desk.subscribe(Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    equal([each.attributes["Endpoint"] for each in desk.subscriptions.all()], [queue_arn])
    desk.publish(Message="hello")
    equal([message["Body"] for message in arrived(url, 1)], ["hello"])


@check("an SMS is taken and bears a message id")
def _():
    assert sns.publish(PhoneNumber="+4915112345678", Message="hello")["MessageId"]


@check("a deleted topic is gone")
def _():
    arn = topic("py-gone")
    sns.delete_topic(TopicArn=arn)
    error = refused("NotFound", sns.publish, TopicArn=arn, Message="x")
    assert isinstance(error, sns.exceptions.NotFoundException), type(error)


finish()
