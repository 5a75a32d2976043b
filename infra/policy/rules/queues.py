"""A message is neither lost nor handled twice for want of a setting: queues and subscriptions."""

from topology import QUEUE_RETENTION, QUEUE_VISIBILITY, Rule, named, path_to

SQS_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"
# Lambda tries again while it is throttled, which takes longer than the function does.

TIMEOUTS_WITHIN_VISIBILITY = 6
# Lambda's default for a queue.
BATCH_SIZE = 10


class VisibilityCoversTries(Rule):
    id = "E9101"
    shortdesc = "Visibility of a queue below six times its function's time-out"
    description = "A message that is still being handled would be received again"
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"

    def faults(self, topology):
        queues = dict(topology.each("AWS::SQS::Queue"))
        for queue, mapping in topology.consumers():
            if queue not in queues:
                continue
            visibility = topology.number(queues[queue].get("VisibilityTimeout"), QUEUE_VISIBILITY)
            window = topology.number(mapping.settings.get("MaximumBatchingWindowInSeconds"), 0)

            least = TIMEOUTS_WITHIN_VISIBILITY * mapping.timeout + window
            if visibility < least:
                yield (
                    path_to(queue, "VisibilityTimeout"),
                    f"{queue}: visibility of {visibility} s, where {mapping.function} with a time-out of "
                    f"{mapping.timeout} s needs {least} s",
                )


class SourceQueueHasDeadLetterQueue(Rule):
    id = "E9102"
    shortdesc = "Queue without a dead-letter queue"
    description = (
        "A message that always fails would come back until its retention ends; a dead-letter queue itself needs none"
    )
    source_url = f"{SQS_GUIDE}/sqs-dead-letter-queues.html"

    def faults(self, topology):
        consumed = {queue for queue, _ in topology.consumers()}
        exempt = set(topology.dead_letter_queues()) - consumed
        for queue, properties in topology.each("AWS::SQS::Queue"):
            if queue not in exempt and not named((properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")):
                yield path_to(queue, "RedrivePolicy"), f"{queue}: no RedrivePolicy with a dead-letter queue"


class DeadLettersAreKeptLonger(Rule):
    id = "E9103"
    shortdesc = "Dead-letter queue that keeps messages no longer than its source"
    description = "A message's age counts from when it was first sent, so it may expire there at once"
    source_url = f"{SQS_GUIDE}/sqs-dead-letter-queues.html"

    def faults(self, topology):
        queues = list(topology.each("AWS::SQS::Queue"))
        for source, properties in queues:
            target = named((properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn"))
            kept = topology.number(properties.get("MessageRetentionPeriod"), QUEUE_RETENTION)
            for queue, dead in queues:
                kept_dead = topology.number(dead.get("MessageRetentionPeriod"), QUEUE_RETENTION)
                if queue == target and kept_dead <= kept:
                    yield (
                        path_to(queue, "MessageRetentionPeriod"),
                        f"{queue}: keeps messages for {kept_dead} s, its source {source} for {kept} s",
                    )


class SqsGivesUpAfterUs(Rule):
    id = "E9104"
    shortdesc = "maxReceiveCount below the function's own tries"
    description = (
        "SQS would set a message aside before the function does so with a reason. Behind a failed head of "
        "a FIFO group messages are received untried, once for each before them in the batch"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"

    def __init__(self):
        super().__init__()
        self.config_definition = {"tries": {"default": 5, "type": "integer"}}
        self.configure()

    def faults(self, topology):
        queues = dict(topology.each("AWS::SQS::Queue"))
        for queue, mapping in topology.consumers():
            policy = queues.get(queue, {}).get("RedrivePolicy")
            if not policy:
                continue
            fifo = queues[queue].get("FifoQueue")
            untried = topology.number(mapping.settings.get("BatchSize"), BATCH_SIZE) if fifo else 0
            receives, least = topology.number(policy.get("maxReceiveCount"), 0), self.config["tries"] + untried
            if receives < least:
                yield (
                    path_to(queue, "RedrivePolicy", "maxReceiveCount"),
                    f"{queue}: maxReceiveCount of {receives}, where {mapping.function} needs {least}: "
                    f"{self.config['tries']} tries and {untried} untried receives",
                )


class SubscriptionHasDeadLetterQueue(Rule):
    id = "E9105"
    shortdesc = "Subscription without redrive policy"
    description = "SNS would drop what it cannot deliver"
    source_url = "https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html"

    def faults(self, topology):
        for name, properties in topology.each("AWS::SNS::Subscription"):
            if not named((properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")):
                yield path_to(name, "RedrivePolicy"), f"{name}: no RedrivePolicy with a dead-letter queue"
