//! What a line tells without being opened is what its entry says, and nothing of the entry is lost.

use super::*;
use crate::ledger::fixtures::{attempt, entry, finished, line, link};
use crate::ledger::{BurnReason, Ending, codec};

fn phases() -> Vec<Phase> {
    let mut keyless = link();
    keyless.metadata_key = None;
    let mut held = attempt();
    held.needs_decision = true;
    let mut with_ca = link();
    with_ca.route.ca_bundle = Some("a CA".repeat(1000));
    let burning = Burning {
        link: link(),
        why: BurnReason::Deleted,
    };
    vec![
        Phase::Idle,
        Phase::Intent(attempt()),
        Phase::Intent(held),
        Phase::Shared(link()),
        Phase::Shared(keyless),
        Phase::Shared(with_ca),
        Phase::Burning(burning),
        Phase::Finished(finished(Ending::Received)),
    ]
}

#[test]
fn nothing_of_an_entry_is_lost() {
    for phase in phases() {
        let mut entry = entry(phase);
        entry.superseded = vec![attempt()];
        entry.past = vec!["hash".into()];
        entry.crd_uid = Some("crd".into());
        let line = line(entry.clone());
        let read = line.open().expect("an entry");
        assert_eq!((read.entry, read.resource_version.as_str()), (entry, "1"));
    }
}

#[test]
fn a_line_tells_what_its_entry_says() {
    for phase in phases() {
        let entry = entry(phase);
        let line = line(entry.clone());
        assert_eq!(line.owner(), &entry.owner);
        assert_eq!(line.cluster(), entry.cluster);
        assert_eq!(
            line.key_hash().map(|hash| hash.to_string()),
            entry.key_hash(),
            "{:?}",
            entry.phase
        );
        assert_eq!(line.is_unresolved(), entry.unresolved().count() > 0);
        assert_eq!(
            line.link().is_some(),
            matches!(entry.phase, Phase::Shared(_) | Phase::Burning(_))
        );
        assert_eq!(line.burns(), matches!(entry.phase, Phase::Shared(_)));
    }
    let mut kept = entry(Phase::Shared(link()));
    kept.deletion = DeletionPolicy::Retain;
    assert!(!line(kept).burns());
    let mut superseding = entry(Phase::Shared(link()));
    superseding.superseded = vec![attempt()];
    assert!(line(superseding).is_unresolved());
}

#[test]
fn what_may_tell_of_an_account_is_opened_for_it() {
    let account = link().route.account_hash();
    let concerns = |entry: Entry, account: &str| line(entry).may_concern(account);
    assert!(concerns(entry(Phase::Shared(link())), &account));
    assert!(
        !concerns(entry(Phase::Shared(link())), "another"),
        "its key is known by its line"
    );
    assert!(
        concerns(entry(Phase::Intent(attempt())), "another"),
        "an attempt may be a rival"
    );
    let mut keyless = link();
    keyless.metadata_key = None;
    assert!(
        concerns(entry(Phase::Shared(keyless)), "another"),
        "its link is known and not its key"
    );
    let mut earlier = entry(Phase::Idle);
    assert!(!concerns(earlier.clone(), &account));
    earlier.past = vec!["hash".into()];
    assert!(concerns(earlier, "another"), "it had other links");
}

#[test]
fn the_routes_of_many_links_are_one() {
    let mut interned = Interned::default();
    let mut line = |entry: Entry| {
        let secret = codec::encode(&entry, "ledger", None).expect("a secret");
        Line::new(&secret, entry, &mut interned).expect("a line")
    };
    let (one, other) = (
        line(entry(Phase::Shared(link()))),
        line(entry(Phase::Shared(link()))),
    );
    let route = |line: &Line| Arc::clone(&line.link().expect("a link").route);
    assert!(Arc::ptr_eq(&route(&one), &route(&other)));
}

#[test]
fn a_settled_entry_is_small_and_shows_no_capability() {
    let line = line(entry(Phase::Shared(link())));
    let shown = format!("{line:?}");
    assert!(!shown.contains("canary"), "{shown}");
}
