#!/usr/bin/env python3
"""Puts work in flight on a deployed stack, and looks what became of it after another version was
deployed over it. One phase per call; infra/scripts/emulated-upgrade.sh deploys in between.

    infra/scripts/upgrade-in-flight.py put|upgraded|put-next|rolled-back|restored DIRECTORY

DIRECTORY keeps what one phase tells the next; the stack is what the environment names (see
upgrade_world.py).

Exit codes: 0 all as it must be, 1 otherwise."""

import json
import pathlib
import re
import sys
import time

from upgrade_world import (
    CONSUMERS, DEAD, age, answer, at_rest, call, check_journal, check_views, code, depth, dlq,
    events, expect, expect_offers, join, link, mails, must, order, queued, release, say, set_aside,
    state, switch, the_mails_came, until, versions, withdrawn,
)

# The window of an offer that runs out: its timer waits while N+1 is deployed.
SHORT_WINDOW_SECONDS = 40


def put():
    """Work of N: answered and unanswered offers, a running deadline, and messages in every queue
    and in the stream."""
    state["code"] = code()
    for scene, people in {"answered": 1, "declined": 2, "expires": 2, "mail": 1, "plan": 1, "letter": 1,
                          "cascade": 5, "relay": 2, "buyer": 1, "long": 2}.items():
        join(scene, people)
    withdrawn("long", 1, snapshot_version=40)
    withdrawn("long", 2, snapshot_version=40)
    must(release("long", 1, afterVersion=40) == 41, "N reads a snapshot of its own")
    release("answered")
    release("declined")
    release("expires", window=SHORT_WINDOW_SECONDS)
    expect_offers("answered", "declined", "expires", "long")
    until("four offers by mail", lambda: len(mails()) == 4)
    switch(False, "EMAIL_SENDER")
    release("mail")
    for number in range(1, 4):
        order("buyer-1", number)
    queued("EMAIL_SENDER", 4)
    switch(False, "NOTIFICATION_PLANNER")
    release("plan")
    release("letter")
    queued("NOTIFICATION_PLANNER", 2)
    set_aside("NOTIFICATION_PLANNER", "slot-letter-1")
    queued("NOTIFICATION_PLANNER", 1)
    switch(False, "WAITLIST_CASCADE", "WAITLIST_PROJECTOR", "DEADLINE_CLOCK")
    for number in range(1, 6):
        release("cascade", number)
    queued("WAITLIST_CASCADE", 5)
    queued("WAITLIST_PROJECTOR", 5)
    switch(False, "OUTBOX_RELAY")
    for number in range(1, 3):
        release("relay", number)
    must(not any(event_type.endswith(".v2") for _, _, event_type, _ in events()), "N writes no v2")
    counts = {name: depth(f"{name}_QUEUE") for name in CONSUMERS if name != "DEADLINE_CLOCK"}
    counts["dead letters"] = depth("NOTIFICATION_PLANNER_DEAD_LETTER_QUEUE")
    counts["commits not relayed"] = 2
    state["in flight"] = sum(counts.values())
    say(f"in flight, all of v1: {state['in flight']} {counts}, and {depth('DEADLINE_CLOCK_QUEUE')} timers")
    say(f"in the journal: {versions()}")


def upgraded():
    """Nothing of N's is lost, misread or done twice, and N+1's own work is done."""
    changed = code()
    same = [name for name in changed if changed[name] == state["code"][name]]
    must(not same, f"all functions have other code; not so {same}")
    begun = time.monotonic()
    # A link that N signed, for an offer that N made; nothing else runs yet.
    must(answer("answered-1", "accept") == 200, "an offer of N is accepted under N+1")
    must(answer("declined-1", "decline") == 200, "an offer of N is declined under N+1")
    switch(True, *CONSUMERS, "OUTBOX_RELAY")
    dlq("replay", "--execute")
    for number in range(1, 4):
        expect("buyer-1", f"order ord-{number}")
    expect_offers("mail", "plan", "letter")
    expect_offers("cascade", people=5)
    expect_offers("relay", people=2)
    expect("answered-1", "booked")
    expect("declined-2", "offer", "slot-declined-1")
    expect("expires-2", "offer", "slot-expires-1")
    until("the offer that follows one that ran out", lambda: any(m["to"] == ["expires-2@example.com"] for m in mails()))
    must(answer("expires-2", "accept") == 200, "it is accepted")
    expect("expires-2", "booked")
    the_mails_came()
    took = time.monotonic() - begun
    left = sum(depth(queue) for queue in DEAD + [f"{name}_QUEUE" for name in CONSUMERS if name != "DEADLINE_CLOCK"])
    say(f"handled: {state['in flight'] - left} of {state['in flight']} in {took:.1f} s, each with its mail or view; left in a queue: {left}")
    join("fresh")
    release("fresh")
    expect_offers("fresh")
    must(release("long", 2, afterVersion=1) == 2, "N+1 passes a snapshot of N over and folds its events")
    expect("long-2", "offer", "slot-long-2")
    the_mails_came()
    in_cascade = {f"cascade_{n}": ("held", f"cascade-{n}") for n in range(1, 6)}
    check_views(**in_cascade, answered_1=("booked", "answered-1"), declined_1=("held", "declined-2"),
                expires_1=("booked", "expires-2"), plan_1=("held", "plan-1"), mail_1=("held", "mail-1"),
                letter_1=("held", "letter-1"),
                relay_1=("held", "relay-1"), relay_2=("held", "relay-2"), fresh_1=("held", "fresh-1"),
                long_1=("held", "long-1"), long_2=("held", "long-2"))
    holds = check_journal()
    say(f"in the journal: {versions()}; {holds} holds, each as long as its release said; {len(mails())} mails, each once")
    must(" of v2" in versions(), "N+1 writes v2")


def put_next():
    """Work of N+1, in the queues of every consumer that reads what it changed."""
    for scene in ("back-mail", "back-plan", "back-cascade", "beside"):
        join(scene)
    at_rest()
    switch(False, "EMAIL_SENDER")
    release("back-mail")
    queued("EMAIL_SENDER", 1)
    switch(False, "NOTIFICATION_PLANNER")
    release("back-plan")
    queued("NOTIFICATION_PLANNER", 1)
    until("views of all that", lambda: depth("WAITLIST_PROJECTOR_QUEUE") == 0)
    switch(False, "WAITLIST_CASCADE", "WAITLIST_PROJECTOR")
    release("back-cascade")
    queued("WAITLIST_CASCADE", 1)
    queued("WAITLIST_PROJECTOR", 1)


def rolled_back():
    """N reads nothing wrong and loses nothing: what it cannot read waits, with the reason."""
    must(code() == state["code"], "N's code runs again")
    must(call("POST", link("fresh-1"), "answer=accept", "application/x-www-form-urlencoded")[0] == 503,
         "a yes to an offer of N+1 is asked to come again")
    met = ["WAITLIST_CASCADE", "WAITLIST_PROJECTOR", "NOTIFICATION_PLANNER", "EMAIL_SENDER"]
    for consumer in met:
        age(consumer)
    switch(True, *CONSUMERS)
    for consumer in met:
        queue = f"{consumer}_DEAD_LETTER_QUEUE"
        until(f"a letter in {queue}", lambda: depth(queue) == 1)
    letters = [json.loads(line) for line in dlq("export").splitlines()]
    for letter in letters:
        must(re.search(r"`callboard\.waitlist\.(slot-released|offer-made)\.v2` is of a version", letter["reason"]),
             f"a reason names the version: {letter['reason']}")
    must(len(letters) == len(met), f"{len(met)} letters; there are {len(letters)}")
    release("beside")
    expect_offers("beside")
    until("the mail of N's own work", lambda: any(m["to"] == ["beside-1@example.com"] for m in mails()))
    say(f"set aside: {len(letters)} of {len(met)} messages of N+1's work, each with the version in its reason; N's own work goes on")


def restored():
    """What was set aside is done, once."""
    must(code() != state["code"], "N+1's code runs again")
    dlq("replay", "--execute")
    must(answer("fresh-1", "accept") == 200, "the yes is taken")
    expect("fresh-1", "booked")
    expect_offers("back-mail", "back-plan", "back-cascade")
    the_mails_came()
    check_views(fresh_1=("booked", "fresh-1"), back_mail_1=("held", "back-mail-1"), beside_1=("held", "beside-1"),
                back_plan_1=("held", "back-plan-1"), back_cascade_1=("held", "back-cascade-1"))
    holds = check_journal()
    say(f"replayed and done; in the journal: {versions()}; {holds} holds, {len(mails())} mails, each once")


def main():
    phases = {"put": put, "upgraded": upgraded, "put-next": put_next, "rolled-back": rolled_back, "restored": restored}
    kept = pathlib.Path(sys.argv[2], "state.json")
    if kept.exists():
        state.update(json.loads(kept.read_text()))
    phases[sys.argv[1]]()
    kept.write_text(json.dumps(state))


if __name__ == "__main__":
    main()
