#!/usr/bin/env python3
"""A template that is wrong in one place per rule, and whether the linter found every one of them there.

    broken.py LINTER TEMPLATE > COPY        writes the copy
    broken.py LINTER TEMPLATE REPORT        compares the linter's JSON report of the copy with what is wrong

LINTER is cfn-lint or checkov. check-template.sh and check-policy.sh run both with --self-test."""

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

# The form of an access key's secret, made here so that no scanner takes this file for one.
NO_SECRET = "".join("aB3/" for _ in range(10))
HERE = Path(__file__).parent
AWS_PAGES = "https://docs.aws.amazon.com/"


class Break(NamedTuple):
    rule: str
    # What is broken: a text of this resource, and what stands there instead.
    resource: str
    old: str = ""
    new: str = ""
    # Where the linter must point: the first line of the broken resource, or of another, with this text.
    line: str = "Properties:"
    seen_at: str | None = None


# All that our own rules find must be here, and nothing else: one without `old` follows from another.
CFN_LINT = [
    Break("E9101", "DeadlineClockQueue", "!Ref VisibilityTimeoutSeconds", "59", "VisibilityTimeout:"),
    Break(
        "E9102",
        "NotificationPlannerQueue",
        """\
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt NotificationPlannerDeadLetterQueue.Arn
        maxReceiveCount: 10
""",
    ),
    Break("E9103", "WaitlistProjectorDeadLetterQueue", "1209600", "345600", "MessageRetentionPeriod:"),
    Break("E9104", "WaitlistCascadeQueue", "maxReceiveCount: 10", "maxReceiveCount: 9", "maxReceiveCount:"),
    Break("E9104", "DeadlineClockQueue", "maxReceiveCount: 10", "maxReceiveCount: 4", "maxReceiveCount:"),
    Break(
        "E9105",
        "EmailSenderSubscription",
        """\
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt SubscriptionsDeadLetterQueue.Arn
""",
    ),
    Break(
        "E9111",
        "EmailSenderFunction",
        "            FunctionResponseTypes: [ReportBatchItemFailures]\n",
        "",
        "          Properties:",
    ),
    Break(
        "E9112",
        "NotificationPlannerFunction",
        "            ScalingConfig: {MaximumConcurrency: !Ref WorkerConcurrency}\n",
        "",
        "          Properties:",
    ),
    Break("E9113", "OutboxRelayFunction", "21600", "-1", "MaximumRecordAgeInSeconds:"),
    Break(
        "E9114",
        "OutboxRelayFunction",
        """\
            DestinationConfig:
              OnFailure:
                Type: SQS
                Destination: !GetAtt OutboxRelayFailureQueue.Arn
""",
        "",
        "          Properties:",
    ),
    # No dead-letter queue of anything any more.
    Break("E9102", "OutboxRelayFailureQueue"),
    Break(
        "E9121",
        "CommandApiRole",
        "[logs:CreateLogStream, logs:PutLogEvents]",
        "[logs:CreateLogStream, 'logs:Put*']",
        "logs:Put*",
    ),
    Break("E9122", "QueryApiRole", "!GetAtt QueryApiLogGroup.Arn", "'*'", "Resource: '*'"),
    Break("E9122", "QueryApiRole", "/index/by-correlation", "/index/*", "/index/*"),
    Break(
        "E9123",
        "EmailSenderQueue",
        "SqsManagedSseEnabled: !If [HasKmsKey, false, true]",
        "SqsManagedSseEnabled: !If [HasKmsKey, false, false]",
        "SqsManagedSseEnabled:",
    ),
    # Of two conditions, every choice counts.
    Break(
        "E9123",
        "WaitlistCascadeQueue",
        "KmsMasterKeyId: !If [HasKmsKey,",
        "KmsMasterKeyId: !If [IsProduction,",
        "SqsManagedSseEnabled:",
    ),
    Break("E9124", "WaitlistEventsTopic", "      KmsMasterKeyId: !If [HasKmsKey, !Ref KmsKeyArn, alias/aws/sns]\n"),
    Break(
        "E9125",
        "EmailSenderQueuePolicy",
        "Bool: {aws:SecureTransport: 'false'}",
        "Bool: {aws:SecureTransport: 'true'}",
        seen_at="EmailSenderQueue",
    ),
    Break(
        "E9131",
        "QueryApiLogGroup",
        "      RetentionInDays: !Ref LogRetentionDays\n",
    ),
    Break(
        "E9132",
        "WaitlistProjectorFunction",
        "!Ref WaitlistProjectorLogGroup",
        "!Ref WaitlistCascadeLogGroup",
        "LogGroup:",
    ),
    Break("E9132", "WaitlistCascadeFunction", line="LogGroup:"),
    Break("E9133", "OutboxRelayIteratorAgeAlarm", "#outboxrelay", "#relay", "AlarmDescription:"),
    Break(
        "E9134",
        "OutboxRelayIteratorAgeAlarm",
        "      AlarmActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref AWS::NoValue]\n",
    ),
    Break(
        "E9135",
        "SubscriptionsDeadLetterQueueAlarm",
        "SubscriptionsDeadLetterQueue.QueueName",
        "EmailSenderDeadLetterQueue.QueueName",
        seen_at="SubscriptionsDeadLetterQueue",
    ),
    Break(
        "E9136",
        "EmailSenderQueueAgeAlarm",
        "ApproximateAgeOfOldestMessage",
        "NumberOfMessagesSent",
        seen_at="EmailSenderQueue",
    ),
]

# checkov reports a resource, not a line of it, and much else besides: a broken copy breaks several rules.
CHECKOV = [
    Break(
        "CKV_AWS_26", "WaitlistEventsTopic", "      KmsMasterKeyId: !If [HasKmsKey, !Ref KmsKeyArn, alias/aws/sns]\n"
    ),
    Break("CKV_AWS_28", "ContactsTable", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    Break("CKV_AWS_45", "CommandApiFunction", "FUNCTION_NAME: command-api", f"AWS_SECRET: '{NO_SECRET}'"),
    Break("CKV_AWS_60", "QueryApiRole", "{Service: lambda.amazonaws.com}", "{AWS: '*'}"),
    Break(
        "CKV_AWS_62",
        "OutboxRelayRole",
        "sqs:SendMessage\n                Resource: !GetAtt OutboxRelayFailureQueue.Arn",
        "'*'\n                Resource: '*'",
    ),
    Break(
        "CKV_AWS_66",
        "QueryApiLogGroup",
        "      RetentionInDays: !Ref LogRetentionDays\n",
    ),
    Break("CKV_AWS_95", "HttpApiStage", "AccessLogSettings:", "RouteSettings:"),
    Break("CKV_AWS_364", "CommandApiPermission", "SourceArn:", "EventSourceToken:"),
]


def find(template, resource):
    found = re.search(rf"^  {resource}:\n(?:(?:    .*)?\n)+", template, re.MULTILINE)
    if not found:
        sys.exit(f"broken.py: the template has no {resource}")
    return found


def broken(template, breaks):
    for rule, resource, old, new, *_ in breaks:
        found = find(template, resource)
        if old not in found.group():
            sys.exit(f"broken.py: {resource} has no {old!r} to break for {rule}")
        template = template[: found.start()] + found.group().replace(old, new, 1) + template[found.end() :]
    return template


def line_of(copy, rule, resource, line):
    found = find(copy, resource)
    before, at, _ = found.group().partition(line)
    if not at:
        sys.exit(f"broken.py: {resource} has no {line!r} where {rule} could point to")
    return copy.count("\n", 0, found.start()) + before.count("\n") + 1


def rules_of_ours():
    texts = (rules.read_text() for rules in (HERE / "rules").glob("*.py"))
    return {rule for text in texts for rule in re.findall(r'^    id = "(E\d+)"$', text, re.MULTILINE)}


def faults_of_cfn_lint(copy, report):
    ours, listed = rules_of_ours(), (HERE / "README.md").read_text()
    yield from (f"{rule} is broken nowhere" for rule in sorted(ours - {one.rule for one in CFN_LINT}))
    yield from (f"{rule} is not in README.md" for rule in sorted(ours) if f"| {rule} |" not in listed)
    expected = {(one.rule, line_of(copy, one.rule, one.seen_at or one.resource, one.line)) for one in CFN_LINT}
    found = {
        (one["Rule"]["Id"], one["Location"]["Start"]["LineNumber"]) for one in report if one["Rule"]["Id"] in ours
    }
    yield from (f"{rule} went unnoticed in line {line}" for rule, line in sorted(expected - found))
    yield from (f"{rule} was found in line {line}, which is not broken" for rule, line in sorted(found - expected))
    for one in report:
        if one["Rule"]["Id"] in ours and AWS_PAGES not in one["Message"]:
            yield f"{one['Rule']['Id']} names no page of AWS: {one['Message']}"


def faults_of_checkov(_copy, report):
    failed = {(check["check_id"], check["resource"].split(".")[-1]) for check in report["results"]["failed_checks"]}
    yield from (
        f"{one.rule} went unnoticed on {one.resource}" for one in CHECKOV if (one.rule, one.resource) not in failed
    )


LINTERS = {"cfn-lint": (CFN_LINT, faults_of_cfn_lint), "checkov": (CHECKOV, faults_of_checkov)}


def main():
    linter, template, *report = sys.argv[1:] if 3 <= len(sys.argv) <= 4 else sys.exit(__doc__)
    breaks, faults_of = LINTERS[linter]
    copy = broken(Path(template).read_text(), breaks)
    if not report:
        sys.stdout.write(copy)
        return
    faults = list(faults_of(copy, json.loads(Path(report[0]).read_text())))
    if faults:
        sys.exit("\n".join(f"broken.py: {fault}" for fault in faults))
    print(f"{linter}: all {len(breaks)} breaks were found, of {len({one.rule for one in breaks})} rules")


if __name__ == "__main__":
    main()
