//! Cold start and size of every function, beside a Python function that does the same work.
//!
//! Each start is a new process with the environment that the template gives it, against a system of
//! its own (engine and mailbox of `callboard dev`, in memory), and its first invocation works on a
//! sample from `events/samples`. The functions take turns, so that a noisy moment of the machine
//! meets all of them. `cold-start.sh` builds what is measured here and calls this; see
//! `tests/README.md` for how to read the table.
//!
//! | variable | what |
//! |---|---|
//! | `COLD_START_LAMBDA_DIR` | where `cargo lambda build` puts its bootstraps |
//! | `COLD_START_PEER_DIR` | the peer's code and `bin/python`; without it no peer |
//! | `COLD_START_STARTS` | starts per function [15] |
//! | `COLD_START_ONLY` | the one function to measure, by name |

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

mod report;
mod runtime_api;
mod site;
mod start;
mod story;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::report::Row;
use crate::site::Site;
use crate::start::{Program, Start};
use crate::story::{STORIES, Story};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Starts of each function: enough that the median bears five disturbed ones.
const STARTS: usize = 15;

/// Where `cargo lambda build` puts its bootstraps.
const LAMBDA_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/lambda");

/// The peer's row.
const PEER: &str = "Python peer";

/// One of the programs that are compared.
struct Contestant {
    name: &'static str,
    story: &'static Story,
    program: Program,
    sizes: (u64, u64),
    starts: Vec<Start>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let lambda_dir = PathBuf::from(variable("COLD_START_LAMBDA_DIR").unwrap_or(LAMBDA_DIR.into()));
    let only = variable("COLD_START_ONLY");
    let rounds = variable("COLD_START_STARTS").map_or(Ok(STARTS), |count| count.parse())?;
    let mut contestants = Vec::new();
    for story in STORIES {
        if only.as_deref().is_none_or(|only| only == story.function) {
            contestants.push(Contestant::function(story, &lambda_dir)?);
        }
    }
    match variable("COLD_START_PEER_DIR") {
        Some(directory) => contestants.push(Contestant::peer(Path::new(&directory))?),
        None => say_loudly("NO PEER: COLD_START_PEER_DIR is not set, so nothing is compared"),
    }
    for _ in 0..rounds {
        for contestant in &mut contestants {
            contestant.start().await?;
        }
    }
    let rows: Vec<Row> = contestants.iter().map(Contestant::row).collect();
    println!("{}", report::table(&rows, rounds));
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "what is left out is said beside the table"
)]
fn say_loudly(text: &str) {
    eprintln!("cold-start: {text}");
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn size(path: &Path) -> Result<u64, Error> {
    let found = std::fs::metadata(path);
    Ok(found
        .map_err(|error| {
            format!(
                "{}: {error}; tests/benches/cold-start.sh makes it",
                path.display()
            )
        })?
        .len())
}

impl Contestant {
    fn function(story: &'static Story, lambda_dir: &Path) -> Result<Self, Error> {
        let root = std::path::absolute(lambda_dir.join(story.function))?;
        let bootstrap = root.join("bootstrap");
        Ok(Self {
            name: story.function,
            story,
            sizes: (size(&bootstrap)?, size(&root.join("bootstrap.zip"))?),
            program: Program {
                command: vec![bootstrap],
                root,
            },
            starts: Vec::new(),
        })
    }

    /// The peer plans notifications from the same sample as `notification-planner`.
    fn peer(directory: &Path) -> Result<Self, Error> {
        let directory = std::path::absolute(directory)?;
        let story = STORIES
            .iter()
            .find(|story| story.function == "notification-planner");
        let zip = size(&directory.join("peer.zip"))?;
        Ok(Self {
            name: PEER,
            story: story.ok_or("no notification-planner")?,
            program: Program {
                command: vec![
                    directory.join("bin/python"),
                    "-m".into(),
                    "awslambdaric".into(),
                    "app.handler".into(),
                ],
                root: directory.join("function"),
            },
            sizes: (zip, zip),
            starts: Vec::new(),
        })
    }

    async fn start(&mut self) -> Result<(), Error> {
        let site = Site::open().await?;
        site.play(self.story.so_far).await?;
        let vars: BTreeMap<String, String> = if self.name == PEER {
            site.peer_vars().await?
        } else {
            site.vars_of(self.name)?
        };
        let log = self.program.root.with_extension("log");
        let event = story::sample(self.story.function, self.story.sample)?;
        let (start, answer) = start::measure(&self.program, &vars, &event, &log)
            .await
            .map_err(|error| format!("{}: {error}", self.name))?;
        story::check(&answer).map_err(|error| format!("{}: {error}", self.name))?;
        self.starts.push(start);
        site.close().await;
        Ok(())
    }

    fn row(&self) -> Row {
        Row::of(self.name, self.name == PEER, self.sizes, &self.starts)
    }
}
