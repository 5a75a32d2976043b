#!/usr/bin/env python3
"""Fires every alarm of a template once and lets it calm down again, on LocalStack (AWS_ENDPOINT_URL), which
evaluates alarms. Needs boto3 and cfn-lint; infra/scripts/fire-alarms.sh brings all of it.

    fire-alarms.py TEMPLATE RUNBOOK

CloudFormation makes the alarms, and the queues and topics that they name, from a copy of the template. What
else they name (functions, tables, the API) is a name only. The copy's periods last ten seconds, so that
nobody waits for minutes. Each alarm must be OK at first, go off by its condition, tell it to the alarm
topic, be OK again afterwards, and have an entry in the runbook."""

import json
import math
import re
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
from cfnlint.decode import cfn_yaml
from metric_math import evaluate

STACK = "callboard"
MADE = {"AWS::CloudWatch::Alarm", "AWS::SQS::Queue", "AWS::SNS::Topic"}
# The shortest that CloudWatch takes of an alarm; the emulator looks once in a period and back over three.
PERIOD_SECONDS = 10
# A step takes half a minute to a minute: one period to go off, three to five to calm down.
STEP_SECONDS_MAX = 180
POLL_SECONDS = 1
# Fewer samples say nothing of a percentile: 10 / (1 - percentile) (CloudWatch User Guide,
# "Percentile-based alarms and low data samples").
SAMPLES = 10


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    runbook = entries_of(Path(sys.argv[2]))
    topic, inbox = alarm_topic()
    template = cfn_yaml.load(sys.argv[1])
    alarms = deploy(copy_of(template), topic)
    if {alarm.logical_id for alarm in alarms} != set(alarms_of(template)):
        sys.exit("not every alarm of the template is made with the defaults of its parameters")
    print(f"{len(alarms)} alarms are deployed", flush=True)
    run("is OK at first", alarms, inbox, lambda alarm: alarm.states == ["OK"])
    run("goes off and tells it", alarms, inbox, lambda alarm: "ALARM" in alarm.states and alarm.told, Alarm.fire)
    for alarm in alarms:
        alarm.calm()
    run("is OK again", alarms, inbox, lambda alarm: alarm.states[-1] == "OK")
    report(alarms, runbook)


class Alarm:
    """An alarm as it is deployed, and what became of it."""

    def __init__(self, logical_id, deployed, queues):
        self.logical_id, self.deployed, self.queues = logical_id, deployed, queues
        self.name = deployed["AlarmName"]
        self.states, self.told, self.fired_by = [], False, None
        if deployed["ComparisonOperator"] != "GreaterThanThreshold":
            sys.exit(f"{logical_id}: {deployed['ComparisonOperator']} is not known here")

    def evaluated_here(self):
        """What the emulator leaves alone: metric math and percentiles."""
        return "Statistic" not in self.deployed

    def metrics(self):
        """Id, metric and statistic of all that it watches."""
        if "Metrics" in self.deployed:
            watched = [one for one in self.deployed["Metrics"] if "MetricStat" in one]
            return [(one["Id"], one["MetricStat"]["Metric"], one["MetricStat"]["Stat"]) for one in watched]
        metric = {key: self.deployed[key] for key in ("Namespace", "MetricName", "Dimensions")}
        return [("watched", metric, self.deployed.get("Statistic") or self.deployed["ExtendedStatistic"])]

    def expression(self):
        return next((one["Expression"] for one in self.deployed.get("Metrics", []) if "Expression" in one), None)

    def queue(self):
        """The queue of this stack in which a message is its condition."""
        if self.deployed.get("MetricName") == "ApproximateNumberOfMessagesVisible":
            return self.queues[self.deployed["Dimensions"][0]["Value"]]
        return None

    def fire(self):
        if queue := self.queue():
            fifo = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if queue.endswith(".fifo") else {}
            sqs.send_message(QueueUrl=queue, MessageBody="{}", **fifo)
            self.fired_by = "a message in the queue"
            return
        value, metrics = math.floor(self.deployed["Threshold"]) + 1, self.metrics()
        # One of many is enough.
        if "METRICS()" in (self.expression() or ""):
            self.each_alone_is_enough(value)
            metrics = metrics[:1]
        for _, metric, stat in metrics:
            put(
                metric,
                value,
                samples_for(stat),
                self.deployed.get("DatapointsToAlarm", self.deployed["EvaluationPeriods"]),
            )
        names = " and ".join(metric["MetricName"] for _, metric, _ in metrics)
        self.fired_by = f"{metrics[0][1]['Namespace']} {names} = {value}"

    def each_alone_is_enough(self, value):
        ids = [metric_id for metric_id, _, _ in self.metrics()]
        for one in ids:
            found = evaluate(self.expression(), {metric_id: value if metric_id == one else None for metric_id in ids})
            if found is None or found <= self.deployed["Threshold"]:
                sys.exit(f"{self.logical_id}: {one} alone does not reach the threshold")

    def calm(self):
        if queue := self.queue():
            sqs.purge_queue(QueueUrl=queue)

    def look(self, state):
        """Notes its state; evaluates it first if the emulator does not."""
        if self.evaluated_here():
            found = self.state_by_metrics()
            if found != state:
                cloudwatch.set_alarm_state(
                    AlarmName=self.name, StateValue=found, StateReason="evaluated by fire-alarms.py"
                )
            state = found
        # As every alarm is before it has been evaluated.
        if state == "INSUFFICIENT_DATA" and not self.states:
            return
        if self.states[-1:] != [state]:
            self.states.append(state)

    def state_by_metrics(self):
        now, periods = datetime.now(timezone.utc), self.deployed["EvaluationPeriods"]
        ends = [now - timedelta(seconds=PERIOD_SECONDS * period) for period in range(periods)]
        values = [self.value_at(end) for end in ends]
        breaching = sum(value is not None and value > self.deployed["Threshold"] for value in values)
        return "ALARM" if breaching >= self.deployed.get("DatapointsToAlarm", periods) else "OK"

    def value_at(self, end):
        """The value of the period that ends there; None where there is none."""
        if self.expression():
            return evaluate(self.expression(), read(self.metrics(), end))
        [(_, metric, percentile)] = self.metrics()
        found = read([(stat, metric, stat) for stat in ("Minimum", "SampleCount")], end)
        # What no sample is below, no percentile is.
        return found["Minimum"] if (found["SampleCount"] or 0) >= samples_for(percentile) else None


def samples_for(stat):
    percentile = re.fullmatch(r"p(\d+(?:\.\d+)?)", stat)
    return math.ceil(SAMPLES / (1 - float(percentile[1]) / 100)) if percentile else 1


def put(metric, value, samples, periods):
    now = datetime.now(timezone.utc)
    data = [
        {
            "MetricName": metric["MetricName"],
            "Dimensions": metric["Dimensions"],
            "Timestamp": now - timedelta(seconds=PERIOD_SECONDS * (period + 0.2)),
            "Values": [value],
            "Counts": [samples],
        }
        for period in range(periods)
    ]
    cloudwatch.put_metric_data(Namespace=metric["Namespace"], MetricData=data)


def read(metrics, end):
    """The value of each metric in the period that ends there, None where there is none."""
    queries = [
        {"Id": one, "MetricStat": {"Metric": metric, "Period": PERIOD_SECONDS, "Stat": stat}}
        for one, metric, stat in metrics
    ]
    begin = end - timedelta(seconds=PERIOD_SECONDS)
    found = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=begin, EndTime=end)
    return {one["Id"]: next(iter(one["Values"]), None) for one in found["MetricDataResults"]}


def entries_of(runbook):
    """The anchors of a Markdown file's headings."""
    if not runbook.exists():
        return set()
    headings = re.findall(r"^#+ +(.+?) *$", runbook.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def alarms_of(template):
    return [name for name, one in template["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"]


def copy_of(template):
    """The alarms with what they need of the template."""
    resources = template["Resources"]
    kept, pending = {}, alarms_of(template)
    while pending:
        name = pending.pop()
        if name not in kept:
            kept[name] = standing_alone(resources[name], resources, pending.append)
    copy = {"Parameters": template["Parameters"], "Conditions": template["Conditions"], "Resources": kept}
    return re.sub(r'"Period": \d+', f'"Period": {PERIOD_SECONDS}', json.dumps(copy))


def standing_alone(value, resources, needs):
    """The same, where a reference to what is not made is a name."""
    if isinstance(value, list):
        return [standing_alone(one, resources, needs) for one in value]
    if not isinstance(value, dict):
        return value
    named = value.get("Ref") or (value.get("Fn::GetAtt") or [None])[0]
    if named in resources:
        if resources[named]["Type"] not in MADE:
            return f"{STACK}-{named}"
        needs(named)
    return {key: standing_alone(one, resources, needs) for key, one in value.items()}


def alarm_topic():
    """A topic for AlarmTopicArn, and the queue that hears it."""
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    inbox = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return topic, inbox


def deploy(text, topic):
    cloudformation.create_stack(
        StackName=STACK, TemplateBody=text, Parameters=[{"ParameterKey": "AlarmTopicArn", "ParameterValue": topic}]
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName=STACK, WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": STEP_SECONDS_MAX})
    made = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    queues = {
        one["PhysicalResourceId"].split("/")[-1]: one["PhysicalResourceId"]
        for one in made
        if "SQS" in one["ResourceType"]
    }
    deployed = {one["AlarmName"]: one for one in cloudwatch.describe_alarms()["MetricAlarms"]}
    alarms = [one for one in made if one["ResourceType"] == "AWS::CloudWatch::Alarm"]
    return [Alarm(one["LogicalResourceId"], deployed[one["PhysicalResourceId"]], queues) for one in alarms]


def run(what, alarms, inbox, is_so, cause=None):
    """Looks at all alarms until something holds of each of them. On a slow machine a value may have grown
    too old before it is looked at: what has not gone off after two periods is caused again."""
    deadline, caused = time.monotonic() + STEP_SECONDS_MAX, -math.inf
    while True:
        if cause and time.monotonic() > caused + 2 * PERIOD_SECONDS:
            caused = time.monotonic()
            for alarm in alarms:
                if "ALARM" not in alarm.states:
                    cause(alarm)
        states = {one["AlarmName"]: one["StateValue"] for one in cloudwatch.describe_alarms()["MetricAlarms"]}
        for alarm in alarms:
            alarm.look(states[alarm.name])
        hear(alarms, inbox)
        missing = [alarm for alarm in alarms if not alarm.states or not is_so(alarm)]
        if not missing:
            print(f"every alarm {what}", flush=True)
            return
        if time.monotonic() > deadline:
            sys.exit(
                "\n".join(
                    f"not so: {one.logical_id} {what} (states {one.states}, told: {one.told})" for one in missing
                )
            )
        time.sleep(POLL_SECONDS)


def hear(alarms, inbox):
    """Notes which alarm told that it went off."""
    while messages := sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            told = json.loads(message["Body"])
            for alarm in alarms:
                if told["AlarmName"] == alarm.name and told["NewStateValue"] == "ALARM":
                    alarm.told = told["AlarmDescription"] == alarm.deployed["AlarmDescription"]
            sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])


def report(alarms, runbook):
    rows, unexplained = [("alarm", "fired by", "evaluated by", "states", "told", "runbook")], []
    for alarm in sorted(alarms, key=lambda one: one.logical_id):
        anchor = re.search(r"infra/RUNBOOK\.md#(\S+)$", alarm.deployed["AlarmDescription"])
        explained = bool(anchor) and anchor[1] in runbook
        if not explained:
            unexplained.append(alarm.logical_id)
        by = "THIS SCRIPT" if alarm.evaluated_here() else "LocalStack"
        states = " -> ".join(alarm.states)
        rows.append(
            (
                alarm.logical_id,
                alarm.fired_by,
                by,
                states,
                "yes" if alarm.told else "NO",
                "yes" if explained else "MISSING",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    here = sum(alarm.evaluated_here() for alarm in alarms)
    print(f"\nTHIS SCRIPT: LocalStack evaluates neither metric math nor percentiles; {here} alarms were evaluated")
    print("from the metrics it holds by infra/scripts/metric_math.py, and set to the state found.")
    if unexplained:
        sys.exit(f"without an entry in the runbook: {', '.join(unexplained)}")
    print(f"all {len(alarms)} alarms went off once, told it and calmed down")


if __name__ == "__main__":
    cloudformation, cloudwatch, sns, sqs = map(boto3.client, ("cloudformation", "cloudwatch", "sns", "sqs"))
    main()
