//! Drawing lots: anybody can repeat a draw, and who has more lots wins more often.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_contracts::Timestamp;
use callboard_contracts::waitlist::Urgency;
use callboard_domain::waitlist::lottery::draw;
use callboard_domain::waitlist::rank::Candidate;
use proptest::prelude::*;

use crate::given::entry_id;

const NOW: Timestamp = Timestamp::from_millis(100_000_000);

fn candidate(id: u32, class: usize, waited_seconds: i64) -> Candidate {
    let joined_at = Timestamp::from_millis(NOW.as_millis() - waited_seconds * 1_000);
    Candidate::new(
        entry_id(&format!("e{id:03}")),
        Urgency::ALL[class],
        joined_at,
    )
}

fn pool() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (0..3usize, 0..90_000i64);
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let all = all.into_iter().enumerate();
        all.map(|(id, (class, waited))| candidate(id as u32, class, waited))
            .collect()
    })
}

proptest! {
    #[test]
    fn a_draw_orders_everybody_and_can_be_repeated_from_any_order(
        pool in pool(), seed in "[0-9a-f]{32}", number in 0..5u32
    ) {
        let first = draw(&seed, number, pool.clone(), None, NOW);
        let again = draw(&seed, number, pool.iter().rev().cloned().collect(), None, NOW);
        prop_assert_eq!(&first, &again);
        let mut drawn = first.order.clone();
        drawn.sort_by(|a, b| a.entry_id.cmp(&b.entry_id));
        prop_assert_eq!(drawn, pool);
        prop_assert_eq!(first.record.number, number);
    }

    #[test]
    fn who_comes_before_every_score_needs_no_lot(
        mut pool in pool(), seed in "[0-9a-f]{32}", hours in 1..24u64
    ) {
        if let Some(last) = pool.last_mut() {
            last.overridden_at = Some(NOW);
        }
        let max_wait = Some(Duration::from_secs(hours * 3_600));
        let drawn = draw(&seed, 0, pool.clone(), max_wait, NOW);
        let first = pool.iter().filter(|it| it.is_before_scores(max_wait, NOW)).count();
        let mut by_rank = pool;
        by_rank.sort_by(|a, b| a.compare(b, max_wait, NOW));
        prop_assert_eq!(&drawn.order[..first], &by_rank[..first]);
    }
}

#[test]
fn another_seed_or_number_or_pool_is_another_draw() {
    let pool: Vec<_> = (0..30).map(|id| candidate(id, 0, 3_600)).collect();
    let ids = |seed, number| draw(seed, number, pool.clone(), None, NOW).order;
    assert_ne!(ids("a", 0), ids("b", 0));
    assert_ne!(ids("a", 0), ids("a", 1));
    let one = draw("a", 0, pool.clone(), None, NOW).record;
    let other = draw("a", 0, pool[1..].to_vec(), None, NOW).record;
    let later = draw("a", 0, pool.clone(), None, NOW.plus(Duration::from_secs(1))).record;
    assert_eq!((one.pool, other.pool), (30, 29));
    assert_ne!(
        one.digest, other.digest,
        "who had a lot is part of the digest"
    );
    assert_ne!(one.digest, later.digest, "and how many each had");
}

#[test]
fn the_chance_to_be_first_is_that_of_the_lots() {
    // 1 : 3 : 9 after the same time, within four standard deviations of 4,000 draws.
    let pool: Vec<_> = (0..3)
        .map(|class| candidate(class as u32, class, 10_000))
        .collect();
    let mut first: BTreeMap<String, f64> = BTreeMap::new();
    let draws = 4_000;
    for seed in 0..draws {
        let drawn = draw(&format!("{seed:032x}"), 0, pool.clone(), None, NOW);
        *first
            .entry(drawn.order[0].entry_id.to_string())
            .or_default() += 1.0;
    }
    for (id, share) in [
        ("e000", 1.0 / 13.0),
        ("e001", 3.0 / 13.0),
        ("e002", 9.0 / 13.0),
    ] {
        let (expected, found) = (share * f64::from(draws), first[id]);
        let deviation = (expected * (1.0 - share)).sqrt();
        assert!(
            (found - expected).abs() < 4.0 * deviation,
            "{id}: {found} of {expected}"
        );
    }
}
