//! The newest version counts, whoever brought it; what was there is remembered.

use super::*;
use crate::ledger::fixtures::{attempt, entry as entry_of, link};
use crate::ledger::lanes::Asking;
use jiff::Timestamp;

fn secret(phase: Phase, version: &str) -> Secret {
    codec::encode(&entry_of(phase), "ledger", Some(version.to_owned())).expect("a secret")
}

fn name() -> String {
    secret(Phase::Idle, "1").name_any()
}

fn version(index: &Index) -> Option<String> {
    let line = index.get(&name()).expect("readable");
    line.map(|line| line.version().to_owned())
}

#[test]
fn an_own_write_counts_until_the_watch_brings_a_newer_one() {
    let mut index = Index::default();
    assert!(!index.knew(&name()));
    index.found(&name(), Some(&secret(Phase::Idle, "10")));
    assert!(index.knew(&name()));
    for (brought, newest) in [("9", "10"), ("10", "10"), ("11", "11"), ("10", "11")] {
        index.brought(&secret(Phase::Idle, brought));
        assert_eq!(version(&index).as_deref(), Some(newest), "{brought}");
    }
    index.found(&name(), Some(&secret(Phase::Idle, "10")));
    assert_eq!(
        version(&index).as_deref(),
        Some("11"),
        "a live read that was overtaken"
    );
}

#[test]
fn an_entry_that_was_deleted_is_gone_and_its_name_is_not() {
    let mut index = Index::default();
    index.found(&name(), Some(&secret(Phase::Idle, "10")));
    let owner = index.deleted(&secret(Phase::Idle, "9"));
    assert_eq!(
        owner,
        Some(entry_of(Phase::Idle).owner),
        "its share is told all the same"
    );
    assert_eq!(version(&index).as_deref(), Some("10"), "written again since");
    index.deleted(&secret(Phase::Idle, "11"));
    assert_eq!(version(&index), None);
    assert!(index.knew(&name()) && index.lines().is_empty());
}

#[test]
fn an_own_write_that_a_live_read_does_not_find_is_gone() {
    let mut index = Index::default();
    index.found(&name(), Some(&secret(Phase::Intent(attempt()), "10")));
    index.found(&name(), None);
    assert_eq!(version(&index), None);
    assert!(index.vanished(&name()).is_some());
    index.brought(&secret(Phase::Idle, "12"));
    assert_eq!(index.vanished(&name()), None, "there is one again");
    index.found(&name(), None);
    assert_eq!(
        version(&index).as_deref(),
        Some("12"),
        "the watch tells when it goes"
    );
}

#[test]
fn what_a_list_lacks_is_gone_unless_it_was_just_written() {
    let mut index = Index::default();
    index.brought(&secret(Phase::Shared(link()), "10"));
    index.list_begins();
    assert_eq!(
        version(&index).as_deref(),
        Some("10"),
        "until the list is complete"
    );
    assert_eq!(index.list_ends(), [entry_of(Phase::Idle).owner]);
    assert_eq!(version(&index), None);
    index.found(&name(), Some(&secret(Phase::Shared(link()), "12")));
    index.list_begins();
    assert!(index.list_ends().is_empty());
    assert_eq!(version(&index).as_deref(), Some("12"));
    index.list_begins();
    index.brought(&secret(Phase::Shared(link()), "12"));
    assert!(index.list_ends().is_empty());
    assert_eq!(version(&index).as_deref(), Some("12"));
}

#[test]
fn an_attempt_without_an_outcome_is_remembered_when_its_entry_vanishes() {
    let mut index = Index::default();
    let intent = secret(Phase::Intent(attempt()), "10");
    index.found(&name(), Some(&intent));
    index.brought(&intent);
    assert_eq!(index.vanished(&name()), None, "it is there");
    index.deleted(&intent);
    // A live look that finds nothing changes nothing.
    index.found(&name(), None);
    let vanished = index.vanished(&name()).expect("an attempt");
    assert_eq!(vanished.attempt, "nonce");
    index.settled(&name());
    assert_eq!(index.vanished(&name()), None, "nothing came of it");
    assert!(index.knew(&name()));
    index.found(&name(), Some(&secret(Phase::Shared(link()), "11")));
    index.brought(&intent);
    index.deleted(&secret(Phase::Shared(link()), "12"));
    assert_eq!(index.vanished(&name()), None, "its outcome was known");
    index.removed(&name());
    assert!(!index.knew(&name()), "removed by us");
}

#[test]
fn an_entry_of_another_share_under_this_name_is_never_used() {
    let mut index = Index::default();
    let mut foreign = secret(Phase::Shared(link()), "10");
    foreign.metadata.name = Some("ots-another".into());
    index.brought(&foreign);
    assert_eq!(index.get("ots-another").err(), Some(CodecError::OtherOwner));
    let mut unreadable = secret(Phase::Shared(link()), "10");
    unreadable.data = None;
    index.brought(&unreadable);
    assert_eq!(index.get(&name()).err(), Some(CodecError::Malformed));
    assert!(index.lines().is_empty());
    index.brought(&secret(Phase::Shared(link()), "11"));
    assert_eq!(index.lines().len(), 1);
}

#[test]
fn a_share_lives_from_its_intent_to_its_end() {
    let mut index = Index::default();
    let place = entry_of(Phase::Intent(attempt())).place().expect("a place");
    let mut elsewhere = link();
    elsewhere.route.provider.name = "another".into();
    let other = entry_of(Phase::Shared(elsewhere.clone()))
        .place()
        .expect("a place");
    let steps = [
        (Phase::Intent(attempt()), 1, 0),
        (Phase::Shared(link()), 1, 0),
        (Phase::Shared(elsewhere), 0, 1),
        (Phase::Idle, 0, 0),
    ];
    for (number, (phase, here, there)) in steps.into_iter().enumerate() {
        index.found(&name(), Some(&secret(phase, &number.to_string())));
        let counts = (index.living(&place).len(), index.living(&other).len());
        assert_eq!(counts, (here, there), "{number}");
    }
    index.found(&name(), Some(&secret(Phase::Shared(link()), "20")));
    index.deleted(&secret(Phase::Shared(link()), "21"));
    assert!(index.living(&place).is_empty());
}

#[test]
fn an_attempt_keeps_its_lane_until_its_entry_says_otherwise() {
    let mut index = Index::default();
    let attempt = attempt();
    let lane = attempt.lane(&entry_of(Phase::Idle).owner.namespace);
    let endpoint = attempt.route.endpoint.clone();
    let takes = |index: &Index, name: &str| {
        index.lanes().is_taken(Asking {
            lane: &lane,
            endpoint: &endpoint,
            name,
            now: Timestamp::now(),
        })
    };
    index.brought(&secret(Phase::Intent(attempt), "10"));
    assert!(takes(&index, "other"));
    assert!(!takes(&index, &name()), "its own");
    index.found(&name(), Some(&secret(Phase::Shared(link()), "11")));
    assert!(!takes(&index, "other"));
}

#[test]
fn an_own_write_is_acted_on_until_a_newer_one_is_known() {
    let mut index = Index::default();
    index.acted_on(&name(), "10");
    assert!(!index.is_acted_on(&name()), "there is no entry");
    index.found(&name(), Some(&secret(Phase::Idle, "10")));
    index.acted_on(&name(), "9");
    assert!(!index.is_acted_on(&name()), "another version was");
    index.acted_on(&name(), "10");
    index.brought(&secret(Phase::Idle, "10"));
    assert!(index.is_acted_on(&name()), "the event of the own write");
    index.brought(&secret(Phase::Idle, "11"));
    assert!(!index.is_acted_on(&name()), "somebody else's");
    index.acted_on(&name(), "11");
    index.deleted(&secret(Phase::Idle, "12"));
    assert!(!index.is_acted_on(&name()), "gone");
}
