//! What each standing looks like, and what holds of every status: the rules of kstatus, no key after the end, and
//! that a status rendered again is the same.

mod properties;

use super::*;
use crate::api::condition::{FINISHED, READY, RECEIVED, RECONCILING, Reason, STALLED, UP_TO_DATE};
use crate::api::share::ShareState;
use crate::ledger::Ending;
use crate::problem::Problem;
use crate::share::fixtures::{GENERATION, attempt, burning, entry, finished, link, now, on_hold};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

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

/// Its time is over, and the service does not say how it ended.
fn unknown() -> Phase {
    Phase::Shared(Link {
        outcome_unknown: true,
        ..link()
    })
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
            edited: &[],
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
        // Its time is over, and nobody says how it ended. It may be opened yet.
        (
            case(Some(unknown()), true, None),
            format!(
                "Shared Ready=True/Shared Received=Unknown/OutcomeUnknown Finished=Unknown/OutcomeUnknown {mailed}"
            ),
        ),
        (
            case(Some(unknown()), false, Some(missing())),
            format!("Pending Ready=Unknown/SecretNotFound {mailed} Reconciling=True/SecretNotFound"),
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

/// A wait begins with its generation, and ends with the link.
#[test]
fn a_wait_is_told_since_it_was_first_shown() {
    let later = now() + SignedDuration::from_hours(1);
    let since = |status: &OneTimeShareStatus| status.waiting_since.as_ref().map(|time| time.0);
    let waits = case(None, false, Some(missing())).render(None, now());
    assert_eq!(since(&waits), Some(now()));
    for problem in [None, Some(missing()), Some(to_edit())] {
        let still = case(Some(Phase::Idle), true, problem).render(Some(&waits), later);
        assert_eq!(since(&still), Some(now()));
    }
    let earlier = OneTimeShareStatus {
        observed_generation: Some(GENERATION - 1),
        ..waits.clone()
    };
    let edited = case(None, false, Some(missing())).render(Some(&earlier), later);
    assert_eq!(since(&edited), Some(later));
    for phase in [Phase::Shared(link()), Phase::Finished(finished(Ending::Received))] {
        assert_eq!(
            since(&case(Some(phase), true, None).render(Some(&waits), later)),
            None
        );
    }
}

#[test]
fn an_edit_after_the_end_is_told_and_leaves_the_share_ready() {
    let edited = ["recipient".to_owned(), "ttl".to_owned()];
    let shown = |phase: Phase, edited: &[String]| {
        let entry = entry(phase);
        render(&View {
            generation: GENERATION,
            entry: Some(&entry),
            current: true,
            edited,
            problem: None,
            previous: None,
            now: now(),
        })
    };
    let status = shown(Phase::Finished(finished(Ending::Received)), &edited);
    let condition = find(&status, UP_TO_DATE).expect("it is told");
    assert_eq!(
        (condition.status.as_str(), condition.reason.as_str()),
        ("False", "NeedsNewRequestID")
    );
    assert!(
        condition.message.contains("(recipient, ttl)"),
        "{}",
        condition.message
    );
    assert_eq!(
        find(&status, READY).map(|ready| ready.status.as_str()),
        Some("True")
    );
    assert_eq!(status.observed_generation, Some(GENERATION));
    let same = shown(Phase::Finished(finished(Ending::Received)), &[]);
    assert_eq!(find(&same, UP_TO_DATE), None);
    assert_eq!(find(&shown(Phase::Shared(link()), &edited), UP_TO_DATE), None);
}
