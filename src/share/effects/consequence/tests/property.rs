//! Whatever a service answers, with whatever clock: no value is sent twice within a moment, and what came back is told.

use super::*;
use crate::ledger::{Attempt, Entry, Phase};
use crate::onetime::answer::{Answer, share};
use crate::share::decide::{Facts, MOMENT, StatusClaim, Step, decide};
use crate::share::fixtures::{GENERATION, HERE, UID, attempt, entry, request};
use crate::share::inputs::request::Request;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

/// Stands for the value, the passphrase and the recipient, which answers echo.
const CANARY: &str = "hunter2-canary";

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
            waiting_since: None,
            max_wait: Duration::MAX,
            vanished: None,
            is_of_older_definition: false,
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
        waits in proptest::collection::vec(
            (prop_oneof![0u64..12, 0u64..200], -100_000i64..100_000, 0u8..3),
            1..120,
        ),
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
