//! What AWS documents of SQS, SNS and DynamoDB, as checks that any endpoint can be put to.
//!
//! Without a word the checks run against the embedded engine, served on a loopback port. Raw HTTP
//! is spoken, so that nothing an SDK corrects or hides softens a check. Not here: anything of
//! Callboard's own, and what AWS leaves open.
//!
//! | variable | |
//! |---|---|
//! | `CALLBOARD_CONFORMANCE_ENDPOINT` | check this endpoint instead, for instance `http://127.0.0.1:4566` |
//! | `CALLBOARD_CONFORMANCE_REPORT` | write what each check found to this file, as JSON |

mod aws;
mod check;
mod client;
mod dynamo;
mod prelude;
mod reply;
mod report;
mod sns;
mod sqs;
mod target;

use check::Check;
use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use std::sync::Arc;

/// Checks under way at once. They wait more than they compute: for long polls, leases and delays.
const AT_ONCE: usize = 16;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => return said(&format!("no runtime: {error}")),
    };
    let aws = match runtime.block_on(target::open()) {
        Ok(aws) => aws,
        Err(failed) => return said(&format!("nothing to check: {failed}")),
    };
    let report = Arc::new(report::Report::default());
    let trials = checks()
        .into_iter()
        .map(|check| {
            let (runtime, aws, report) = (runtime.clone(), aws.clone(), report.clone());
            Trial::test(check.name(), move || {
                let outcome = runtime.block_on(check.run(aws));
                report.note(&check, &outcome);
                outcome.map_err(|failed| format!("{failed}\n  {}", check.doc()).into())
            })
        })
        .collect();
    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    match std::env::var_os("CALLBOARD_CONFORMANCE_REPORT") {
        Some(path) if !listing => match report.write(path.as_ref()) {
            Ok(()) => conclusion.exit_code(),
            Err(error) => said(&format!("no report at {}: {error}", path.display())),
        },
        _ => conclusion.exit_code(),
    }
}

fn checks() -> Vec<Check> {
    [sqs::checks(), sns::checks(), dynamo::checks()].concat()
}

#[expect(clippy::print_stderr, reason = "a test binary speaks to a person")]
fn said(trouble: &str) -> ExitCode {
    eprintln!("{trouble}");
    ExitCode::FAILURE
}
