//! Creating what a stack names, and finding it again.

use callboard_host::{HostError, Resource, provision};
use serde_json::{Value, json};

use crate::support::{TestQueue, engine, stack};

const ALL: &str = "  Journal:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: pk, AttributeType: S}
        - {AttributeName: sk, AttributeType: N}
        - {AttributeName: due_bucket, AttributeType: S}
      KeySchema:
        - {AttributeName: pk, KeyType: HASH}
        - {AttributeName: sk, KeyType: RANGE}
      GlobalSecondaryIndexes:
        - IndexName: agenda
          KeySchema: [{AttributeName: due_bucket, KeyType: HASH}]
          Projection: {ProjectionType: KEYS_ONLY}
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}
  Events:
    Type: AWS::SNS::Topic
    Properties: {FifoTopic: true, FifoThroughputScope: MessageGroup}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 10}
  Dead:
    Type: AWS::SQS::Queue
  Undelivered:
    Type: AWS::SQS::Queue
    Properties: {FifoQueue: true}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Work]
      PolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal: {Service: sns.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Work.Arn
            Condition: {ArnEquals: {aws:SourceArn: !Ref Events}}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Events
      Protocol: sqs
      Endpoint: !GetAtt Work.Arn
      RawMessageDelivery: true
      FilterPolicy: {type: [wanted]}
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Undelivered.Arn}
";

async fn publish(sns: &aws_sdk_sns::Client, topic: &str, kind: &str, body: &str) {
    sns.publish()
        .topic_arn(topic)
        .message(body)
        .message_group_id("g")
        .message_deduplication_id(body)
        .message_attributes(
            "type",
            aws_sdk_sns::types::MessageAttributeValue::builder()
                .data_type("String")
                .string_value(kind)
                .build()
                .expect("an attribute"),
        )
        .send()
        .await
        .expect("published");
}

#[tokio::test(start_paused = true)]
async fn a_second_run_finds_everything_and_changes_nothing() {
    let engine = engine().await;
    let sdk = engine.sdk_config();
    let first = provision(&stack(ALL), &sdk, "p-").await.expect("created");
    let second = provision(&stack(ALL), &sdk, "p-").await.expect("found");
    assert_eq!(first, second);
    let names: Vec<&str> = first.iter().map(|(_, resource)| resource.name()).collect();
    assert_eq!(
        names,
        [
            "p-Dead",
            "p-Events.fifo",
            "p-Journal",
            "p-Undelivered.fifo",
            "p-Work"
        ]
    );
    let sns = aws_sdk_sns::Client::new(&sdk);
    let topic = first.get("Events").expect("made").arn();
    let listed = sns
        .list_subscriptions_by_topic()
        .topic_arn(topic)
        .send()
        .await
        .expect("listed");
    assert_eq!(listed.subscriptions().len(), 1);
    publish(&sns, topic, "wanted", "yes").await;
    publish(&sns, topic, "other", "no").await;
    let work = TestQueue::of(&first, &sdk, "Work");
    assert_eq!(work.take(1).await, ["yes"], "raw and filtered");
    assert_eq!(work.held().await, 1);
}

#[tokio::test(start_paused = true)]
async fn tables_have_their_indexes_stream_and_time_to_live() {
    let engine = engine().await;
    let sdk = engine.sdk_config();
    let made = provision(&stack(ALL), &sdk, "p-").await.expect("created");
    let Some(Resource::Table {
        name, stream_arn, ..
    }) = made.get("Journal")
    else {
        panic!("{made:?}");
    };
    assert!(stream_arn.is_some());
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let table = dynamodb
        .describe_table()
        .table_name(name)
        .send()
        .await
        .expect("described")
        .table
        .expect("a table");
    let indexes: Vec<_> = table
        .global_secondary_indexes()
        .iter()
        .filter_map(|index| index.index_name())
        .collect();
    assert_eq!(indexes, ["agenda"]);
    let ttl = dynamodb
        .describe_time_to_live()
        .table_name(name)
        .send()
        .await
        .expect("described")
        .time_to_live_description
        .expect("a description");
    assert_eq!(ttl.attribute_name.as_deref(), Some("ttl"));
}

#[tokio::test(start_paused = true)]
async fn redrive_and_access_policies_point_at_real_arns() {
    use aws_sdk_sqs::types::QueueAttributeName as Name;
    let engine = engine().await;
    let sdk = engine.sdk_config();
    let made = provision(&stack(ALL), &sdk, "p-").await.expect("created");
    let work = TestQueue::of(&made, &sdk, "Work");
    let attributes = work
        .sqs
        .get_queue_attributes()
        .queue_url(&work.url)
        .attribute_names(Name::All)
        .send()
        .await
        .expect("attributes")
        .attributes
        .expect("some");
    let redrive: Value = serde_json::from_str(&attributes[&Name::RedrivePolicy]).expect("JSON");
    assert_eq!(
        redrive["deadLetterTargetArn"],
        made.get("Dead").expect("made").arn()
    );
    assert_eq!(
        redrive["maxReceiveCount"].to_string().trim_matches('"'),
        "10"
    );
    let policy: Value = serde_json::from_str(&attributes[&Name::Policy]).expect("JSON");
    assert_eq!(
        policy["Statement"][0]["Condition"],
        json!({"ArnEquals": {"aws:SourceArn": made.get("Events").expect("made").arn()}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_template_changes_what_is_there() {
    use aws_sdk_sqs::types::QueueAttributeName as Name;
    let engine = engine().await;
    let sdk = engine.sdk_config();
    provision(&stack(ALL), &sdk, "p-").await.expect("created");
    let changed = ALL
        .replace("VisibilityTimeout: 60", "VisibilityTimeout: 90")
        .replace(
            "FilterPolicy: {type: [wanted]}",
            "FilterPolicy: {type: [other]}",
        )
        .replace("  Work:", "  Renamed:")
        .replace("GetAtt Work.", "GetAtt Renamed.")
        .replace("Ref Work", "Ref Renamed");
    let made = provision(&stack(&changed), &sdk, "p-")
        .await
        .expect("changed");
    let sns = aws_sdk_sns::Client::new(&sdk);
    let topic = made.get("Events").expect("made").arn();
    let listed = sns
        .list_subscriptions_by_topic()
        .topic_arn(topic)
        .send()
        .await
        .expect("listed");
    let endpoints: Vec<_> = listed
        .subscriptions()
        .iter()
        .filter_map(|subscription| subscription.endpoint())
        .collect();
    assert_eq!(
        endpoints,
        [made.get("Renamed").expect("made").arn()],
        "the old one is gone"
    );
    publish(&sns, topic, "other", "now-wanted").await;
    let renamed = TestQueue::of(&made, &sdk, "Renamed");
    assert_eq!(renamed.take(1).await, ["now-wanted"]);
    // The same queue with another attribute is changed in place.
    let again = changed.replace("VisibilityTimeout: 90", "VisibilityTimeout: 120");
    provision(&stack(&again), &sdk, "p-")
        .await
        .expect("changed");
    let attributes = renamed
        .sqs
        .get_queue_attributes()
        .queue_url(&renamed.url)
        .attribute_names(Name::VisibilityTimeout)
        .send()
        .await
        .expect("attributes")
        .attributes
        .expect("some");
    assert_eq!(attributes[&Name::VisibilityTimeout], "120");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_changed_is_an_error_with_its_place() {
    let engine = engine().await;
    let sdk = engine.sdk_config();
    provision(&stack(ALL), &sdk, "p-").await.expect("created");
    let changed = ALL.replace(
        "        - {AttributeName: sk, KeyType: RANGE}",
        "        - {AttributeName: due_bucket, KeyType: RANGE}",
    );
    let changed = changed.replace("        - {AttributeName: sk, AttributeType: N}\n", "");
    let error = provision(&stack(&changed), &sdk, "p-")
        .await
        .expect_err("refused");
    let HostError::Template(problem) = &error else {
        panic!("{error}");
    };
    assert_eq!(problem.path, "Resources.Journal.Properties.KeySchema");
    assert!(problem.line > 1);
}

#[tokio::test(start_paused = true)]
async fn an_index_that_the_template_gained_is_added() {
    let engine = engine().await;
    let sdk = engine.sdk_config();
    let without = ALL
        .replace(
            "        - {AttributeName: due_bucket, AttributeType: S}\n",
            "",
        )
        .replace(
            "      GlobalSecondaryIndexes:
        - IndexName: agenda
          KeySchema: [{AttributeName: due_bucket, KeyType: HASH}]
          Projection: {ProjectionType: KEYS_ONLY}\n",
            "",
        );
    provision(&stack(&without), &sdk, "p-")
        .await
        .expect("created");
    let made = provision(&stack(ALL), &sdk, "p-").await.expect("changed");
    let table = aws_sdk_dynamodb::Client::new(&sdk)
        .describe_table()
        .table_name(made.get("Journal").expect("made").name())
        .send()
        .await
        .expect("described")
        .table
        .expect("a table");
    assert_eq!(table.global_secondary_indexes().len(), 1);
}
