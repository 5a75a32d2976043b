"""A Celery worker executes tasks that are sent through the engine, and survives what a worker must."""

import os
import signal
import subprocess
import sys
import tempfile
import time

import boto3

from checks import check, equal, eventually, finish

scratch = tempfile.TemporaryDirectory()
os.environ["CALLBOARD_RUNS"] = RUNS = os.path.join(scratch.name, "runs")
open(RUNS, "w").close()

from celery import chord, group  # noqa: E402
from celery_tasks import add, app, fail, slow, step, third_time_lucky, total  # noqa: E402

sqs = boto3.client("sqs")
QUICK = {"timeout": 30, "interval": 0.05}


class Worker:
    """`celery worker` on some queues, in a process group of its own, ready when made."""

    def __init__(self, name, *queues):
        self.log = os.path.join(scratch.name, f"{name}.log")
        command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-n", name, "-Q", ",".join(queues)]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command + ["-c", "2", "-l", "INFO"],
                cwd=os.path.dirname(os.path.abspath(__file__)),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        eventually(lambda: "ready." in open(self.log).read(), seconds=30)

    def stop(self):
        self.process.terminate()
        return self.process.wait(30)

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def runs(prefix):
    return [line for line in open(RUNS).read().splitlines() if line.startswith(prefix)]


def waiting(name):
    counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counted)["Attributes"]
    return sum(int(number) for number in found.values())


app.backend.client  # Makes the table of results, for which the worker's two processes would race.
worker = Worker("first", "celery-tasks", "celery-steps.fifo")


@check("fifty tasks are executed, once each, and their results come from DynamoDB")
def _():
    results = group(add.s(n, n) for n in range(50)).apply_async()
    equal(results.get(**QUICK), [2 * n for n in range(50)])
    equal(sorted(runs("add")), sorted(f"add {n}" for n in range(50)))


@check("a failing task gives its exception to the caller, and a retried one its result")
def _():
    error = fail.delay().get(propagate=False, **QUICK)
    equal((type(error), str(error)), (ValueError, "on purpose"))
    equal(third_time_lucky.delay().get(**QUICK), 2)


@check("a chord counts its tasks in DynamoDB and goes on when the last is done")
def _():
    equal(chord(add.s(100 + n, 1) for n in range(5))(total.s()).get(**QUICK), 515)


@check("a task with a countdown waits for its time")
def _():
    start = time.monotonic()
    equal(add.apply_async((1000, 1), countdown=2).get(**QUICK), 1001)
    took = time.monotonic() - start
    assert 2 <= took < 10, f"{took:.1f} s"


@check("tasks on a FIFO queue begin in the order in which they were sent")
def _():
    for number in range(5):
        step.apply_async((number,), queue="celery-steps.fifo", MessageGroupId="one")
    eventually(lambda: len(runs("step")) == 5)
    # Celery's pool may start two at a time, so that neighbours can change places in the file.
    for place, line in enumerate(runs("step")):
        assert abs(int(line.split()[1]) - place) <= 1, runs("step")


@check("what was executed has left the queues")
def _():
    eventually(lambda: waiting("celery-tasks") == 0 and waiting("celery-steps.fifo") == 0)


@check("a worker stops in good order")
def _():
    equal(worker.stop(), 0)


@check("the task of a worker that was killed is executed by the next, when its lease is over")
def _():
    victim = Worker("victim", "celery-late")
    result = slow.apply_async((3,), queue="celery-late")
    eventually(lambda: runs("slow begins"))
    victim.kill()
    heir = Worker("heir", "celery-late")
    try:
        equal(result.get(**QUICK), "done")
        equal(runs("slow"), ["slow begins", "slow begins", "slow ends"])
        eventually(lambda: waiting("celery-late") == 0)
    finally:
        heir.stop()


if worker.process.poll() is None:
    worker.kill()
for name in os.listdir(scratch.name):  # Shown by run.sh when a check failed.
    print(f"---- {name}\n{open(os.path.join(scratch.name, name)).read()}", file=sys.stderr)
finish()
