#!/usr/bin/env python3
"""A template that is wrong in one place per rule, and whether checkov found every one of them.

    broken.py TEMPLATE > COPY          writes the copy
    broken.py --compare REPORT         compares checkov's JSON report of the copy with what is wrong

infra/scripts/check-policy.sh --self-test runs both."""

import json
import re
import sys

# The form of an access key's secret, made here so that no scanner takes this file for one.
NO_SECRET = "".join("aB3/" for _ in range(10))

# Rule, resource, what is replaced in that resource's text, by what.
BREAKS = [
    ("CKV_CALLBOARD_1", "EmailSenderQueue", "SqsManagedSseEnabled: true", "SqsManagedSseEnabled: false"),
    ("CKV_CALLBOARD_2", "EmailSenderQueuePolicy", "Effect: Deny", "Effect: Allow"),
    ("CKV_AWS_26", "WaitlistEventsTopic", "      KmsMasterKeyId: alias/aws/sns\n", ""),
    ("CKV_AWS_28", "ContactsTable", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    ("CKV_AWS_45", "CommandApiFunction", "FUNCTION_NAME: command-api", f"AWS_SECRET: '{NO_SECRET}'"),
    ("CKV_AWS_60", "QueryApiRole", "{Service: lambda.amazonaws.com}", "{AWS: '*'}"),
    ("CKV_AWS_62", "OutboxRelayRole", "sqs:SendMessage\n                Resource: !GetAtt OutboxRelayFailureQueue.Arn", "'*'\n                Resource: '*'"),
    ("CKV_AWS_66", "QueryApiLogGroup", "    Properties:\n      RetentionInDays: !Ref LogRetentionDays\n", "    Properties: {}\n"),
    ("CKV_AWS_95", "HttpApiStage", "AccessLogSettings:", "RouteSettings:"),
    ("CKV_AWS_364", "CommandApiPermission", "SourceArn:", "EventSourceToken:"),
]


def broken(template):
    for rule, resource, old, new in BREAKS:
        found = re.search(rf"^  {resource}:\n(?:(?:    .*)?\n)+", template, re.MULTILINE)
        if not found or old not in found.group():
            sys.exit(f"broken.py: {resource} has no {old!r} to break for {rule}")
        text = found.group().replace(old, new, 1)
        template = template[: found.start()] + text + template[found.end() :]
    return template


def unnoticed(report):
    failed = {(check["check_id"], check["resource"].split(".")[-1]) for check in report["results"]["failed_checks"]}
    return [f"{rule} on {resource}" for rule, resource, _, _ in BREAKS if (rule, resource) not in failed]


def main():
    if sys.argv[1:2] == ["--compare"] and len(sys.argv) == 3:
        missed = unnoticed(json.load(open(sys.argv[2])))
        if missed:
            sys.exit(f"check-policy: went unnoticed: {', '.join(missed)}")
        print(f"check-policy: all {len(BREAKS)} breaks were found")
    elif len(sys.argv) == 2:
        sys.stdout.write(broken(open(sys.argv[1]).read()))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
