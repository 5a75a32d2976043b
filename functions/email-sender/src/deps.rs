//! What the use case works with; made once, in init.

use std::sync::Arc;

use callboard_contracts::notification::UnknownPolicy;
use callboard_domain::calendar::Organizer;
use callboard_domain::notifications::definition::Catalogue;
use callboard_runtime::Clock;
use callboard_runtime::journal::Journal;
use callboard_runtime::lease::{Lease, OnUnknown};
use callboard_runtime::token::Keys;
use lettre::message::Mailbox;

use crate::effect::Email;
use crate::provider::Provider;

/// Clients, settings and data of the use case.
#[derive(Clone)]
pub struct Deps {
    /// The journal.
    pub journal: Journal,
    /// Leases on the mails to be sent.
    pub lease: Lease<Email>,
    /// Name of the table `contacts`.
    pub contacts_table: String,
    /// Who carries mails.
    pub provider: Arc<dyn Provider>,
    /// Who they are from.
    pub from: Mailbox,
    /// Whom appointments are from.
    pub organizer: Organizer,
    /// What links begin with.
    pub public_url: String,
    /// Keys that sign links.
    pub keys: Keys,
    /// Definitions and wordings.
    pub catalogue: Arc<Catalogue>,
    /// The present.
    pub clock: Clock,
}

impl Deps {
    /// What an unknown outcome means for a definition. One that is gone since the notification
    /// was planned is not sent again: nobody could say in which words.
    #[must_use]
    pub fn on_unknown(&self, definition: &str) -> OnUnknown {
        match self
            .catalogue
            .get(definition)
            .map(|definition| definition.unknown_policy)
        {
            Some(UnknownPolicy::Resend) => OnUnknown::Repeat,
            Some(UnknownPolicy::Park) | None => OnUnknown::Park,
        }
    }
}
