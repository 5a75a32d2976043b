#!/usr/bin/env bash
# Hears events of waitlists as another system does: a queue of its own, subscribed to the topic with a
# filter. Prints each event as one line of JSON until Ctrl-C, then takes queue and subscription away.
#
#   . .callboard/env && infra/scripts/subscribe.sh [TYPE]
#
# TYPE is the name of a public event (events/README.md), slot-filled unless given. Needs the AWS CLI.
set -euo pipefail

readonly TYPE=${1:-slot-filled}
readonly TOPIC=${CALLBOARD_WAITLIST_EVENTS_TOPIC:?is not set: read the env file of a running system, . .callboard/env}
# As long as SQS lets a receive wait: an idle subscriber asks three times a minute.
readonly WAIT_SECONDS=20

queue='' subscription=''
finish() {
    [ -z "$subscription" ] || aws sns unsubscribe --subscription-arn "$subscription"
    [ -z "$queue" ] || aws sqs delete-queue --queue-url "$queue"
}
trap finish EXIT
trap 'exit 130' INT TERM

queue=$(aws sqs create-queue --queue-name "callboard-subscriber-$TYPE-$$" --query QueueUrl --output text)
arn=$(aws sqs get-queue-attributes --queue-url "$queue" --attribute-names QueueArn \
    --query Attributes.QueueArn --output text)

# The topic, and nobody else, may send to the queue.
policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"'$arn'","Condition":{"ArnEquals":{"aws:SourceArn":"'$TOPIC'"}}}]}'
quoted=${policy//\"/\\\"}
aws sqs set-queue-attributes --queue-url "$queue" --attributes "{\"Policy\":\"$quoted\"}"

# By prefix: a filter that names one version drops the next without a trace.
filter='{\"type\":[{\"prefix\":\"callboard.waitlist.'$TYPE'.v\"}]}'
subscription=$(aws sns subscribe --topic-arn "$TOPIC" --protocol sqs --notification-endpoint "$arn" \
    --attributes "{\"RawMessageDelivery\":\"true\",\"FilterPolicy\":\"$filter\"}" \
    --return-subscription-arn --query SubscriptionArn --output text)
echo "subscribe: callboard.waitlist.$TYPE, Ctrl-C ends it" >&2

while true; do
    # One at a time: what is printed is taken off the queue before the next is asked for.
    message=$(aws sqs receive-message --queue-url "$queue" --wait-time-seconds "$WAIT_SECONDS" \
        --query 'Messages[0].[ReceiptHandle,Body]' --output text)
    receipt=${message%%$'\t'*}
    [ -n "$receipt" ] && [ "$receipt" != None ] || continue
    printf '%s\n' "${message#*$'\t'}"
    aws sqs delete-message --queue-url "$queue" --receipt-handle "$receipt"
done
