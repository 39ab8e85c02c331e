//! Whatever a service answers, with whatever clock: no value is sent twice within a moment, and what came back is told.

use super::*;
use crate::ledger::Entry;
use crate::ledger::{Attempt, Phase};
use crate::onetime::Redirect;
use crate::onetime::answer::{Answer, share};
use crate::problem::Remedy;
use crate::share::decide::{Facts, MOMENT, StatusClaim, Step, decide};
use crate::share::fixtures::{GENERATION, HERE, UID, attempt, entry, now, request};
use crate::share::inputs::request::Request;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

/// Stands for the value, the passphrase and the recipient, which answers echo.
const CANARY: &str = "hunter2-canary";

fn provider() -> ProviderId {
    ProviderId {
        namespace: None,
        name: "p".into(),
    }
}

fn of_error(error: &CreateError, before: &Retry) -> (Consequence, Trust) {
    let sent = Sent {
        provider: &provider(),
        credentials: None,
        before,
        now: now(),
        seed: "seed",
    };
    of(error, &sent)
}

fn unknown(status: u16, page: bool, message: &str) -> Unknown {
    Unknown {
        status,
        page,
        words: Words::of(message),
    }
}

/// After so many of the same in a row: the retry that is kept.
fn after(error: &CreateError, times: u32) -> Retry {
    let mut retry = Retry::default();
    for _ in 0..times {
        retry = match of_error(error, &retry).0 {
            Consequence::Idle(retry) | Consequence::InDoubt(Some(retry)) => retry,
            Consequence::InDoubt(None) => panic!("{error} tells nothing"),
        };
    }
    retry
}

fn seconds(retry: &Retry) -> i64 {
    retry
        .not_before
        .map_or(0, |until| now().duration_until(until).as_secs())
}

#[test]
fn every_no_has_a_growing_pause() {
    let noes = [
        CreateError::Unauthorized,
        CreateError::Refused(crate::onetime::Refusal::EmptySecret),
        CreateError::RateLimited {
            retry_after_seconds: Some(0),
        },
        CreateError::NotSent(crate::onetime::Transport::Refused),
    ];
    for no in noes {
        for (times, least) in (1..).zip([10, 30, 60, 120, 300, 300]) {
            let retry = after(&no, times);
            let wait = seconds(&retry);
            assert!((least..=least + least / 4).contains(&wait), "{no}: {wait}");
            assert_eq!((retry.failures, retry.unexpected), (times, 0));
            assert!(matches!(of_error(&no, &retry).0, Consequence::Idle(_)));
        }
    }
}

/// A12: without an account there is no check that could hold the next one back.
#[test]
fn a_refused_anonymous_share_needs_a_person() {
    let (_, trust) = of_error(&CreateError::Unauthorized, &Retry::default());
    assert_eq!(trust, Trust::Kept);
    let problem = after(&CreateError::Unauthorized, 1).problem.expect("a problem");
    assert_eq!(
        (problem.reason, problem.remedy),
        (Reason::Unauthorized, Remedy::Administrator)
    );
    assert!(problem.message.contains("anonymous"), "{}", problem.message);
}

#[test]
fn an_unknown_answer_is_told_and_stalls_after_three() {
    let redirect = Redirect {
        status: 302,
        target: None,
    };
    let whys = [
        (Why::Redirected(redirect), "302", Trust::ApiDoubted),
        (Why::Malformed(unknown(200, true, "")), "200", Trust::ApiDoubted),
        (Why::Malformed(unknown(200, false, "")), "200", Trust::ApiDoubted),
        (
            Why::Unrecognised(unknown(404, true, "")),
            "404",
            Trust::ApiDoubted,
        ),
        (
            Why::Unrecognised(unknown(404, false, "The secret is not authorized by hunter2")),
            "(404)",
            Trust::Kept,
        ),
        (Why::TooLarge, "1 MiB", Trust::ApiDoubted),
    ];
    for (why, word, trust) in whys {
        let error = CreateError::UnknownOutcome(why);
        assert_eq!(of_error(&error, &Retry::default()).1, trust);
        for times in 1..=5 {
            let retry = after(&error, times);
            let problem = retry.problem.clone().expect("a problem");
            assert_eq!(problem.reason, Reason::UnexpectedAnswer);
            assert_eq!(problem.remedy.needs_person(), times >= 3, "{times}");
            assert!(problem.message.contains(word), "{}", problem.message);
            assert!(!problem.message.contains("hunter2"));
            assert_eq!((retry.unexpected, retry.failures), (times, times));
            assert_eq!(seconds(&retry) >= 3600, times >= 3, "an hour, once it stalls");
        }
    }
    let words = CreateError::UnknownOutcome(Why::Unrecognised(unknown(
        404,
        false,
        "The secret is not hunter2",
    )));
    let message = after(&words, 3).problem.expect("a problem").message;
    assert!(
        message.ends_with("; the service says: The secret is not …"),
        "{message}"
    );
    assert!(
        !crate::problem::without_words(&message).contains("secret is not"),
        "{message}"
    );
}

#[test]
fn another_answer_ends_the_row() {
    let error = CreateError::UnknownOutcome(Why::TooLarge);
    let two = after(&error, 2);
    let keeps = [
        CreateError::NotSent(crate::onetime::Transport::Refused),
        CreateError::RateLimited {
            retry_after_seconds: None,
        },
    ];
    for (between, count) in keeps
        .into_iter()
        .map(|error| (error, 2))
        .chain([(CreateError::Unauthorized, 0)])
    {
        let Consequence::Idle(retry) = of_error(&between, &two).0 else {
            panic!("{between} is a no");
        };
        assert_eq!(retry.unexpected, count, "{between}");
    }
}

#[test]
fn lost_answers_pause_longer_where_each_may_leave_a_copy() {
    let pauses = |mails| {
        let mut retry = Retry::default();
        let mut all = Vec::new();
        for _ in 0..9 {
            let sent = Retry {
                not_before: None,
                ..retry
            };
            retry = after_loss(&sent, mails, now(), "seed");
            let wait = seconds(&retry);
            let nominal = [1800, 1200, 600, 300, 120, 60, 30, 10, 0];
            all.extend(nominal.into_iter().find(|nominal| wait >= *nominal));
        }
        all
    };
    assert_eq!(pauses(true), [0, 30, 60, 120, 300, 300, 300, 300, 300]);
    assert_eq!(pauses(false), [0, 30, 60, 120, 300, 600, 1200, 1800, 1800]);
    let told = after(&CreateError::UnknownOutcome(Why::TooLarge), 2);
    assert_eq!(
        after_loss(&told, true, now(), "seed"),
        told,
        "what came back stays"
    );
}

/// What a server may answer.
#[derive(Clone, Debug)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// How long it takes, in seconds.
    takes: u64,
}

fn reply() -> impl Strategy<Value = Reply> {
    let status = prop_oneof![
        4 => Just(404u16),
        2 => Just(200u16),
        2 => proptest::sample::select(vec![301u16, 302, 307, 400, 401, 403, 413, 429, 500, 502, 503]),
        1 => 100u16..600,
    ];
    let text = prop_oneof![
        Just(format!("Undeliverable email address: {CANARY}")),
        Just(format!("Passphrase must contain at least one {CANARY}")),
        Just(format!("The {CANARY} value is not of {CANARY}, {CANARY}{CANARY}")),
        Just("Not authorized".to_owned()),
        Just("Cripes! You have been rate limited.".to_owned()),
        Just("An unexpected error occurred :[".to_owned()),
        ".{0,40}".prop_map(|noise| format!("{noise} {CANARY}")),
    ];
    let body = prop_oneof![
        4 => text.clone().prop_map(|text| serde_json::json!({"message": text}).to_string()),
        1 => text.clone().prop_map(|text| serde_json::json!({"error": text}).to_string()),
        1 => text.prop_map(|text| format!("<html><h1>{text}</h1></html>")),
        1 => Just(String::new()),
        1 => Just("{\"metadata_key\":".to_owned()),
    ];
    let header = prop_oneof![
        (0u64..100).prop_map(|seconds| ("retry-after", seconds.to_string())),
        Just((
            "location",
            format!("https://new.example.com/secret/{CANARY}?q={CANARY}")
        )),
        Just(("location", format!("/{CANARY}"))),
        Just(("content-type", format!("text/html; x={CANARY}"))),
        proptest::sample::select(vec!["200", "400", "401", "429", "500"])
            .prop_map(|status| ("x-ots-intended-status", status.to_owned())),
    ];
    (status, proptest::collection::vec(header, 0..3), body, 0u64..40).prop_map(
        |(status, headers, body, takes)| Reply {
            status,
            headers,
            body,
            takes,
        },
    )
}

impl Reply {
    fn error(&self) -> Option<CreateError> {
        let headers: HeaderMap = self
            .headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        share(Answer {
            status: StatusCode::from_u16(self.status).unwrap(),
            headers: &headers,
            body: self.body.as_bytes(),
        })
        .err()
    }
}

/// A share whose operator does what `decide` says, on clocks that a test moves.
struct World {
    request: Request,
    entry: Entry,
    /// The boot-time clock, in seconds.
    boot: u64,
    wall: Timestamp,
    intent_seen: u64,
    /// When something was last sent, on the boot-time clock, by its beginning and its end.
    sent: Option<(u64, u64)>,
    sends: Vec<(u64, u64)>,
}

impl World {
    fn pass(&mut self, seconds: u64) {
        self.boot += seconds;
        self.wall = later(self.wall, Duration::from_secs(seconds));
    }

    fn step(&self) -> Step {
        let ago = |then| Duration::from_secs(self.boot - then);
        let facts = Facts {
            uid: UID,
            generation: GENERATION,
            request: Ok(&self.request),
            suspend: false,
            deleting: false,
            burn: None,
            status_claim: StatusClaim::default(),
            live: true,
            cluster: HERE,
            content: None,
            entry_was_known: true,
            attempt_known_for: ago(self.intent_seen),
            sent_ago: self.sent.map(|(_, end)| ago(end)).filter(|ago| *ago < MOMENT),
            inputs: None,
            now: self.wall,
        };
        decide(&facts, Some(&self.entry))
    }

    fn send(&mut self, reply: &Reply) -> Option<CreateError> {
        let attempt = Attempt {
            recipient: None,
            ..attempt()
        };
        self.intent_seen = self.boot;
        self.entry.retry.not_before = None;
        let began = self.boot;
        self.pass(reply.takes);
        self.sent = Some((began, self.boot));
        self.sends.push((began, self.boot));
        let error = reply.error()?;
        let sent = Sent {
            provider: &provider(),
            credentials: None,
            before: &self.entry.retry,
            now: self.wall,
            seed: "seed",
        };
        match of(&error, &sent).0 {
            Consequence::Idle(retry) => (self.entry.phase, self.entry.retry) = (Phase::Idle, retry),
            Consequence::InDoubt(retry) => {
                self.entry.phase = Phase::Intent(attempt);
                if let Some(retry) = retry {
                    self.entry.retry = retry;
                }
            }
        }
        Some(error)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 256 } else { 4096 }))]

    /// Answers of any kind in any order; waits of any length; a wall clock that steps to and fro; looks at any moment.
    #[test]
    fn no_value_is_sent_twice_within_a_moment(
        replies in proptest::collection::vec(reply(), 1..12),
        waits in proptest::collection::vec((0u64..200, -100_000i64..100_000, 0u8..8), 1..120),
    ) {
        let mut world = World {
            request: request("1"),
            entry: entry(Phase::Idle),
            boot: 1_000,
            wall: now(),
            intent_seen: 1_000,
            sent: None,
            sends: Vec::new(),
        };
        let mut replies = replies.into_iter().cycle();
        for (wait, jump, jumps) in waits {
            world.pass(wait);
            if jumps == 0 {
                world.wall = world.wall.checked_add(SignedDuration::from_secs(jump)).unwrap();
            }
            match world.step() {
                Step::Send { .. } => {
                    let reply = replies.next().unwrap();
                    // With a link there is nothing left to do.
                    let Some(error) = world.send(&reply) else { break };
                    check_told(&error, &reply, &world.entry)?;
                }
                Step::Resolve => {
                    let retry = after_loss(&world.entry.retry, false, world.wall, "seed");
                    (world.entry.phase, world.entry.retry) = (Phase::Idle, retry);
                }
                Step::WaitOutDeadline(_) | Step::Requeue { .. } => {}
                step => prop_assert!(false, "{step:?}"),
            }
            let shown = format!("{:?}", world.entry.retry);
            prop_assert!(!shown.contains(CANARY) && !shown.contains("hunter2"), "{}", shown);
        }
        for pair in world.sends.windows(2) {
            let gap = pair[1].0 - pair[0].1;
            prop_assert!(gap >= 10, "{gap} s: {:?}", world.sends);
        }
    }

    /// However long the wall clock has been wrong, a pause ends within its own length on the boot-time clock.
    #[test]
    fn a_clock_that_steps_back_prolongs_no_pause(back in 5_000i64..1_000_000_000) {
        let mut entry = entry(Phase::Idle);
        entry.retry = after(&CreateError::Unauthorized, 3);
        let world = World {
            request: request("1"),
            entry,
            boot: 1_000,
            wall: now() - SignedDuration::from_secs(back),
            intent_seen: 0,
            sent: None,
            sends: Vec::new(),
        };
        prop_assert!(matches!(world.step(), Step::Send { .. }), "{:?}", world.step());
    }
}

/// The entry says what came back: the status follows from it.
fn check_told(error: &CreateError, reply: &Reply, entry: &Entry) -> Result<(), TestCaseError> {
    let problem = entry.retry.problem.as_ref();
    let reason = problem.map(|problem| problem.reason);
    match error {
        CreateError::UnknownOutcome(Why::ServerFault) => {
            prop_assert!(matches!(entry.phase, Phase::Intent(_)));
        }
        CreateError::UnknownOutcome(_) => {
            prop_assert!(matches!(entry.phase, Phase::Intent(_)));
            prop_assert_eq!(reason, Some(Reason::UnexpectedAnswer));
            let message = &problem.unwrap().message;
            prop_assert!(message.contains(&format!("({})", reply.status)), "{}", message);
        }
        CreateError::Unauthorized => prop_assert_eq!(reason, Some(Reason::Unauthorized)),
        CreateError::RateLimited { .. } => prop_assert_eq!(reason, Some(Reason::RateLimited)),
        CreateError::Refused(_) => prop_assert!(reason.is_some()),
        CreateError::NotSent(_) => prop_assert!(false, "it was sent"),
    }
    prop_assert!(entry.retry.problem.is_none() || entry.retry.failures > 0);
    Ok(())
}
