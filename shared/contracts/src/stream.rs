//! Streams and what may stand in them.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{EntryId, RecipientId, SlotId, WaitlistId, derived_uuid};
use crate::notification::NotificationId;
use crate::time::Timestamp;

/// The id of a stream: `<kind>#<rest>`. It is the journal's partition key and an event's subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(String);

/// Longest stream id in bytes: a partition key may have 2,048 (DynamoDB Developer Guide,
/// "Service, account, and table quotas"), but a commit must stay under 1,024 with its events.
pub const STREAM_ID_BYTES_MAX: usize = 300;

impl StreamId {
    /// The stream of a slot.
    #[must_use]
    pub fn slot(id: &SlotId) -> Self {
        Self(format!("slot#{id}"))
    }

    /// The stream of one version's broadcast of a slot.
    #[must_use]
    pub fn broadcast(slot: &SlotId, version: u32) -> Self {
        Self(format!("broadcast#{slot}#{version}"))
    }

    /// The slot and version whose broadcast this stream is; `None` if it is none.
    #[must_use]
    pub fn as_broadcast(&self) -> Option<(SlotId, u32)> {
        let (slot, version) = self.0.strip_prefix("broadcast#")?.split_once('#')?;
        Some((SlotId::parse(slot).ok()?, version.parse().ok()?))
    }

    /// The stream of a waitlist entry.
    #[must_use]
    pub fn entry(id: &EntryId) -> Self {
        Self(format!("entry#{id}"))
    }

    /// The stream of a waitlist's policy.
    #[must_use]
    pub fn waitlist(id: &WaitlistId) -> Self {
        Self(format!("waitlist#{id}"))
    }

    /// The stream of a recipient.
    #[must_use]
    pub fn recipient(id: &RecipientId) -> Self {
        Self(format!("recipient#{id}"))
    }

    /// The stream of one notification.
    #[must_use]
    pub fn notification(id: NotificationId) -> Self {
        Self(format!("notification#{id}"))
    }

    /// The stream of one foreign event. Source and id are foreign text of any form, so they
    /// are checked for length by the caller that accepts them.
    #[must_use]
    pub fn event(source: &str, id: &str) -> Self {
        Self(format!("event#{source}#{id}"))
    }

    /// The stream of one `Idempotency-Key` for one route. The key is the caller's text, so it is
    /// hashed: it may be long, and it may hold anything.
    #[must_use]
    pub fn command(route: &str, key: &str) -> Self {
        Self(format!(
            "command#{}",
            derived_uuid(&["command", route, key]).simple()
        ))
    }

    /// What stands before the first `#`: `slot`, `entry`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split('#').next().unwrap_or_default()
    }

    /// What stands after the first `#`.
    #[must_use]
    pub fn rest(&self) -> &str {
        self.0.split_once('#').map_or("", |(_, rest)| rest)
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not a stream id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stream id: expected <kind>#<id> of at most {STREAM_ID_BYTES_MAX} bytes")]
pub struct StreamIdError;

impl TryFrom<String> for StreamId {
    type Error = StreamIdError;
    fn try_from(text: String) -> Result<Self, StreamIdError> {
        let well_formed = text
            .split_once('#')
            .is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
        if well_formed && text.len() <= STREAM_ID_BYTES_MAX {
            Ok(Self(text))
        } else {
            Err(StreamIdError)
        }
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> String {
        id.0
    }
}

/// Whether the relay publishes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Published to the topic of its domain.
    Public,
    /// Kept in the journal, for its own stream only.
    Internal,
}

/// An event that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No type of this name is known here in any version.
    #[error("unknown event type `{0}`")]
    UnknownType(String),
    /// The type is known, this version of it is not: other code wrote it, deployed later than
    /// this, or so much earlier that it is no longer read.
    #[error("`{event_type}` is of a version that is not known here; `{known}` is")]
    UnknownVersion {
        /// Full type, with version.
        event_type: String,
        /// The version that is written here.
        known: &'static str,
    },
    /// The type is known, its data are not of its form.
    #[error("data of `{event_type}` cannot be read: {source}")]
    Data {
        /// Full type, with version.
        event_type: String,
        /// What serde found.
        source: serde_json::Error,
    },
}

impl DecodeError {
    /// Whether other code than this can read the event: the one that wrote it.
    #[must_use]
    pub const fn is_of_other_version(&self) -> bool {
        matches!(self, Self::UnknownVersion { .. })
    }
}

/// A set of event types that may stand in one kind of stream.
pub trait DomainEvent: Sized + Clone + fmt::Debug + Send + Sync {
    /// Full type with version, for instance `callboard.waitlist.slot-released.v1`.
    fn event_type(&self) -> &str;

    /// Whether the relay publishes it.
    fn visibility(&self) -> Visibility;

    /// The `data` member of the envelope.
    fn data(&self) -> Value;

    /// Reads an event back. Other versions that are read besides the one that is written are
    /// converted to it.
    ///
    /// # Errors
    /// [`DecodeError`] when type or version is unknown or the data do not fit it.
    fn decode(event_type: &str, data: Value) -> Result<Self, DecodeError>;
}

/// State that is folded from a stream's events.
pub trait Fold: Default + Clone + Serialize + DeserializeOwned + Send + Sync {
    /// The events it is folded from.
    type Event: DomainEvent;

    /// Changes whenever the same events would fold to another state: a snapshot of another
    /// version is passed over.
    const VERSION: u32;

    /// The state after `event`, which was committed at `at`.
    #[must_use]
    fn evolve(self, event: &Self::Event, at: Timestamp) -> Self;
}

/// What a commit says beside its events, to those who carry it on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handling {
    /// The message group under which it is published; that of its stream unless given.
    pub group: Option<String>,
    /// When the work that it leaves open is due, and whose that is: the queue of the consumer
    /// that owns the stream.
    pub due: Option<(Timestamp, &'static str)>,
}

/// A fold that remembers nothing: for streams that are asked only whether they exist, or whose
/// one commit says it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Unfolded<E>(#[serde(skip)] std::marker::PhantomData<fn() -> E>);

impl<E> Default for Unfolded<E> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<E: DomainEvent> Fold for Unfolded<E> {
    type Event = E;
    const VERSION: u32 = 1;

    fn evolve(self, _: &E, _: Timestamp) -> Self {
        self
    }
}

/// Declares the events of one kind of stream: variants, full type names and visibility. A version
/// that is read besides the one that is written is named with its struct, from which the variant's
/// is made by `From`:
///
/// ```text
/// OfferMade = "….offer-made.v2" Public reads { OfferMadeV1 = "….offer-made.v1" },
/// ```
macro_rules! domain_events {
    ($(#[$doc:meta])* pub enum $name:ident {
        $($variant:ident = $type:literal $visibility:ident
            $(reads { $($other:ident = $other_type:literal),+ $(,)? })?),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name {
            $(#[doc = concat!("`", $type, "`")] $variant($variant)),+
        }

        impl $name {
            /// Every type that may be written to such a stream, in the version that is written.
            pub const TYPES: &'static [&'static str] = &[$($type),+];

            /// Every type that may stand in such a stream, in every version that is read, with
            /// its JSON Schema's maker.
            #[must_use]
            pub fn schemas() -> Vec<(&'static str, schemars::Schema)> {
                vec![
                    $(($type, schemars::schema_for!($variant)),
                    $($(($other_type, schemars::schema_for!($other)),)+)?)+
                ]
            }
        }

        $(impl From<$variant> for $name {
            fn from(event: $variant) -> Self {
                Self::$variant(event)
            }
        })+

        impl crate::stream::DomainEvent for $name {
            fn event_type(&self) -> &str {
                match self { $(Self::$variant(_) => $type),+ }
            }

            fn visibility(&self) -> crate::stream::Visibility {
                match self { $(Self::$variant(_) => crate::stream::Visibility::$visibility),+ }
            }

            fn data(&self) -> serde_json::Value {
                match self {
                    $(Self::$variant(event) => serde_json::to_value(event)
                        .expect("an event type holds only what JSON can hold")),+
                }
            }

            fn decode(event_type: &str, data: serde_json::Value) -> Result<Self, crate::stream::DecodeError> {
                let misfit = |source| crate::stream::DecodeError::Data {
                    event_type: event_type.to_owned(),
                    source,
                };
                match event_type {
                    $($type => serde_json::from_value(data).map(Self::$variant).map_err(misfit),
                    $($($other_type => serde_json::from_value::<$other>(data)
                        .map(|other| Self::$variant(other.into()))
                        .map_err(misfit),)+)?)+
                    other => Err(crate::version::unknown(other, Self::TYPES)),
                }
            }
        }
    };
}
pub(crate) use domain_events;
