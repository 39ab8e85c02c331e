//! What comes after a no of the service, a lost entry or a replaced definition.

use super::*;
use crate::ledger::Burning;

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
