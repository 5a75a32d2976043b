//! Least privilege: what a role does not allow is refused, and what it allows is what its function
//! does.
//!
//! The first half holds in every test of a house: [`crate::house::roles`] gives each function its
//! role, and an unexpected refusal fails the test. The second half is [`scenario`], which leads
//! everywhere a call is made, and [`comparison`] with the roles; what is allowed and not called
//! stands in `infra/policy/unused-actions.yaml` with its reason.

mod comparison;
mod identities;
mod scenario;

use std::path::Path;

use callboard_cli::system::TEMPLATE;

use crate::house::{Setup, Site};
use comparison::{Comparison, JUSTIFIED, Justified, stack};

const BEGIN: &str = "<!-- roles: begin -->\n";
const END: &str = "<!-- roles: end -->\n";

/// A copy of the template with `old` replaced in one role.
fn with_role(role: &str, old: &str, new: &str) -> String {
    let from = TEMPLATE.find(&format!("\n  {role}:\n")).expect("the role");
    let to = from
        + TEMPLATE[from..]
            .find("LogGroup:\n    Type")
            .expect("its end");
    let block = &TEMPLATE[from..to];
    assert_eq!(block.matches(old).count(), 1, "{old} in {role}");
    format!(
        "{}{}{}",
        &TEMPLATE[..from],
        block.replace(old, new),
        &TEMPLATE[to..]
    )
}

#[tokio::test(start_paused = true)]
async fn every_action_that_a_role_allows_is_called_or_justified() {
    let recordings = scenario::everything().await;
    let justified = Justified::read(JUSTIFIED);
    let comparison = Comparison::of(TEMPLATE, &recordings);
    println!("{}\n{}", comparison.told(), comparison.table(&justified));
    assert_eq!(comparison.findings(&justified), Vec::<String>::new());
    assert_eq!(
        comparison.doubled(TEMPLATE, &recordings),
        Vec::<String>::new()
    );
    in_the_document(&comparison.table(&justified));

    // The same calls beside a copy that allows one thing more, and one that is more precise.
    let old = "Action: [dynamodb:Query, dynamodb:BatchGetItem]";
    let copy = with_role(
        "EmailSenderRole",
        old,
        "Action: [dynamodb:Query, dynamodb:BatchGetItem, dynamodb:Scan]",
    );
    let findings = Comparison::of(&copy, &recordings).findings(&justified);
    assert_eq!(
        findings,
        ["email-sender may dynamodb:Scan on JournalTable, and never does"]
    );
    let copy = with_role(
        "WaitlistCascadeRole",
        "['slot#*', 'entry#*', 'broadcast#*']",
        "['slot#*', 'entry#*', 'broadcast#*', 'event#*']",
    );
    let findings = Comparison::of(&copy, &recordings).findings(&justified);
    let expected =
        "waitlist-cascade may dynamodb:PutItem on JournalTable for event#*, and never does";
    assert_eq!(findings, [expected]);

    // A justification of what is called, and one of what is not allowed.
    let stale = "- {functions: [email-sender], actions: [dynamodb:Query, dynamodb:UpdateItem], \
                 reason: nobody looked at this for years}";
    let mut more = Justified::read(JUSTIFIED);
    more.extend(Justified::read(stale));
    assert_eq!(
        comparison.findings(&more),
        [
            "email-sender: dynamodb:Query is justified, and is used or not allowed",
            "email-sender: dynamodb:UpdateItem is justified, and is used or not allowed",
        ]
    );
}

/// Compares with `infra/policy/ROLES.md`; with `UPDATE_ROLES=1` writes it.
fn in_the_document(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/policy/ROLES.md");
    let document = std::fs::read_to_string(&path).expect("ROLES.md");
    let (head, rest) = document.split_once(BEGIN).expect("the table's begin");
    let (found, tail) = rest.split_once(END).expect("the table's end");
    if std::env::var_os("UPDATE_ROLES").is_some() {
        let document = format!("{head}{BEGIN}{table}{END}{tail}");
        std::fs::write(&path, document).expect("written");
        return;
    }
    assert_eq!(found, table, "write it anew with UPDATE_ROLES=1");
}

#[test]
fn no_statement_of_a_role_is_left_out_by_a_switch() {
    let statements: usize = stack(TEMPLATE)
        .functions
        .iter()
        .map(|one| one.statements.len())
        .sum();
    let roles = TEMPLATE.split("\n  ").scan(false, |inside, line| {
        if !line.starts_with(' ') && line.trim_end().ends_with(':') {
            *inside = line.trim_end().ends_with("Role:");
        }
        Some(
            *inside
                && line
                    .trim_start()
                    .trim_start_matches("- ")
                    .starts_with("Sid: "),
        )
    });
    assert_eq!(roles.filter(|sid| *sid).count(), statements);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_role_lost_is_refused_and_named() {
    let old = "Action: [dynamodb:Query, dynamodb:BatchGetItem]";
    let template = with_role("EmailSenderRole", old, "Action: dynamodb:Query");
    let setup = Setup {
        template,
        ..Setup::default()
    };
    let house = Site::new(setup).await.open().await;
    let anna = house.register("anna").await;
    house.order(&anna.id).await.expect(202);
    let denials = house
        .until("a refusal", async || {
            let denials = house.ledger().take_denials();
            (!denials.is_empty()).then_some(denials)
        })
        .await;
    let told = denials[0].to_string();
    let expected = "email-sender may not: dynamodb:BatchGetItem on \
                    arn:aws:dynamodb:us-east-1:000000000000:table/test-JournalTable";
    assert!(told.starts_with(expected), "{told}");
    house.at_rest().await;
    assert!(house.mails().await.is_empty(), "nothing is sent unread");
    // What came after is the same refusal, once for each try.
    assert!(
        house
            .ledger()
            .take_denials()
            .iter()
            .all(|denial| denial.function == "email-sender")
    );
    house.close().await;
}
