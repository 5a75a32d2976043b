//! Whoever takes over a function has its role and nothing beyond it.

use aws_config::SdkConfig;
use callboard_cli::system::TEMPLATE;
use callboard_contracts::foreign::ForeignEvent;
use callboard_contracts::{StreamId, Unfolded};
use callboard_runtime::bulk;
use callboard_runtime::fault::AwsFault;
use callboard_runtime::journal::{AppendError, Commit, Journal, JournalError, Loaded};
use callboard_runtime::table::Table;
use callboard_testkit::policy::{Guard, Place, Policy};

use super::comparison::stack;
use crate::house::House;
use crate::house::roles::lookup;
use crate::story::order_of;

/// The configuration of whoever has taken over a function.
fn under_the_role_of(house: &House, function: &str) -> SdkConfig {
    let stack = stack(TEMPLATE);
    let lookup = lookup(house.host().resources());
    let role = stack.function_by_binary(function).expect("a function");
    let policy = Policy::of(role, &lookup);
    let place = Place::of(&stack, &lookup);
    Guard::new(function, policy, place, house.ledger().clone()).sdk_config(&house.sdk)
}

fn commit(house: &House, stream: &str) -> Commit {
    let event = ForeignEvent {
        event_type: "com.example.orders.order-placed.v1".to_owned(),
        data: order_of("usr-456"),
    };
    let stream = StreamId::try_from(stream.to_owned()).expect("a stream");
    let commit = Loaded::<Unfolded<ForeignEvent>>::fresh(stream)
        .next(&callboard_testkit::cause(), house.now())
        .event(event)
        .build();
    commit.expect("a commit")
}

/// The service's code.
fn code(error: AppendError) -> String {
    match error {
        AppendError::Journal(JournalError::Aws(fault)) => fault.code,
        error => panic!("{error}"),
    }
}

fn refused<T>(result: Result<T, AwsFault>) -> bool {
    result.is_err_and(|fault| fault.code == DENIED)
}

/// DynamoDB's code for what a role may not do.
const DENIED: &str = "AccessDeniedException";

/// Who may append to which kinds of streams.
const WRITERS: [(&str, &[&str]); 9] = [
    (
        "command-api",
        &["slot", "entry", "waitlist", "recipient", "event", "command"],
    ),
    ("waitlist-cascade", &["slot", "entry"]),
    ("calendar-importer", &["slot"]),
    ("notification-planner", &["notification"]),
    ("email-sender", &["notification"]),
    ("query-api", &[]),
    ("outbox-relay", &[]),
    ("waitlist-projector", &[]),
    ("deadline-clock", &[]),
];

/// Every kind of stream.
const KINDS: [&str; 7] = [
    "slot",
    "entry",
    "waitlist",
    "recipient",
    "event",
    "command",
    "notification",
];

#[tokio::test(start_paused = true)]
async fn a_function_appends_to_streams_of_its_own_kinds_alone() {
    let house = House::still().await;
    for (function, kinds) in WRITERS {
        let sdk = under_the_role_of(&house, function);
        let journal = Journal::open(&sdk, house.reference("JournalTable"));
        for kind in KINDS {
            let appended = journal.append(commit(&house, &format!("{kind}#by-{function}")));
            let refusal = appended.await.err().map(code);
            let expected = (!kinds.contains(&kind)).then(|| DENIED.to_owned());
            assert_eq!(refusal, expected, "{function} to a {kind}");
        }
    }
    let denials = house.ledger().take_denials();
    let of_the_sender = denials.iter().map(ToString::to_string);
    let expected = "email-sender may not: dynamodb:PutItem on \
                    arn:aws:dynamodb:us-east-1:000000000000:table/test-JournalTable for \
                    slot#by-email-sender";
    assert!(
        of_the_sender.into_iter().any(|told| told == expected),
        "{denials:?}"
    );
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_smuggles_no_slot_into_a_transaction_of_its_own_stream() {
    let house = House::still().await;
    let sdk = under_the_role_of(&house, "email-sender");
    let journal = Journal::open(&sdk, house.reference("JournalTable"));
    let both = ["notification#n", "slot#s"].map(|stream| commit(&house, stream));
    let error = journal.append_all(both.into(), Vec::new()).await;
    assert_eq!(error.err().map(code).as_deref(), Some(DENIED));
    assert!(house.items("JournalTable").await.is_empty());
    assert_eq!(house.ledger().take_denials().len(), 1);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn personal_data_are_read_by_the_edge_and_the_sender_alone() {
    let house = House::still().await;
    house.register("anna").await;
    for (function, _) in WRITERS {
        let sdk = under_the_role_of(&house, function);
        let contacts = Table::new(&sdk, house.reference("ContactsTable"));
        let read = contacts.get("anna", "profile").await;
        // The sender reads whole batches, and that alone.
        assert_eq!(refused(read), function != "command-api", "{function}");
        let table = house.reference("ContactsTable");
        let keys = vec![bulk::Key::text(&table, "anna", "profile")];
        let client = aws_sdk_dynamodb::Client::new(&sdk);
        let read = bulk::get(&client, keys).await;
        assert_eq!(refused(read), function != "email-sender", "{function}");
    }
    assert_eq!(house.ledger().take_denials().len(), 16);
    house.close().await;
}
