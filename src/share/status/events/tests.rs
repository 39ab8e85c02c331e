//! Which changes of a status are told, and that none tells too much.

use super::*;
use crate::ledger::{Ending, Phase};
use crate::problem::Problem;
use crate::share::fixtures::{GENERATION, attempt, entry, finished, link, now};
use crate::share::status::{View, facts, render};

/// A status, and what the service said of the link that it shows.
#[derive(Debug)]
struct Shown {
    status: OneTimeShareStatus,
    facts: Option<LinkFacts>,
}

fn shown(phase: Option<Phase>, problem: Option<&Problem>) -> Shown {
    let facts = phase.as_ref().and_then(facts).cloned();
    let entry = phase.map(entry);
    let status = render(&View {
        generation: GENERATION,
        entry: entry.as_ref(),
        current: entry.is_some(),
        edited: &[],
        problem,
        previous: None,
        now: now(),
    });
    Shown { status, facts }
}

fn shared() -> Shown {
    shown(Some(Phase::Shared(link())), None)
}

/// The link of a later attempt, changed.
fn shared_again(change: impl FnOnce(&mut LinkFacts)) -> Shown {
    let mut link = link();
    link.attempt = "another-nonce".into();
    change(&mut link.facts);
    shown(Some(Phase::Shared(link)), None)
}

fn not_mailed() -> Shown {
    shared_again(|facts| facts.recipients.clear())
}

fn clamped() -> Shown {
    shared_again(|facts| facts.ttl_seconds = 60)
}

fn ended(how: Ending) -> Shown {
    shown(Some(Phase::Finished(finished(how))), None)
}

fn unknown() -> Shown {
    let mut link = link();
    link.outcome_unknown = true;
    shown(Some(Phase::Shared(link)), None)
}

fn working() -> Shown {
    shown(None, None)
}

fn missing() -> Shown {
    shown(None, Some(&Problem::missing(Reason::SecretNotFound, "create it")))
}

fn suspended() -> Shown {
    shown(None, Some(&Problem::passing(Reason::Suspended, "suspended")))
}

fn unauthorized() -> Shown {
    let problem = Problem::administrator(Reason::Unauthorized, "correct it");
    shown(None, Some(&problem))
}

fn in_doubt() -> Shown {
    shown(Some(Phase::Intent(attempt())), None)
}

fn notices_of(before: Option<&Shown>, after: &Shown) -> Vec<Notice> {
    notices(
        before.map(|shown| &shown.status),
        &after.status,
        after.facts.as_ref(),
    )
}

fn told(before: Option<&Shown>, after: &Shown) -> String {
    let words: Vec<String> = notices_of(before, after)
        .iter()
        .map(|notice| {
            let kind = if notice.warning { "Warning" } else { "Normal" };
            format!("{kind} {}", notice.reason)
        })
        .collect();
    words.join(", ")
}

#[test]
fn each_change_is_told() {
    let table = [
        // The beginning.
        (None, working(), ""),
        (None, missing(), "Warning SecretNotFound"),
        (None, suspended(), ""),
        (None, shared(), "Normal Shared"),
        (None, not_mailed(), "Normal Shared, Warning NotMailed"),
        // Problems come and go.
        (Some(working()), missing(), "Warning SecretNotFound"),
        (Some(missing()), unauthorized(), "Warning Unauthorized"),
        (Some(missing()), working(), ""),
        (Some(working()), in_doubt(), ""),
        // The link.
        (Some(working()), shared(), "Normal Shared"),
        (Some(missing()), shared(), "Normal Shared"),
        (Some(in_doubt()), shared(), "Normal Shared"),
        (Some(shared()), not_mailed(), "Normal Shared, Warning NotMailed"),
        (Some(shared()), clamped(), "Normal Shared, Warning TtlClamped"),
        (
            Some(clamped()),
            ended(Ending::Received),
            "Normal Shared, Normal Received",
        ),
        // Its end.
        (Some(shared()), ended(Ending::Received), "Normal Received"),
        (Some(shared()), ended(Ending::Burned), "Normal Burned"),
        (Some(shared()), ended(Ending::Expired), "Warning Expired"),
        (Some(shared()), unknown(), "Warning OutcomeUnknown"),
        (Some(unknown()), shared(), ""),
        (Some(unknown()), ended(Ending::Received), "Normal Received"),
    ];
    for (before, after, wanted) in table {
        assert_eq!(told(before.as_ref(), &after), wanted, "{before:#?}\n{after:#?}");
    }
}

fn all() -> Vec<Shown> {
    vec![
        working(),
        missing(),
        suspended(),
        unauthorized(),
        in_doubt(),
        shared(),
        not_mailed(),
        clamped(),
        unknown(),
        ended(Ending::Received),
        ended(Ending::Burned),
        ended(Ending::Expired),
    ]
}

#[test]
fn what_stays_the_same_is_told_once() {
    for shown in all() {
        assert_eq!(told(Some(&shown), &shown), "", "{shown:#?}");
    }
}

#[test]
fn no_notice_tells_a_link_or_key() {
    let mut count = 0;
    for after in all() {
        for before in all().into_iter().map(Some).chain([None]) {
            for notice in notices_of(before.as_ref(), &after) {
                count += 1;
                let note = &notice.note;
                assert!(!note.contains("canary") && !note.contains("://"), "{note}");
                assert!(note.chars().count() < 1000, "an event's note is cut there");
            }
        }
    }
    assert!(count > 50, "only {count} notices were looked at");
}

#[test]
fn a_new_link_tells_until_when_and_to_whom() {
    let notices = notices_of(Some(&working()), &shared());
    let note = &notices.first().expect("a notice").note;
    assert!(
        note.contains("until") && note.contains("al***@e***.com"),
        "{note}"
    );
}
