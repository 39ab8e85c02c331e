//! What each word means at each time, and that nothing ends without the service's word or twice the lifetime.

use super::rules::{SILENCE, judge};
use super::*;
use crate::ledger::fixtures::{link, now};
use jiff::SignedDuration;
use proptest::prelude::*;

/// The lifetime of the fixture's link.
const TTL: i64 = 3600;

fn at(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn clocks(ours: i64, service: Option<i64>, silent_for: Duration) -> Clocks {
    Clocks {
        ours: at(ours),
        service: service.map(at),
        silent_for,
    }
}

fn heard(word: &Word, ours: i64, service: Option<i64>) -> Verdict {
    judge(&link().facts, word, &clocks(ours, service, Duration::ZERO))
}

const EXPIRED: fn() -> Verdict = || Verdict::Ended(Ending::Expired, at(TTL));

#[test]
fn the_services_word_counts_whatever_the_clocks_say() {
    for ours in [-TTL, 10, TTL + 10, 300 * TTL] {
        for service in [None, Some(10), Some(300 * TTL)] {
            for how in [Ending::Received, Ending::Burned] {
                let word = Word::Over(how, Some(at(7)));
                assert_eq!(heard(&word, ours, service), Verdict::Ended(how, at(7)));
            }
            assert_eq!(
                heard(&Word::Over(Ending::Expired, None), ours, service),
                EXPIRED()
            );
            assert_eq!(heard(&Word::Lives, ours, service), Verdict::Lives);
        }
    }
    let untimed = Word::Over(Ending::Received, None);
    assert_eq!(
        heard(&untimed, 50, None),
        Verdict::Ended(Ending::Received, at(50))
    );
    assert_eq!(
        heard(&untimed, 50, Some(40)),
        Verdict::Ended(Ending::Received, at(40))
    );
}

#[test]
fn a_receipt_that_is_gone_ends_a_link_only_after_its_time() {
    for (ours, service, verdict) in [
        (TTL - 1, None, Verdict::Unknown),
        (TTL - 1, Some(TTL - 1), Verdict::Unknown),
        (TTL, None, EXPIRED()),
        (TTL, Some(10), EXPIRED()),
        (10, Some(TTL), EXPIRED()),
    ] {
        assert_eq!(heard(&Word::Gone, ours, service), verdict, "{ours} {service:?}");
    }
}

#[test]
fn asking_in_vain_ends_nothing_before_twice_the_lifetime() {
    let hour = SILENCE;
    let second = Duration::from_secs(1);
    for (ours, service, silent_for, verdict) in [
        (TTL - 1, None, hour, Verdict::Open),
        (TTL, None, Duration::ZERO, Verdict::Unknown),
        (2 * TTL - 1, None, hour, Verdict::Unknown),
        // A clock that was stepped ahead is not believed at once.
        (2 * TTL, None, hour - second, Verdict::Unknown),
        (2 * TTL, None, hour, EXPIRED()),
        // The service's clock decides where it is known.
        (2 * TTL, Some(2 * TTL - 1), hour, Verdict::Unknown),
        (10, Some(2 * TTL), hour, EXPIRED()),
        // An outage may last longer than a short link: the service says itself how it ended, once it is back.
        (10, Some(2 * TTL), hour - second, Verdict::Unknown),
        (10, Some(TTL), Duration::ZERO, Verdict::Unknown),
    ] {
        let verdict_now = judge(&link().facts, &Word::Failed, &clocks(ours, service, silent_for));
        assert_eq!(verdict_now, verdict, "{ours} {service:?} {silent_for:?}");
        let unasked = judge(&link().facts, &Word::NotAsked, &clocks(ours, service, silent_for));
        assert_eq!(unasked, Verdict::Open, "who was not asked said nothing");
    }
}

/// Links that were made again from a status may lack their lifetime.
#[test]
fn a_link_without_a_lifetime_has_one_all_the_same() {
    let mut facts = link().facts;
    facts.ttl_seconds = 0;
    let early = judge(&facts, &Word::Failed, &clocks(TTL + 1, None, SILENCE));
    assert_eq!(early, Verdict::Unknown);
    facts.expires_at = facts.created_at - SignedDuration::from_secs(5);
    let odd = judge(&facts, &Word::Failed, &clocks(0, None, Duration::ZERO));
    assert_eq!(odd, Verdict::Unknown);
}

#[test]
fn a_list_tells_ends_and_a_receipt_tells_life() {
    for (state, listed, looked_at) in [
        (State::New, Word::NotAsked, Word::Lives),
        (State::Viewed, Word::NotAsked, Word::Lives),
        (State::Orphaned, Word::NotAsked, Word::Failed),
        (State::Other("odd".into()), Word::NotAsked, Word::Failed),
        (
            State::Received,
            Word::Over(Ending::Received, Some(at(9))),
            Word::Over(Ending::Received, Some(at(9))),
        ),
        (
            State::Burned,
            Word::Over(Ending::Burned, Some(at(9))),
            Word::Over(Ending::Burned, Some(at(9))),
        ),
        (
            State::Expired,
            Word::Over(Ending::Expired, None),
            Word::Over(Ending::Expired, None),
        ),
    ] {
        assert_eq!(Word::of_listed(&in_list(state.clone())), listed, "{state:?}");
        assert_eq!(Word::of_receipt(&receipt(state.clone())), looked_at, "{state:?}");
    }
}

fn key() -> crate::onetime::MetadataKey {
    crate::onetime::MetadataKey::parse("k".repeat(31).as_str()).expect("a key")
}

fn in_list(state: State) -> RecentReceipt {
    RecentReceipt {
        metadata_key: key(),
        secret_key: None,
        state,
        ttl_seconds: Some(3600),
        recipient: Vec::new(),
        created_at: now(),
        updated_at: Some(at(9)),
        received_at: None,
        burned_at: None,
        passphrase_required: None,
        share_domain: None,
    }
}

fn receipt(state: State) -> Receipt {
    Receipt {
        custid: String::new(),
        metadata_key: key(),
        secret_key: None,
        state,
        ttl_seconds: Some(3600),
        metadata_ttl_seconds: None,
        secret_ttl_seconds: None,
        recipient: Vec::new(),
        created_at: Some(now()),
        updated_at: Some(at(9)),
        received_at: None,
        passphrase_required: None,
        share_domain: None,
    }
}

fn words() -> impl Strategy<Value = Word> {
    prop_oneof![
        Just(Word::Lives),
        Just(Word::Gone),
        Just(Word::Failed),
        Just(Word::NotAsked),
        Just(Word::Over(Ending::Received, None)),
        Just(Word::Over(Ending::Burned, None)),
        Just(Word::Over(Ending::Expired, None)),
    ]
}

proptest! {
    /// Received and Burned are only ever the service's word. Expired is its word, a receipt that is gone after the link's
    /// time, or twice the lifetime: by the service's clock where it is known, else by ours after an hour in vain.
    #[test]
    fn nothing_ends_without_a_reason(
        word in words(),
        ours in -10 * TTL..10 * TTL,
        service in proptest::option::of(-10 * TTL..10 * TTL),
        silent_for in 0u64..2 * 3600,
    ) {
        let silent_for = Duration::from_secs(silent_for);
        let verdict = judge(&link().facts, &word, &clocks(ours, service, silent_for));
        if let Verdict::Ended(how, _) = verdict {
            let latest = service.map_or(ours, |service| service.max(ours));
            let twice = service.unwrap_or(ours) >= 2 * TTL && silent_for >= SILENCE;
            let reason = match &word {
                Word::Over(told, _) => *told == how,
                Word::Gone => how == Ending::Expired && latest >= TTL,
                Word::Failed => how == Ending::Expired && twice,
                Word::Lives | Word::NotAsked => false,
            };
            prop_assert!(reason, "{word:?} at {ours}, {service:?}, {silent_for:?}: {verdict:?}");
        }
    }
}
