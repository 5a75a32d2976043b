//! What others' tools make of the template and of the functions: the template read by cfn-lint with
//! our rules, the template deployed by AWS's own tool to an emulator of AWS with real `bootstrap`
//! binaries, the next version deployed over it, its alarms fired on another, and the samples invoked
//! by `cargo lambda`. What the emulators do otherwise than AWS is in `tests/README.md`.
//!
//! Each installs its tools on its first run. Where they cannot be had it says so on standard error
//! and passes, unless `CALLBOARD_CI_STRICT=1`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, Once, PoisonError};

/// Held by what is deployed to ministack: each installs it and builds into the same directory.
static DEPLOYMENT: Mutex<()> = Mutex::new(());

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/scripts")
}

/// Several scripts would install them side by side, into the same place. Where it fails, each says so.
fn install_tools_of_aws() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let install = format!(
            ". '{}' && install_sam_tools",
            scripts().join("sam-tools.sh").display()
        );
        let bash = Command::new("bash").args(["-c", &install]).status();
        bash.expect("bash starts");
    });
}

/// Runs a script of `infra/scripts`; if it does not say that it skips its work, `told` must find in
/// its output that it came to its end.
fn run(script: &str, arguments: &[&str], told: impl Fn(&str) -> bool) {
    let output = Command::new("bash")
        .arg(scripts().join(script))
        .args(arguments)
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    #[allow(clippy::print_stdout, reason = "shown by the test runner if it fails")]
    {
        println!("{said}\n{complained}");
    }
    assert!(output.status.success(), "{}", output.status);
    let skipped = ["NOT TESTED", "NOT CHECKED"]
        .iter()
        .any(|word| complained.contains(word));
    assert!(
        skipped != told(&said),
        "neither told to its end nor skipped"
    );
}

#[test]
fn a_stack_deployed_by_sam_tells_the_whole_story_and_leaves_nothing_behind() {
    let _turn = DEPLOYMENT.lock().unwrap_or_else(PoisonError::into_inner);
    install_tools_of_aws();
    run("emulated-deployment.sh", &[], |said| {
        said.contains("All of it happened") && said.contains("torn down")
    });
}

#[test]
fn work_in_flight_survives_a_deployment_that_changes_event_versions_and_its_rollback() {
    let _turn = DEPLOYMENT.lock().unwrap_or_else(PoisonError::into_inner);
    install_tools_of_aws();
    run("emulated-upgrade.sh", &[], |said| {
        said.contains("nothing lost, nothing misread, nothing sent twice")
    });
}

#[test]
fn every_sample_invoked_by_cargo_lambda_is_answered_as_documented() {
    run("invoke-samples.sh", &[], |said| {
        said.contains(" samples answered as documented")
    });
}

#[test]
fn the_template_passes_every_rule_and_each_rule_of_ours_finds_its_break() {
    install_tools_of_aws();
    run("check-template.sh", &[], |said| {
        said.contains("check-template: clean")
    });
    run("check-template.sh", &["--self-test"], |said| {
        said.contains(" breaks were found")
    });
}

#[test]
fn every_alarm_goes_off_tells_it_calms_down_and_has_its_entry_in_the_runbook() {
    install_tools_of_aws();
    run("fire-alarms.sh", &[], |said| {
        said.contains(" alarms went off once, told it and calmed down")
    });
}
