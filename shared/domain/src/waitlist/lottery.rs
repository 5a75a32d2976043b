//! Drawing lots: who waits longer, or more urgently, has more of them.
//!
//! The seed is fixed with the release, before anybody can know who will be in the draw, and what
//! a draw depended on besides is recorded with the hold: so everybody who can read the journal
//! can repeat it and find the same order.

use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::Draw;
use sha2::{Digest as _, Sha256};

use super::rank::Candidate;

/// Entries in one draw: with their rows of about 300 bytes, eight read units.
pub const POOL_MAX: usize = 100;

/// Hexadecimal digits of a pool's digest: 64 bits tell a wrong repetition from a right one.
const DIGEST_DIGITS: usize = 16;

/// The outcome of a draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Everybody in the pool, in the order in which they are to be asked.
    pub order: Vec<Candidate>,
    /// What is recorded.
    pub record: Draw,
}

/// Draws the order in which the pool is asked. Who was moved to the front or is over the ceiling
/// comes first, by rank, without a lot; the others are drawn one after the other, each with a
/// lot for every second of waiting times the weight of its class, and one more. The order in
/// which the pool is given does not matter. `number` counts the draws for this version of the
/// slot, from 0.
#[must_use]
pub fn draw(
    seed: &str,
    number: u32,
    mut pool: Vec<Candidate>,
    max_wait: Option<Duration>,
    now: Timestamp,
) -> Drawn {
    pool.sort_by(|a, b| a.entry_id.cmp(&b.entry_id));
    let record = Draw {
        number,
        pool: u32::try_from(pool.len()).unwrap_or(u32::MAX),
        digest: digest(&pool, now),
    };
    let (mut order, mut urn): (Vec<_>, Vec<_>) = pool
        .into_iter()
        .partition(|candidate| candidate.is_before_scores(max_wait, now));
    order.sort_by(|a, b| a.compare(b, max_wait, now));
    let mut total: u128 = urn.iter().map(|candidate| lots(candidate, now)).sum();
    for pick in 0_u32.. {
        if urn.is_empty() {
            break;
        }
        // 128 bits for fewer than 2^50 lots: no lot is favoured by more than 2^-78.
        let mut ticket = random(seed, number, pick) % total.max(1);
        let at = urn
            .iter()
            .position(|candidate| match ticket.checked_sub(lots(candidate, now)) {
                Some(rest) => {
                    ticket = rest;
                    false
                }
                None => true,
            })
            .unwrap_or(0);
        let drawn = urn.remove(at);
        total -= lots(&drawn, now);
        order.push(drawn);
    }
    Drawn { order, record }
}

fn lots(candidate: &Candidate, now: Timestamp) -> u128 {
    candidate.score(now) / 1_000 + 1
}

fn random(seed: &str, number: u32, pick: u32) -> u128 {
    let hash = Sha256::digest(format!("{seed}:{number}:{pick}"));
    hash.iter()
        .take(16)
        .fold(0, |value, byte| value << 8 | u128::from(*byte))
}

fn digest(pool: &[Candidate], now: Timestamp) -> String {
    let mut hash = Sha256::new();
    for candidate in pool {
        hash.update(format!("{}:{}\n", candidate.entry_id, lots(candidate, now)));
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        text.push_str(&format!("{byte:02x}"));
    }
    text.truncate(DIGEST_DIGITS);
    text
}
