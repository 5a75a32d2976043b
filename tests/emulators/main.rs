//! What others' tools make of the template and of the functions: the template deployed by AWS's own
//! tool to an emulator of AWS with real `bootstrap` binaries, and the samples invoked by
//! `cargo lambda`. What the emulator does otherwise than AWS is in `tests/README.md`.
//!
//! Each installs its tools on its first run. Where they cannot be had it says so on standard error
//! and passes, unless `CALLBOARD_CI_STRICT=1`.

use std::path::Path;
use std::process::Command;

/// Runs a script of `infra/scripts`; if it does not say that it skips its work, `told` must find in
/// its output that it came to its end.
fn run(script: &str, told: impl Fn(&str) -> bool) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/scripts");
    let output = Command::new("bash")
        .arg(scripts.join(script))
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    #[allow(clippy::print_stdout, reason = "shown by the test runner if it fails")]
    {
        println!("{said}\n{complained}");
    }
    assert!(output.status.success(), "{}", output.status);
    let skipped = complained.contains("NOT TESTED");
    assert!(
        skipped != told(&said),
        "neither told to its end nor skipped"
    );
}

#[test]
fn a_stack_deployed_by_sam_tells_the_whole_story_and_leaves_nothing_behind() {
    run("emulated-deployment.sh", |said| {
        said.contains("All of it happened") && said.contains("torn down")
    });
}

#[test]
fn every_sample_invoked_by_cargo_lambda_is_answered_as_documented() {
    run("invoke-samples.sh", |said| {
        said.contains(" samples answered as documented")
    });
}
