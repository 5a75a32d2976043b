//! Accounts and regions: each has tables, queues and topics of its own.

use crate::support::{answer, engine, engine_in, item, journal, n, queue};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::TimeToLiveSpecification;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use callboard_engine::Engine;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const OWN: &str = "000000000000";
pub(crate) const OTHER: &str = "111122223333";

/// A configuration of clients in `region` with the access key id `key`.
pub(crate) fn config(engine: &Engine, key: &str, region: &str) -> SdkConfig {
    let credentials = Credentials::new(key, "secret", None, None, "test");
    engine
        .sdk_config()
        .into_builder()
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

pub(crate) fn sqs(engine: &Engine, key: &str, region: &str) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&config(engine, key, region))
}

async fn arn(sqs: &aws_sdk_sqs::Client, url: &str) -> String {
    let shown = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .expect("attributes");
    shown.attributes.expect("attributes")[&QueueAttributeName::QueueArn].clone()
}

pub(crate) async fn bodies(sqs: &aws_sdk_sqs::Client, url: &str) -> Vec<String> {
    let received = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .visibility_timeout(0)
        .send()
        .await
        .expect("received");
    let messages = received.messages.unwrap_or_default();
    messages.into_iter().filter_map(|m| m.body).collect()
}

pub(crate) async fn names(db: &aws_sdk_dynamodb::Client) -> Vec<String> {
    let listed = db.list_tables().send().await.expect("listed");
    listed.table_names.unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn each_account_and_region_has_queues_of_its_own() {
    let engine = engine().await;
    let pairs = [
        ("callboard", "us-east-1", OWN),
        ("callboard", "eu-west-1", OWN),
        (OTHER, "us-east-1", OTHER),
        (OTHER, "eu-west-1", OTHER),
    ];
    let mut urls = Vec::new();
    for (key, region, account) in pairs {
        let sqs = sqs(&engine, key, region);
        let url = queue(&sqs, "letters", &[]).await;
        let body = format!("{account} {region}");
        let send = sqs.send_message().queue_url(&url).message_body(&body);
        send.send().await.expect("sent");
        assert_eq!(
            arn(&sqs, &url).await,
            format!("arn:aws:sqs:{region}:{account}:letters")
        );
        urls.push(url);
    }
    for ((key, region, account), url) in pairs.into_iter().zip(&urls) {
        let sqs = sqs(&engine, key, region);
        assert_eq!(bodies(&sqs, url).await, [format!("{account} {region}")]);
        let listed = sqs.list_queues().send().await.expect("listed");
        assert_eq!(listed.queue_urls(), std::slice::from_ref(url));
    }
    assert!(urls[0].ends_with("/000000000000/letters"), "{}", urls[0]);
    assert!(
        urls[3].ends_with("/queue/eu-west-1/111122223333/letters"),
        "{}",
        urls[3]
    );
}

#[tokio::test(start_paused = true)]
async fn tables_and_streams_speak_of_their_own_account_and_region() {
    let engine = engine().await;
    let west = config(&engine, OTHER, "eu-west-1");
    let db = aws_sdk_dynamodb::Client::new(&west);
    let stream = journal(&db, "journal").await;
    let prefix = "arn:aws:dynamodb:eu-west-1:111122223333:table/journal";
    assert!(stream.starts_with(prefix), "{stream}");
    // By its ARN, in the region that it names.
    let put = db.put_item().table_name(prefix);
    let put = put.set_item(Some(item("slot#1", 1))).send().await;
    put.expect("written");
    let streams = aws_sdk_dynamodbstreams::Client::new(&west);
    let described = streams.describe_stream().stream_arn(&stream);
    described.send().await.expect("described");
    let own = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    assert_eq!(names(&own).await, [] as [&str; 0]);
    assert_eq!(names(&db).await, ["journal"]);
}

#[tokio::test(start_paused = true)]
async fn a_table_arn_of_elsewhere_is_not_the_table_of_that_name_here() {
    let engine = engine().await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    journal(&db, "journal").await;
    for (arn, code) in [
        (
            "arn:aws:dynamodb:us-east-1:111122223333:table/journal",
            "AccessDeniedException",
        ),
        (
            "arn:aws:dynamodb:eu-west-1:000000000000:table/journal",
            "ResourceNotFoundException",
        ),
    ] {
        let put = db.put_item().table_name(arn);
        let error = put.set_item(Some(item("a", 1))).send().await;
        assert_eq!(error.expect_err("refused").code(), Some(code));
        let tags = db.list_tags_of_resource().resource_arn(arn).send().await;
        assert_eq!(tags.expect_err("refused").code(), Some(code));
        let keys = aws_sdk_dynamodb::types::KeysAndAttributes::builder()
            .keys(item("a", 1))
            .build()
            .expect("complete");
        let get = db.batch_get_item().request_items(arn, keys).send().await;
        assert_eq!(get.expect_err("refused").code(), Some(code));
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_url_of_elsewhere_is_refused() {
    let engine = engine().await;
    let here = sqs(&engine, "callboard", "us-east-1");
    let own = queue(&here, "letters", &[]).await;
    let west = queue(&sqs(&engine, "callboard", "eu-west-1"), "letters", &[]).await;
    let others = queue(&sqs(&engine, OTHER, "us-east-1"), "letters", &[]).await;
    for (url, code) in [
        (west.as_str(), "InvalidAddress"),
        (
            "https://sqs.eu-west-1.amazonaws.com/000000000000/letters",
            "InvalidAddress",
        ),
        (&others, "AccessDenied"),
    ] {
        let send = here.send_message().queue_url(url).message_body("x");
        let error = send.send().await.expect_err("refused");
        assert_eq!(error.code(), Some(code), "{url}");
    }
    let owner = here.get_queue_url().queue_name("letters");
    let error = owner.queue_owner_aws_account_id(OTHER).send().await;
    let code = error.expect_err("refused").code().map(str::to_owned);
    assert_eq!(
        code.as_deref(),
        Some("AWS.SimpleQueueService.NonExistentQueue")
    );
    assert_eq!(bodies(&here, &own).await, [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_of_elsewhere_is_refused_and_delivers_nowhere_else() {
    let engine = engine().await;
    let topic = |key, region| {
        let sns = aws_sdk_sns::Client::new(&config(&engine, key, region));
        async move {
            let made = sns.create_topic().name("calls").send().await;
            made.expect("made").topic_arn.expect("an ARN")
        }
    };
    let own = topic("callboard", "us-east-1").await;
    let west = topic("callboard", "eu-west-1").await;
    let others = topic(OTHER, "us-east-1").await;
    assert_eq!(own, "arn:aws:sns:us-east-1:000000000000:calls");
    assert_eq!(west, "arn:aws:sns:eu-west-1:000000000000:calls");
    assert_eq!(others, "arn:aws:sns:us-east-1:111122223333:calls");

    let sns = aws_sdk_sns::Client::new(&engine.sdk_config());
    for (arn, code) in [(&west, "InvalidParameter"), (&others, "AuthorizationError")] {
        let publish = sns.publish().topic_arn(arn).message("x").send().await;
        assert_eq!(publish.expect_err("refused").code(), Some(code), "{arn}");
    }
    for queue in [
        "arn:aws:sqs:eu-west-1:000000000000:letters",
        "arn:aws:sqs:us-east-1:111122223333:letters",
    ] {
        let subscribe = sns.subscribe().topic_arn(&own).protocol("sqs");
        let error = subscribe.endpoint(queue).send().await.expect_err("refused");
        assert_eq!(error.code(), Some("InvalidParameter"));
        let words = error.message().unwrap_or_default();
        assert!(words.contains("one region and account"), "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_delivers_within_its_own_account_and_region() {
    let engine = engine().await;
    let there = config(&engine, OTHER, "ap-southeast-2");
    let sqs = aws_sdk_sqs::Client::new(&there);
    let url = queue(&sqs, "letters", &[]).await;
    let sns = aws_sdk_sns::Client::new(&there);
    let topic = sns.create_topic().name("calls").send().await.expect("made");
    let topic = topic.topic_arn.expect("an ARN");
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    let subscribe = subscribe.endpoint(arn(&sqs, &url).await);
    let subscribe = subscribe.attributes("RawMessageDelivery", "true");
    subscribe.send().await.expect("subscribed");
    let publish = sns.publish().topic_arn(&topic).message("there");
    publish.send().await.expect("published");
    assert_eq!(bodies(&sqs, &url).await, ["there"]);
}

#[tokio::test(start_paused = true)]
async fn time_ends_things_in_every_account_and_region() {
    let engine = engine().await;
    for (key, region) in [("callboard", "us-east-1"), (OTHER, "eu-west-1")] {
        let config = config(&engine, key, region);
        let db = aws_sdk_dynamodb::Client::new(&config);
        journal(&db, "journal").await;
        let ttl = TimeToLiveSpecification::builder().enabled(true);
        let ttl = ttl.attribute_name("until").build().expect("complete");
        let update = db.update_time_to_live().table_name("journal");
        let update = update.time_to_live_specification(ttl).send().await;
        update.expect("a TTL");
        let mut ends = item("a", 1);
        let soon = i64::try_from(crate::support::NOW_S).expect("in range") + 30;
        ends.insert("until".to_owned(), n(soon));
        let put = db.put_item().table_name("journal").set_item(Some(ends));
        put.send().await.expect("written");

        let sqs = aws_sdk_sqs::Client::new(&config);
        let dead = queue(&sqs, "dead", &[]).await;
        let dead_arn = arn(&sqs, &dead).await;
        let policy = json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}).to_string();
        let attributes = [(QueueAttributeName::RedrivePolicy, policy.as_str())];
        let letters = queue(&sqs, "letters", &attributes).await;
        let send = sqs.send_message().queue_url(&dead).message_body("late");
        send.send().await.expect("sent");
        let task = sqs.start_message_move_task().source_arn(dead_arn);
        let task = task.destination_arn(arn(&sqs, &letters).await).send().await;
        task.expect("started");
    }
    tokio::time::sleep(Duration::from_secs(180)).await;
    for (key, region) in [("callboard", "us-east-1"), (OTHER, "eu-west-1")] {
        let config = config(&engine, key, region);
        let db = aws_sdk_dynamodb::Client::new(&config);
        let left = db.scan().table_name("journal").send().await;
        assert_eq!(left.expect("scanned").count, 0, "{region}");
        let sqs = aws_sdk_sqs::Client::new(&config);
        let url = sqs.get_queue_url().queue_name("letters").send().await;
        let url = url.expect("found").queue_url.expect("a URL");
        assert_eq!(bodies(&sqs, &url).await, ["late"], "{region}");
    }
}

pub(crate) fn signed(key: &str, region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260921/{region}/sqs/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=0"
    )
}

/// A call of SQS in JSON with this `Authorization`.
pub(crate) async fn call(
    engine: &Engine,
    authorization: &str,
    operation: &str,
) -> (StatusCode, Value) {
    target(engine, authorization, &format!("AmazonSQS.{operation}")).await
}

async fn target(engine: &Engine, authorization: &str, target: &str) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header("x-amz-target", target)
        .header("authorization", authorization)
        .body("{}".into())
        .expect("a request");
    let (status, body) = answer(engine, request).await;
    (status, serde_json::from_str(&body).expect("JSON"))
}

#[tokio::test]
async fn a_malformed_scope_is_refused_in_the_form_of_the_service() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = engine_in(directory.path()).await;
    let bad = signed("x", "..");
    let (status, body) = call(&engine, &bad, "ListQueues").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let name = "com.amazon.coral.service#InvalidSignatureException";
    assert_eq!(body["__type"], name);
    assert_eq!(
        body["message"],
        "Credential should be scoped to a valid region, not '..'. "
    );
    let (status, body) = target(&engine, &bad, "DynamoDB_20120810.ListTables").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["__type"], name);
    let short = "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0";
    let (status, body) = call(&engine, short, "ListQueues").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        body["__type"],
        "com.amazon.coral.service#IncompleteSignatureException"
    );
    for (version, namespace) in [
        ("2010-03-31", "http://sns.amazonaws.com/doc/2010-03-31/"),
        ("2012-11-05", "http://queue.amazonaws.com/doc/2012-11-05/"),
    ] {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header("authorization", signed("x", "<local>"))
            .body(format!("Action=List&Version={version}").into())
            .expect("a request");
        let (status, body) = answer(&engine, request).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(body.contains(namespace), "{body}");
        assert!(
            body.contains("<Code>SignatureDoesNotMatch</Code>"),
            "{body}"
        );
        assert!(body.contains("&lt;local&gt;"), "{body}");
    }
    let mut made: Vec<_> = std::fs::read_dir(directory.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_type().expect("a type"))
        .collect();
    made.retain(std::fs::FileType::is_dir);
    assert!(made.is_empty(), "a directory was made");
}

#[tokio::test]
async fn a_request_without_a_signature_is_for_the_engines_own() {
    let engine = engine().await;
    queue(&sqs(&engine, "callboard", "us-east-1"), "letters", &[]).await;
    queue(&sqs(&engine, "callboard", "eu-west-1"), "abroad", &[]).await;
    let request = Request::builder()
        .uri("/?Action=ListQueues&Version=2012-11-05")
        .body("".into())
        .expect("a request");
    let (status, body) = answer(&engine, request).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        body.contains("letters") && !body.contains("abroad"),
        "{body}"
    );
    let presigned = "X-Amz-Credential=x%2F20260921%2Feu-west-1%2Fsqs%2Faws4_request";
    let request = Request::builder()
        .uri(format!(
            "/?Action=ListQueues&Version=2012-11-05&{presigned}"
        ))
        .body("".into())
        .expect("a request");
    let (_, body) = answer(&engine, request).await;
    assert!(
        body.contains("abroad") && !body.contains("letters"),
        "{body}"
    );
}

#[tokio::test]
async fn the_health_page_lists_what_is_open() {
    let engine = engine().await;
    let health = || async {
        let request = Request::builder().uri("/_callboard/health");
        let request = request.body("".into()).expect("a request");
        let (status, body) = answer(&engine, request).await;
        assert_eq!(status, StatusCode::OK);
        serde_json::from_str::<Value>(&body).expect("JSON")
    };
    let own = json!({"account": OWN, "region": "us-east-1"});
    assert_eq!(health().await, json!({"status": "ok", "open": [own]}));
    call(&engine, &signed(OTHER, "eu-west-1"), "ListQueues").await;
    let other = json!({"account": OTHER, "region": "eu-west-1"});
    assert_eq!(health().await["open"], json!([own, other]));
}
