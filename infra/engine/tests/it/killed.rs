//! `kill -9`: what was answered with 200 is there afterwards, once, and nothing under a lease comes
//! again before its time.
//!
//! The child is this test binary, told to run one ignored test, which serves an engine on a state
//! directory. The parent calls it with several clients at once, notes each answer, kills it in the
//! middle of the load, and starts the next. What a killed call has done is unknown; what an
//! answered one has done is not.

use crate::support::{item, journal, queue};
use aws_config::SdkConfig;
use aws_sdk_sqs::types::{MessageSystemAttributeName as System, QueueAttributeName as Q};
use callboard_engine::{Clock, Engine, EngineConfig, State};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// Names the child's directory.
const DIRECTORY: &str = "CALLBOARD_KILLED_DIRECTORY";
const ROUNDS: usize = 100;
const CLIENTS: usize = 4;
/// How many answers there must have been before a child is killed, so that each round shows
/// something; a few more each round, so that kills fall on different calls.
const ANSWERS_LEAST: usize = 60;
const ANSWERS_SPREAD: usize = 29;
/// The longest that one round may take before the test gives up.
const ROUND_MAX: Duration = Duration::from_secs(60);
/// How long received messages stay hidden, in seconds: longer than the test.
const LEASE_S: i32 = 43_200;
/// A time after all leases.
const AFTER_LEASES: Duration = Duration::from_secs(13 * 3600);

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:events";

async fn engine_in(directory: &Path, clock: Clock) -> Engine {
    let state = State::Directory(directory.to_owned());
    let config = EngineConfig {
        state,
        clock,
        ..EngineConfig::default()
    };
    Engine::open(config).await.expect("opens")
}

#[tokio::test]
#[ignore = "is run by the test below, as a process of its own"]
async fn child_that_serves_until_it_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let directory = Path::new(&directory);
    let engine = engine_in(directory, Clock::real()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let written = directory.join("port.new");
    std::fs::write(&written, port.to_string()).expect("written");
    std::fs::rename(written, directory.join("port")).expect("in place");
    engine
        .serve(listener, std::future::pending())
        .await
        .expect("serves");
}

pub(crate) fn start_child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--ignored",
            "--exact",
            "killed::child_that_serves_until_it_is_killed",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

/// The port of the child, which is there when the child serves.
pub(crate) async fn port(directory: &Path) -> u16 {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(directory.join("port"));
        if let Some(port) = text.ok().and_then(|text| text.parse().ok()) {
            return port;
        }
        assert!(start.elapsed() < ROUND_MAX, "the child does not start");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What was answered.
#[derive(Debug, Default)]
struct Notes {
    sent: HashSet<String>,
    ordered: HashSet<String>,
    published: HashSet<String>,
    written: HashSet<String>,
    /// Bodies received, and how often.
    received: HashMap<String, usize>,
    deleted: HashSet<String>,
    /// Deletions begun: they may have been done without an answer.
    deleting: HashSet<String>,
    /// Messages to the FIFO queue without an answer, by client: to be sent again.
    unanswered: HashMap<usize, (String, String)>,
}

struct Client {
    number: usize,
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    db: aws_sdk_dynamodb::Client,
    url: String,
    notes: Arc<Mutex<Notes>>,
    answers: Arc<AtomicUsize>,
}

impl Client {
    fn note(&self, note: impl FnOnce(&mut Notes)) {
        note(&mut self.notes.lock().expect("no client panicked"));
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls until a call has no answer.
    async fn load(&self, round: usize) {
        let unanswered = {
            let mut notes = self.notes.lock().expect("no client panicked");
            notes.unanswered.remove(&self.number)
        };
        if let Some((group, body)) = unanswered
            && self.order(&group, &body).await.is_none()
        {
            return;
        }
        for number in 0.. {
            let body = format!("{round}-{}-{number}", self.number);
            if self.cycle(round, &body).await.is_none() {
                return;
            }
        }
    }

    async fn cycle(&self, round: usize, body: &str) -> Option<()> {
        let plain = format!("{}/plain", self.url);
        let send = self.sqs.send_message().queue_url(&plain).message_body(body);
        send.send().await.ok()?;
        self.note(|notes| {
            notes.sent.insert(body.to_owned());
        });
        self.order(&format!("{round}-{}", self.number), body)
            .await?;
        let publish = self.sns.publish().topic_arn(TOPIC).message(body);
        publish.send().await.ok()?;
        self.note(|notes| {
            notes.published.insert(body.to_owned());
        });
        let put = self.db.put_item().table_name("journal");
        put.set_item(Some(item(body, 1))).send().await.ok()?;
        self.note(|notes| {
            notes.written.insert(body.to_owned());
        });
        self.receive(&plain).await
    }

    /// Receives a message under a long lease, and deletes it or leaves it there.
    async fn receive(&self, plain: &str) -> Option<()> {
        let receive = self.sqs.receive_message().queue_url(plain);
        let received = receive.visibility_timeout(LEASE_S).send().await.ok()?;
        for message in received.messages() {
            let body = message.body().expect("a body").to_owned();
            self.note(|notes| *notes.received.entry(body.clone()).or_default() += 1);
            if body.ends_with(['0', '1', '2']) {
                continue;
            }
            self.note(|notes| {
                notes.deleting.insert(body.clone());
            });
            let delete = self.sqs.delete_message().queue_url(plain);
            let handle = message.receipt_handle().expect("a handle");
            delete.receipt_handle(handle).send().await.ok()?;
            self.note(|notes| {
                notes.deleted.insert(body);
            });
        }
        Some(())
    }

    async fn order(&self, group: &str, body: &str) -> Option<()> {
        let sent = self
            .sqs
            .send_message()
            .queue_url(format!("{}/ordered.fifo", self.url))
            .message_group_id(group)
            .message_deduplication_id(body)
            .message_body(body)
            .send()
            .await;
        if sent.is_err() {
            let unanswered = (group.to_owned(), body.to_owned());
            let mut notes = self.notes.lock().expect("no client panicked");
            notes.unanswered.insert(self.number, unanswered);
            return None;
        }
        self.note(|notes| {
            notes.ordered.insert(body.to_owned());
        });
        Some(())
    }
}

async fn provision(config: &SdkConfig) {
    let sqs = aws_sdk_sqs::Client::new(config);
    let sns = aws_sdk_sns::Client::new(config);
    queue(&sqs, "plain", &[]).await;
    queue(&sqs, "ordered.fifo", &[(Q::FifoQueue, "true")]).await;
    let topic = sns.create_topic().name("events").send().await;
    assert_eq!(topic.expect("a topic").topic_arn(), Some(TOPIC));
    for name in ["raw", "wrapped"] {
        queue(&sqs, name, &[]).await;
        let subscription = sns.subscribe().topic_arn(TOPIC).protocol("sqs");
        subscription
            .endpoint(format!("arn:aws:sqs:us-east-1:000000000000:{name}"))
            .attributes("RawMessageDelivery", (name == "raw").to_string())
            .send()
            .await
            .expect("subscribed");
    }
    journal(&aws_sdk_dynamodb::Client::new(config), "journal").await;
}

/// One child under load, killed.
async fn round(directory: &Path, round: usize, base: &SdkConfig, notes: &Arc<Mutex<Notes>>) {
    let _ = std::fs::remove_file(directory.join("port"));
    let mut child = start_child(directory);
    let url = format!("http://127.0.0.1:{}", port(directory).await);
    let answers = Arc::new(AtomicUsize::new(0));
    let mut config = base.clone().into_builder();
    // The SDK's own client, over a socket; an answer is given once or not at all.
    config
        .set_http_client(None)
        .set_endpoint_url(Some(url.clone()))
        .set_retry_config(Some(aws_config::retry::RetryConfig::disabled()));
    let config = config.build();
    let clients = (0..CLIENTS).map(|number| {
        let client = Client {
            number,
            sqs: aws_sdk_sqs::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            db: aws_sdk_dynamodb::Client::new(&config),
            url: format!("{url}/000000000000"),
            notes: notes.clone(),
            answers: answers.clone(),
        };
        tokio::spawn(async move { client.load(round).await })
    });
    let clients: Vec<_> = clients.collect();
    let start = Instant::now();
    while answers.load(Ordering::Relaxed) < ANSWERS_LEAST + round % ANSWERS_SPREAD {
        assert!(start.elapsed() < ROUND_MAX, "the child does not get on");
        let ended = child.try_wait().expect("known");
        assert!(ended.is_none(), "the child ended by itself");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    for client in clients {
        client.await.expect("no client panicked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_before_a_kill_is_there_after_it_and_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let notes = Arc::new(Mutex::new(Notes::default()));
    let base = {
        let engine = engine_in(path, Clock::real()).await;
        provision(&engine.sdk_config()).await;
        let memory = Engine::open(EngineConfig::default()).await;
        memory.expect("opens").sdk_config()
    };
    for number in 0..ROUNDS {
        round(path, number, &base, &notes).await;
    }
    let notes = std::mem::take(&mut *notes.lock().expect("no client panicked"));
    let later = Clock::tokio(SystemTime::now() + AFTER_LEASES);
    let engine = engine_in(path, later).await;
    let sqs = aws_sdk_sqs::Client::new(&engine.sdk_config());
    check_plain(&notes, &drain(&sqs, "plain").await);
    check_ordered(&notes, &drain(&sqs, "ordered.fifo").await);
    check_published(&notes, &sqs).await;
    let db = aws_sdk_dynamodb::Client::new(&engine.sdk_config());
    for body in &notes.written {
        let get = db.get_item().table_name("journal");
        let read = get.set_key(Some(item(body, 1))).send().await.expect("read");
        assert!(read.item.is_some(), "item {body} is lost");
    }
}

/// A message as it was drained: its group, if any, and its body.
type Drained = (Option<String>, String);

fn once(drained: &[Drained]) -> HashSet<&str> {
    let bodies: HashSet<&str> = drained.iter().map(|(_, body)| body.as_str()).collect();
    assert_eq!(bodies.len(), drained.len(), "a message is there twice");
    bodies
}

fn check_plain(notes: &Notes, drained: &[Drained]) {
    let left = once(drained);
    for (body, times) in &notes.received {
        assert_eq!(*times, 1, "{body} came again while its lease held");
    }
    for body in &notes.deleted {
        let there = left.contains(body.as_str());
        assert!(!there, "{body} was deleted and is there");
    }
    for body in notes.sent.difference(&notes.deleting) {
        assert!(left.contains(body.as_str()), "{body} is lost");
    }
}

fn check_ordered(notes: &Notes, drained: &[Drained]) {
    let left = once(drained);
    for body in &notes.ordered {
        assert!(left.contains(body.as_str()), "FIFO message {body} is lost");
    }
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (group, body) in drained {
        let group = group.as_deref().expect("a group");
        let number = body.rsplit('-').next();
        let number = number.and_then(|number| number.parse().ok());
        let number = number.expect("a number");
        let before = last.insert(group, number);
        let ordered = before.is_none_or(|before| before < number);
        assert!(ordered, "{group} is out of order");
    }
}

async fn check_published(notes: &Notes, sqs: &aws_sdk_sqs::Client) {
    let raw = drain(sqs, "raw").await;
    let unwrapped = |(group, body): Drained| {
        let document: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let message = document["Message"].as_str().expect("a text");
        (group, message.to_owned())
    };
    let wrapped = drain(sqs, "wrapped").await;
    let wrapped: Vec<Drained> = wrapped.into_iter().map(unwrapped).collect();
    let (raw, wrapped) = (once(&raw), once(&wrapped));
    assert_eq!(raw, wrapped, "a publish reached one queue of two");
    for body in &notes.published {
        assert!(raw.contains(body.as_str()), "published {body} is lost");
    }
}

async fn drain(sqs: &aws_sdk_sqs::Client, name: &str) -> Vec<Drained> {
    let url = format!("http://engine/000000000000/{name}");
    let mut drained = Vec::new();
    loop {
        let answer = sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(10)
            .message_system_attribute_names(System::MessageGroupId)
            .send()
            .await
            .expect("received");
        if answer.messages().is_empty() {
            return drained;
        }
        for message in answer.messages() {
            let attributes = message.attributes();
            let group = attributes.and_then(|all| all.get(&System::MessageGroupId));
            drained.push((group.cloned(), message.body().expect("a body").to_owned()));
            let delete = sqs.delete_message().queue_url(&url);
            let handle = message.receipt_handle().expect("a handle");
            delete.receipt_handle(handle).send().await.expect("deleted");
        }
    }
}
