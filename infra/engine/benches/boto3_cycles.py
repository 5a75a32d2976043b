"""SQS cycles (send, receive, delete) of one boto3 client: boto3_cycles.py PORT QUEUE SECONDS"""

import sys
import time

import boto3

port, queue, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
sqs = boto3.client(
    "sqs",
    endpoint_url=f"http://127.0.0.1:{port}",
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
url = sqs.create_queue(QueueName=queue)["QueueUrl"]
body = "x" * 200
cycles = 0
start = time.monotonic()
while time.monotonic() - start < seconds:
    sqs.send_message(QueueUrl=url, MessageBody=body)
    for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        cycles += 1
print(cycles / (time.monotonic() - start))
