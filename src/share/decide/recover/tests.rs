//! Tables of what becomes of a lost answer.

use super::*;
use crate::api::share::ProviderRef;
use crate::ledger::{Attempt, Recipient, Route, key_hash};
use crate::onetime::{RecentReceipt, State, mask_class, mask_forms};
use jiff::Timestamp;

const PATIENCE: Patience = Patience {
    settling: Duration::from_secs(60),
    unreachable: Duration::from_secs(3600),
    interval: Duration::from_secs(10),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

fn attempt(nonce: &str, recipient: Option<&str>) -> Attempt {
    Attempt {
        nonce: nonce.into(),
        started_at: at(0),
        deadline_seconds: 30,
        slack_seconds: 5,
        route: Route {
            provider: ProviderRef::default(),
            endpoint: "https://eu.onetimesecret.com/".into(),
            ca_bundle: None,
            account: Some("ops@example.com".into()),
            share_domain: None,
        },
        ttl_seconds: 3600,
        recipient: recipient.map(|address| Recipient {
            class: mask_class(address),
            forms: mask_forms(address),
        }),
        passphrase: None,
        target: None,
        needs_decision: false,
        found_none: false,
        metadata_key: None,
    }
}

fn key(letter: char) -> MetadataKey {
    MetadataKey::parse(&letter.to_string().repeat(31)).expect("a key")
}

fn receipt(letter: char, mask: &str, ttl: u64, created: i64) -> RecentReceipt {
    RecentReceipt {
        metadata_key: key(letter),
        secret_key: None,
        state: State::New,
        ttl_seconds: Some(ttl),
        recipient: vec![mask.into()],
        created_at: at(created),
        updated_at: None,
        received_at: None,
        burned_at: None,
        passphrase_required: None,
        share_domain: None,
    }
}

/// What a slow path delivers late was created late.
#[test]
fn the_window_covers_the_slack() {
    let large = Attempt {
        slack_seconds: 69,
        ..attempt("a", Some("dave@example.com"))
    };
    let mask = &mask_forms("dave@example.com")[0];
    let end = 30 + 69 + 300;
    let found = |created| find(&large, &[receipt('k', mask, 60, created)], &Known::default());
    assert_eq!(found(end), LookupResult::One(key('k')));
    assert_eq!(found(end + 1), LookupResult::None);
}

#[test]
fn without_a_recipient_it_is_sent_again() {
    let plain = attempt("a", None);
    assert_eq!(
        resolve(&plain, None, History::default(), PATIENCE),
        Resolution::SendAgain
    );
}

#[test]
fn with_a_recipient_nothing_is_sent_without_two_looks() {
    let mailed = attempt("a", Some("dave@example.com"));
    let none = Lookup::Found(LookupResult::None);
    let decide = |look: Option<&Lookup>, found_none: Option<u64>, known: u64| {
        let history = History {
            found_none: found_none.map(Duration::from_secs),
            known_for: Duration::from_secs(known),
        };
        resolve(&mailed, look, history, PATIENCE)
    };
    assert_eq!(
        decide(Some(&none), None, 40),
        Resolution::LookAgain(Duration::from_secs(60))
    );
    assert_eq!(
        decide(Some(&none), Some(20), 60),
        Resolution::LookAgain(Duration::from_secs(40))
    );
    assert_eq!(decide(Some(&none), Some(60), 100), Resolution::SendAgain);
    let one = Lookup::Found(LookupResult::One(key('a')));
    assert_eq!(decide(Some(&one), None, 40), Resolution::Adopt(key('a')));
    assert_eq!(
        decide(Some(&one), Some(90), 140),
        Resolution::Adopt(key('a')),
        "late is not too late"
    );
    assert_eq!(
        decide(Some(&Lookup::Found(LookupResult::Several)), None, 40),
        Resolution::Hold
    );
    assert_eq!(
        decide(Some(&Lookup::Never), Some(90), 140),
        Resolution::Hold,
        "an unreadable list is not an empty one"
    );
    assert_eq!(decide(None, Some(90), 140), Resolution::Hold);
    assert_eq!(
        decide(Some(&Lookup::NotYet), Some(90), 140),
        Resolution::LookAgain(Duration::from_secs(10))
    );
    assert_eq!(
        decide(Some(&Lookup::NotYet), Some(90), 3600),
        Resolution::Hold,
        "patience has an end"
    );
}

#[test]
fn only_a_receipt_that_fits_is_found() {
    let mailed = attempt("a", Some("dave@example.com"));
    let find = |receipts: &[RecentReceipt]| find(&mailed, receipts, &Known::default());
    // The forms of both versions, as recorded in v1-share-recipient.
    for mask in ["da*****@e*****.com", "da***@e***.com"] {
        assert_eq!(
            find(&[receipt('a', mask, 3600, 5)]),
            LookupResult::One(key('a')),
            "{mask}"
        );
    }
    let good = "da***@e***.com";
    for (why, other) in [
        ("another recipient", receipt('a', "bo***@e***.com", 3600, 5)),
        ("granted more than was asked for", receipt('a', good, 3601, 5)),
        ("long before", receipt('a', good, 3600, -301)),
        ("long after", receipt('a', good, 3600, 336)),
        (
            "a passphrase that was not asked for",
            RecentReceipt {
                passphrase_required: Some(true),
                ..receipt('a', good, 3600, 5)
            },
        ),
        (
            "nobody was mailed",
            RecentReceipt {
                recipient: vec![],
                ..receipt('a', good, 3600, 5)
            },
        ),
    ] {
        assert_eq!(find(&[other]), LookupResult::None, "{why}");
    }
    assert_eq!(
        find(&[receipt('a', good, 60, 5)]),
        LookupResult::One(key('a')),
        "granted less"
    );
    assert_eq!(
        find(&[receipt('a', good, 3600, -299)]),
        LookupResult::One(key('a')),
        "a slow clock"
    );
    assert_eq!(
        find(&[receipt('a', good, 3600, 5), receipt('b', good, 3600, 6)]),
        LookupResult::Several
    );
}

#[test]
fn what_another_entry_has_is_not_ours() {
    let mailed = attempt("a", Some("dave@example.com"));
    let receipts = [
        receipt('a', "da***@e***.com", 3600, 5),
        receipt('b', "da***@e***.com", 3600, 6),
    ];
    let known = Known {
        keys: [key_hash(key('a').expose())].into(),
        rivals: false,
    };
    assert_eq!(find(&mailed, &receipts, &known), LookupResult::One(key('b')));
}

#[test]
fn with_a_rival_one_that_fits_is_not_enough() {
    let mailed = attempt("a", Some("dave@example.com"));
    let known = Known {
        rivals: true,
        ..Known::default()
    };
    assert_eq!(
        find(&mailed, &[receipt('a', "da***@e***.com", 3600, 5)], &known),
        LookupResult::Several
    );
    assert_eq!(find(&mailed, &[], &known), LookupResult::None, "but none is none");
}

#[test]
fn a_lane_holds_all_that_could_be_mistaken() {
    let lane = |address: &str, ttl: u64| {
        Attempt {
            ttl_seconds: ttl,
            ..attempt("a", Some(address))
        }
        .lane()
    };
    assert_eq!(
        lane("dave@example.com", 3600),
        lane("dana@elsewhere.com", 60),
        "one mask, any lifetime"
    );
    assert_ne!(lane("dave@example.com", 3600), lane("bob@example.com", 3600));
}
