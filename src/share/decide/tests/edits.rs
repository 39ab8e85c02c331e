//! Edits after the end of a link, shares that were created again, and shares that waited too long.

use super::examples::{following, mark};
use super::*;

/// A link that was opened, of a share whose ttl was edited since.
pub(super) fn tidied_after_the_end() -> Fixture {
    Fixture {
        request: Ok(tidied()),
        live: true,
        ..Fixture::of(Some(Phase::Finished(finished(Ending::Received))))
    }
}

#[test]
fn an_edit_after_the_end_is_named_and_sends_nothing() {
    let edited = |fixture: &Fixture| {
        let request = fixture.request.as_ref().expect("a request");
        edited_after_the_end(fixture.entry.as_ref().expect("an entry"), request, fixture.uid)
    };
    let fixture = tidied_after_the_end();
    assert_eq!(fixture.rule(), "the_edit_came_after_the_end");
    assert_eq!(edited(&fixture), Some(vec!["ttl".to_owned()]));
    let reverted = Fixture {
        request: Ok(request("1")),
        ..fixture.clone()
    };
    assert_eq!(
        (word(&reverted.decide()), edited(&reverted)),
        ("done".into(), None)
    );
    let mut unnamed = request("1");
    unnamed.request_id = None;
    let unnamed = Fixture {
        request: Ok(unnamed),
        ..fixture.clone()
    };
    assert_eq!(edited(&unnamed), Some(vec!["requestID".to_owned()]));
    assert_eq!(word(&unnamed.decide()), "done", "removing it asks for nothing");
    let another_object = Fixture {
        uid: "uid-2",
        ..fixture
    };
    assert_eq!(
        (word(&another_object.decide()), edited(&another_object)),
        ("send@4".into(), None)
    );
}

/// The recipient was faster than the burn that an edit began.
#[test]
fn a_link_that_was_opened_before_its_burn_is_finished() {
    let opened = |why| Phase::Finished(link().finish(Ending::Received, now(), Some(why)));
    let step = |phase, request| {
        word(
            &Fixture {
                request: Ok(request),
                live: true,
                ..Fixture::of(Some(phase))
            }
            .decide(),
        )
    };
    for why in [BurnReason::Replaced, BurnReason::Deleted, BurnReason::Asked] {
        assert_eq!(step(opened(why), tidied()), "done", "{why:?}");
        assert_eq!(step(opened(why), request("2")), "send@4", "{why:?}");
    }
    // The wrong person has the link: the recipient must be corrected, and that is an edit.
    assert_eq!(step(opened(BurnReason::MailedElsewhere), tidied()), "send@4");
    for why in [BurnReason::Replaced, BurnReason::Deleted, BurnReason::ValueLost] {
        assert_eq!(
            step(Phase::Finished(burned_for(why)), tidied()),
            "send@4",
            "{why:?}"
        );
    }
}

/// What the first version wrote: its next `requestID` counts, and not the present one.
#[test]
fn an_entry_without_fields_takes_the_next_request_id() {
    let mut fixture = Fixture {
        request: Ok(request("2")),
        ..tidied_after_the_end()
    };
    fixture.entry.iter_mut().for_each(|entry| entry.fields.clear());
    let Step::UpdatePolicy { fields, .. } = fixture.decide() else {
        panic!("{:?}", fixture.decide());
    };
    fixture
        .entry
        .iter_mut()
        .for_each(|entry| entry.fields = fields.clone());
    assert_eq!(word(&fixture.decide()), "done");
    fixture.request = Ok(request("3"));
    assert_eq!(word(&fixture.decide()), "send@4");
    fixture.request = Ok(request("1"));
    let Step::UpdatePolicy { fields, .. } = fixture.decide() else {
        panic!("{:?}", fixture.decide());
    };
    assert!(fields.contains_key("ttl"), "the edit was taken back: {fields:?}");
}

#[test]
fn a_changed_value_is_a_new_request_after_the_end_too() {
    let mut fixture = following(Some(mark("a", "old")));
    let mut request = fixture.request.clone().expect("a request");
    request.ttl_seconds = 7200;
    fixture.request = Ok(request);
    if let Some(entry) = &mut fixture.entry {
        entry.phase = Phase::Finished(finished(Ending::Received));
    }
    assert_eq!(word(&fixture.decide()), "content");
    fixture.content = Some(mark("a", "old"));
    assert_eq!(word(&fixture.decide()), "done");
    fixture.content = Some(mark("a", "new"));
    assert_eq!(word(&fixture.decide()), "send@4");
}

/// A share that was created again keeps its link, and an edit of it is an edit.
#[test]
fn another_object_takes_over_its_entry() {
    let mut fixture = Fixture {
        uid: "uid-2",
        generation: 1,
        live: true,
        ..Fixture::of(Some(Phase::Finished(finished(Ending::Received))))
    };
    let Step::UpdatePolicy { uid, generation, .. } = fixture.decide() else {
        panic!("{:?}", fixture.decide());
    };
    assert_eq!((uid.as_str(), generation), ("uid-2", 1));
    fixture.entry.iter_mut().for_each(|entry| {
        (entry.share_uid, entry.generation) = (uid.clone(), generation);
    });
    assert_eq!(word(&fixture.decide()), "done");
    fixture.request = Ok(tidied());
    assert_eq!(word(&fixture.decide()), "done");
}

#[test]
fn a_share_that_waited_too_long_waits_for_an_edit() {
    let mut fixture = Fixture {
        waiting_since: Some(now() - SignedDuration::from_secs(999)),
        ..Fixture::of(None)
    };
    assert_eq!(word(&fixture.decide()), "send@0");
    fixture.now = now() + SignedDuration::from_secs(1);
    assert_eq!(word(&fixture.decide()), "WaitedTooLong");
    // A clock that was set back.
    fixture.now = now() - SignedDuration::from_hours(5);
    assert_eq!(word(&fixture.decide()), "send@0");
    fixture.suspend = true;
    fixture.now = now() + SignedDuration::from_hours(5);
    assert_eq!(word(&fixture.decide()), "Suspended");
}

/// An edit that the status notes, of a share whose entry is lost.
pub(super) fn noted_and_lost() -> Fixture {
    Fixture {
        told: Some((key("1", EPOCH), Some("nonce"))),
        complete: true,
        noted: true,
        entry: None,
        ..tidied_after_the_end()
    }
}

#[test]
fn a_noted_edit_sends_nothing_when_the_entry_is_lost() {
    let lost = noted_and_lost();
    assert_eq!(lost.rule(), "the_status_tells_of_a_noted_edit");
    assert_eq!(lost.decide(), Step::Rebuild(key("1", EPOCH)));
    let not_noted = Fixture { noted: false, ..lost };
    assert_eq!(
        word(&not_noted.decide()),
        "send@4",
        "another request was asked for"
    );
}
