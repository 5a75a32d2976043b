//! What people on call rely on, against what there is.

mod dashboard;
mod runbook;

use callboard_cli::system::TEMPLATE;

/// The template's resources of a type: logical id, and the lines of each.
fn resources(kind: &str) -> Vec<(&'static str, &'static str)> {
    let head = format!("    Type: {kind}\n");
    let starts = TEMPLATE.match_indices("\n  ").map(|(at, _)| at + 3);
    let mut found = Vec::new();
    for at in starts {
        let Some((id, rest)) = TEMPLATE[at..].split_once(":\n") else {
            continue;
        };
        if rest.starts_with(&head) && id.chars().all(char::is_alphanumeric) {
            let end = rest.find("\n\n").unwrap_or(rest.len());
            found.push((id, &rest[..end]));
        }
    }
    found
}
