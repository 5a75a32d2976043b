"""A deployed stack as upgrade-in-flight.py sees it: its API, mails, queues, mappings and journal, by the
variables of infra/scripts/stack-env.py, with CALLBOARD, the path of the command, and
CALLBOARD_ENV_FILE, the file of these variables."""

import calendar
import collections
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

SERVICE = "physio"
# An offer's window: longer than the whole test, so that nothing runs out which is not meant to.
WINDOW_SECONDS = 1800
# Most takes a moment. A message that met the wrong code just before it was replaced comes back after
# up to 120 s (Backoff::MESSAGE), or after its visibility of 60 s if the invocation was cut off.
PATIENCE_SECONDS = 200
LOOK_SECONDS = 0.2
# The functions dead-letter at the fifth try (shared/runtime/src/batch/finish.rs, MAX_TRIES).
TRIES_MAX = 5
CONSUMERS = ["WAITLIST_CASCADE", "WAITLIST_PROJECTOR", "DEADLINE_CLOCK", "NOTIFICATION_PLANNER", "EMAIL_SENDER"]
DEAD = [f"{name}_DEAD_LETTER_QUEUE" for name in CONSUMERS + ["OUTBOX_RELAY", "SUBSCRIPTIONS"]]

sqs, awslambda, dynamodb = boto3.client("sqs"), boto3.client("lambda"), boto3.client("dynamodb")
credentials = boto3.Session().get_credentials()
# What one phase tells the next.
state = {"slots": {}, "mails": {}}


def loopback(host, *others, resolve=socket.getaddrinfo):
    """Names under `localhost` are this machine (RFC 6761); not every resolver knows."""
    return resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *others)


socket.getaddrinfo = loopback


def named(name):
    return os.environ[f"CALLBOARD_{name}"]


def until(what, look):
    """What `look` finds, once it is something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            sys.exit(f"waited {PATIENCE_SECONDS} s in vain for {what}")
        time.sleep(LOOK_SECONDS)


def must(holds, what):
    if not holds:
        sys.exit(f"not so: {what}")


# ------------------------------------------------------------------------------- the HTTP API


def call(method, url, body=None, content_type="application/json"):
    """Status, headers and body of a signed request, whatever the status."""
    data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    request = AWSRequest(method, url, data=data, headers={"content-type": content_type})
    SigV4Auth(credentials, "execute-api", os.environ["AWS_REGION"]).add_auth(request)
    sent = urllib.request.Request(url, data, dict(request.headers), method=method)
    try:
        with urllib.request.urlopen(sent, timeout=PATIENCE_SECONDS) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def api(method, path, body=None):
    status, headers, text = call(method, named("API") + path, body)
    must(status < 300, f"{method} {path} succeeds; it is {status}: {text}")
    return headers, json.loads(text or "{}")


def join(scene, people=1):
    """People who wait on the scene's list, in the order in which they will be asked."""
    for number in range(1, people + 1):
        person = f"{scene}-{number}"
        api("PUT", f"/v1/recipients/{person}", {"email": f"{person}@example.com", "name": person})
        path = f"/v1/waitlists/{scene}/entries"
        entry = {"entryId": f"entry-{person}", "recipientId": person, "service": SERVICE}
        headers, _ = api("POST", path, entry)
        commit = urllib.request.quote(headers["callboard-commit"])
        api("GET", f"{path}/entry-{person}?at-least={commit}")


def release(scene, number=1, window=WINDOW_SECONDS, **more):
    """A slot on the scene's list, at a time that no other slot has; the version released."""
    slot, minute = f"slot-{scene}-{number}", len(state["slots"])
    starts, ends = f"2030-05-02T08:{minute:02}:00.000Z", f"2030-05-02T19:{minute:02}:00.000Z"
    state["slots"][slot] = {"starts": starts, "ends": ends, "window": window}
    body = {"slotId": slot, "service": SERVICE, "startsAt": starts, "endsAt": ends, "offerWindowSeconds": window}
    return api("POST", f"/v1/waitlists/{scene}/slots", body | more)[1]["slotVersion"]


def order(person, number):
    data = {"orderId": f"ord-{number}", "userId": person, "items": ["book"], "totalAmount": 1}
    event = {"eventType": "OrderPlaced", "eventId": f"ord-{number}", "timestamp": now(), "data": data}
    api("POST", "/v1/events", event)


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def answer(person, what):
    """Answers the offer in a person's mail by its link; the status."""
    status, _, _ = call("POST", link(person), f"answer={what}", "application/x-www-form-urlencoded")
    return status


def link(person):
    offers = [mail for mail in mails() if mail["to"] == [f"{person}@example.com"] and "/o/" in mail["text"]]
    return re.search(r"https?://\S+/o/[\w.~-]+", offers[-1]["text"])[0]


# -------------------------------------------------------------------------------------- mails


def mails():
    with urllib.request.urlopen(named("MAILBOX")) as answer:
        return json.load(answer)


def kind(mail):
    subject = mail["subject"]
    for start, name in [("An earlier", "offer"), ("Your appointment", "booked")]:
        if subject.startswith(start):
            return name
    return subject.removeprefix("Your ")


def expect(person, what="offer", slot=None):
    """One mail from now on: an offer names its slot."""
    state["mails"][f"{person} {what}"] = slot


def expect_offers(*scenes, people=1):
    for scene in scenes:
        for number in range(1, people + 1):
            expect(f"{scene}-{number}", "offer", f"slot-{scene}-{number}")


def the_mails_came():
    """Every mail that was to come, once, and no other; with the times of its slot."""
    wanted = collections.Counter(list(state["mails"]))
    got = lambda: collections.Counter(f"{m['to'][0].split('@')[0]} {kind(m)}" for m in mails())
    until(f"the mails {sorted((wanted - got()).elements())}", lambda: not wanted - got())
    at_rest()
    must(got() == wanted, f"no mail comes twice or unasked; beyond what is due came {got() - wanted}")
    for mail in mails():
        slot = state["mails"][f"{mail['to'][0].split('@')[0]} {kind(mail)}"]
        for time_of in ("starts", "ends") if slot else ():
            told = state["slots"][slot][time_of][11:16]
            must(told in mail["text"] and told in mail["html"], f"the mail of {slot} says {told}")


# --------------------------------------------------------------------- queues and mappings


def depth(queue, *counts):
    """Messages in a queue: all, or of some of the three counts."""
    url = named(queue)
    names = [f"ApproximateNumberOfMessages{count}" for count in counts or ("", "NotVisible", "Delayed")]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in attributes.values())


def queued(consumer, count):
    """Waits for so many messages; the sweep of the agenda may add what has become due."""
    queue = f"{consumer}_QUEUE"
    until(f"{count} messages in {queue}", lambda: depth(queue) >= count)


def mappings():
    """Mapping ids by the function's logical name."""
    found = {}
    for name in CONSUMERS + ["OUTBOX_RELAY"]:
        listed = awslambda.list_event_source_mappings(FunctionName=named(f"{name}_FUNCTION"))
        found[name] = [mapping["UUID"] for mapping in listed["EventSourceMappings"]]
        must(found[name], f"{name} has a mapping")
    return found


def switch(enabled, *names):
    for name in names:
        for mapping in mappings()[name]:
            awslambda.update_event_source_mapping(UUID=mapping, Enabled=enabled)
            wanted = "Enabled" if enabled else "Disabled"
            until(f"a mapping of {name}, {wanted}",
                  lambda: awslambda.get_event_source_mapping(UUID=mapping)["State"] == wanted)


def at_rest():
    """No message waits for a consumer, now and a second later; timers may."""
    counts = lambda: {name: depth(f"{name}_QUEUE", "", "NotVisible") for name in CONSUMERS}
    def quiet():
        if any(counts().values()):
            return False
        time.sleep(1)
        return not any(counts().values())
    until(f"empty queues, not {counts()}", quiet)
    dead = {name: depth(name) for name in DEAD if depth(name)}
    must(not dead, f"no dead letters; there are {dead}")


def set_aside(queue, body_has):
    """Makes a letter of one message, as a function does that fails at it."""
    def take():
        received = sqs.receive_message(QueueUrl=named(f"{queue}_QUEUE"), MaxNumberOfMessages=10,
                                       VisibilityTimeout=0, MessageAttributeNames=["All"])
        return [m for m in received.get("Messages", []) if body_has in m["Body"]]
    message = until(f"a message with {body_has}", take)[0]
    text = lambda value: {"DataType": "String", "StringValue": value}
    attributes = {name: text(value["StringValue"]) for name, value in message["MessageAttributes"].items()}
    attributes |= {"callboard-reason": text("put aside while N ran"), "callboard-error-class": text("terminal"),
                   "callboard-function": text(queue.lower().replace("_", "-")), "callboard-attempt": text("1")}
    sqs.send_message(QueueUrl=named(f"{queue}_DEAD_LETTER_QUEUE"), MessageBody=message["Body"],
                     MessageAttributes=attributes)
    sqs.delete_message(QueueUrl=named(f"{queue}_QUEUE"), ReceiptHandle=message["ReceiptHandle"])


def age(consumer):
    """Receives what waits so often that its next delivery is the last try: that takes minutes
    otherwise."""
    for _ in range(1, TRIES_MAX):
        received = sqs.receive_message(QueueUrl=named(f"{consumer}_QUEUE"), VisibilityTimeout=0)
        must(len(received.get("Messages", [])) == 1, f"one message waits for {consumer}")


def dlq(*arguments):
    command = [os.environ["CALLBOARD"], "dlq", *arguments, "--env-file", named("ENV_FILE")]
    done = subprocess.run(command, capture_output=True, text=True)
    must(done.returncode == 0, f"{' '.join(command[1:3])} succeeds: {done.stdout}{done.stderr}")
    return done.stdout


# ------------------------------------------------------------------------------- the journal


def commits():
    pages = dynamodb.get_paginator("scan").paginate(TableName=named("JOURNAL_TABLE"), ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def events():
    """Stream, time in ms, type and data of every event."""
    for item in commits():
        for event in json.loads(item["ev"]["S"]):
            yield item["pk"]["S"], int(item["at"]["N"]), event["t"], event["d"]


def versions():
    counted = collections.Counter(event_type.rsplit(".", 1)[1] for _, _, event_type, _ in events())
    return ", ".join(f"{count} of {version}" for version, count in sorted(counted.items()))


def fold_version():
    """The version of N's fold of a slot; of another one a snapshot would be passed over."""
    source = pathlib.Path(__file__).parents[2] / "shared/domain/src/waitlist/slot.rs"
    return int(re.search(r"const VERSION: u32 = (\d+);", source.read_text())[1])


def withdrawn(scene, number, snapshot_version):
    """A slot that was released once and withdrawn, with a snapshot of N's form in its last commit
    that tells of another version: whoever reads it says so."""
    slot, stream = f"slot-{scene}-{number}", f"slot#slot-{scene}-{number}"
    known = {"waitlistId": scene, "slotId": slot, "slotVersion": 1}
    times = {"startsAt": "2030-05-02T08:00:00.000Z", "endsAt": "2030-05-02T19:00:00.000Z"}
    told = [("slot-released", known | times | {"service": SERVICE, "offerWindowSeconds": WINDOW_SECONDS}),
            ("slot-withdrawn", known)]
    facts = {"waitlist_id": scene, "slot_id": slot, "version": snapshot_version, "service": SERVICE,
             "starts_at": times["startsAt"], "ends_at": times["endsAt"], "window_seconds": WINDOW_SECONDS,
             "terms": {"policyVersion": 0, "mode": {"is": "sequential"}}, "swap_depth": 0}
    state_then = {"status": {"is": "withdrawn"}, "facts": facts, "offered": [], "ended": {},
                  "to_tell": [], "draws": 0, "cursors": [], "tallies": []}
    for commit, (name, data) in enumerate(told, start=1):
        event = {"t": f"callboard.waitlist.{name}.v1", "d": data, "p": False}
        item = {"pk": stream, "id": uuid.uuid4().hex, "corr": stream, "cause": stream, "hash": "", "ev": json.dumps([event])}
        if commit == len(told):
            item["snap"] = json.dumps(state_then)
        numbers = {"sk": commit, "at": int(time.time() * 1000)} | ({"snapv": fold_version()} if "snap" in item else {})
        typed = {name: {"S": value} for name, value in item.items()}
        typed |= {name: {"N": str(value)} for name, value in numbers.items()}
        dynamodb.put_item(TableName=named("JOURNAL_TABLE"), Item=typed)


def check_journal():
    """Each offer stands as long as its slot's release said, whichever version wrote which."""
    holds = 0
    for stream, at, event_type, data in events():
        if event_type.startswith("callboard.waitlist.slot-held."):
            holds += 1
            window = state["slots"][stream.removeprefix("slot#")]["window"]
            stands = (time_ms(data["expiresAt"]) - at) / 1000
            must(abs(stands - window) < 1, f"an offer of {stream} stands for {window} s; it does for {stands}")
    must(holds > 0, "slots were held")
    numbers = collections.defaultdict(set)
    for item in commits():
        numbers[item["pk"]["S"]].add(int(item["sk"]["N"]))
    must(all(has == set(range(1, len(has) + 1)) for has in numbers.values()), "no commit is missing")
    return holds


def time_ms(text):
    whole, milliseconds = re.fullmatch(r"(.*?)(?:\.(\d{3}))?Z", text).groups()
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(milliseconds or 0)


def check_views(**slots):
    """State and person of slots, as their views show them, with the times of their release."""
    for slot, (wanted, person) in slots.items():
        slot = "slot-" + slot.replace("_", "-")
        shown = lambda: api("GET", f"/v1/slots/{slot}")[1]
        until(f"{slot}, {wanted} by {person}; it shows {shown()}",
              lambda: (shown()["state"], shown().get("entryId")) == (wanted, f"entry-{person}"))
        times = (shown()["startsAt"], shown()["endsAt"])
        must(times == (state["slots"][slot]["starts"], state["slots"][slot]["ends"]), f"times of {slot}: {times}")


def code():
    names = CONSUMERS + ["OUTBOX_RELAY", "COMMAND_API", "QUERY_API"]
    configuration = lambda name: awslambda.get_function_configuration(FunctionName=named(f"{name}_FUNCTION"))
    return {name: configuration(name)["CodeSha256"] for name in names}


def say(text):
    print(f"          {text}", flush=True)
