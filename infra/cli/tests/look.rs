//! The commands that look at a system from outside, and say something to it, on a real one in this
//! process.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

use std::path::Path;

use callboard_cli::args::{Cli, Command};
use callboard_cli::client::Http;
use callboard_cli::system::{Options, System};
use callboard_cli::target::Target;
use callboard_cli::{CliError, explain, lag, publish, trace};
use clap::Parser;
use http::Method;
use serde_json::{Value, json};

struct World {
    system: System,
    target: Target,
}

impl World {
    async fn start() -> Self {
        let system = System::start(Options::default()).await.unwrap();
        let target = Target::new(system.env().clone(), Path::new("this system")).unwrap();
        Self { system, target }
    }

    async fn register(&self, recipient: &str) {
        let url = format!("{}/v1/recipients/{recipient}", self.system.addresses().api);
        let body = json!({"email": format!("{recipient}@example.com"), "name": "Dana Secret"});
        let answer = Http::new().json(Method::PUT, &url, &[], &body).await;
        assert!(answer.unwrap().status.is_success());
    }

    /// Runs a command as typed, without `callboard`.
    async fn say(&self, arguments: &[&str]) -> (Result<(), CliError>, String) {
        let typed = [&["callboard"], arguments].concat();
        let mut out = Vec::new();
        let done = match Cli::try_parse_from(typed).unwrap().command {
            Command::Publish(args) => publish::run_on(&self.target, &args, &mut out).await,
            Command::Trace(args) => trace::run_on(&self.target, &args, &mut out).await,
            Command::Explain(args) => explain::run_on(&self.target, &args, &mut out).await,
            Command::Lag(args) => lag::run_on(&self.target, &args, &mut out).await,
            other => panic!("not tried here: {other:?}"),
        };
        (done, String::from_utf8(out).unwrap())
    }

    /// Publishes an order of `user` under `id` and waits until all is done about it.
    async fn ordered(&self, id: &str, user: &str, more: &[&str]) -> String {
        let data = order(user);
        let publish = ["publish", "--type", "OrderPlaced", "--id", id];
        let arguments = [&publish[..], &["--data", &data, "--wait"], more].concat();
        self.said(&arguments).await
    }

    async fn said(&self, arguments: &[&str]) -> String {
        let (done, text) = self.say(arguments).await;
        done.unwrap_or_else(|error| panic!("{error}\n{text}"));
        text
    }
}

fn order(user: &str) -> String {
    json!({"orderId": "ord-1", "userId": user, "items": ["book"], "totalAmount": 9.5}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_published_followed_to_its_rest_and_traced() {
    let world = World::start().await;
    world.register("dana").await;
    let text = world
        .ordered("evt-1", "dana", &["--correlation-id", "corr-1"])
        .await;
    for wanted in [
        "evt-1 accepted, correlation id corr-1",
        "Callboard-Commit: event#",
        "└─ notification-planned",
        "delivery-succeeded",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains("Secret") && !text.contains("example.com"));

    let again = world.ordered("evt-1", "dana", &[]).await;
    assert!(
        again.contains("evt-1 was known before, correlation id corr-1"),
        "{again}"
    );

    let tree = world.said(&["trace", "corr-1"]).await;
    assert!(text.ends_with(&tree), "{text}\n{tree}");
    let traced: Value =
        serde_json::from_str(&world.said(&["trace", "corr-1", "--json"]).await).unwrap();
    assert_eq!(traced["correlationId"], "corr-1");
    assert_eq!(
        traced["events"][0]["type"],
        "com.example.orders.order-placed.v1"
    );
    assert_eq!(traced["events"][0]["data"]["orderId"], "ord-1");
    world.system.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_explained_the_same_by_each_of_its_names() {
    let world = World::start().await;
    world.register("dana").await;
    world.ordered("evt-7", "dana", &[]).await;
    let text = world.said(&["explain", "evt-7"]).await;
    for wanted in [
        "said that order-placed happened",
        "It came from outside as evt-7.",
        "The definition order-confirmation planned an email to the recipient dana about event#",
        "took the email.",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains("Secret") && !text.contains("example.com"));

    let json: Value =
        serde_json::from_str(&world.said(&["explain", "evt-7", "--json"]).await).unwrap();
    let stream = json["event"]["stream"].as_str().unwrap();
    let source = stream.split('#').nth(1).unwrap();
    let id = json["event"]["eventId"].as_str().unwrap();
    let correlation = json["correlationId"].as_str().unwrap();
    for names in [
        &["explain", "evt-7", "--source", source][..],
        &["explain", &format!("{stream}@1")],
        &["explain", id, "--correlation-id", correlation],
        &["explain", id],
    ] {
        assert_eq!(world.said(names).await, text, "{names:?}");
    }

    let planned = json["ledTo"][0]["eventId"].as_str().unwrap();
    let text = world
        .said(&["explain", planned, "--correlation-id", correlation])
        .await;
    assert!(text.contains("Why\n"), "{text}");
    assert!(text.contains("It came from outside as evt-7."), "{text}");
    assert!(text.contains("said that order-placed happened"), "{text}");

    let (done, _) = world.say(&["explain", "nobody-knows"]).await;
    let error = done.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(
        error
            .to_string()
            .contains("nothing is known of an event nobody-knows")
    );
    world.system.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_was_not_sent_is_explained_with_its_reason() {
    let world = World::start().await;
    world.ordered("evt-8", "nobody", &[]).await;
    let text = world.said(&["explain", "evt-8"]).await;
    assert!(
        text.contains("was not sent: the recipient has no address"),
        "{text}"
    );
    world.system.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_or_refused_is_said_with_exit_code_1() {
    let world = World::start().await;
    let (done, text) = world.say(&["trace", "nobody-knows"]).await;
    let error = done.unwrap_err();
    assert_eq!((error.exit_code(), &*text), (1, ""));
    assert!(
        error
            .to_string()
            .contains("nothing is known of the correlation id nobody-knows")
    );
    let (done, _) = world.say(&["trace", "no/id"]).await;
    assert_eq!(done.unwrap_err().exit_code(), 2);

    let (done, _) = world.say(&["publish", "--type", "NobodysType"]).await;
    let error = done.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("refused with 422"), "{error}");
    assert!(
        error
            .to_string()
            .contains("/eventType: is not a registered"),
        "{error}"
    );

    let (done, _) = world
        .say(&["publish", "--type", "OrderPlaced", "--data", "{"])
        .await;
    assert_eq!(done.unwrap_err().exit_code(), 2);
    world.system.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_each_event_is_answered_and_one_refused_does_not_hold_back_the_other() {
    let world = World::start().await;
    let one = |id: &str, event_type: &str, user: &str| {
        json!({"specversion": "1.0", "id": id, "source": "shop", "type": event_type,
            "data": serde_json::from_str::<Value>(&order(user)).unwrap()})
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("batch.json");
    let batch = json!([
        one("b-1", "com.example.orders.order-placed.v1", "nobody"),
        one("b-2", "com.example.unknown.v1", "nobody"),
    ]);
    std::fs::write(&file, batch.to_string()).unwrap();
    let (done, text) = world
        .say(&["publish", file.to_str().unwrap(), "--wait"])
        .await;
    assert!(text.contains("b-1 accepted"), "{text}");
    assert!(text.contains("refused with 422"), "{text}");
    assert!(text.contains("notification-dropped"), "{text}");
    let error = done.unwrap_err();
    assert!(
        error.to_string().contains("1 of 2 events were refused"),
        "{error}"
    );
    world.system.shutdown().await;
}

/// Puts letters into a queue that nobody receives from.
async fn put(world: &World, variable: &str, count: usize) {
    let sqs = aws_sdk_sqs::Client::new(world.target.sdk());
    for index in 0..count {
        sqs.send_message()
            .queue_url(world.target.wanted(variable).unwrap())
            .message_body(format!("letter {index}"))
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_shows_every_queue_once_and_whose_dead_letters_are_whose() {
    let world = World::start().await;
    put(&world, "CALLBOARD_EMAIL_SENDER_DEAD_LETTER_QUEUE", 2).await;
    let lag: Value = serde_json::from_str(&world.said(&["lag", "--json"]).await).unwrap();
    let consumers = lag["consumers"].as_array().unwrap();
    let aside = lag["aside"].as_array().unwrap();
    assert_eq!(
        consumers.len() * 2 + aside.len(),
        world.target.queues().count()
    );
    for consumer in consumers {
        let dead = if consumer["name"] == "email-sender" {
            2
        } else {
            0
        };
        assert_eq!(consumer["deadLetters"], dead, "{consumer}");
    }
    let names: Vec<_> = aside
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "outbox-relay-dead-letter-queue",
            "outbox-relay-failure-queue",
            "subscriptions-dead-letter-queue"
        ]
    );

    let table = world.said(&["lag"]).await;
    let row = table.lines().find(|line| line.starts_with("email-sender "));
    let row: Vec<_> = row.unwrap().split_whitespace().collect();
    assert_eq!(row, ["email-sender", "0", "0", "0", "0", "s", "2"]);
    world.system.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_exceeded_has_its_own_exit_code() {
    let world = World::start().await;
    let limits = ["lag", "--max-dlq", "1", "--max-backlog", "0"];
    world.said(&limits).await;
    put(&world, "CALLBOARD_OUTBOX_RELAY_FAILURE_QUEUE", 1).await;
    world.said(&limits).await;
    put(&world, "CALLBOARD_OUTBOX_RELAY_FAILURE_QUEUE", 1).await;
    let (done, text) = world.say(&limits).await;
    assert!(text.contains("outbox-relay-failure-queue"), "{text}");
    let error = done.unwrap_err();
    assert_eq!(error.exit_code(), 8);
    assert_eq!(
        error.to_string(),
        "outbox-relay-failure-queue has 2 messages, more than 1"
    );
    world.system.shutdown().await;
}

/// Watches by the binary until two looks were shown, asks it to stop, and gives the exit code.
#[cfg(unix)]
fn watched(env_file: &Path, limit: &str) -> Option<i32> {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_callboard"))
        .args([
            "lag",
            "--watch",
            "1",
            "--json",
            "--max-dlq",
            limit,
            "--env-file",
        ])
        .arg(env_file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let looks = lines
        .map(Result::unwrap)
        .filter(|line| line.starts_with('}'));
    assert_eq!(looks.take(2).count(), 2);
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    child.wait().unwrap().code()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_looks_again_until_it_is_stopped_and_ends_with_its_last_verdict() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let env_file = directory.path().join("env");
    world.system.env().write(&env_file).unwrap();
    put(&world, "CALLBOARD_EMAIL_SENDER_DEAD_LETTER_QUEUE", 1).await;
    for (limit, code) in [("1", 0), ("0", 8)] {
        let env_file = env_file.clone();
        let watched = tokio::task::spawn_blocking(move || watched(&env_file, limit));
        assert_eq!(watched.await.unwrap(), Some(code), "--max-dlq {limit}");
    }
    world.system.shutdown().await;
}

/// A CloudWatch that knows the ages of one queue and one function, by AWS's JSON protocol.
async fn cloudwatch() -> String {
    use axum::http::HeaderMap;
    use axum::{Json, Router, routing::post};

    let answer = |headers: HeaderMap, body: String| async move {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(
            header("x-amz-target"),
            "GraniteServiceVersion20100801.GetMetricData"
        );
        assert!(header("authorization").contains("/us-east-1/monitoring/aws4_request"));
        let request: Value = serde_json::from_str(&body).unwrap();
        let queries = request["MetricDataQueries"].as_array().unwrap().iter();
        let results = queries.map(|query| {
            let metric = &query["MetricStat"]["Metric"];
            let name = metric["Dimensions"][0]["Value"].as_str().unwrap();
            let values = match (metric["MetricName"].as_str().unwrap(), name) {
                ("ApproximateAgeOfOldestMessage", name) if name.contains("EmailSender") => {
                    json!([91.0, 5.0])
                }
                ("IteratorAge", "stack-relay") => json!([61500.0]),
                _ => json!([]),
            };
            json!({"Id": query["Id"], "StatusCode": "Complete", "Values": values})
        });
        Json(json!({"MetricDataResults": results.collect::<Vec<_>>()}))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn ages_are_cloudwatchs_and_where_it_does_not_tell_they_are_not_guessed() {
    let mut world = World::start().await;
    let mut env = world.system.env().clone();
    env.set("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9");
    world.target = Target::new(env, Path::new("without CloudWatch")).unwrap();
    let (done, table) = world.say(&["lag"]).await;
    done.unwrap();
    assert!(
        table.contains("known to CloudWatch alone, and it does not tell"),
        "{table}"
    );
    let (done, _) = world.say(&["lag", "--max-age", "60"]).await;
    let error = done.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(
        error.to_string().contains("--max-age cannot be judged"),
        "{error}"
    );

    let mut env = world.system.env().clone();
    env.set("AWS_ENDPOINT_URL_CLOUDWATCH", cloudwatch().await);
    env.set("CALLBOARD_OUTBOX_RELAY_FUNCTION", "stack-relay");
    world.target = Target::new(env, Path::new("with CloudWatch")).unwrap();
    let lag: Value = serde_json::from_str(&world.said(&["lag", "--json"]).await).unwrap();
    for consumer in lag["consumers"].as_array().unwrap() {
        let known = consumer["name"] == "email-sender";
        let oldest = if known { json!(91.0) } else { Value::Null };
        assert_eq!(consumer["oldestS"], oldest, "{consumer}");
    }
    assert_eq!(
        lag["iterators"],
        json!([{"function": "stack-relay", "ageS": 61.5}])
    );
    let (done, table) = world.say(&["lag", "--max-age", "60"]).await;
    let error = done.unwrap_err();
    assert_eq!(error.exit_code(), 8);
    assert_eq!(
        error.to_string(),
        "the oldest message of email-sender is 91 s old, more than 60 s; \
         the iterator of stack-relay is 62 s old, more than 60 s"
    );
    assert!(table.contains("91 s"), "{table}");
    world.said(&["lag", "--max-age", "91"]).await;
    world.system.shutdown().await;
}
