"""The tasks that celery_worker.py sends: SQS brings them, DynamoDB keeps their results."""

import os
import time

from celery import Celery

ENGINE = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
RUNS = os.environ["CALLBOARD_RUNS"]  # A file with a line per execution, since a result does not tell how often.

app = Celery(
    "callboard",
    broker=f"sqs://callboard:callboard@{ENGINE}",
    # No credentials here, they come from the environment: with them, Celery connects before it forks
    # its pool, and both processes then read each other's answers from the one connection.
    backend=f"dynamodb://@{ENGINE}/celery-results",
)
app.conf.update(
    broker_transport_options={
        "region": "us-east-1",
        "is_secure": False,
        "wait_time_seconds": 2,
        "polling_interval": 0,
        "visibility_timeout": 6,
    },
    worker_enable_remote_control=False,  # Celery has none over SQS.
    broker_connection_retry_on_startup=True,
    task_default_queue="celery-tasks",
)


def note(line):
    with open(RUNS, "a") as runs:
        runs.write(f"{line}\n")


@app.task
def add(x, y):
    note(f"add {x}")
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail():
    raise ValueError("on purpose")


@app.task(bind=True, max_retries=3)
def third_time_lucky(self):
    if self.request.retries < 2:
        # With none, the next try can be over before Celery has written that this one is to be
        # repeated, which then hides the result.
        raise self.retry(countdown=1)
    return self.request.retries


@app.task
def step(number):
    note(f"step {number}")


@app.task(acks_late=True)
def slow(seconds):
    note("slow begins")
    time.sleep(seconds)
    note("slow ends")
    return "done"
