#!/usr/bin/env bash
# The AWS CLI on SQS, SNS, DynamoDB and streams, as somebody types it.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/checks.sh"
export AWS_PAGER='' AWS_DEFAULT_OUTPUT=text

# The CLI of PyPI (version 1) overlooks AWS_ENDPOINT_URL for SQS alone (aws/aws-cli#8737), so that
# `aws sqs` would speak to AWS itself; the option it respects.
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }

# -- SQS
desk=$(aws sqs create-queue --queue-name cli-desk --attributes VisibilityTimeout=60 --tags team=desk --query QueueUrl)
equal "sqs: a queue is found by its name" "$(aws sqs get-queue-url --queue-name cli-desk)" "$desk"
aws sqs send-message --queue-url "$desk" --message-body 'good morning' >/dev/null \
    --message-attributes '{"lang": {"DataType": "String", "StringValue": "en"}}'
read -r body lang handle < <(aws sqs receive-message --queue-url "$desk" --message-attribute-names All --wait-time-seconds 2 \
    --query 'Messages[0].[Body, MessageAttributes.lang.StringValue, ReceiptHandle]' | sed 's/ /_/')
equal "sqs: a message is received with its attributes" "$body $lang" "good_morning en"
aws sqs delete-message --queue-url "$desk" --receipt-handle "$handle"
equal "sqs: a deleted message is counted no more" "$(aws sqs get-queue-attributes --queue-url "$desk" \
    --attribute-names ApproximateNumberOfMessages ApproximateNumberOfMessagesNotVisible --output json \
    --query 'values(Attributes)' | tr -d ' \n')" '["0","0"]'
equal "sqs: a batch is sent" "$(aws sqs send-message-batch --queue-url "$desk" --query 'length(Successful)' \
    --entries Id=a,MessageBody=one Id=b,MessageBody=two)" 2
equal "sqs: a batch is received" "$(aws sqs receive-message --queue-url "$desk" --max-number-of-messages 10 \
    --query 'sort(Messages[].Body)')" $'one\ttwo'
refused "sqs: a queue that is not there is refused" AWS.SimpleQueueService.NonExistentQueue \
    aws sqs get-queue-url --queue-name cli-nowhere

# -- SNS into SQS
offers=$(aws sns create-topic --name cli-offers --query TopicArn)
box=$(aws sqs create-queue --queue-name cli-box --query QueueUrl)
box_arn=$(aws sqs get-queue-attributes --queue-url "$box" --attribute-names QueueArn --query Attributes.QueueArn)
subscription=$(aws sns subscribe --topic-arn "$offers" --protocol sqs --notification-endpoint "$box_arn" \
    --attributes '{"RawMessageDelivery": "true", "FilterPolicy": "{\"kind\": [{\"prefix\": \"off\"}]}"}' --return-subscription-arn)
equal "sns: a subscription is listed" "$(aws sns list-subscriptions-by-topic --topic-arn "$offers" \
    --query 'Subscriptions[0].SubscriptionArn')" "$subscription"
for kind in bill offer; do
    aws sns publish --topic-arn "$offers" --message "a $kind" >/dev/null \
        --message-attributes "{\"kind\": {\"DataType\": \"String\", \"StringValue\": \"$kind\"}}"
done
equal "sns: the filter policy lets one of two messages through" "$(aws sqs receive-message --queue-url "$box" \
    --max-number-of-messages 10 --wait-time-seconds 2 --query 'Messages[].Body')" "a offer"
aws sns delete-topic --topic-arn "$offers"
refused "sns: a deleted topic is gone" NotFound aws sns get-topic-attributes --topic-arn "$offers"

# -- DynamoDB and its stream
arn=$(aws dynamodb create-table --table-name cli-slots --billing-mode PAY_PER_REQUEST \
    --attribute-definitions AttributeName=pk,AttributeType=S --key-schema AttributeName=pk,KeyType=HASH \
    --stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE --query TableDescription.LatestStreamArn)
aws dynamodb wait table-exists --table-name cli-slots
take=(aws dynamodb put-item --table-name cli-slots --condition-expression 'attribute_not_exists(pk)' --item)
"${take[@]}" '{"pk": {"S": "slot-1"}, "holder": {"S": "kim"}}'
refused "dynamodb: a slot is taken once" ConditionalCheckFailedException \
    "${take[@]}" '{"pk": {"S": "slot-1"}, "holder": {"S": "lee"}}'
equal "dynamodb: the first holder stays" "$(aws dynamodb get-item --table-name cli-slots --consistent-read \
    --key '{"pk": {"S": "slot-1"}}' --query Item.holder.S)" kim
refused "dynamodb: a transaction with a lost condition is cancelled" TransactionCanceledException \
    aws dynamodb transact-write-items --transact-items '[
        {"Put": {"TableName": "cli-slots", "Item": {"pk": {"S": "slot-2"}}}},
        {"ConditionCheck": {"TableName": "cli-slots", "Key": {"pk": {"S": "slot-1"}}, "ConditionExpression": "attribute_not_exists(pk)"}}]'
equal "dynamodb: a scan finds one item, since the cancelled one was not written" \
    "$(aws dynamodb scan --table-name cli-slots --query 'Items[].pk.S')" slot-1
shard=$(aws dynamodbstreams describe-stream --stream-arn "$arn" --query 'StreamDescription.Shards[0].ShardId')
iterator=$(aws dynamodbstreams get-shard-iterator --stream-arn "$arn" --shard-id "$shard" \
    --shard-iterator-type TRIM_HORIZON --query ShardIterator)
equal "dynamodbstreams: the stream has the one change" "$(aws dynamodbstreams get-records --shard-iterator "$iterator" \
    --query 'Records[].[eventName, dynamodb.NewImage.holder.S]')" $'INSERT\tkim'

exit "$failed"
