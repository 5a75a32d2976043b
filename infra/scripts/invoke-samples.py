#!/usr/bin/env python3
"""Invokes the samples in the order of events/samples/answers.json on a `cargo lambda watch` whose
functions use a running `callboard dev`, and compares.

    infra/scripts/invoke-samples.py PORT        (infra/scripts/invoke-samples.sh starts all of it)

Exit codes: 0 all answered as documented, 1 otherwise."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

SAMPLES = pathlib.Path("events/samples")
# The first invocation of a function waits for cargo and its start.
INVOKE_SECONDS_MAX = 60
# SQS gives up to ten messages at once.
RECEIVE_MAX = 10


def invoke(port, function, case):
    """The function's answer; a body of JSON is read."""
    command = ["cargo", "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", port]
    command += [function, "--data-file", str(SAMPLES / function / f"{case}.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INVOKE_SECONDS_MAX)
    if done.returncode != 0:
        return {"failed": done.stderr.strip() or done.stdout.strip()}
    answer = json.loads(done.stdout)
    if isinstance(answer.get("body"), str) and "json" in answer["headers"].get("content-type", ""):
        answer["body"] = json.loads(answer["body"])
    return answer


def sqs(operation, **parameters):
    # The engine checks no signature, but wants one to tell account and region.
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/{os.environ['AWS_REGION']}/sqs/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{operation}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
    }
    body = json.dumps(parameters).encode()
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "{}")


def dead_letter_queue(function):
    """As the function itself is told; none for those that answer over HTTP."""
    text = pathlib.Path(os.environ["CALLBOARD_FUNCTIONS_ENV"], function).read_text()
    found = re.search(r"^export DLQ_URL='(.*)'$", text, re.MULTILINE)
    return found and found[1]


def take_letters(queue):
    """Reasons of the letters in a dead-letter queue, which is empty afterwards."""
    reasons = []
    while queue:
        asked = {"QueueUrl": queue, "MaxNumberOfMessages": RECEIVE_MAX, "MessageAttributeNames": ["All"]}
        messages = sqs("ReceiveMessage", **asked).get("Messages", [])
        if not messages:
            break
        for message in messages:
            reasons.append(message["MessageAttributes"]["callboard-reason"]["StringValue"])
            sqs("DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return sorted(reasons)


def holds(expected, actual):
    """Whether `actual` has all that `expected` has; lists must be as long."""
    if isinstance(expected, dict):
        members = expected.items()
        return isinstance(actual, dict) and all(k in actual and holds(v, actual[k]) for k, v in members)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(expected) != len(actual):
            return False
        return all(map(holds, expected, actual))
    return expected == actual


def undocumented(answers):
    there = {(path.parent.name, path.stem) for path in SAMPLES.glob("*/*.json")}
    return there.symmetric_difference((entry["function"], entry["case"]) for entry in answers)


def check(port, entry):
    """What is not as documented, as lines; none if all is."""
    function, expected = entry["function"], entry["answer"]
    answer = invoke(port, function, entry["case"])
    parked = take_letters(dead_letter_queue(function))
    wrong = []
    if not holds(expected, answer):
        wrong.append(f"answered   {json.dumps(answer)}\n      documented {json.dumps(expected)}")
    if parked != sorted(entry.get("parked", [])):
        wrong.append(f"parked     {json.dumps(parked)}\n      documented {json.dumps(entry.get('parked', []))}")
    return wrong


def main(port):
    answers = json.loads((SAMPLES / "answers.json").read_text())
    if strays := undocumented(answers):
        sys.exit(f"samples without an answer, or answers without a sample: {sorted(strays)}")
    right = 0
    for entry in answers:
        begun = time.monotonic()
        wrong = check(port, entry)
        right += not wrong
        took = f"{(time.monotonic() - begun) * 1000:5.0f} ms"
        name = f"{entry['function']:21} {entry['case']:27}"
        print(f"{'ok ' if not wrong else 'BAD'} {took}  {name} {entry['what']}")
        for line in wrong:
            print(f"      {line}")
    print(f"{right} of {len(answers)} samples answered as documented")
    return 0 if right == len(answers) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
