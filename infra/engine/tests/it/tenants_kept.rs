//! Accounts and regions in a state directory: across restarts, kills and damage.

use crate::killed::{port, start_child};
use crate::support::{answer, clock, engine_in, item, journal, queue};
use crate::tenants::{OTHER, OWN, bodies, call, config, names, signed, sqs};
use aws_config::SdkConfig;
use callboard_engine::{Engine, EngineConfig, EngineError, State};
use http::StatusCode;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[tokio::test(start_paused = true)]
async fn every_account_and_region_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let pairs = [(OWN, "us-east-1"), (OWN, "eu-west-1"), (OTHER, "us-east-1")];
    {
        let engine = engine_in(directory.path()).await;
        for (account, region) in pairs {
            let config = config(&engine, account, region);
            let sqs = aws_sdk_sqs::Client::new(&config);
            let url = queue(&sqs, "letters", &[]).await;
            let send = sqs.send_message().queue_url(&url).message_body(region);
            send.send().await.expect("sent");
            let db = aws_sdk_dynamodb::Client::new(&config);
            journal(&db, &format!("journal-{account}")).await;
        }
    }
    for name in ["dynamodb.sqlite", "messages.sqlite"] {
        for below in ["", "000000000000/eu-west-1", "111122223333/us-east-1"] {
            let file = directory.path().join(below).join(name);
            assert!(file.is_file(), "{}", file.display());
        }
    }
    // An engine with another pair for its own finds each where it was.
    for own in ["us-east-1", "eu-west-1"] {
        let engine = Engine::open(EngineConfig {
            state: State::Directory(directory.path().to_owned()),
            clock: clock(),
            region: own.to_owned(),
            ..EngineConfig::default()
        })
        .await
        .expect("opened again");
        // The clock starts anew: on to when the messages were sent.
        tokio::time::sleep(Duration::from_secs(60)).await;
        for (account, region) in pairs {
            let config = config(&engine, account, region);
            let sqs = aws_sdk_sqs::Client::new(&config);
            let url = sqs.get_queue_url().queue_name("letters").send().await;
            let url = url.expect("found").queue_url.expect("a URL");
            assert_eq!(bodies(&sqs, &url).await, [region]);
            let db = aws_sdk_dynamodb::Client::new(&config);
            assert_eq!(names(&db).await, [format!("journal-{account}")]);
        }
    }
}

/// What the health page lists as open, as `ACCOUNT REGION`.
async fn open(engine: &Engine) -> Vec<String> {
    let request = http::Request::builder().uri("/_callboard/health");
    let request = request.body("".into()).expect("a request");
    let (_, body) = answer(engine, request).await;
    let health: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let pairs = health["open"].as_array().expect("a list").iter();
    pairs
        .map(|pair| {
            let part = |name: &str| pair[name].as_str().expect("a text").to_owned();
            format!("{} {}", part("account"), part("region"))
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn those_of_earlier_starts_are_open_soon_after_a_start() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let engine = engine_in(directory.path()).await;
        queue(&sqs(&engine, OTHER, "eu-west-1"), "letters", &[]).await;
    }
    // Not every directory is an account's.
    std::fs::create_dir_all(directory.path().join("backup/old")).expect("made");
    let engine = engine_in(directory.path()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        open(&engine).await,
        ["000000000000 us-east-1", "111122223333 eu-west-1"]
    );
}

#[tokio::test]
async fn a_damaged_file_of_another_region_is_its_failure_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let below = directory.path().join("000000000000/eu-west-1");
    std::fs::create_dir_all(&below).expect("made");
    std::fs::write(below.join("messages.sqlite"), vec![9u8; 10_000]).expect("written");
    let engine = engine_in(directory.path()).await;
    let (status, body) = call(&engine, &signed("x", "eu-west-1"), "ListQueues").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{body}");
    queue(&sqs(&engine, "x", "us-east-1"), "letters", &[]).await;
    drop(engine);
    // As the engine's own it is refused at the start, by name.
    let error = Engine::open(EngineConfig {
        state: State::Directory(directory.path().to_owned()),
        region: "eu-west-1".to_owned(),
        ..EngineConfig::default()
    })
    .await
    .expect_err("refused");
    assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn no_more_are_opened_than_the_system_has_files_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = engine_in(directory.path()).await;
    let key = |number: usize| format!("{:012}", 100_000_000_000 + number);
    for number in 0..32 {
        let (status, _) = call(&engine, &signed(&key(number), "us-east-1"), "ListQueues").await;
        assert_eq!(status, StatusCode::OK, "{number}");
    }
    let (status, body) = call(&engine, &signed(&key(32), "us-east-1"), "ListQueues").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.to_string().contains("32 other accounts"), "{body}");
    // Those that are open go on.
    let (status, _) = call(&engine, &signed(&key(7), "us-east-1"), "ListQueues").await;
    assert_eq!(status, StatusCode::OK);
}

/// What was answered for one account and region: numbers of messages and items.
type Answered = Arc<Mutex<HashSet<String>>>;

/// Sends and puts until a call has no answer.
async fn load(
    config: SdkConfig,
    url: String,
    round: usize,
    answered: Answered,
    all: Arc<AtomicUsize>,
) {
    let sqs = aws_sdk_sqs::Client::new(&config);
    let db = aws_sdk_dynamodb::Client::new(&config);
    for number in 0.. {
        let body = format!("{round}-{number}");
        let send = sqs.send_message().queue_url(&url).message_body(&body);
        let put = db.put_item().table_name("journal");
        let put = put.set_item(Some(item(&body, 1)));
        if send.send().await.is_err() || put.send().await.is_err() {
            return;
        }
        answered.lock().expect("no client panicked").insert(body);
        all.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_before_a_kill_is_there_after_it_in_every_account_and_region() {
    const ROUNDS: usize = 10;
    const ANSWERS_LEAST: usize = 60;
    const PATIENCE: Duration = Duration::from_secs(60);
    let directory = tempfile::tempdir().expect("a directory");
    let pairs = [(OWN, "us-east-1"), (OWN, "eu-west-1"), (OTHER, "us-east-1")];
    let mut clients = Vec::new();
    {
        let engine = engine_in(directory.path()).await;
        for (account, region) in pairs {
            let config = config(&engine, account, region);
            queue(&aws_sdk_sqs::Client::new(&config), "letters", &[]).await;
            journal(&aws_sdk_dynamodb::Client::new(&config), "journal").await;
        }
        // Configurations of an engine that holds no directory.
        let memory = Engine::open(EngineConfig::default()).await.expect("opens");
        for (account, region) in pairs {
            let url = format!("http://engine/queue/{region}/{account}/letters");
            clients.push((config(&memory, account, region), url, Answered::default()));
        }
    }
    for round in 0..ROUNDS {
        let _ = std::fs::remove_file(directory.path().join("port"));
        let mut child = start_child(directory.path());
        let url = format!("http://127.0.0.1:{}", port(directory.path()).await);
        let all = Arc::new(AtomicUsize::new(0));
        let loads: Vec<_> = clients
            .iter()
            .map(|(config, queue, answered)| {
                let mut config = config.clone().into_builder();
                config
                    .set_http_client(None)
                    .set_endpoint_url(Some(url.clone()))
                    .set_retry_config(Some(aws_config::retry::RetryConfig::disabled()));
                let (queue, answered) = (queue.clone(), answered.clone());
                tokio::spawn(load(config.build(), queue, round, answered, all.clone()))
            })
            .collect();
        let start = Instant::now();
        while all.load(Ordering::Relaxed) < ANSWERS_LEAST + round {
            assert!(start.elapsed() < PATIENCE, "the child does not get on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        for load in loads {
            load.await.expect("no client panicked");
        }
    }
    let engine = Engine::open(EngineConfig {
        state: State::Directory(directory.path().to_owned()),
        ..EngineConfig::default()
    })
    .await
    .expect("opens");
    for ((account, region), (_, url, answered)) in pairs.into_iter().zip(&clients) {
        let config = config(&engine, account, region);
        let answered = std::mem::take(&mut *answered.lock().expect("no client panicked"));
        assert!(!answered.is_empty(), "{account} {region} was not called");
        let left = drained(&aws_sdk_sqs::Client::new(&config), url).await;
        let db = aws_sdk_dynamodb::Client::new(&config);
        for body in &answered {
            assert!(left.contains(body), "{body} of {account} {region} is lost");
            let get = db.get_item().table_name("journal");
            let read = get.set_key(Some(item(body, 1))).send().await.expect("read");
            assert!(
                read.item.is_some(),
                "item {body} of {account} {region} is lost"
            );
        }
    }
}

async fn drained(sqs: &aws_sdk_sqs::Client, url: &str) -> HashSet<String> {
    let mut drained = HashSet::new();
    loop {
        let receive = sqs.receive_message().queue_url(url);
        let receive = receive.max_number_of_messages(10).visibility_timeout(3600);
        let received = receive.send().await.expect("received");
        if received.messages().is_empty() {
            return drained;
        }
        let messages = received.messages.unwrap_or_default();
        drained.extend(messages.into_iter().filter_map(|message| message.body));
    }
}
