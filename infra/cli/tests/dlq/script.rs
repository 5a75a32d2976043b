//! `infra/scripts/replay-dlq.sh`, with the AWS CLI as PyPI has it, beside the binary.
//!
//! The CLI is installed on the first run. Where it cannot be had, standard error says so and nothing
//! is tested, unless `CALLBOARD_CI_STRICT=1`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use callboard_cli::system::{Options, System};
use serde_json::json;
use tokio::process::Command;

use crate::live::until;
use crate::place::{CASCADE, EMAILS, Place, attribute, died, event_id, held, text};

const EMAIL_LETTERS: &str = "EMAIL_SENDER_DEAD_LETTER_QUEUE";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The directory of the `aws` that the clients' tests pin.
fn aws_cli() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        let script = root().join("tests/clients/run.sh");
        let mut bash = std::process::Command::new("bash");
        let done = bash.arg(script).arg("--install-python").status().unwrap();
        let strict = std::env::var("CALLBOARD_CI_STRICT").is_ok_and(|it| it == "1");
        assert!(done.success() || !strict, "the AWS CLI cannot be installed");
        done.success().then(|| root().join(".venv/clients/bin"))
    };
    let found = FOUND.get_or_init(install).as_deref();
    if found.is_none() {
        let skipped = "NOT TESTED: replay-dlq.sh, for the AWS CLI cannot be installed from PyPI\n";
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    found
}

/// The script as typed, with nothing of this machine's AWS settings.
fn script(place: &Place, aws: &Path, typed: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command
        .arg(root().join("infra/scripts/replay-dlq.sh"))
        .args(["--env-file", place.env_file.to_str().unwrap()])
        .args(typed)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", aws.display()))
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        // Whatever the texts, the locale is no matter.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn run(place: &Place, aws: &Path, typed: &[&str]) -> Output {
    script(place, aws, typed).output().await.unwrap()
}

/// What it says when all goes well.
async fn said(place: &Place, aws: &Path, typed: &[&str]) -> String {
    let output = run(place, aws, typed).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{typed:?}: {stdout}{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_script_picks_as_told_and_changes_nothing_unless_it_is_to_execute() {
    let Some(aws) = aws_cli() else { return };
    let place = Place::bare(&[EMAILS]).await;
    for (id, reason, event_type) in [
        ("1", "throttled by SES", "a.one.v1"),
        ("2", "refused", "a.two.v1"),
        ("3", "throttled", "b.v1"),
    ] {
        let body = json!({ "id": id, "data": { "type": "x" }, "correlationid": format!("c-{id}") });
        let attributes = died(reason, event_type);
        place.letter(EMAIL_LETTERS, &body, &attributes).await;
    }
    for (filter, fits) in [
        (vec![], 3),
        (vec!["--type", "a.*", "--reason", "THROTTLED"], 1),
        (
            vec!["--correlation", "c-2", "--function", "email-sender"],
            1,
        ),
        (vec!["--function", "nobody", "--until", "1h"], 0),
    ] {
        let said = said(&place, aws, &filter).await;
        let sentence = format!("would replay {fits} letters; nothing was changed");
        assert!(said.contains(&sentence), "{filter:?}: {said}");
    }
    assert!(place.take("EMAIL_SENDER_QUEUE").await.is_empty());
    let done = said(
        &place,
        aws,
        &["--type=a.*", "--since", "1h", "--max=1", "--execute"],
    )
    .await;
    assert!(done.contains("1  a.one.v1  from email-sender to email-sender-queue"));
    assert!(done.ends_with("replayed 1 letters\n"), "{done}");
    let copies = place.take("EMAIL_SENDER_QUEUE").await;
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].message_attributes().unwrap().len(), 2);
    let left = place.take(EMAIL_LETTERS).await;
    assert_eq!(left.len(), 2, "the others can be seen by others at once");
}

#[tokio::test]
async fn the_script_refuses_what_it_does_not_know_with_the_binarys_exit_codes() {
    let Some(aws) = aws_cli() else { return };
    let place = Place::bare(&[EMAILS]).await;
    for (typed, code, sentence) in [
        (vec!["--queue", "nobody"], 2, "there are: email-sender"),
        (vec!["--frobnicate", "1"], 2, "is not known"),
        (vec!["--execute=false"], 2, "takes no value"),
        (vec!["--rate", "0"], 2, "a number of 1 or more"),
        (vec!["--since", "yesterday"], 2, "wants a time"),
        (vec!["--env-file", "/nowhere"], 2, "cannot be read"),
        (vec!["--endpoint-url", "http://127.0.0.1:1"], 7, "does not"),
    ] {
        let output = run(&place, aws, &typed).await;
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{typed:?}: {stderr}");
        assert!(stderr.contains(sentence), "{typed:?}: {stderr}");
    }
    let help = said(&place, aws, &["--help"]).await;
    assert!(help.contains("Examples:") && help.contains("Exit codes"));
}

/// A letter that is not easy to pass on.
fn hard_letters() -> Vec<(String, Vec<(String, MessageAttributeValue)>)> {
    let kind = |kind: &str| MessageAttributeValue::builder().data_type(kind);
    let number = || kind("Number.int").string_value("-12.50").build().unwrap();
    let bytes = || {
        let all: Vec<u8> = (0..=255).collect();
        let value = kind("Binary.png").binary_value(Blob::new(all));
        value.build().unwrap()
    };
    let long = json!({ "type": "a.v1", "text": "\"\\\n".repeat(40_000) }).to_string();
    let odd =
        "a \"quoted\" \\ back\\\\slash, tab\t, line\nand\r\nline, ünïcødé ✓ 🚲, $(x) `y` %s & 'z'";
    let plain = |names: usize| {
        let names = (0..names).map(|it| (format!("extra-{it}"), text("v")));
        names.collect::<Vec<_>>()
    };
    let marked = |name: &str, value: &str| vec![(name.to_owned(), text(value))];
    vec![
        (odd.to_owned(), marked("odd", odd)),
        (long, Vec::new()),
        (
            "file://page.json".to_owned(),
            marked("path", "file:///etc/passwd"),
        ),
        (
            "with bytes\r\n".to_owned(),
            vec![
                ("bytes".to_owned(), bytes()),
                ("number".to_owned(), number()),
                ("odd".to_owned(), text("\"q\" \\n ünï ✓\t\nline, {a=b}")),
            ],
        ),
        ("nine".to_owned(), plain(9)),
        ("ten: no room".to_owned(), plain(10)),
        ("twice".to_owned(), marked("callboard-replays", "2")),
        ("thrice".to_owned(), marked("callboard-replays", "3")),
        (
            "edited".to_owned(),
            marked("callboard-edited", "2026-01-01T00:00:00Z"),
        ),
        ("by SNS".to_owned(), marked("ErrorMessage", "gone")),
    ]
}

/// A place with the same letters as any other; their ids by their labels.
async fn seeded() -> (Place, BTreeMap<String, String>) {
    let place = Place::bare(&[EMAILS, CASCADE]).await;
    let mut labels = BTreeMap::new();
    for (at, (body, attributes)) in hard_letters().into_iter().enumerate() {
        let call = place.sqs.send_message().queue_url(place.url(EMAIL_LETTERS));
        let call = call.message_body(body);
        let call = call.set_message_attributes(Some(attributes.into_iter().collect()));
        let id = call.send().await.unwrap().message_id.unwrap();
        labels.insert(id, format!("letter-{at}"));
    }
    let url = place.url("WAITLIST_CASCADE_DEAD_LETTER_QUEUE");
    for at in 0..12 {
        let group = ["slot \"1\"", "slot*2", "slot|3"][at % 3];
        let call = place.sqs.send_message().queue_url(url);
        let call = call.message_body(json!({ "at": at }).to_string());
        let call = call.message_attributes("callboard-reason", text("late"));
        let call = call.message_group_id(group.replace(['"', ' '], "_"));
        let sent = call.message_deduplication_id(at.to_string()).send().await;
        labels.insert(sent.unwrap().message_id.unwrap(), format!("turn-{at}"));
    }
    (place, labels)
}

/// All that a consumer can see of a message but its times and its own id.
fn seen(message: &Message, labels: &BTreeMap<String, String>) -> String {
    let system = |name| message.attributes()?.get(&name).cloned();
    let dedup = system(MessageSystemAttributeName::MessageDeduplicationId);
    let dedup = dedup.map(|dedup| {
        let mut labelled = dedup;
        for (id, label) in labels {
            labelled = labelled.replace(id, label);
        }
        labelled
    });
    let attributes: BTreeMap<_, _> = message.message_attributes().into_iter().flatten().collect();
    let group = system(MessageSystemAttributeName::MessageGroupId);
    format!("{group:?} {dedup:?} {:?} {attributes:?}", message.body())
}

/// By group, in the order of arrival; without a group there is none.
fn by_group(
    messages: &[Message],
    labels: &BTreeMap<String, String>,
) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in messages {
        let group = message
            .attributes()
            .and_then(|it| it.get(&MessageSystemAttributeName::MessageGroupId));
        let of_group = groups.entry(group.cloned().unwrap_or_default());
        of_group.or_default().push(seen(message, labels));
    }
    groups.entry(String::new()).or_default().sort();
    groups
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_and_the_binary_send_the_same_messages_and_leave_the_same() {
    let Some(aws) = aws_cli() else { return };
    let (by_binary, binary_labels) = seeded().await;
    let (by_script, script_labels) = seeded().await;
    by_binary.dlq(&["replay", "--execute"]).await.unwrap();
    let said = said(&by_script, aws, &["--execute"]).await;
    assert!(said.contains("replayed 19 letters"), "{said}");
    for why in ["no room", "replayed 3 times", "an edited copy"] {
        assert!(said.contains(why), "{why}: {said}");
    }
    for (queue, messages) in [
        ("EMAIL_SENDER_QUEUE", 7),
        (EMAIL_LETTERS, 3),
        ("WAITLIST_CASCADE_QUEUE", 12),
        ("WAITLIST_CASCADE_DEAD_LETTER_QUEUE", 0),
    ] {
        let binary = by_binary.take(queue).await;
        let script = by_script.take(queue).await;
        assert_eq!(binary.len(), messages, "{queue}");
        let script = by_group(&script, &script_labels);
        assert_eq!(script, by_group(&binary, &binary_labels), "{queue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_after_the_script_comes_back_with_its_count_and_stops_at_the_cap() {
    let Some(aws) = aws_cli() else { return };
    let system = System::start(Options::default()).await.unwrap();
    let place = Place::with(system.env().clone(), Client::new(system.sdk()));
    let letters = "NOTIFICATION_PLANNER_DEAD_LETTER_QUEUE";
    let typed = ["--queue", "notification-planner", "--execute"];
    place.letter(letters, &json!("no event"), &[]).await;
    for replays in 1..=3 {
        let said = said(&place, aws, &typed).await;
        assert!(said.contains("replayed 1 letters"), "{said}");
        let letter = until("the letter to come back", async || {
            let letters = place.json(&["show"]).await;
            let letter = letters.get(0).cloned();
            letter.filter(|it| it["replays"] == replays)
        });
        assert_eq!(letter.await["function"], "notification-planner");
    }
    let said = said(&place, aws, &typed).await;
    assert!(said.contains("replayed 0 letters"), "{said}");
    assert!(said.contains("replayed 3 times and here again"), "{said}");
    assert_eq!(held(&place, letters).await, 1);
    system.shutdown().await;
}

/// An `aws` that ends the script with `kill -9` when it is to delete.
fn deadly_aws(aws: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("aws");
    let text = format!(
        "#!/bin/bash\n[ \"$2\" != delete-message-batch ] || {{ kill -9 $PPID; exit 1; }}\n\
         exec '{}/aws' \"$@\"\n",
        aws.display()
    );
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_killed_between_send_and_delete_loses_nothing() {
    let Some(aws) = aws_cli() else { return };
    let place = Place::bare(&[EMAILS, CASCADE]).await;
    for at in ["1", "2", "3"] {
        let body = json!({ "id": at, "group": "slot-1" });
        place.letter(EMAIL_LETTERS, &body, &[]).await;
        let letters = "WAITLIST_CASCADE_DEAD_LETTER_QUEUE";
        place.letter(letters, &body, &[]).await;
    }
    let deadly = deadly_aws(aws);
    for (queue, name) in [
        ("email-sender", "EMAIL_SENDER"),
        ("waitlist-cascade", "WAITLIST_CASCADE"),
    ] {
        let typed = ["--execute", "--queue", queue];
        let short = ["--hidden", "3"];
        let killed = run(&place, deadly.path(), &[&typed[..], &short].concat()).await;
        assert_eq!(killed.status.code(), None, "{killed:?}");
        let (letters, source) = (format!("{name}_DEAD_LETTER_QUEUE"), format!("{name}_QUEUE"));
        assert_eq!(held(&place, &letters).await, 3, "none left before its copy");
        assert!(
            held(&place, &source).await > 0,
            "killed after a copy was sent"
        );
        until("the letters to be gone", async || {
            said(&place, aws, &typed).await;
            (held(&place, &letters).await == 0).then_some(())
        })
        .await;
        let copies = place.take(&source).await;
        let ids: Vec<_> = copies.iter().map(event_id).collect();
        match queue {
            // The queue knows the deduplication id of the copy that was there.
            "waitlist-cascade" => assert_eq!(ids, ["1", "2", "3"]),
            _ => assert_eq!(ids.len(), 6, "all three once more, with the same event ids"),
        }
        assert!(
            copies
                .iter()
                .all(|it| attribute(it, "callboard-replays") == Some("1"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_script_in_good_order() {
    let Some(aws) = aws_cli() else { return };
    let place = Place::bare(&[EMAILS]).await;
    for at in 0..8 {
        let body = json!({ "id": at.to_string() });
        place.letter(EMAIL_LETTERS, &body, &[]).await;
    }
    let child = script(&place, aws, &["--execute", "--rate", "1"])
        .spawn()
        .unwrap();
    until("the first copy", async || {
        (held(&place, "EMAIL_SENDER_QUEUE").await > 0).then_some(())
    })
    .await;
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let copies = place.take("EMAIL_SENDER_QUEUE").await.len();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.ends_with(&format!("replayed {copies} letters\n")),
        "{told}"
    );
    let rest = place.take(EMAIL_LETTERS).await.len();
    assert_eq!((copies > 0, rest), (true, 8 - copies), "at once visible");
}
