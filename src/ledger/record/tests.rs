use super::super::fixtures::{attempt, entry, finished, link, on_hold};
use super::*;
use crate::ledger::Ending;

fn other() -> Attempt {
    Attempt {
        nonce: "other".into(),
        ..attempt()
    }
}

#[test]
fn an_outcome_has_its_place_whatever_became_of_the_entry() {
    let before = entry(Phase::Intent(attempt()));
    let made = Phase::Shared(link());
    let place = |found: Option<&Entry>, outcome: &Phase| place(&before, found, outcome);

    assert_eq!(place(None, &made), Place::NewEntry);
    assert_eq!(place(None, &Phase::Intent(on_hold())), Place::NewEntry);
    assert_eq!(place(None, &Phase::Idle), Place::Nowhere, "a definite no");
    let touched = Entry {
        generation: 9,
        ..before.clone()
    };
    assert_eq!(place(Some(&touched), &made), Place::Entry);

    let keyed = Attempt {
        metadata_key: link().metadata_key,
        ..attempt()
    };
    let replaced = entry(Phase::Intent(other()));
    assert_eq!(
        place(Some(&replaced), &made),
        Place::Superseded(vec![keyed.clone()])
    );
    assert_eq!(place(Some(&replaced), &Phase::Idle), Place::Nowhere);
    let superseding = Entry {
        superseded: vec![attempt()],
        ..replaced.clone()
    };
    assert_eq!(
        place(Some(&superseding), &made),
        Place::Superseded(vec![keyed.clone()]),
        "once"
    );
    let known = Entry {
        superseded: vec![keyed],
        ..replaced
    };
    assert_eq!(place(Some(&known), &made), Place::Nowhere);
    for adopted in [made.clone(), Phase::Finished(finished(Ending::Received))] {
        assert_eq!(place(Some(&entry(adopted)), &made), Place::Nowhere, "it is there");
    }
    let full = Entry {
        superseded: vec![other(); 2 * MAX_SUPERSEDED],
        ..entry(Phase::Idle)
    };
    assert_eq!(place(Some(&full), &made), Place::Nowhere, "bounded");
}
