//! Tables of what becomes of a lost answer.

use super::*;
use crate::api::share::{ProviderKind, ProviderRef};
use crate::ledger::{Attempt, Entry, Phase, Recipient, Route, fixtures, key_hash, link_hash};
use crate::onetime::{Recent, RecentReceipt, SecretKey, State, Via, mask_class, mask_forms};
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
        boot: None,
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

/// A list that was made so many seconds after the attempt began, by its own clock.
fn list(now: i64, receipts: &[RecentReceipt]) -> Recent {
    Recent {
        receipts: receipts.to_vec(),
        via: Via::V2,
        now: Some(at(now)),
        bytes: 0,
    }
}

fn clocks(ago: u64) -> Clocks {
    Clocks {
        ago: Duration::from_secs(ago),
        now: at(i64::try_from(ago).expect("small")),
    }
}

/// Finds in a list that arrives 40 s after the attempt began.
fn found_in(attempt: &Attempt, receipts: &[RecentReceipt], known: &Known) -> LookupResult {
    find(attempt, &list(40, receipts), known, clocks(40))
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
    let found = |created| {
        let recent = list(500, &[receipt('k', mask, 60, created)]);
        find(&large, &recent, &Known::default(), clocks(500))
    };
    assert_eq!(found(end), LookupResult::One(key('k')));
    assert_eq!(found(end + 1), LookupResult::Unclear);
    assert_eq!(found(-300), LookupResult::One(key('k')));
    assert_eq!(found(-301), LookupResult::Unclear);
    assert_eq!(found(-3600), LookupResult::Unclear);
    assert_eq!(found(-3601), LookupResult::None);
}

/// The service's clock may be off by any time: the age counts, and only within the list.
#[test]
fn the_age_is_measured_within_the_list() {
    let mailed = attempt("a", Some("dave@example.com"));
    for offset in [-86_400, -600, 0, 600, 86_400] {
        let ours = receipt('a', "da***@e***.com", 3600, offset + 5);
        let found = |now: i64| {
            find(
                &mailed,
                &list(offset + now, std::slice::from_ref(&ours)),
                &Known::default(),
                clocks(40),
            )
        };
        assert_eq!(found(40), LookupResult::One(key('a')), "{offset}");
        assert_eq!(
            found(40 + 3700),
            LookupResult::None,
            "{offset}: it is an hour older than the attempt"
        );
    }
}

/// Without a clock in the list, the offset that the ledger keeps is used; without both nobody can tell.
#[test]
fn a_list_without_a_clock() {
    let mailed = attempt("a", Some("dave@example.com"));
    let found = |created: i64, clock_offset: Option<i64>| {
        let recent = Recent {
            now: None,
            ..list(0, &[receipt('a', "da***@e***.com", 3600, created)])
        };
        let known = Known {
            clock_offset,
            ..Known::default()
        };
        find(&mailed, &recent, &known, clocks(40))
    };
    assert_eq!(found(605, Some(600)), LookupResult::One(key('a')));
    assert_eq!(found(5, Some(600)), LookupResult::Unclear);
    assert_eq!(found(5, Some(86_400)), LookupResult::None);
    assert_eq!(
        found(5, None),
        LookupResult::Unclear,
        "it fits, and nothing is measured"
    );
    assert_eq!(found(-80_000, None), LookupResult::Unclear);
    assert_eq!(found(-90_000, None), LookupResult::None, "no clock is a day off");
}

#[test]
fn a_recipient_that_is_hidden_or_a_riddle_may_be_ours() {
    let mailed = attempt("a", Some("dave@example.com"));
    let with = |letter: char, recipient: &[&str], created: i64| RecentReceipt {
        recipient: recipient.iter().map(ToString::to_string).collect(),
        ..receipt(letter, "", 3600, created)
    };
    let found = |receipts: &[RecentReceipt]| found_in(&mailed, receipts, &Known::default());
    assert_eq!(found(&[with('a', &["d..e@e..m"], 5)]), LookupResult::Unclear);
    assert_eq!(
        found(&[with('a', &[], 5)]),
        LookupResult::Unclear,
        "recipients may be hidden"
    );
    assert_eq!(
        found(&[with('a', &[], 5), with('b', &["bo***@e***.com"], 5)]),
        LookupResult::None,
        "this list hides none"
    );
    assert_eq!(
        found(&[with('a', &["d..e@e..m"], -301)]),
        LookupResult::None,
        "out of the window"
    );
    assert_eq!(
        found(&[with('a', &["d..e@e..m"], 5), with('b', &["da***@e***.com"], 6)]),
        LookupResult::One(key('b')),
        "one is recognised"
    );
}

#[test]
fn a_list_must_show_what_the_ledger_knows() {
    let mailed = attempt("a", Some("dave@example.com"));
    let listed = |letter: char, created: i64, ttl_seconds: u64| Listed {
        key_hash: key_hash(key(letter).expose()),
        created_at: at(created),
        ttl_seconds,
    };
    let known = |listed: &[Listed]| Known {
        keys: listed.iter().map(|listed| listed.key_hash.clone()).collect(),
        listed: listed.to_vec(),
        ..Known::default()
    };
    let old = listed('o', -5000, 86_400);
    let newest = listed('n', -50, 86_400);
    let dead = listed('d', -400, 200);
    let shown = |letter| receipt(letter, "bo***@e***.com", 60, -50);
    let ours = || receipt('a', "da***@e***.com", 3600, 5);
    for (why, listed, receipts, want) in [
        ("nothing is known", &[][..], vec![], LookupResult::None),
        (
            "the newest is shown",
            &[old.clone(), newest.clone()],
            vec![shown('n')],
            LookupResult::None,
        ),
        (
            "the newest is missing",
            &[old.clone(), newest.clone()],
            vec![shown('o')],
            LookupResult::Incomplete,
        ),
        (
            "an empty list",
            std::slice::from_ref(&old),
            vec![],
            LookupResult::Incomplete,
        ),
        ("its life is over", &[dead], vec![], LookupResult::None),
        (
            "ours is shown, whatever else is not",
            &[newest],
            vec![ours()],
            LookupResult::One(key('a')),
        ),
    ] {
        assert_eq!(found_in(&mailed, &receipts, &known(listed)), want, "{why}");
    }
    let incomplete = Lookup::Found(LookupResult::Incomplete);
    let after = |known_for| {
        let history = History {
            found_none: Some(Duration::from_secs(600)),
            known_for: Duration::from_secs(known_for),
        };
        resolve(&mailed, Some(&incomplete), history, PATIENCE)
    };
    assert_eq!(
        after(700),
        Resolution::LookAgain(PATIENCE.interval),
        "never sent again"
    );
    assert_eq!(after(3600), Resolution::Hold);
    let unclear = Lookup::Found(LookupResult::Unclear);
    assert_eq!(
        resolve(&mailed, Some(&unclear), History::default(), PATIENCE),
        Resolution::Hold
    );
}

/// v0.26's list tells the last part of the link, by which one that was made again from a status is known.
#[test]
fn a_link_without_its_metadata_key_is_known() {
    let mailed = attempt("a", Some("dave@example.com"));
    let secret_key = SecretKey::parse(&"s".repeat(31)).expect("a key");
    let known = Known {
        links: [link_hash(secret_key.expose())].into(),
        ..Known::default()
    };
    let told = RecentReceipt {
        secret_key: Some(secret_key),
        ..receipt('a', "da***@e***.com", 3600, 5)
    };
    assert_eq!(found_in(&mailed, &[told], &known), LookupResult::None);
}

/// One that two looks did not find does not keep its successor from being recognised. One of another share, made at about
/// the same time, does: its link may turn up late.
#[test]
fn an_attempt_that_was_not_found_is_a_rival_of_other_shares_only() {
    let mailed = attempt("a", Some("dave@example.com"));
    let entry = |found_none, phase: Phase, started_at| {
        let lost = Attempt {
            found_none,
            started_at,
            ..attempt("b", Some("dave@example.com"))
        };
        Entry {
            superseded: vec![lost],
            ..fixtures::entry(phase)
        }
    };
    let own = || Phase::Intent(mailed.clone());
    let rivals = |entry: Entry| gather(&mailed, [&entry]).rivals;
    assert!(rivals(entry(false, own(), at(-60))));
    assert!(!rivals(entry(true, own(), at(-60))));
    assert!(rivals(entry(true, Phase::Idle, at(-60))));
    assert!(
        !rivals(entry(true, Phase::Idle, at(-700))),
        "no receipt fits both"
    );
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
    let find = |receipts: &[RecentReceipt]| found_in(&mailed, receipts, &Known::default());
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
        ("long before", receipt('a', good, 3600, -3601)),
        (
            "a passphrase that was not asked for",
            RecentReceipt {
                passphrase_required: Some(true),
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
        find(&[receipt('a', good, 86_400, 5)]),
        LookupResult::One(key('a')),
        "granted more: a site has a minimum of its own"
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
        ..Known::default()
    };
    assert_eq!(found_in(&mailed, &receipts, &known), LookupResult::One(key('b')));
}

#[test]
fn with_a_rival_one_that_fits_is_not_enough() {
    let mailed = attempt("a", Some("dave@example.com"));
    let known = Known {
        rivals: true,
        ..Known::default()
    };
    assert_eq!(
        found_in(&mailed, &[receipt('a', "da***@e***.com", 3600, 5)], &known),
        LookupResult::Several
    );
    assert_eq!(
        found_in(&mailed, &[], &known),
        LookupResult::None,
        "but none is none"
    );
}

#[test]
fn a_lane_holds_all_that_could_be_mistaken() {
    let of = |address: &str, ttl_seconds: u64| Attempt {
        ttl_seconds,
        ..attempt("a", Some(address))
    };
    let lane = |address: &str, ttl: u64| of(address, ttl).lane("team");
    assert_eq!(
        lane("dave@example.com", 3600),
        lane("dana@elsewhere.com", 60),
        "one mask, any lifetime"
    );
    assert_ne!(lane("dave@example.com", 3600), lane("bob@example.com", 3600));
    let mut elsewhere = of("dave@example.com", 3600);
    elsewhere.route.endpoint = "https://onetime.secrets.svc/".into();
    assert_eq!(
        elsewhere.lane("another"),
        lane("dave@example.com", 3600),
        "one server may have several addresses"
    );
    // Whoever writes a ShareProvider chooses the account's name.
    elsewhere.route.provider.kind = ProviderKind::ShareProvider;
    assert_ne!(elsewhere.lane("another"), elsewhere.lane("team"));
    assert_ne!(elsewhere.lane("another"), lane("dave@example.com", 3600));
    assert!(
        elsewhere.looks_like(&of("dave@example.com", 60)),
        "yet it is a rival"
    );
}
