"""kombu on SQS and SNS: simple queues, acknowledgement and return, routing, and fanout by a topic."""

import os
import queue
import socket

from kombu import Connection, Consumer, Exchange, Producer, Queue

from checks import check, equal, eventually, finish

ENGINE = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")


def connect(**options):
    options = {"region": "us-east-1", "is_secure": False, "wait_time_seconds": 1, "polling_interval": 0, **options}
    return Connection(f"sqs://callboard:callboard@{ENGINE}", transport_options=options)


@check("a simple queue gives what was put, once, and is empty then")
def _():
    with connect() as connection:
        box = connection.SimpleQueue("kombu-simple")
        box.put({"text": "hällo", "n": 1})
        message = box.get(timeout=10)
        equal(message.payload, {"text": "hällo", "n": 1})
        message.ack()
        equal(box.qsize(), 0)
        try:
            box.get(block=False)
        except queue.Empty:
            pass
        else:
            raise AssertionError("the message came twice")
        box.close()


@check("a message that is returned comes again, and is gone when it is rejected")
def _():
    with connect() as connection:
        box = connection.SimpleQueue("kombu-return")
        box.put("task")
        first = box.get(timeout=10)
        first.requeue()  # Kombu gives the same message's lease up, rather than sending it anew.
        second = box.get(timeout=10)
        equal(second.payload, "task")
        equal(second.delivery_info["sqs_message"]["Attributes"]["ApproximateReceiveCount"], "2")
        second.reject()
        counts = second.channel.sqs().get_queue_attributes(
            QueueUrl=second.delivery_info["sqs_queue"],
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        equal(set(counts["Attributes"].values()), {"0"})
        box.close()


@check("a direct exchange routes by its key")
def _():
    letters = Exchange("kombu-direct", type="direct")
    north = Queue("kombu-north", letters, routing_key="north")
    south = Queue("kombu-south", letters, routing_key="south")
    with connect() as connection, connection.channel() as channel:
        for each in (north, south):
            each.bind(channel).declare()
        producer = Producer(channel, letters)
        for key in ("north", "south", "north"):
            producer.publish({"to": key}, routing_key=key)
        equal([north.bind(channel).queue_declare().message_count, south.bind(channel).queue_declare().message_count], [2, 1])


@check("a fanout exchange is a topic: each queue has its own copy")
def _():
    news = Exchange("kombu-news", type="fanout")
    with connect(supports_fanout=True) as connection, connection.channel() as channel:
        got = {"kombu-one": [], "kombu-two": []}

        def keep(name):
            def callback(body, message):
                got[name].append(body)
                message.ack()

            return callback

        consumers = [
            Consumer(channel, Queue(name, news), callbacks=[keep(name)], accept=["json"]) for name in got
        ]
        for consumer in consumers:
            consumer.consume()
        Producer(channel, news).publish({"headline": "open"})

        def all_there():
            try:
                connection.drain_events(timeout=1)
            except (socket.timeout, queue.Empty):
                pass
            return all(got.values())

        eventually(all_there, seconds=20)
        equal(got, {"kombu-one": [{"headline": "open"}], "kombu-two": [{"headline": "open"}]})


finish()
