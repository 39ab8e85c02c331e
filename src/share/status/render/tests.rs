//! What each standing looks like, and what holds of every status: the rules of kstatus, no key after the end, and
//! that a status rendered again is the same.

use super::*;
use crate::share::fixtures::{GENERATION, attempt, burning, entry, finished, link, now, on_hold};
use jiff::SignedDuration;
use proptest::prelude::*;

fn missing() -> Problem {
    Problem::missing(Reason::SecretNotFound, "create it")
}

fn to_edit() -> Problem {
    Problem::edit(Reason::SecretKeyAmbiguous, "name a key")
}

fn to_administer() -> Problem {
    Problem::administrator(Reason::Unauthorized, "correct the credentials")
}

fn uncertain() -> Problem {
    Problem::edit(Reason::Uncertain, "ask the recipient")
}

fn mailing(asked: bool, recipients: &[&str]) -> Phase {
    let mut link = link();
    link.facts.mail_asked = asked;
    link.facts.recipients = recipients.iter().map(|mask| (*mask).to_owned()).collect();
    Phase::Shared(link)
}

fn clamped() -> Phase {
    let mut link = link();
    link.facts.ttl_seconds = 60;
    Phase::Shared(link)
}

/// Where a share stands, and how it came there.
#[derive(Clone, Debug)]
struct Case {
    phase: Option<Phase>,
    /// Whether the spec still asks for what the entry holds.
    current: bool,
    problem: Option<Problem>,
}

fn case(phase: Option<Phase>, current: bool, problem: Option<Problem>) -> Case {
    Case {
        phase,
        current,
        problem,
    }
}

impl Case {
    fn render(&self, previous: Option<&OneTimeShareStatus>, now: Timestamp) -> OneTimeShareStatus {
        let entry = self.phase.clone().map(entry);
        render(&View {
            generation: GENERATION,
            entry: entry.as_ref(),
            current: self.current,
            problem: self.problem.as_ref(),
            previous,
            now,
        })
    }
}

fn find<'a>(status: &'a OneTimeShareStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// A status in one line: its state and its conditions.
fn line(status: &OneTimeShareStatus) -> String {
    let state = status.state.map(ShareState::as_str).unwrap_or_default();
    let conditions = status
        .conditions
        .iter()
        .map(|condition| format!(" {}={}/{}", condition.type_, condition.status, condition.reason));
    std::iter::once(state.to_owned()).chain(conditions).collect()
}

#[test]
fn every_standing_has_its_conditions() {
    let shared = "Ready=True/Shared Received=Unknown/Waiting Finished=False/Waiting";
    let working = |reason| format!("Pending Ready=Unknown/{reason} Reconciling=True/{reason}");
    let stalled = |reason| format!("Failed Ready=False/{reason} Stalled=True/{reason}");
    let ended = |how, received| {
        format!(
            "{how} Ready=True/Shared Received={received}/{how} Finished=True/{how} EmailRequested=True/Requested"
        )
    };
    let mailed = "EmailRequested=True/Requested";
    let over = |how| Some(Phase::Finished(finished(how)));
    let alive = || Some(Phase::Shared(link()));
    let table = [
        // Nothing yet.
        (case(None, false, None), working("InProgress")),
        (case(None, false, Some(missing())), working("SecretNotFound")),
        (case(None, false, Some(to_edit())), stalled("SecretKeyAmbiguous")),
        (case(None, false, Some(to_administer())), stalled("Unauthorized")),
        (case(Some(Phase::Idle), true, None), working("InProgress")),
        (
            case(Some(Phase::Idle), true, Some(missing())),
            working("SecretNotFound"),
        ),
        // An answer was lost.
        (
            case(Some(Phase::Intent(attempt())), true, None),
            working("InDoubt"),
        ),
        (
            case(Some(Phase::Intent(on_hold())), true, Some(uncertain())),
            stalled("Uncertain"),
        ),
        // The link lives.
        (case(alive(), true, None), format!("Shared {shared} {mailed}")),
        (
            case(Some(mailing(false, &[])), true, None),
            format!("Shared {shared}"),
        ),
        (
            case(Some(mailing(true, &[])), true, None),
            format!("Shared {shared} EmailRequested=False/NotMailed"),
        ),
        (
            case(Some(clamped()), true, None),
            format!("Shared {shared} {mailed}"),
        ),
        // A problem of later on takes nothing back.
        (
            case(alive(), true, Some(to_administer())),
            format!("Shared {shared} {mailed}"),
        ),
        // The link's life is over: Ready stays True.
        (
            case(over(Ending::Received), true, None),
            ended("Received", "True"),
        ),
        (case(over(Ending::Burned), true, None), ended("Burned", "False")),
        (case(over(Ending::Expired), true, None), ended("Expired", "False")),
        // The spec asks for something else than what was sent; what is known of that mail is still shown.
        (
            case(alive(), false, Some(missing())),
            format!("Pending Ready=Unknown/SecretNotFound {mailed} Reconciling=True/SecretNotFound"),
        ),
        (
            case(over(Ending::Received), false, None),
            format!("Pending Ready=Unknown/InProgress {mailed} Reconciling=True/InProgress"),
        ),
        (
            case(Some(burning()), false, None),
            format!("Pending Ready=Unknown/Burning {mailed} Reconciling=True/Burning"),
        ),
        (
            case(alive(), false, Some(to_edit())),
            format!("Failed Ready=False/SecretKeyAmbiguous {mailed} Stalled=True/SecretKeyAmbiguous"),
        ),
    ];
    for (case, wanted) in table {
        assert_eq!(line(&case.render(None, now())), wanted, "{case:?}");
    }
}

#[test]
fn a_clamped_lifetime_is_told() {
    let status = case(Some(clamped()), true, None).render(None, now());
    let message = &find(&status, READY).expect("Ready").message;
    assert_eq!(
        status.ttl_seconds,
        Some(60),
        "what was granted, not what was asked for"
    );
    assert!(
        message.contains("60 s") && message.contains("3600 s"),
        "{message}"
    );
}

#[test]
fn what_the_service_said_is_shown() {
    let status = case(Some(Phase::Shared(link())), true, None).render(None, now());
    assert_eq!(status.observed_generation, Some(GENERATION));
    assert_eq!(status.secret_key.as_deref(), Some("canary-secret-key"));
    assert_eq!(
        status.link.as_deref(),
        Some("https://eu.onetimesecret.com/secret/canary-secret-key")
    );
    assert_eq!(status.recipient.as_deref(), Some("al***@e***.com"));
    assert_eq!(status.ttl_seconds, Some(3600));
    assert_eq!(status.passphrase_required, Some(true));
    assert_eq!(status.custid.as_deref(), Some("anon"));
    assert_eq!(status.attempt.as_deref(), Some("nonce"));
    assert_eq!(status.finished_at, None);
}

/// A later status in place of an earlier one, and whose transition times stay.
#[test]
fn transition_times_change_only_with_the_status() {
    let later = now() + SignedDuration::from_hours(1);
    let pending = case(None, false, Some(missing())).render(None, now());
    let still = case(None, false, None).render(Some(&pending), later);
    assert_eq!(find(&still, READY).map(|c| c.reason.as_str()), Some("InProgress"));
    assert_eq!(
        find(&still, READY).map(|c| c.last_transition_time.0),
        Some(now()),
        "another reason is no transition"
    );
    let shared = case(Some(Phase::Shared(link())), true, None).render(Some(&still), later);
    assert_eq!(
        find(&shared, READY).map(|c| c.last_transition_time.0),
        Some(later)
    );
    let end = later + SignedDuration::from_hours(1);
    let received =
        case(Some(Phase::Finished(finished(Ending::Received))), true, None).render(Some(&shared), end);
    assert_eq!(
        find(&received, READY).map(|c| c.last_transition_time.0),
        Some(later)
    );
    assert_eq!(
        find(&received, RECEIVED).map(|c| c.last_transition_time.0),
        Some(end)
    );
}

fn phases() -> impl Strategy<Value = Option<Phase>> {
    prop_oneof![
        Just(None),
        Just(Some(Phase::Idle)),
        Just(Some(Phase::Intent(attempt()))),
        Just(Some(Phase::Intent(on_hold()))),
        Just(Some(Phase::Shared(link()))),
        Just(Some(clamped())),
        Just(Some(mailing(false, &[]))),
        Just(Some(mailing(true, &[]))),
        Just(Some(burning())),
        prop_oneof![
            Just(Ending::Received),
            Just(Ending::Burned),
            Just(Ending::Expired)
        ]
        .prop_map(|how| Some(Phase::Finished(finished(how)))),
    ]
}

prop_compose! {
    fn cases()(
        mut phase in phases(),
        current in any::<bool>(),
        problem in proptest::option::of(prop_oneof![
            Just(missing()), Just(to_edit()), Just(to_administer()), Just(uncertain()),
        ]),
        // Clocks are finer than the seconds of the API.
        nanoseconds in 0..2_000_000_000i64,
    ) -> Case {
        let fine = SignedDuration::from_nanos(nanoseconds);
        match &mut phase {
            Some(Phase::Shared(share) | Phase::Burning(Burning { link: share, .. })) => {
                share.facts.created_at += fine;
                share.facts.expires_at += fine;
            }
            Some(Phase::Finished(finished)) => finished.at += fine,
            _ => {}
        }
        case(phase, current, problem)
    }
}

proptest! {
    #[test]
    fn kstatus_can_read_it(case in cases(), before in cases()) {
        let before = before.render(None, now());
        let status = case.render(Some(&before), now());
        let value = |type_| find(&status, type_).map(|condition| condition.status.as_str());
        let (ready, reconciling, stalled) = (value(READY), value(RECONCILING), value(STALLED));
        match ready {
            Some("True") => prop_assert_eq!((reconciling, stalled), (None, None)),
            Some("Unknown") => prop_assert_eq!((reconciling, stalled), (Some("True"), None)),
            Some("False") => prop_assert_eq!((reconciling, stalled), (None, Some("True"))),
            other => prop_assert!(false, "Ready is {other:?}"),
        }
        prop_assert_eq!(status.state == Some(ShareState::Failed), stalled.is_some());
        prop_assert_eq!(status.state == Some(ShareState::Pending), reconciling.is_some());
        for condition in &status.conditions {
            let same_type = status.conditions.iter().filter(|other| other.type_ == condition.type_).count();
            prop_assert_eq!(same_type, 1, "{} once", &condition.type_);
            prop_assert_eq!(condition.observed_generation, Some(GENERATION));
            prop_assert!(!condition.reason.is_empty() && !condition.message.is_empty());
        }
    }

    #[test]
    fn rendered_again_it_is_the_same(case in cases(), before in cases()) {
        let before = before.render(None, now());
        let first = case.render(Some(&before), now());
        // As it comes back from the API server.
        let json = serde_json::to_value(&first).expect("a status serializes");
        let stored: OneTimeShareStatus = serde_json::from_value(json).expect("and is read back");
        let again = case.render(Some(&stored), now() + SignedDuration::from_hours(7));
        prop_assert_eq!(again, stored);
    }

    #[test]
    fn keys_are_shown_only_while_the_link_lives(case in cases()) {
        let status = case.render(None, now());
        let lives = matches!(case.phase, Some(Phase::Shared(_) | Phase::Burning(_)));
        prop_assert_eq!(status.link.is_some(), lives);
        prop_assert_eq!(status.secret_key.is_some(), lives);
        let without = OneTimeShareStatus { link: None, secret_key: None, ..status };
        let text = serde_json::to_string(&without).expect("a status serializes");
        prop_assert!(!text.contains("canary"), "{text}");
    }

    #[test]
    fn what_was_asked_for_and_done_stays_ready(case in cases()) {
        let done = case.current && matches!(case.phase, Some(Phase::Shared(_) | Phase::Finished(_)));
        let status = case.render(None, now());
        prop_assert_eq!(find(&status, READY).is_some_and(|ready| ready.status == "True"), done);
        prop_assert_eq!(find(&status, RECEIVED).is_some(), done);
        prop_assert_eq!(find(&status, FINISHED).is_some(), done);
    }
}
