//! A person wants no more text messages, or wants them again.
//!
//! It is a word about a channel: the person waits on, an offer that stands may be accepted, and
//! other channels go on. What was written later counts, in whichever order it arrives.

use callboard_contracts::recipient::SmsConsentChanged;
use callboard_contracts::{RecipientEvent, StreamId, Unfolded};
use callboard_domain::replies::Outcome;
use callboard_runtime::http::Problem;
use callboard_runtime::journal::AppendError;

use super::{Reply, Told, language};
use crate::answer::{
    TRIES_MAX, append_problem, commit_name, commit_problem, lost_race, unavailable,
};
use crate::contacts::SmsConsent;

impl Reply<'_> {
    pub(super) async fn consent(&self, stopped: bool) -> Result<Told, Problem> {
        let consent = SmsConsent {
            stopped,
            said_at: self.received_at,
        };
        for _ in 0..TRIES_MAX {
            let known = self.deps.contacts.sms_consent(&self.recipient).await;
            let known = known.map_err(|error| unavailable(&error))?;
            if let Some(known) = known.filter(|known| consent.said_at <= known.said_at) {
                return Ok(self.done(outcome_of(known.stopped), None, None));
            }
            if let Some(commit) = self.store(consent).await? {
                return Ok(self.done(outcome_of(stopped), None, Some(commit)));
            }
            language(self.deps, &self.recipient).await?;
            if let Some(done) = self.keyed.earlier(&self.deps.journal).await? {
                return self.told_before(done).await;
            }
        }
        Err(lost_race())
    }

    /// One transaction for what holds and the event that says so; its commit, or none if somebody
    /// was faster or the person was erased.
    async fn store(&self, consent: SmsConsent) -> Result<Option<String>, Problem> {
        let stream = StreamId::recipient(&self.recipient);
        let person = self.deps.journal.load::<Unfolded<RecipientEvent>>(&stream);
        let person = person.await.map_err(|error| unavailable(&error))?;
        let event = SmsConsentChanged {
            recipient_id: self.recipient.clone(),
            stopped: consent.stopped,
        };
        let now = self.deps.clock.now();
        let commit = commit_name(&stream, person.number + 1);
        let said = person.next(self.cause, now).event(event).build();
        let mut commits = vec![said.map_err(|error| commit_problem(&error))?];
        let done = self.body(outcome_of(consent.stopped), None, commit.clone());
        commits.extend(self.keyed.remembered(&done, now)?);
        let contact = self.deps.contacts.put_sms_consent(&self.recipient, consent);
        match self.deps.journal.append_all(commits, contact).await {
            Ok(_) => Ok(Some(commit)),
            Err(AppendError::Conflict(_) | AppendError::Also { .. }) => Ok(None),
            Err(error) => Err(append_problem(&error)),
        }
    }
}

const fn outcome_of(stopped: bool) -> Outcome {
    if stopped {
        Outcome::Stopped
    } else {
        Outcome::Started
    }
}
