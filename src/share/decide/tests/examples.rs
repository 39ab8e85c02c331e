//! Single situations that the table has no column for.

use super::*;
use crate::ledger::{Burning, MAX_SUPERSEDED};

/// A share whose value counts, and whose entry has this mark of the value that was sent.
fn following(content: Option<ContentMark>) -> Fixture {
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

fn mark(salt: &str, value: &str) -> ContentMark {
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

/// A share that was refused, with a pause of so many seconds.
fn refused(seconds: i64) -> Fixture {
    let mut fixture = Fixture::of(Some(Phase::Idle));
    if let Some(entry) = &mut fixture.entry {
        entry.retry = Retry {
            not_before: Some(now() + SignedDuration::from_secs(seconds)),
            inputs: Some("then".into()),
            ..waiting()
        };
    }
    fixture
}

fn waits_for(fixture: &Fixture) -> i64 {
    match fixture.decide() {
        Step::Requeue { at: Some(at), .. } => now().duration_until(at).as_secs(),
        step => panic!("{step:?}"),
    }
}

/// Whatever else holds: an edit, a pause that a clock cut short, a changed Secret.
#[test]
fn what_was_sent_a_moment_ago_is_not_sent_again() {
    let idle = || Fixture::of(Some(Phase::Idle));
    let edited = || Fixture {
        request: Ok(request("2")),
        live: true,
        ..idle()
    };
    let stepped_back = || refused(1_000_000);
    let changed = || Fixture {
        inputs: Some("now"),
        ..refused(300)
    };
    for fixture in [idle(), edited(), stepped_back(), changed()] {
        assert!(
            word(&fixture.decide()).starts_with("send@"),
            "{:?}",
            fixture.decide()
        );
        let sent = Fixture {
            sent_ago: Some(Duration::from_secs(4)),
            ..fixture
        };
        assert_eq!(waits_for(&sent), 6);
    }
}

/// A clock that steps back must not make a pause longer than the longest one.
#[test]
fn a_pause_that_no_failure_asks_for_is_over() {
    let longest = i64::try_from(crate::ledger::LONGEST_UNRECORDED.as_secs()).expect("seconds");
    let of = |seconds| {
        let mut fixture = refused(seconds);
        fixture.inputs = Some("then");
        word(&fixture.decide())
    };
    assert_eq!(of(longest), "RateLimited+wake");
    assert_eq!(of(longest + 1), "send@3");
}

#[test]
fn a_long_pause_ends_when_what_was_tried_with_changes() {
    let look = |seconds, inputs, sent_ago| Fixture {
        inputs,
        sent_ago,
        ..refused(seconds)
    };
    assert_eq!(waits_for(&look(60, None, None)), 60, "not worth a look");
    assert_eq!(word(&look(61, None, None).decide()), "inputs");
    let moment = Some(Duration::from_secs(1));
    assert_eq!(waits_for(&look(300, None, moment)), 60, "nothing can be sent yet");
    assert_eq!(
        waits_for(&look(300, Some("then"), None)),
        60,
        "and a look a minute"
    );
    assert_eq!(word(&look(300, Some("now"), None).decide()), "send@3");
    let mut unknown = look(300, None, None);
    if let Some(entry) = &mut unknown.entry {
        entry.retry.inputs = None;
    }
    assert_eq!(waits_for(&unknown), 300, "what was tried with is not known");
}

/// How the burned link ended decides whether another one follows: nothing is sent before that is known.
#[test]
fn a_share_that_is_created_again_waits_for_the_outcome_of_burning() {
    let again = |phase, live| Fixture {
        uid: "uid-2",
        live,
        ..Fixture::of(Some(phase))
    };
    let deleted = || {
        Phase::Burning(Burning {
            link: link(),
            why: BurnReason::Deleted,
        })
    };
    for live in [false, true] {
        assert_eq!(word(&again(deleted(), live).decide()), "burn");
        let mut paused = again(deleted(), live);
        if let Some(entry) = &mut paused.entry {
            entry.retry = waiting();
        }
        assert_eq!(word(&paused.decide()), "RateLimited+wake");
    }
    let ended = |how| Phase::Finished(link().finish(how, now(), Some(BurnReason::Deleted)));
    // The entry takes over the new object, and nothing is sent.
    assert_eq!(word(&again(ended(Ending::Received), true).decide()), "note");
    assert_eq!(word(&again(ended(Ending::Burned), true).decide()), "send@4");
}

/// The status names an attempt whose outcome is not known, too: what the entry holds, is to burn or has resolved is not
/// lost.
#[test]
fn a_status_that_names_a_known_attempt_is_not_ahead() {
    let told = |phase| Fixture {
        told: Some((key("1", EPOCH), Some("nonce"))),
        live: true,
        known_for: Duration::from_secs(3600),
        ..Fixture::of(Some(phase))
    };
    assert_eq!(word(&told(Phase::Intent(attempt())).decide()), "resolve");
    assert_eq!(word(&told(Phase::Intent(on_hold())).decide()), "Uncertain");
    let mut idle = told(Phase::Idle);
    assert_eq!(
        word(&idle.decide()),
        "LedgerLost",
        "as an entry of the first version"
    );
    let entry = idle.entry.as_mut().expect("an entry");
    entry.resolved = vec!["nonce".into()];
    assert_eq!(word(&idle.decide()), "send@3");
}

/// The entry was deleted while an attempt had no outcome, and no status named it yet.
#[test]
fn an_attempt_that_vanished_is_not_sent_again() {
    let mut vanished = Fixture {
        vanished: Some(key("1", EPOCH)),
        live: true,
        ..Fixture::of(None)
    };
    assert_eq!(word(&vanished.decide()), "LedgerLost");
    vanished.request = Ok(request("2"));
    assert_eq!(
        word(&vanished.decide()),
        "send@0",
        "another request was asked for"
    );
}

/// Whatever else the share asks for, its entry is taken over once it is seen.
#[test]
fn a_share_that_came_back_under_another_definition_is_taken_over() {
    let mut back = Fixture {
        is_of_older_definition: true,
        ..Fixture::of(Some(Phase::Shared(link())))
    };
    assert_eq!(back.decide(), Step::ReadLive);
    back.live = true;
    assert_eq!(word(&back.decide()), "note");
    back.request = Err(Problem::edit(Reason::TtlInvalid, "unreadable"));
    assert_eq!(word(&back.decide()), "note");
    if let Some(entry) = &mut back.entry {
        entry.cluster = "another".into();
    }
    assert_ne!(word(&back.decide()), "note", "another cluster's is not ours");
}

/// A link that was opened, of a share whose ttl was edited since.
fn tidied_after_the_end() -> Fixture {
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
