//! Who carries a mail out of the house, behind one small trait.
//!
//! A provider says one of four things: accepted, certainly not and never will be
//! ([`Class::Permanent`]), certainly not but perhaps later ([`Class::Transient`]), or nobody
//! can know ([`Class::Ambiguous`]). The last one is the reason for the lease: it must never be
//! taken for "not sent". Not here: journal, recipients, wording.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use lettre::Address;

pub mod ses;
pub mod smtp;
pub mod transport;

/// Longest time a provider may take over one mail, in all. With the five seconds that a lease
/// outlives its invocation it fits the function's time-out of ten seconds (template parameter
/// `FunctionTimeoutSeconds`), with one second left for the reads before it.
pub const PROVIDER_TIMEOUT: Duration = Duration::from_secs(4);

/// A mail, ready to be carried: envelope addresses and the text of RFC 5322.
///
/// It holds personal data, so it has no `Debug`.
pub struct Message {
    /// Envelope sender.
    pub from: Address,
    /// Envelope recipient.
    pub to: Address,
    /// Headers and body.
    pub raw: Vec<u8>,
}

/// A mail was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The provider's name, as the journal shall hold it.
    pub provider: &'static str,
}

/// What a failure says about the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It was not sent, and sending it again would fail again.
    Permanent,
    /// It was not sent; another try may work.
    Transient,
    /// It may have been sent. Only the end of the lease decides what follows.
    Ambiguous,
}

/// A mail was not taken, or nobody can know.
///
/// The provider's text is not kept: it quotes addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} ({class:?})")]
pub struct SendError {
    /// What it says about the mail.
    pub class: Class,
    /// Provider and code, for instance `smtp-451`; never its text.
    pub code: String,
}

impl SendError {
    /// A failure that stays one.
    #[must_use]
    pub fn permanent(code: impl Into<String>) -> Self {
        Self::new(Class::Permanent, code)
    }

    /// A failure that may pass.
    #[must_use]
    pub fn transient(code: impl Into<String>) -> Self {
        Self::new(Class::Transient, code)
    }

    /// A failure of which nobody knows whether it is one.
    #[must_use]
    pub fn ambiguous(code: impl Into<String>) -> Self {
        Self::new(Class::Ambiguous, code)
    }

    fn new(class: Class, code: impl Into<String>) -> Self {
        Self {
            class,
            code: code.into(),
        }
    }
}

/// What [`Provider::send`] gives.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Accepted, SendError>> + Send + 'a>>;

/// Takes mails.
pub trait Provider: Send + Sync + 'static {
    /// Hands one mail over, within [`PROVIDER_TIMEOUT`]. Never tries again by itself after
    /// the mail may have been taken.
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a>;

    /// Called at the end of an invocation: what does not outlive a frozen process is closed.
    fn end_of_invocation(&self) {}
}
