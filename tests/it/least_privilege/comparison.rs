//! What roles allow, beside what functions called.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use callboard_cli::system::TEMPLATE_NAME;
use callboard_host::Resources;
use callboard_template::{Parameters, Stack};
use callboard_testkit::policy::{Access, Grant, Policy};
use saphyr::{LoadableYamlNode, Yaml};

use crate::house::roles::lookup;

/// What is allowed and not called, with the reasons.
pub const JUSTIFIED: &str = include_str!("../../../infra/policy/unused-actions.yaml");

/// What the functions of one house called, and what existed in it.
pub struct Recording {
    pub resources: Resources,
    pub calls: BTreeMap<String, BTreeMap<Access, u64>>,
}

/// A template with every statement in it: what a switch leaves out is switched on.
pub fn stack(text: &str) -> Stack {
    let parameters = Parameters::default()
        .with("PublicUrl", "http://board.example")
        .with("LinkKeys", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE");
    let stack = callboard_template::load(TEMPLATE_NAME, text, &parameters);
    stack.unwrap_or_else(|problems| panic!("{problems}"))
}

/// Grants and calls by function.
pub struct Comparison(pub BTreeMap<String, BTreeMap<Grant, u64>>);

impl Comparison {
    /// Of a template's roles with calls of houses.
    pub fn of(template: &str, recordings: &[Recording]) -> Self {
        let stack = stack(template);
        let mut functions: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
        for recording in recordings {
            let lookup = lookup(&recording.resources);
            for function in &stack.functions {
                let calls = recording.calls.get(&function.binary);
                let usage = Policy::of(function, &lookup).usage(calls.unwrap_or(&BTreeMap::new()));
                let sums = functions.entry(function.binary.clone()).or_default();
                for (grant, times) in usage {
                    *sums.entry(grant).or_default() += times;
                }
            }
        }
        Self(functions)
    }

    fn grants(&self, used: bool) -> impl Iterator<Item = (&String, &Grant)> {
        self.0.iter().flat_map(move |(function, grants)| {
            let grants = grants.iter();
            let of = grants.filter(move |(_, times)| (**times > 0) == used);
            of.map(move |(grant, _)| (function, grant))
        })
    }

    /// What nobody called and no justification names, and justifications of nothing.
    pub fn findings(&self, justified: &[Justified]) -> Vec<String> {
        let mut findings = Vec::new();
        for (function, grant) in self.grants(false) {
            if reason(justified, function, grant).is_none() {
                findings.push(format!("{function} may {grant}, and never does"));
            }
        }
        for entry in justified {
            for (function, action) in entry.pairs() {
                let mut unused = self.grants(false);
                if !unused.any(|(of, grant)| of == function && entry.is_for(of, grant, action)) {
                    findings.push(format!(
                        "{function}: {action} is justified, and is used or not allowed"
                    ));
                }
            }
        }
        findings
    }

    /// Grants whose loss no call would notice: others allow the same.
    pub fn doubled(&self, template: &str, recordings: &[Recording]) -> Vec<String> {
        let stack = stack(template);
        let missed = |function: &str, grant: &Grant| {
            recordings.iter().any(|recording| {
                let role = stack.function_by_binary(function).expect("a function");
                let policy = Policy::of(role, &lookup(&recording.resources)).without(grant);
                let calls = recording.calls.get(function).into_iter().flatten();
                calls.into_iter().any(|(access, _)| !policy.allows(access))
            })
        };
        self.grants(true)
            .filter(|(function, grant)| !missed(function, grant))
            .map(|(function, grant)| format!("{function}: {grant}"))
            .collect()
    }

    /// The table as `infra/policy/ROLES.md` has it.
    pub fn table(&self, justified: &[Justified]) -> String {
        let mut told =
            String::from("| function | grants | used | justified |\n|---|---|---|---|\n");
        let mut all = [0; 2];
        for (function, grants) in &self.0 {
            let used = grants.values().filter(|times| **times > 0).count();
            all = [all[0] + grants.len(), all[1] + used];
            let [grants, rest] = [grants.len(), grants.len() - used];
            let _ = writeln!(told, "| {function} | {grants} | {used} | {rest} |");
        }
        let [grants, used] = all;
        let rest = grants - used;
        let _ = writeln!(
            told,
            "| **all** | **{grants}** | **{used}** | **{rest}** |\n"
        );
        told.push_str(
            "| function | action | on | keys | called, or why not |\n|---|---|---|---|---|\n",
        );
        for (function, grants) in &self.0 {
            for ((action, resource, said), keys) in rows(function, grants, justified) {
                let keys = keys.join(" ");
                let _ = writeln!(
                    told,
                    "| {function} | {action} | {resource} | {keys} | {said} |"
                );
            }
        }
        told
    }

    /// The same in short, with the number of calls, for whoever runs the test.
    pub fn told(&self) -> String {
        let mut told = String::new();
        for (function, grants) in &self.0 {
            let _ = writeln!(told, "{function}");
            for (grant, times) in grants {
                let _ = writeln!(told, "{times:>8}  {grant}");
            }
        }
        told
    }
}

type Row<'a> = (&'a str, &'a str, &'a str);

/// Grants that differ by their keys alone in one row.
fn rows<'a>(
    function: &str,
    grants: &'a BTreeMap<Grant, u64>,
    justified: &'a [Justified],
) -> BTreeMap<Row<'a>, Vec<String>> {
    let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (grant, times) in grants {
        let said = match times {
            0 => reason(justified, function, grant).unwrap_or("**never**"),
            _ => "called",
        };
        let row = (grant.action.as_str(), grant.resource.as_str(), said);
        let keys = grant.keys.iter().map(|keys| format!("`{keys}`"));
        rows.entry(row).or_default().extend(keys);
    }
    rows
}

/// Why roles may do what no function does.
pub struct Justified {
    functions: BTreeSet<String>,
    actions: BTreeSet<String>,
    reason: String,
}

impl Justified {
    /// Reads `unused-actions.yaml`.
    pub fn read(text: &str) -> Vec<Self> {
        let documents = Yaml::load_from_str(text).expect("YAML");
        let entries = documents[0].as_sequence().expect("a list");
        let entry = |entry: &Yaml| {
            let names = |field: &str| -> BTreeSet<String> {
                let names = entry[field].as_sequence().expect(field).iter();
                names
                    .map(|name| name.as_str().expect(field).to_owned())
                    .collect()
            };
            let reason = entry["reason"].as_str().expect("a reason");
            assert!(reason.len() > 20, "a reason is a sentence: {reason}");
            Self {
                functions: names("functions"),
                actions: names("actions"),
                reason: reason.trim().to_owned(),
            }
        };
        entries.iter().map(entry).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&String, &String)> {
        let functions = self.functions.iter();
        functions.flat_map(|function| self.actions.iter().map(move |action| (function, action)))
    }

    fn is_for(&self, function: &str, grant: &Grant, action: &str) -> bool {
        self.functions.contains(function) && grant.action == action
    }
}

fn reason<'a>(justified: &'a [Justified], function: &str, grant: &Grant) -> Option<&'a str> {
    let mut justified = justified.iter();
    let entry = justified
        .find(|entry| entry.functions.contains(function) && entry.actions.contains(&grant.action));
    entry.map(|entry| entry.reason.as_str())
}
