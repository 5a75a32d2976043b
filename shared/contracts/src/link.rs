//! What a signed link says. It names no person.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{EntryId, OfferId, SlotId, WaitlistId};

/// The claims of a link that shows an offer and takes its answer. Short names: the token
/// stands in a mail and must not be broken over lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferLink {
    /// The slot offered.
    #[serde(rename = "s")]
    pub slot: SlotId,
    /// The version of the slot.
    #[serde(rename = "v")]
    pub version: u32,
    /// The offer.
    #[serde(rename = "o")]
    pub offer: OfferId,
    /// The entry it was made to.
    #[serde(rename = "e")]
    pub entry: EntryId,
}

/// How long a link to a place on a waitlist is honoured: about as long as anybody waits at most by
/// the standard policy. Every message brings a new one.
pub const ENTRY_LINK_LASTS: Duration = Duration::from_secs(182 * 24 * 3_600);

/// The claims of a link that shows a person's own place on a waitlist, and lets them rest, come back
/// or leave. No name of a member is one of [`OfferLink`]'s: neither link can stand for the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryLink {
    /// The waitlist.
    #[serde(rename = "w")]
    pub waitlist: WaitlistId,
    /// The entry.
    #[serde(rename = "n")]
    pub entry: EntryId,
}

/// The claims of a link that a calendar programme subscribes to. It can stand for no other link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarLink {
    /// The waitlist whose slots it shows.
    #[serde(rename = "calendar")]
    pub waitlist: WaitlistId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_one_kind_is_none_of_the_other() {
        let offer = serde_json::json!({ "s": "slot", "v": 1, "o": "offer", "e": "entry" });
        let entry = serde_json::json!({ "w": "waitlist", "n": "entry" });
        assert!(serde_json::from_value::<OfferLink>(offer.clone()).is_ok());
        assert!(serde_json::from_value::<EntryLink>(entry.clone()).is_ok());
        assert!(serde_json::from_value::<OfferLink>(entry.clone()).is_err());
        assert!(serde_json::from_value::<EntryLink>(offer.clone()).is_err());
        let calendar = serde_json::json!({ "calendar": "waitlist" });
        assert!(serde_json::from_value::<CalendarLink>(calendar.clone()).is_ok());
        assert!(serde_json::from_value::<OfferLink>(calendar.clone()).is_err());
        assert!(serde_json::from_value::<EntryLink>(calendar).is_err());
        for other in [offer, entry] {
            assert!(serde_json::from_value::<CalendarLink>(other).is_err());
        }
    }
}
