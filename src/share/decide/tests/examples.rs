//! Single situations that the table has no column for.

use super::edits::{noted_and_lost, tidied_after_the_end};
use super::*;
use crate::ledger::MAX_SUPERSEDED;

/// A share whose value counts, and whose entry has this mark of the value that was sent.
pub(super) fn following(content: Option<ContentMark>) -> Fixture {
    let spec =
        serde_json::json!({"secretRef": {"name": "alice"}, "requestID": "1", "refreshPolicy": "OnChange"});
    let spec = serde_json::from_value(spec).expect("a spec");
    let mut fixture = Fixture::of(Some(Phase::Shared(link())));
    fixture.request = Ok(Request::parse(&spec).expect("a valid spec"));
    if let Some(entry) = &mut fixture.entry {
        entry.content = content;
    }
    Fixture {
        live: true,
        ..fixture
    }
}

pub(super) fn mark(salt: &str, value: &str) -> ContentMark {
    ContentMark::with_salt(salt.into(), value)
}

/// Situations that only a rule of its own catches.
pub(super) fn beyond_the_table() -> Vec<Fixture> {
    let mut newer = Fixture::of(Some(Phase::Idle));
    if let Some(entry) = &mut newer.entry {
        entry.request.version = FINGERPRINT_VERSION + 1;
    }
    let mut full = Fixture {
        request: Ok(request("2")),
        live: true,
        ..Fixture::of(Some(Phase::Intent(on_hold())))
    };
    if let Some(entry) = &mut full.entry {
        entry.superseded = vec![attempt(); MAX_SUPERSEDED];
    }
    let lost = Fixture {
        entry_was_known: true,
        ..Fixture::of(None)
    };
    let earlier = Fixture {
        told: Some((key("2", EPOCH), Some("nonce"))),
        ..Fixture::of(None)
    };
    let first_mark = Fixture {
        content: Some(mark("a", "value")),
        ..following(None)
    };
    let vanished = Fixture {
        vanished: Some(key("1", EPOCH)),
        ..Fixture::of(None)
    };
    let replaced = Fixture {
        is_of_older_definition: true,
        ..Fixture::of(Some(Phase::Shared(link())))
    };
    vec![
        newer,
        full,
        lost,
        earlier,
        following(None),
        first_mark,
        vanished,
        replaced,
        tidied_after_the_end(),
        noted_and_lost(),
    ]
}

#[test]
fn a_full_list_of_lost_attempts_sends_nothing_more() {
    let full = beyond_the_table().swap_remove(1);
    assert_eq!(full.rule(), "too_many_attempts_are_lost");
    assert_eq!(word(&full.decide()), "Uncertain");
}

#[test]
fn a_changed_value_is_a_new_request() {
    let step = |sent: Option<ContentMark>, now: Option<ContentMark>| {
        word(
            &Fixture {
                content: now,
                ..following(sent)
            }
            .decide(),
        )
    };
    assert_eq!(step(Some(mark("a", "old")), None), "content");
    assert_eq!(step(Some(mark("a", "old")), Some(mark("a", "old"))), "done");
    assert_eq!(
        step(Some(mark("a", "old")), Some(mark("a", "new"))),
        "burn+send@4"
    );
    assert_eq!(
        step(Some(mark("a", "old")), Some(mark("b", "old"))),
        "content",
        "two salts tell nothing"
    );
    assert_eq!(
        step(None, Some(mark("b", "old"))),
        "note",
        "from now on changes count"
    );
}

/// A user did not want that link; whoever wants another one says so.
#[test]
fn what_a_user_had_burned_is_not_made_anew() {
    for live in [false, true] {
        let fixture = Fixture {
            live,
            burn: Some("nonce"),
            ..Fixture::of(Some(Phase::Finished(burned_for(BurnReason::Asked))))
        };
        assert_eq!(word(&fixture.decide()), "done");
        let edited = Fixture {
            request: Ok(request("2")),
            ..fixture
        };
        assert_eq!(word(&edited.decide()), if live { "send@4" } else { "read" });
    }
}

#[test]
fn an_edit_that_is_taken_back_makes_a_new_link() {
    let mut fixture = Fixture::of(Some(Phase::Finished(burned_for(BurnReason::Replaced))));
    assert_eq!(word(&fixture.decide()), "read");
    fixture.live = true;
    assert_eq!(word(&fixture.decide()), "send@4");
}

/// The status was written a moment ago, and is not in the cache yet.
#[test]
fn what_lost_its_entry_is_read_live_before_anything_is_sent() {
    let lost = Fixture {
        entry_was_known: true,
        ..Fixture::of(None)
    };
    assert_eq!(lost.decide(), Step::ReadLive);
    let live = Fixture { live: true, ..lost };
    assert!(
        matches!(live.decide(), Step::Send { .. }),
        "the status tells nothing"
    );
    assert!(
        matches!(Fixture::of(None).decide(), Step::Send { .. }),
        "there never was one"
    );
}
