"""What is to be read later is kept, and what wakes somebody says why: log groups and alarms."""

from collections import Counter

from topology import Rule, named, path_to

SQS_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"


def watched(topology, metric):
    """The queues whose metric an alarm watches."""
    return {
        named(dimension["Value"])
        for _, properties in topology.each("AWS::CloudWatch::Alarm")
        if (properties.get("Namespace"), properties.get("MetricName")) == ("AWS/SQS", metric)
        for dimension in properties["Dimensions"]
    }


class LogsEnd(Rule):
    id = "E9131"
    shortdesc = "Log group without retention"
    description = "CloudWatch would keep its logs, and their price, for ever"
    source_url = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html"

    def faults(self, topology):
        for name, properties in topology.each("AWS::Logs::LogGroup"):
            if not properties.get("RetentionInDays"):
                yield path_to(name, "RetentionInDays"), f"{name}: no RetentionInDays"


class FunctionHasItsLogGroup(Rule):
    id = "E9132"
    shortdesc = "Function without a log group of its own"
    description = (
        "Lambda would make one that no template describes, kept for ever; in a shared one nobody may be shut out"
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html"

    def faults(self, topology):
        groups = {name for name, _ in topology.each("AWS::Logs::LogGroup")}
        used = {
            name: named((properties.get("LoggingConfig") or {}).get("LogGroup"))
            for name, properties in topology.each("AWS::Serverless::Function")
        }
        users = Counter(used.values())
        for function, group in used.items():
            path = path_to(function, "LoggingConfig", "LogGroup")
            if group not in groups:
                yield path, f"{function}: LoggingConfig names no log group of this template"
            elif users[group] > 1:
                yield path, f"{function}: {group} belongs to another function as well"


class AlarmNamesItsRunbook(Rule):
    id = "E9133"
    shortdesc = "Alarm whose description names no entry of the runbook"
    description = "Who is woken has to know what it means and what mends it; the entry is tested in infra/cli"
    source_url = (
        "https://docs.aws.amazon.com/wellarchitected/latest/operational-excellence-pillar/"
        "ops_event_response_process_per_alert.html"
    )

    def faults(self, topology):
        for name, properties in topology.each("AWS::CloudWatch::Alarm"):
            if f"infra/RUNBOOK.md#{name.lower()}" not in str(properties.get("AlarmDescription")).split():
                yield path_to(
                    name, "AlarmDescription"
                ), f"{name}: AlarmDescription lacks infra/RUNBOOK.md#{name.lower()}"


class AlarmReachesSomebody(Rule):
    id = "E9134"
    shortdesc = "Alarm without an action"
    description = "Without one in any way that conditions fall, nobody would hear of it"
    source_url = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"

    def faults(self, topology):
        alarms = list(topology.each("AWS::CloudWatch::Alarm"))
        heard = {name for name, properties in alarms if properties.get("AlarmActions")}
        for name, _ in alarms:
            if name not in heard:
                yield path_to(name, "AlarmActions"), f"{name}: no AlarmActions"


class DeadLettersAreNoticed(Rule):
    id = "E9135"
    shortdesc = "Dead-letter queue without an alarm"
    description = "Messages would expire there unseen"
    source_url = f"{SQS_GUIDE}/dead-letter-queues-alarms-cloudwatch.html"

    def faults(self, topology):
        seen = watched(topology, "ApproximateNumberOfMessagesVisible")
        for queue in sorted(set(filter(None, topology.dead_letter_queues())) - seen):
            yield path_to(queue), f"{queue}: no alarm on ApproximateNumberOfMessagesVisible"


class BacklogIsNoticed(Rule):
    id = "E9136"
    shortdesc = "Consumed queue without an alarm on the age of its oldest message"
    description = "A consumer that stands still fails at nothing and sets nothing aside"
    source_url = f"{SQS_GUIDE}/sqs-available-cloudwatch-metrics.html"

    def faults(self, topology):
        seen = watched(topology, "ApproximateAgeOfOldestMessage")
        for queue in sorted({queue for queue, _ in topology.consumers()} - seen):
            yield path_to(queue), f"{queue}: no alarm on ApproximateAgeOfOldestMessage"
