//! The engine beside two other emulators, under one load: `cargo bench -p callboard-engine --bench
//! emulators` measures the engine alone, `infra/engine/benches/emulators.sh` all of them. Nothing
//! here is asserted about time: it prints a table.
//!
//! Each target is a process of its own, the engine too: this program started again with `serve`, or,
//! for the figures of the dev profile, the example `serve`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod client;
mod figures;
mod process;
mod table;
mod target;

use callboard_engine::{Engine, EngineConfig, State};
use figures::Measure;
use target::Target;

/// Whatever goes wrong ends the figure, or the run, with its text.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is to be measured, read from the command line.
#[derive(Debug, Default)]
struct Plan {
    /// Ports of the other emulators, which run already.
    foreign: Vec<(&'static str, u16)>,
    /// The engine's example `serve`, built in the dev profile.
    dev: Option<String>,
    /// A Python with boto3.
    python: Option<String>,
    /// Only figures whose names contain this.
    only: Option<String>,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve(&arguments[1..]);
    }
    let plan = Plan::read(&arguments)?;
    // One thread makes all the load, so that its cost is one core's and the same for every target.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&plan))
}

impl Plan {
    fn read(arguments: &[String]) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            match name.as_str() {
                "--ministack" => plan.foreign.push(("ministack", value.parse()?)),
                "--localstack" => plan.foreign.push(("LocalStack", value.parse()?)),
                "--dev" => plan.dev = Some(value.clone()),
                "--python" => plan.python = Some(value.clone()),
                "--only" => plan.only = Some(value.clone()),
                _ => return Err(format!("{name} is not known").into()),
            }
        }
        Ok(plan)
    }
}

async fn run(plan: &Plan) -> Result<(), Failure> {
    let mut columns = Vec::new();
    for (name, port) in &plan.foreign {
        let target = Target::running(name, *port).await?;
        columns.push(figures::of(&target, plan, Measure::Foreign).await?);
    }
    let own = std::env::current_exe()?;
    let own = own
        .to_str()
        .ok_or("the path of this program is not UTF-8")?;
    for (name, on_disk) in [("memory", false), ("disk", true)] {
        let target = Target::start(name, &[own, "serve"], on_disk).await?;
        columns.push(figures::of(&target, plan, Measure::Engine).await?);
    }
    if let Some(dev) = &plan.dev {
        for (name, on_disk) in [("memory, dev", false), ("disk, dev", true)] {
            let target = Target::start(name, &[dev], on_disk).await?;
            columns.push(figures::of(&target, plan, Measure::WithoutBacklog).await?);
        }
    }
    table::print(&columns);
    Ok(())
}

/// The engine on a port, in memory or in a directory, until it is killed.
#[tokio::main]
async fn serve(arguments: &[String]) -> Result<(), Failure> {
    let port: u16 = arguments.first().ok_or("which port?")?.parse()?;
    let state = match arguments.get(1) {
        Some(directory) => State::Directory(directory.into()),
        None => State::Ephemeral,
    };
    let engine = Engine::open(EngineConfig {
        state,
        ..EngineConfig::default()
    })
    .await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    engine.set_public_url(format!("http://{}", listener.local_addr()?));
    engine.serve(listener, std::future::pending()).await?;
    Ok(())
}
