"""What notification-planner does, as a Python team would write it with Powertools: reads a batch of
events from SQS, plans one notification per event under a condition, once per event however often it
is delivered, and answers with the messages that must come again."""

import os
import uuid

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

logger = Logger(service="peer")
processor = BatchProcessor(event_type=EventType.SQS)
notifications = boto3.resource("dynamodb").Table(os.environ["NOTIFICATIONS_TABLE"])
seen = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
once = IdempotencyConfig(event_key_jmespath="id", raise_on_no_idempotency_key=True)

DEFINITIONS = {"com.example.orders.order-placed.v1": "order-confirmation"}


@idempotent_function(data_keyword_argument="event", persistence_store=seen, config=once)
def plan(event):
    definition = DEFINITIONS[event["type"]]
    recipient = event["data"]["userId"]
    notification = uuid.uuid5(uuid.NAMESPACE_URL, f"{event['subject']} {recipient} {definition}").hex
    notifications.put_item(
        Item={
            "pk": f"notification#{notification}",
            "definition": definition,
            "recipient": recipient,
            "cause": event["id"],
            "correlation": event["correlationid"],
        },
        ConditionExpression="attribute_not_exists(pk)",
    )
    logger.info("planned", extra={"notification": notification})
    return {"notification": notification}


def plan_record(record):
    return plan(event=record.json_body)


def handler(event, context):
    once.register_lambda_context(context)
    return process_partial_response(
        event=event, record_handler=plan_record, processor=processor, context=context
    )
