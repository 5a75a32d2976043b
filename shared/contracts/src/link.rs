//! What a signed link says. It names no person.

use serde::{Deserialize, Serialize};

use crate::id::{EntryId, OfferId, SlotId};

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
