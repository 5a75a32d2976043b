//! The template deployed by AWS's own tool to an emulator of AWS, with real `bootstrap` binaries.
//! What the emulator does otherwise than AWS is in `tests/README.md`.

use std::path::Path;
use std::process::Command;

/// Installs sam and the emulator on its first run. Where they cannot be had it says so on standard
/// error and passes, unless `CALLBOARD_CI_STRICT=1`.
#[test]
fn a_stack_deployed_by_sam_tells_the_whole_story_and_leaves_nothing_behind() {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/scripts/emulated-deployment.sh");
    let output = Command::new("bash")
        .arg(script)
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    println!("{said}\n{complained}");
    assert!(output.status.success(), "{}", output.status);
    let skipped = complained.contains("NOT TESTED");
    let told = said.contains("All of it happened") && said.contains("torn down");
    assert!(skipped != told, "neither told to its end nor skipped");
}
