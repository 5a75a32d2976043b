//! A journal and its views on an engine of its own, the projector, and `callboard replay` as typed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_sdk_dynamodb::Client;
use callboard_cli::CliError;
use callboard_cli::args::{Cli, Command};
use callboard_cli::env_file::EnvFile;
use callboard_cli::ports::{Port, listen, url_of};
use callboard_cli::replay::{self, ReplayArgs};
use callboard_contracts::StreamId;
use callboard_runtime::journal::{Commit, Journal};
use callboard_runtime::scan::{self, Segment};
use callboard_runtime::table::{self, Item, Table};
use callboard_testkit::World;
use callboard_testkit::world::{JOURNAL, VIEWS};
use clap::Parser;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tempfile::TempDir;
use waitlist_projector::projection::{self, Deps};

/// Calls at the same time while a place is furnished.
const CONCURRENCY: usize = 16;

/// All of a table, by key.
pub(crate) type Rows = BTreeMap<(String, String), Item>;

/// A place, and the env file that tells of it.
pub(crate) struct Place {
    directory: TempDir,
    pub(crate) env_file: PathBuf,
    pub(crate) deps: Deps,
    pub(crate) dynamodb: Client,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let world = World::open().await;
        let engine = world.engine().clone();
        let listener = listen(Port::Any, "an engine", "--port").await;
        let listener = listener.expect("a port");
        let mut env = EnvFile::default();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", &*url_of(&listener).expect("an address")),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("CALLBOARD_JOURNAL_TABLE", JOURNAL),
            ("CALLBOARD_VIEWS_TABLE", VIEWS),
        ] {
            env.set(name, value);
        }
        tokio::spawn(async move { engine.serve(listener, std::future::pending()).await });
        let directory = tempfile::tempdir().expect("a directory");
        let env_file = directory.path().join("env");
        env.write(&env_file).expect("written");
        let dynamodb = Client::new(world.sdk());
        let deps = Deps {
            journal: Journal::new(dynamodb.clone(), JOURNAL),
            views: Table::new(world.sdk(), VIEWS),
        };
        Self {
            directory,
            env_file,
            deps,
            dynamodb,
        }
    }

    /// Where a rebuild in place keeps how far it has come.
    pub(crate) fn checkpoint(&self, view: &str) -> PathBuf {
        self.directory.path().join(format!("replay-{view}.json"))
    }

    pub(crate) async fn append(&self, transactions: Vec<Vec<Commit>>) {
        for transaction in transactions {
            let done = self.deps.journal.append_all(transaction, Vec::new());
            done.await.expect("appended");
        }
    }

    /// The projector hears of all these streams.
    pub(crate) async fn project(&self, streams: impl IntoIterator<Item = StreamId>) {
        let projected = stream::iter(streams).map(|stream| async move {
            projection::run(&self.deps, &stream, None).await.map(drop)
        });
        let projected = projected.buffer_unordered(CONCURRENCY);
        projected.try_collect::<()>().await.expect("projected");
    }

    /// Everything in a table, byte for byte.
    pub(crate) async fn rows(&self, table: &str) -> Rows {
        let all = Segment {
            table,
            number: 0,
            of: 1,
            prefixes: &[],
        };
        let (mut rows, mut after) = (Rows::new(), None);
        loop {
            let page = scan::page(&self.dynamodb, all, after.as_ref()).await;
            let page = page.expect("scanned");
            rows.extend(page.items.into_iter().map(|item| {
                let text = |name| table::text(&item, name).expect("a key").to_owned();
                ((text("pk"), text("sk")), item)
            }));
            after = page.next;
            if after.is_none() {
                return rows;
            }
        }
    }

    pub(crate) async fn put(&self, item: Item) {
        let put = self.dynamodb.put_item().table_name(VIEWS);
        put.set_item(Some(item)).send().await.expect("put");
    }

    pub(crate) async fn remove(&self, keys: impl IntoIterator<Item = (String, String)>) {
        let removed = stream::iter(keys).map(|(pk, sk)| async move {
            self.deps.views.delete(&pk, &sk).await.expect("deleted");
        });
        removed.buffer_unordered(CONCURRENCY).collect::<()>().await;
    }

    pub(crate) fn typed(&self, typed: &[&str]) -> ReplayArgs {
        let file = self.env_file.to_str().expect("a path");
        let words = ["callboard", "replay"].iter().chain(typed);
        let cli = Cli::try_parse_from(words.copied().chain(["--env-file", file]));
        match cli.unwrap_or_else(|error| panic!("{error}")).command {
            Command::Replay(args) => args,
            other => panic!("{other:?}"),
        }
    }

    /// `callboard replay … --json` here: how it ended, and what it said.
    pub(crate) async fn replay(&self, typed: &[&str]) -> (Result<(), CliError>, Value) {
        let args = self.typed(&[typed, &["--json"]].concat());
        let mut out = Vec::new();
        let outcome = replay::run_to(&args, &mut out).await;
        let said = serde_json::from_slice(&out).unwrap_or(Value::Null);
        (outcome, said)
    }

    /// The same, which must end well.
    pub(crate) async fn replayed(&self, typed: &[&str]) -> Value {
        let (outcome, said) = self.replay(typed).await;
        outcome.unwrap_or_else(|error| panic!("{error}: {said:#}"));
        said
    }
}

/// Both hold the same, byte for byte.
pub(crate) fn assert_same(found: &Rows, wanted: &Rows) {
    let keys = found.keys().chain(wanted.keys());
    let other = keys.filter(|key| found.get(*key) != wanted.get(*key));
    let other: Vec<_> = other
        .map(|key| (key, found.get(key), wanted.get(key)))
        .collect();
    assert!(
        other.is_empty(),
        "found and wanted: {:#?}",
        &other[..other.len().min(3)]
    );
}

/// An item with one attribute set.
pub(crate) fn with(item: &Item, name: &str, value: table::AttributeValue) -> Item {
    let mut item = item.clone();
    item.insert(name.to_owned(), value);
    item
}
