//! What is done about each golden entry: for the same request, for a changed one, and from a cache.

use crate::entries::{CLUSTER, EPOCH, GENERATION, UID, golden, now, request};
use crate::stored;
use onetimeshare::share::decide::{Facts, StatusClaim, Step, decide};
use std::time::Duration;

/// The steps in words: a word stays when a type is renamed.
fn word(step: &Step) -> String {
    match step {
        Step::Ignore => "ignore".into(),
        Step::ReadLive => "read live".into(),
        Step::ReadContent => "read content".into(),
        Step::ReadInputs => "read inputs".into(),
        Step::Requeue {
            problem: None,
            at: None,
        } => "done".into(),
        Step::Requeue { problem, at } => format!(
            "{} {}",
            if at.is_some() { "wait" } else { "rest" },
            problem.as_ref().map_or("-", |problem| problem.reason.as_str()),
        ),
        Step::UpdatePolicy { .. } => "note".into(),
        Step::Rebuild(_) => "rebuild".into(),
        Step::WaitOutDeadline(rest) => format!("wait out the deadline, {} s", rest.as_secs()),
        Step::Resolve => "resolve".into(),
        Step::Send { request, burn_first } => format!(
            "{} epoch {}",
            if *burn_first { "burn, then send" } else { "send" },
            request.epoch
        ),
        Step::Revoke => "revoke".into(),
        Step::Burn => "burn".into(),
        Step::Deliver => "deliver".into(),
    }
}

/// How a look at an entry differs from that of a live share with the same request.
#[derive(Clone, Copy)]
struct Look {
    id: &'static str,
    live: bool,
    known_for: Duration,
    uid: &'static str,
    seconds_later: i64,
}

const LOOK: Look = Look {
    id: "1",
    live: true,
    known_for: Duration::from_secs(3600),
    uid: UID,
    seconds_later: 100,
};

fn act(name: &str, look: Look) -> String {
    let entry = stored(name);
    let request = request(look.id);
    let facts = Facts {
        uid: look.uid,
        generation: GENERATION,
        request: Ok(&request),
        suspend: false,
        deleting: false,
        burn: None,
        status_claim: StatusClaim::default(),
        live: look.live,
        cluster: CLUSTER,
        content: None,
        entry_was_known: true,
        vanished: None,
        is_of_older_definition: false,
        attempt_known_for: look.known_for,
        sent_ago: None,
        inputs: None,
        waiting_since: None,
        max_wait: Duration::MAX,
        now: now() + jiff::SignedDuration::from_secs(look.seconds_later),
    };
    word(&decide(&facts, Some(&entry)))
}

/// The first version did not record the fields of a request: this is noted in a settled entry once, when its share is seen.
/// What was edited after the link's end then asks for nothing, as nobody knows the `requestID` that was sent.
///
/// Name; the same request; the same, 20 s earlier in the attempt's and the retry's time; a changed request; a changed
/// request in a cache.
const ACTS: [(&str, &str, &str, &str, &str); 27] = [
    (
        "idle",
        "send epoch 3",
        "send epoch 3",
        "send epoch 4",
        "read live",
    ),
    (
        "idle-refused",
        "send epoch 3",
        "wait Unavailable",
        "send epoch 4",
        "read live",
    ),
    (
        "idle-administrator",
        "send epoch 3",
        "send epoch 3",
        "send epoch 4",
        "read live",
    ),
    (
        "intent",
        "resolve",
        "wait out the deadline, 15 s",
        "send epoch 4",
        "read live",
    ),
    (
        "intent-anonymous",
        "resolve",
        "wait out the deadline, 15 s",
        "send epoch 4",
        "read live",
    ),
    (
        "intent-generate",
        "resolve",
        "wait out the deadline, 15 s",
        "send epoch 4",
        "read live",
    ),
    (
        "intent-on-hold",
        "rest Uncertain",
        "rest Uncertain",
        "send epoch 4",
        "read live",
    ),
    (
        "intent-superseding",
        "resolve",
        "wait out the deadline, 15 s",
        "send epoch 4",
        "read live",
    ),
    ("shared", "note", "note", "burn, then send epoch 4", "read live"),
    (
        "shared-retain-content",
        "note",
        "note",
        "burn, then send epoch 4",
        "read live",
    ),
    (
        "shared-other-cluster",
        "done",
        "done",
        "send epoch 4",
        "read live",
    ),
    (
        "shared-rebuilt",
        "note",
        "note",
        "burn, then send epoch 4",
        "read live",
    ),
    (
        "shared-undelivered",
        "deliver",
        "deliver",
        "burn, then send epoch 4",
        "read live",
    ),
    ("burning-replaced", "burn", "wait Burning", "burn", "read live"),
    ("burning-deleted", "burn", "wait Burning", "burn", "read live"),
    ("burning-value-lost", "burn", "wait Burning", "burn", "read live"),
    (
        "burning-mailed-elsewhere",
        "burn",
        "wait Burning",
        "burn",
        "read live",
    ),
    ("burning-asked", "burn", "wait Burning", "burn", "read live"),
    ("received", "note", "note", "note", "read live"),
    ("expired", "note", "note", "note", "read live"),
    ("burned", "note", "note", "note", "read live"),
    (
        "burned-replaced",
        "send epoch 4",
        "send epoch 4",
        "send epoch 4",
        "read live",
    ),
    (
        "burned-deleted",
        "send epoch 4",
        "send epoch 4",
        "send epoch 4",
        "read live",
    ),
    (
        "burned-value-lost",
        "rest Uncertain",
        "rest Uncertain",
        "send epoch 4",
        "read live",
    ),
    (
        "burned-mailed-elsewhere",
        "rest MailedElsewhere",
        "rest MailedElsewhere",
        "send epoch 4",
        "read live",
    ),
    ("burned-asked", "note", "note", "note", "read live"),
    ("received-deleted", "note", "note", "note", "read live"),
];

#[test]
fn entries_act_the_same() {
    let names: Vec<&str> = golden().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        ACTS.map(|(name, ..)| name)[..],
        names[..],
        "every entry has its row"
    );
    for (name, same, early, changed, cached) in ACTS {
        let early_look = Look {
            known_for: Duration::from_secs(20),
            seconds_later: 0,
            ..LOOK
        };
        let changed_look = Look { id: "2", ..LOOK };
        let cached_look = Look {
            live: false,
            ..changed_look
        };
        let found = [LOOK, early_look, changed_look, cached_look].map(|look| act(name, look));
        assert_eq!(found, [same, early, changed, cached], "{name}");
    }
}

/// A re-created share has another uid and the same request: it never gets a second link of the same epoch.
#[test]
fn a_new_uid_is_no_new_request() {
    for (name, entry) in golden() {
        let step = act(
            name,
            Look {
                uid: "another",
                ..LOOK
            },
        );
        let again = format!("send epoch {EPOCH}");
        let nothing_exists = matches!(entry.phase, onetimeshare::ledger::Phase::Idle);
        assert!(step != again || nothing_exists, "{name}: {step}");
    }
}
