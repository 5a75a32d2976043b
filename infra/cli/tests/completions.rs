//! What a shell completes.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
#![cfg(unix)]

use std::process::Command;

fn script(shell: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_callboard"))
        .args(["completions", shell])
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// What bash offers for the last of these words.
fn bash_offers(words: &[&str]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("callboard.bash");
    std::fs::write(&file, script("bash")).unwrap();
    let ask = r#"
        . "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _callboard callboard "${@: -1}" "${@: -2:1}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let output = Command::new("bash")
        .args(["-c", ask, "bash"])
        .arg(&file)
        .args(words)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_their_options() {
    assert_eq!(bash_offers(&["callboard", "tr"]), ["trace"]);
    assert_eq!(bash_offers(&["callboard", "lag", "--max-d"]), ["--max-dlq"]);
    assert_eq!(bash_offers(&["callboard", "dlq", "exp"]), ["export"]);
    assert_eq!(bash_offers(&["callboard", "replay", "--vi"]), ["--view"]);
    let words = ["callboard", "simulate", "waitlist", "--pre"];
    assert_eq!(bash_offers(&words), ["--preset"]);
}

#[test]
fn every_shell_is_told_of_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = script(shell);
        for command in [
            "dev",
            "publish",
            "trace",
            "explain",
            "lag",
            "dlq",
            "replay",
            "simulate",
            "completions",
        ] {
            assert!(script.contains(command), "{shell} lacks {command}");
        }
    }
}
