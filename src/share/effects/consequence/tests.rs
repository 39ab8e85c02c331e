//! What each outcome leads to.

mod property;

use super::*;
use crate::onetime::Redirect;
use crate::problem::Remedy;
use crate::share::fixtures::now;

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
