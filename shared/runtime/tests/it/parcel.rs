//! A subject for the tests: a parcel with notes, and its delivery as an effect under a lease.

use callboard_contracts::{AttemptView, Attempts, DecodeError, DomainEvent, Visibility};
use callboard_runtime::lease::{Attempt, Effect, OnUnknown};
use callboard_runtime::{Fold, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "of")]
pub enum ParcelEvent {
    Noted(String),
    /// Internal.
    Whispered(String),
    Cancelled,
    /// Internal.
    Attempted {
        attempt: Uuid,
        until: i64,
    },
    Delivered {
        attempt: Uuid,
    },
    /// Internal: certainly not delivered.
    Bounced {
        attempt: Uuid,
    },
    Late {
        attempt: Uuid,
    },
    Unknown {
        attempt: Uuid,
        repeat: bool,
    },
}

impl DomainEvent for ParcelEvent {
    fn event_type(&self) -> &str {
        match self {
            Self::Noted(_) => "test.parcel.noted.v1",
            Self::Whispered(_) => "test.parcel.whispered.v1",
            _ => "test.parcel.other.v1",
        }
    }

    fn visibility(&self) -> Visibility {
        match self {
            Self::Whispered(_) | Self::Attempted { .. } | Self::Bounced { .. } => {
                Visibility::Internal
            }
            _ => Visibility::Public,
        }
    }

    fn data(&self) -> Value {
        json!(self)
    }

    fn decode(event_type: &str, data: Value) -> Result<Self, DecodeError> {
        if !event_type.starts_with("test.parcel.") {
            return Err(DecodeError::UnknownType(event_type.to_owned()));
        }
        serde_json::from_value(data).map_err(|source| DecodeError::Data {
            event_type: event_type.to_owned(),
            source,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LastAttempt {
    pub id: Uuid,
    pub until: i64,
    pub settled: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    pub notes: Vec<String>,
    pub cancelled: bool,
    pub delivered_by: Option<Uuid>,
    pub parked: bool,
    pub late: u32,
    pub last: Option<LastAttempt>,
}

impl Parcel {
    fn settle(&mut self, attempt: Uuid) {
        if let Some(last) = self.last.as_mut().filter(|last| last.id == attempt) {
            last.settled = true;
        }
    }
}

impl Fold for Parcel {
    type Event = ParcelEvent;
    const VERSION: u32 = 1;

    fn evolve(mut self, event: &ParcelEvent, _: Timestamp) -> Self {
        match event {
            ParcelEvent::Noted(note) | ParcelEvent::Whispered(note) => {
                self.notes.push(note.clone())
            }
            ParcelEvent::Cancelled => self.cancelled = true,
            ParcelEvent::Attempted { attempt, until } => {
                self.last = Some(LastAttempt {
                    id: *attempt,
                    until: *until,
                    settled: false,
                });
            }
            ParcelEvent::Delivered { attempt } => {
                self.delivered_by = Some(*attempt);
                self.settle(*attempt);
            }
            ParcelEvent::Bounced { attempt } => self.settle(*attempt),
            ParcelEvent::Late { .. } => self.late += 1,
            ParcelEvent::Unknown { attempt, repeat } => {
                self.parked = !repeat;
                self.settle(*attempt);
            }
        }
        self
    }
}

impl Attempts for Parcel {
    type Key = &'static str;

    fn latest_attempt(&self, _: &Self::Key) -> Option<AttemptView> {
        self.last.map(|last| AttemptView {
            attempt_id: last.id,
            lease_until: Timestamp::from_millis(last.until),
            settled: last.settled,
        })
    }
}

/// The same stream, folded by another version of the code: it notes everything twice. A snapshot
/// of the older version would be readable, and wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NewerParcel {
    pub notes: Vec<String>,
}

impl Fold for NewerParcel {
    type Event = ParcelEvent;
    const VERSION: u32 = 2;

    fn evolve(mut self, event: &ParcelEvent, _: Timestamp) -> Self {
        if let ParcelEvent::Noted(note) = event {
            self.notes.extend([note.clone(), note.clone()]);
        }
        self
    }
}

/// The delivery of a parcel.
#[derive(Debug, Clone)]
pub struct Delivery;

/// What a carrier says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Carrier {
    Delivered,
    Bounced,
}

impl Effect for Delivery {
    type State = Parcel;
    type Key = &'static str;
    type Outcome = Carrier;

    fn is_wanted(&self, state: &Parcel, _: &Self::Key) -> bool {
        !state.cancelled && !state.parked && state.delivered_by.is_none()
    }

    fn begun(&self, _: &Self::Key, attempt: &Attempt) -> Vec<ParcelEvent> {
        vec![ParcelEvent::Attempted {
            attempt: attempt.attempt_id,
            until: attempt.lease_until.as_millis(),
        }]
    }

    fn ended(&self, _: &Self::Key, attempt: Uuid, outcome: &Carrier) -> Vec<ParcelEvent> {
        vec![match outcome {
            Carrier::Delivered => ParcelEvent::Delivered { attempt },
            Carrier::Bounced => ParcelEvent::Bounced { attempt },
        }]
    }

    fn late(&self, _: &Self::Key, attempt: Uuid, _: &Carrier) -> Vec<ParcelEvent> {
        vec![ParcelEvent::Late { attempt }]
    }

    fn unknown(&self, _: &Self::Key, attempt: Uuid, policy: OnUnknown) -> Vec<ParcelEvent> {
        vec![ParcelEvent::Unknown {
            attempt,
            repeat: policy == OnUnknown::Repeat,
        }]
    }
}
