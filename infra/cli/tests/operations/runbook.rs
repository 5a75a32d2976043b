//! `infra/RUNBOOK.md` against what it speaks of: every alarm of the template has an entry and the other
//! way round, and every command, option, queue, file and link that it names is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use callboard_cli::args::Cli;
use clap::CommandFactory;

use crate::resources;

const RUNBOOK: &str = include_str!("../../../RUNBOOK.md");

fn infra() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Headings of a Markdown text.
fn headings(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
}

/// As GitHub makes them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let anchor = |heading: &str| {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings(text).map(anchor).collect()
}

/// What stands in code: spans, and lines of blocks without their comments.
fn code() -> Vec<&'static str> {
    let mut found = Vec::new();
    for (at, part) in RUNBOOK.split("```").enumerate() {
        if at % 2 == 1 {
            found.extend(
                part.lines()
                    .map(|line| line.split("  #").next().expect("there").trim()),
            );
        } else {
            found.extend(part.split('`').skip(1).step_by(2));
        }
    }
    found
}

fn commands() -> Vec<Vec<&'static str>> {
    let words = |line: &'static str| line.split_whitespace().collect::<Vec<_>>();
    code()
        .into_iter()
        .map(words)
        .filter(|words| words.first() == Some(&"callboard") && words.len() > 1)
        .collect()
}

#[test]
fn every_alarm_has_an_entry_and_every_entry_an_alarm_that_names_it() {
    let alarms = resources("AWS::CloudWatch::Alarm");
    let ids: BTreeSet<&str> = alarms.iter().map(|(id, _)| *id).collect();
    let is_entry = |heading: &&str| heading.ends_with("Alarm");
    assert_eq!(ids, headings(RUNBOOK).filter(is_entry).collect());
    assert_eq!(ids.len(), 24);
    for (id, text) in alarms {
        let description = text
            .lines()
            .find(|line| line.contains("AlarmDescription:"))
            .expect("there");
        let link = format!(" - infra/RUNBOOK.md#{}", id.to_lowercase());
        assert!(description.ends_with(&link), "{id}: {description}");
    }
}

#[test]
fn every_entry_says_what_it_means_what_to_look_at_what_mends_it_and_who_else_is_to_know() {
    for entry in RUNBOOK
        .split("\n### ")
        .filter(|text| text.lines().next().expect("there").ends_with("Alarm"))
    {
        for part in ["Means", "Look first", "Mend", "Escalate"] {
            assert!(
                entry.contains(&format!("- **{part}:** ")),
                "{part}: {entry}"
            );
        }
    }
}

#[test]
fn every_command_that_is_named_can_be_typed_with_its_options() {
    let found = commands();
    assert!(found.len() > 40, "{}", found.len());
    for words in found {
        let mut command = Cli::command();
        command.build();
        let mut command = &command;
        let mut words_left = words[1..].iter().peekable();
        while let Some(sub) = words_left
            .peek()
            .and_then(|word| command.find_subcommand(word))
        {
            command = sub;
            words_left.next();
        }
        assert_ne!(command.get_name(), "callboard", "{words:?}");
        for option in words_left.filter_map(|word| word.strip_prefix("--")) {
            let known = command
                .get_arguments()
                .any(|known| known.get_long() == Some(option));
            assert!(known, "--{option} of {words:?}");
        }
    }
}

#[test]
fn every_queue_that_a_command_names_is_there() {
    let kebab = |id: &str| {
        let mut name = String::new();
        for c in id.chars() {
            if c.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(c.to_lowercase());
        }
        let name = name.trim_end_matches("-queue");
        name.trim_end_matches("-dead-letter").to_owned()
    };
    let known: BTreeSet<String> = resources("AWS::SQS::Queue")
        .into_iter()
        .map(|(id, _)| kebab(id))
        .collect();
    let mut named = BTreeSet::new();
    for words in commands() {
        let at = words.iter().position(|word| *word == "--queue");
        named.extend(at.map(|at| words[at + 1].to_owned()));
    }
    named.remove("NAME");
    assert_eq!(
        named.difference(&known).count(),
        0,
        "{named:?} of {known:?}"
    );
    assert_eq!(named.len(), 9, "one per dead-letter queue: {named:?}");
}

#[test]
fn every_file_and_link_leads_somewhere() {
    for path in code()
        .iter()
        .flat_map(|line| line.split_whitespace())
        .filter(|word| word.starts_with("infra/"))
    {
        assert!(infra().join("..").join(path).exists(), "{path}");
    }
    let deployment = include_str!("../../../DEPLOYMENT.md");
    let links = RUNBOOK.split("](").skip(1);
    for link in links.map(|rest| rest.split(')').next().expect("there")) {
        let (file, anchor) = link.split_once('#').expect("there");
        let there = match file {
            "" => anchors(RUNBOOK).contains(anchor),
            "DEPLOYMENT.md" => anchors(deployment).contains(anchor),
            _ => false,
        };
        assert!(there, "{link}");
    }
}
