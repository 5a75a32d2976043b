//! `callboard simulate waitlist`: repeatable, quick, and clear about what it cannot use.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;

const CLINIC: &str = include_str!("../examples/clinic.toml");
const FAST_PASS: &str = include_str!("../examples/fast-pass.toml");

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_callboard"))
        .args(["simulate", "waitlist"])
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = simulate(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What is said of the example with one thing changed in it.
fn refused(directory: &Path, from: &str, to: &str) -> String {
    assert!(CLINIC.contains(from), "{from}");
    let file = directory.join("clinic.toml");
    std::fs::write(&file, CLINIC.replacen(from, to, 1)).unwrap();
    let output = simulate(&["--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_table_and_another_seed_another() {
    let once = printed(&["--seeds=1", "--days=2", "--seed=7"]);
    assert_eq!(once, printed(&["--seeds=1", "--days=2", "--seed=7"]));
    assert_ne!(once, printed(&["--seeds=1", "--days=2", "--seed=8"]));
    for policy in [
        "sequential 30 min",
        "batch of 10, 60 min",
        "broadcast",
        "lottery",
    ] {
        assert!(once.contains(policy), "{once}");
    }
}

#[test]
fn a_week_is_simulated_under_every_policy() {
    let began = Instant::now();
    let text = printed(&["--seeds=1", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["days"], 7);
    assert_eq!(report["policies"].as_array().unwrap().len(), 17);
    println!(
        "a week under {} policies in {:.1} s",
        report["policies"].as_array().unwrap().len(),
        began.elapsed().as_secs_f64()
    );
}

#[test]
fn people_who_answer_as_published_are_better_served_than_one_after_the_other() {
    // Fewer policies leave time for as many seeds as a sure answer needs.
    let compared = ["sequential 30 min\"", "batch of 5, 60", "one round"];
    let mut parts = FAST_PASS.split("[[policies]]");
    let mut config = parts.next().unwrap().to_owned();
    for plan in parts.filter(|plan| compared.iter().any(|name| plan.contains(name))) {
        config.push_str("[[policies]]");
        config.push_str(plan);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clinic.toml");
    std::fs::write(&file, config).unwrap();
    let text = printed(&["--config", file.to_str().unwrap(), "--seeds=6", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let mean = |value: &Value| value["mean"].as_f64().unwrap();
    let published = &report["published"];
    let accepted = mean(&published["accepted"]);
    assert!((0.083..=0.12).contains(&accepted), "{accepted}");
    let offers = mean(&published["offersPerSlot"]);
    assert!((2.5..=3.5).contains(&offers), "{offers}");

    let advice = &report["recommendation"];
    let policies = report["policies"].as_array().unwrap();
    assert_eq!(policies.len(), compared.len());
    let chosen = policies.iter().find(|it| it["name"] == advice["policy"]);
    let chosen = chosen.expect("a recommendation");
    assert!(mean(&chosen["figures"]["messagesPerFill"]) <= 20.0);
    assert!(mean(&chosen["figures"]["supersededShare"]) <= 0.4);
    let gain = &advice["moreFilled"];
    let certain = mean(gain) - gain["plusMinus"].as_f64().unwrap();
    assert!(certain > 0.0, "{gain}");
}

#[test]
fn a_figure_is_what_the_others_say_of_it() {
    let text = printed(&["--seeds=1", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    for policy in report["policies"].as_array().unwrap() {
        let of = |name: &str| policy["figures"][name]["mean"].as_f64().unwrap();
        assert!(
            (of("accepted") * of("offersPerFill") - 1.0).abs() < 1e-9,
            "{policy}"
        );
        let filled = of("fillRate") * of("slots");
        assert!((filled * of("offersPerFill") - of("offersPerSlot") * of("slots")).abs() < 1e-6);
        // Each offer is a message, and so is each confirmation.
        assert!(
            of("messagesPerFill") >= of("offersPerFill") + 1.0,
            "{policy}"
        );
        assert!(of("jain") > 0.0 && of("jain") <= 1.0, "{policy}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line_or_field() {
    let directory = tempfile::tempdir().unwrap();
    let told = |from, to| refused(directory.path(), from, to);
    let unknown = told("per_day = 14.0", "per_dy = 14.0");
    let line = CLINIC
        .lines()
        .position(|it| it == "per_day = 14.0")
        .unwrap()
        + 1;
    assert!(unknown.contains(&format!("line {line}")), "{unknown}");
    assert!(unknown.contains("per_dy"), "{unknown}");
    let share = told("yes = 0.25", "yes = 1.25");
    assert!(
        share.contains("answers.yes: 1.25 is not from 0 to 1"),
        "{share}"
    );
    let mix = told("urgent = 0.1\n", "urgent = 0.2\n");
    assert!(
        mix.contains("entries.urgent, soon and routine must be 1 together"),
        "{mix}"
    );
    let size = told("size = 2\n", "size = 21\n");
    assert!(
        size.contains("policies \"batch of 2, 15 min\": size is out of range"),
        "{size}"
    );
    let zone = told("Europe/Berlin", "Europe/Bärlin");
    assert!(zone.contains("clinic.zone"), "{zone}");
    let baseline = told("baseline = \"sequential 30 min\"", "baseline = \"none\"");
    assert!(baseline.contains("objective.baseline"), "{baseline}");
    let missing = simulate(&["--config", "/nowhere/clinic.toml"]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn what_is_printed_as_configuration_is_understood_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clinic.toml");
    std::fs::write(&file, printed(&["--print-config"])).unwrap();
    let same = ["--seeds=1", "--days=1"];
    let read = printed(&[&["--config", file.to_str().unwrap()], &same[..]].concat());
    assert_eq!(read, printed(&same));
}

#[test]
fn the_plot_shows_every_policy() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plot.svg");
    printed(&["--seeds=1", "--days=1", "--plot", file.to_str().unwrap()]);
    let svg = std::fs::read_to_string(&file).unwrap();
    for policy in [
        "sequential 30 min or 25 %",
        "batch of 5, 30 min",
        "broadcast",
    ] {
        assert!(svg.contains(&format!(">{policy}</text>")), "{policy}");
    }
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    let nowhere = simulate(&["--seeds=1", "--days=1", "--plot=/nowhere/plot.svg"]);
    assert_eq!(nowhere.status.code(), Some(4));
}
