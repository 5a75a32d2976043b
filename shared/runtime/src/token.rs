//! Signed, expiring tokens for links, with keys that can be rotated.
//!
//! A token is `<key id>.<payload>.<tag>`: base64url JSON and its HMAC-SHA256 (RFC 2104) over
//! everything before the last dot. It is readable by whoever holds it, so nothing personal
//! belongs in it; and it never reaches an access log.
//!
//! ```
//! use callboard_runtime::token::{Keys, TokenError};
//! use callboard_runtime::Timestamp;
//!
//! let keys = Keys::parse("k2:bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleS0,k1:b2xkLWtleS1vbGQta2V5LW9sZC1rZXktb2xkLWtleS0")?;
//! let expires = Timestamp::from_millis(2_000);
//! let token = keys.sign(&"offer-7", expires);
//! assert_eq!(keys.verify::<String>(&token, Timestamp::from_millis(1_999)).unwrap(), "offer-7");
//! assert!(matches!(keys.verify::<String>(&token, expires), Err(TokenError::Expired(_))));
//! # Ok::<(), callboard_runtime::token::KeysError>(())
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_contracts::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Shortest key in bytes: the hash's output length, below which HMAC loses strength (RFC 2104
/// section 3).
pub const KEY_BYTES_MIN: usize = 32;

/// Longest token in bytes that is looked at: what comes from outside is bounded before it is
/// decoded. A URL of 2,000 characters still works in every mail client.
pub const TOKEN_BYTES_MAX: usize = 1_500;

/// The keys that tokens are signed and verified with: the first signs, all verify.
#[derive(Clone)]
pub struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

/// Why a list of keys cannot be used. Never shows key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// No key in it.
    #[error("expected id:base64url, separated by commas; found no key")]
    Empty,
    /// Not `id:base64url`.
    #[error("key number {0} is not id:base64url")]
    Form(usize),
    /// Too short.
    #[error("key number {0} has fewer than {KEY_BYTES_MIN} bytes")]
    Short(usize),
    /// The same id twice.
    #[error("key number {0} has the id of another key")]
    Twice(usize),
}

/// Why a token is not honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError<T> {
    /// Not of a token's form.
    #[error("the token is malformed")]
    Malformed,
    /// Signed with a key that is not known (any more).
    #[error("the token was signed with an unknown key")]
    UnknownKey,
    /// Its tag is wrong.
    #[error("the token was not signed here")]
    Forged,
    /// It was good until it expired; what it said can still be told.
    #[error("the token has expired")]
    Expired(T),
}

#[derive(Serialize, Deserialize)]
struct Payload<T> {
    /// Expires at, in milliseconds since the epoch.
    x: i64,
    /// What it says.
    d: T,
}

impl Keys {
    /// Reads `id1:base64url,id2:base64url,…`. The first key signs; the others only verify what
    /// was signed before a rotation.
    ///
    /// # Errors
    /// [`KeysError`] with the key's position.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys: Vec<Key> = Vec::new();
        for (at, part) in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .enumerate()
        {
            let number = at + 1;
            let (id, secret) = part.split_once(':').ok_or(KeysError::Form(number))?;
            if id.is_empty()
                || !id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            {
                return Err(KeysError::Form(number));
            }
            let secret = URL_SAFE_NO_PAD
                .decode(secret.trim_end_matches('='))
                .map_err(|_| KeysError::Form(number))?;
            if secret.len() < KEY_BYTES_MIN {
                return Err(KeysError::Short(number));
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(KeysError::Twice(number));
            }
            let mac = Hmac::new_from_slice(&secret).map_err(|_| KeysError::Form(number))?;
            keys.push(Key {
                id: id.to_owned(),
                mac,
            });
        }
        if keys.is_empty() {
            Err(KeysError::Empty)
        } else {
            Ok(Self(keys))
        }
    }

    /// A token that says `data` until `expires`.
    ///
    /// # Panics
    /// When `data` cannot be written as JSON (a map with keys that are not text).
    pub fn sign(&self, data: &impl Serialize, expires: Timestamp) -> String {
        let key = &self.0[0];
        let payload = Payload {
            x: expires.as_millis(),
            d: data,
        };
        let json = serde_json::to_vec(&payload).expect("a token's data are plain JSON");
        let signed = format!("{}.{}", key.id, URL_SAFE_NO_PAD.encode(json));
        let tag = key
            .mac
            .clone()
            .chain_update(&signed)
            .finalize()
            .into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// What a token says, if it was signed here and has not expired at `now`.
    ///
    /// # Errors
    /// [`TokenError`]; an expired token still says what it was for.
    pub fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<T, TokenError<T>> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, tag) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (id, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let tag = URL_SAFE_NO_PAD
            .decode(tag)
            .map_err(|_| TokenError::Malformed)?;
        let key = self
            .0
            .iter()
            .find(|key| key.id == id)
            .ok_or(TokenError::UnknownKey)?;
        // Compares in constant time.
        key.mac
            .clone()
            .chain_update(signed)
            .verify_slice(&tag)
            .map_err(|_| TokenError::Forged)?;
        let json = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| TokenError::Malformed)?;
        let payload: Payload<T> =
            serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)?;
        if now < Timestamp::from_millis(payload.x) {
            Ok(payload.d)
        } else {
            Err(TokenError::Expired(payload.d))
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.id))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);
    const LATER: Timestamp = Timestamp::from_millis(2_000);

    fn key(id: &str, fill: u8) -> String {
        format!("{id}:{}", URL_SAFE_NO_PAD.encode([fill; 32]))
    }

    fn keys(list: &[String]) -> Keys {
        Keys::parse(&list.join(",")).expect("well-formed keys")
    }

    #[test]
    fn a_forged_token_is_refused() {
        let ours = keys(&[key("k1", 1)]);
        let theirs = keys(&[key("k1", 2)]);
        assert_eq!(
            ours.verify::<u32>(&theirs.sign(&7, LATER), NOW),
            Err(TokenError::Forged)
        );
    }

    #[test]
    fn an_expired_token_still_says_what_it_was_for() {
        let keys = keys(&[key("k1", 1)]);
        let token = keys.sign(&7, NOW);
        assert_eq!(keys.verify::<u32>(&token, NOW), Err(TokenError::Expired(7)));
    }

    #[test]
    fn after_a_rotation_old_tokens_are_good_until_their_key_is_gone() {
        let before = keys(&[key("k1", 1)]);
        let rotated = keys(&[key("k2", 2), key("k1", 1)]);
        let after = keys(&[key("k2", 2)]);
        let old = before.sign(&7, LATER);
        assert_eq!(rotated.verify::<u32>(&old, NOW), Ok(7));
        assert!(rotated.sign(&7, LATER).starts_with("k2."));
        assert_eq!(after.verify::<u32>(&old, NOW), Err(TokenError::UnknownKey));
    }

    #[test]
    fn unusable_keys_are_refused_without_being_shown() {
        assert_eq!(Keys::parse("").err(), Some(KeysError::Empty));
        assert_eq!(Keys::parse("abc").err(), Some(KeysError::Form(1)));
        assert_eq!(Keys::parse("k1:c2hvcnQ").err(), Some(KeysError::Short(1)));
        let twice = format!("{},{}", key("k1", 1), key("k1", 2));
        assert_eq!(Keys::parse(&twice).err(), Some(KeysError::Twice(2)));
        assert_eq!(format!("{:?}", keys(&[key("k1", 1)])), "[\"k1\"]");
    }

    proptest! {
        #[test]
        fn no_text_but_a_signed_token_is_ever_taken(text in ".{0,200}") {
            let keys = keys(&[key("k1", 1)]);
            prop_assert!(keys.verify::<serde_json::Value>(&text, NOW).is_err());
        }

        #[test]
        fn a_changed_byte_is_noticed(at in 3_usize..60, with in "[A-Za-z0-9_-]") {
            let keys = keys(&[key("k1", 1)]);
            let token = keys.sign(&"offer-1234567890", LATER);
            let at = at % token.len();
            let mut changed = token.clone();
            changed.replace_range(at..=at, &with);
            prop_assume!(changed != token);
            prop_assert!(keys.verify::<String>(&changed, NOW).is_err());
        }
    }
}
