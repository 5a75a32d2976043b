//! Ids that services hand out. They come from `fastrand`, so that equal seeds give equal ids.

use uuid::Uuid;

/// A random id in UUID form, for message, request and subscription ids.
pub(crate) fn random_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

/// As [`random_uuid`], as text.
pub(crate) fn random_id() -> String {
    random_uuid().to_string()
}
