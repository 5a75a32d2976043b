//! Events that were not made here: an order system's `OrderPlaced`, registered as data.

use serde_json::Value;

use crate::stream::{DecodeError, DomainEvent, Visibility};

/// A foreign event as it stands in the journal: what its type's schema lets through, without
/// the fields marked as personal.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignEvent {
    /// Its registered type, for instance `com.example.order-placed.v1`.
    pub event_type: String,
    /// Its data.
    pub data: Value,
}

impl DomainEvent for ForeignEvent {
    fn event_type(&self) -> &str {
        &self.event_type
    }

    fn visibility(&self) -> Visibility {
        Visibility::Public
    }

    fn data(&self) -> Value {
        self.data.clone()
    }

    fn decode(event_type: &str, data: Value) -> Result<Self, DecodeError> {
        Ok(Self {
            event_type: event_type.to_owned(),
            data,
        })
    }
}
