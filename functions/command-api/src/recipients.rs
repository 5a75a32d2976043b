//! `PUT` and `DELETE /v1/recipients/{id}`: who may be told something, and how.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use callboard_contracts::recipient::{RecipientErased, RecipientRegistered};
use callboard_contracts::{RecipientEvent, RecipientId, StreamId, Unfolded};
use callboard_runtime::http::{FieldError, JsonBody, Problem, RequestFacts, id_from_path};
use callboard_runtime::journal::AppendError;
use callboard_runtime::table::Write;
use email_address::{EmailAddress, Options};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::answer::{
    Done, append_problem, cause_of, commit_name, commit_problem, lost_race, unavailable,
};
use crate::contacts::Profile;
use crate::{App, Deps};

/// Longest address that mail can be sent to, in bytes (RFC 5321 section 4.5.3.1.3, without the
/// angle brackets).
const EMAIL_BYTES_MAX: usize = 254;

/// Longest name, in characters: it stands in a header of every mail.
const NAME_CHARS_MAX: usize = 100;

/// Most categories a person can opt out of one by one.
const OPT_OUTS_MAX: usize = 50;

/// How often a registration is tried again when another writes the same recipient.
const TRIES_MAX: u32 = 5;

/// What is known of a person; what is left out is forgotten.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RegisterRecipient {
    /// A bare address, at most 254 bytes.
    email: Option<String>,
    /// 1 to 100 characters.
    name: Option<String>,
    /// A language tag such as `de-CH`.
    locale: Option<String>,
    /// A zone of the IANA database such as `Europe/Berlin`.
    time_zone: Option<String>,
    /// Categories the person does not want to hear of, at most 50: lower-case letters, digits and
    /// hyphens.
    #[serde(default)]
    opted_out: Vec<String>,
}

impl RegisterRecipient {
    fn check(self) -> Result<Profile, Problem> {
        let mut errors = Vec::new();
        let mut fault = |pointer: &str, detail: &str| {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                detail: detail.to_owned(),
            });
        };
        if self
            .email
            .as_deref()
            .is_some_and(|email| !is_address(email))
        {
            fault("/email", "is not an e-mail address");
        }
        if self.name.as_deref().is_some_and(|name| !is_name(name)) {
            fault(
                "/name",
                "is empty, longer than 100 characters, or holds a control character",
            );
        }
        if self.locale.as_deref().is_some_and(|locale| !is_tag(locale)) {
            fault("/locale", "is not a language tag such as `de-CH`");
        }
        if self
            .time_zone
            .as_deref()
            .is_some_and(|zone| jiff::tz::TimeZone::get(zone).is_err())
        {
            fault(
                "/timeZone",
                "is not a time zone of the IANA database such as `Europe/Berlin`",
            );
        }
        if self.opted_out.len() > OPT_OUTS_MAX || !self.opted_out.iter().all(|tag| is_category(tag))
        {
            fault(
                "/optedOut",
                "takes up to 50 categories of lower-case letters, digits and hyphens",
            );
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let mut opted_out = self.opted_out;
        opted_out.sort();
        opted_out.dedup();
        Ok(Profile {
            email: self.email,
            name: self.name,
            locale: self.locale,
            time_zone: self.time_zone,
            opted_out,
        })
    }
}

/// A bare address (`Anna <anna@example.org>` is none), without the spaces that a quoted local
/// part may hold: what no mail could be sent to must not be taken.
fn is_address(text: &str) -> bool {
    text.len() <= EMAIL_BYTES_MAX
        && !text.contains(|c: char| c.is_control() || c == ' ')
        && EmailAddress::parse_with_options(text, Options::default().without_display_text()).is_ok()
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= NAME_CHARS_MAX
        && !text.contains(char::is_control)
}

fn is_tag(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Categories are written in lower case: an opt-out of `Orders` would match none of them, and
/// nobody would notice.
fn is_category(text: &str) -> bool {
    is_tag(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

pub(crate) async fn register(
    State(deps): App,
    Path(id): Path<String>,
    facts: RequestFacts,
    JsonBody { parsed, .. }: JsonBody<RegisterRecipient>,
) -> Result<Done, Problem> {
    let id: RecipientId = id_from_path(&id)?;
    let profile = parsed.check()?;
    // The cause names the person's id, not the body: its hash would be one of an address.
    let cause = cause_of(&facts, &json!({ "recipientId": id }));
    let event = RecipientRegistered {
        recipient_id: id.clone(),
    };
    let put = deps.contacts.put_profile(&id, &profile);
    commit_with_contact(&deps, &id, &cause, event.into(), put).await
}

pub(crate) async fn erase(
    State(deps): App,
    Path(id): Path<String>,
    facts: RequestFacts,
) -> Result<Done, Problem> {
    let id: RecipientId = id_from_path(&id)?;
    let cause = cause_of(&facts, &json!({ "recipientId": id }));
    let event = RecipientErased {
        recipient_id: id.clone(),
    };
    let put = deps.contacts.put_tombstone(&id);
    let done = commit_with_contact(&deps, &id, &cause, event.into(), put).await?;
    deps.contacts
        .delete_extras(&id)
        .await
        .map_err(|error| unavailable(&error))?;
    Ok(Done {
        status: StatusCode::OK,
        ..done
    })
}

/// One transaction for the address and the event that says it changed, so that neither stands
/// without the other.
async fn commit_with_contact(
    deps: &Arc<Deps>,
    id: &RecipientId,
    cause: &callboard_contracts::Cause,
    event: RecipientEvent,
    contact: Write,
) -> Result<Done, Problem> {
    let stream = StreamId::recipient(id);
    for _ in 0..TRIES_MAX {
        let loaded = deps
            .journal
            .load::<Unfolded<RecipientEvent>>(&stream)
            .await
            .map_err(|error| unavailable(&error))?;
        let status = if loaded.exists() {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        let commit = loaded
            .next(cause, deps.clock.now())
            .event(event.clone())
            .build()
            .map_err(|error| commit_problem(&error))?;
        match deps
            .journal
            .append_all(vec![commit], vec![contact.clone()])
            .await
        {
            Ok(_) => {
                let commit = commit_name(&stream, loaded.number + 1);
                return Ok(Done {
                    status,
                    body: json!({ "recipientId": id }),
                    commit,
                });
            }
            Err(AppendError::Also { .. }) => return Err(erased()),
            Err(AppendError::Conflict(_)) => {}
            Err(error) => return Err(append_problem(&error)),
        }
    }
    Err(lost_race())
}

pub(crate) fn erased() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "recipient-erased",
        "This recipient's data were erased. Register the person under a new id.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(body: serde_json::Value) -> Option<Vec<String>> {
        let parsed: RegisterRecipient = serde_json::from_value(body).expect("a registration");
        let problem = parsed.check().err()?;
        Some(
            problem
                .errors
                .into_iter()
                .map(|error| error.pointer)
                .collect(),
        )
    }

    #[test]
    fn every_member_at_fault_is_named_at_once() {
        let faults = problem_of(json!({
            "email": "no address", "name": "A\r\nBcc: b@example.org",
            "timeZone": "Mars/Olympus", "locale": "d_e", "optedOut": ["a b"],
        }));
        assert_eq!(
            faults.expect("faults"),
            ["/email", "/name", "/locale", "/timeZone", "/optedOut"]
        );
    }

    #[test]
    fn an_ordinary_registration_is_taken() {
        let body = json!({"email": "a@example.org", "name": "Zoë", "timeZone": "Europe/Berlin", "locale": "de-CH"});
        assert_eq!(problem_of(body), None);
    }
}
