//! May this be sent now, to this person? Asked at the moment of sending, and every no has a
//! reason that is stored (invariant I8).

use std::collections::BTreeSet;

use callboard_contracts::Timestamp;
use callboard_contracts::notification::DropReason;

use super::notification::is_stale;

/// What of a recipient's contact the gate needs. The address itself is none of its business.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressee {
    /// There is an address on the notification's channel.
    pub has_address: bool,
    /// Categories the person opted out of.
    pub opted_out: BTreeSet<String>,
    /// The address is suppressed (bounced, complained).
    pub suppressed: bool,
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// The category that a person can opt out of.
    pub category: &'a str,
    /// Goes out in spite of opt-out and suppression.
    pub critical: bool,
    /// It was cancelled.
    pub cancelled: bool,
    /// When its cause happened.
    pub caused_at: Timestamp,
    /// It is of no use from this moment on.
    pub expires_at: Option<Timestamp>,
}

/// Whether `message` may go to `addressee` at `now`; `None` is a person who is not registered.
///
/// # Errors
/// The reason why not; if there are several, the one that no later change could lift.
pub fn check(
    message: &Message<'_>,
    addressee: Option<&Addressee>,
    now: Timestamp,
) -> Result<(), DropReason> {
    if message.cancelled {
        return Err(DropReason::Cancelled);
    }
    if is_stale(message.caused_at, now) {
        return Err(DropReason::Stale);
    }
    if message.expires_at.is_some_and(|end| now >= end) {
        return Err(DropReason::Expired);
    }
    let addressee = addressee
        .filter(|addressee| addressee.has_address)
        .ok_or(DropReason::NoContact)?;
    if message.critical {
        return Ok(());
    }
    if addressee.suppressed {
        return Err(DropReason::Suppressed);
    }
    if addressee.opted_out.contains(message.category) {
        return Err(DropReason::OptedOut);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn message() -> Message<'static> {
        Message {
            category: "orders",
            critical: false,
            cancelled: false,
            caused_at: NOW,
            expires_at: None,
        }
    }

    fn addressee() -> Addressee {
        Addressee {
            has_address: true,
            ..Addressee::default()
        }
    }

    #[test]
    fn a_registered_person_who_did_not_object_is_told() {
        assert_eq!(check(&message(), Some(&addressee()), NOW), Ok(()));
    }

    #[test]
    fn somebody_unregistered_or_without_address_has_no_contact() {
        let no_address = Addressee::default();
        assert_eq!(check(&message(), None, NOW), Err(DropReason::NoContact));
        assert_eq!(
            check(&message(), Some(&no_address), NOW),
            Err(DropReason::NoContact)
        );
    }

    #[test]
    fn an_opt_out_counts_for_its_category_only() {
        let mut person = addressee();
        person.opted_out.insert("orders".to_owned());
        assert_eq!(
            check(&message(), Some(&person), NOW),
            Err(DropReason::OptedOut)
        );
        let other = Message {
            category: "waitlist",
            ..message()
        };
        assert_eq!(check(&other, Some(&person), NOW), Ok(()));
    }

    #[test]
    fn a_critical_message_passes_opt_out_and_suppression_but_not_cancel_expiry_or_age() {
        let mut person = addressee();
        person.suppressed = true;
        person.opted_out.insert("orders".to_owned());
        assert_eq!(
            check(&message(), Some(&person), NOW),
            Err(DropReason::Suppressed)
        );
        let critical = Message {
            critical: true,
            ..message()
        };
        assert_eq!(check(&critical, Some(&person), NOW), Ok(()));
        let cancelled = Message {
            cancelled: true,
            ..critical.clone()
        };
        assert_eq!(
            check(&cancelled, Some(&person), NOW),
            Err(DropReason::Cancelled)
        );
        let expired = Message {
            expires_at: Some(NOW),
            ..critical.clone()
        };
        assert_eq!(
            check(&expired, Some(&person), NOW),
            Err(DropReason::Expired)
        );
        let old = Message {
            caused_at: Timestamp::from_millis(NOW.as_millis() - 14 * 24 * 3_600_000 - 1),
            ..critical
        };
        assert_eq!(check(&old, Some(&person), NOW), Err(DropReason::Stale));
    }

    #[test]
    fn a_message_is_of_use_until_the_millisecond_before_its_end() {
        let lasting = Message {
            expires_at: Some(NOW.plus(std::time::Duration::from_millis(1))),
            ..message()
        };
        assert_eq!(check(&lasting, Some(&addressee()), NOW), Ok(()));
    }
}
