//! A model of the service's limits: what it counts, for whom, and since when.

use super::super::super::{Kind, Outcome};
use super::super::played::S;
use std::collections::HashMap;
use std::time::Duration;

/// The window of each limit.
pub(super) const WINDOW: Duration = Duration::from_secs(20 * 60);

/// Creations in one window, with a mail or without.
const CREATIONS: u32 = 1000;

/// Creations with a mail in one window; v0.23 only.
const MAILS: u32 = 50;

/// When a window begins. Which of both a server does cannot be seen from outside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Windows {
    /// With the first request after the last window.
    FirstRequest,
    /// Every 20 minutes.
    Clock,
}

/// Who is counted: an account, or the address of the operator.
pub(super) type Caller = Option<String>;

#[derive(Debug, Default)]
struct Count {
    since: Duration,
    requests: u32,
    refused: u32,
}

/// A service, and what it counted.
#[derive(Debug)]
pub(super) struct Service {
    windows: Windows,
    mails: Option<u32>,
    /// What a proxy in front of it puts into `Retry-After`. The service itself sends none.
    retry_after: Option<u64>,
    counts: HashMap<(Caller, Kind), Count>,
    /// How many requests it refused in all, and in one window of one caller at most.
    pub(super) refused: u32,
    pub(super) most_refused: u32,
}

impl Service {
    /// Counts 1,000 creations and 50 mails of each account.
    pub(super) fn v0_23(windows: Windows) -> Self {
        Self {
            windows,
            mails: Some(MAILS),
            retry_after: None,
            counts: HashMap::new(),
            refused: 0,
            most_refused: 0,
        }
    }

    /// Counts creations alone, and only those without an account.
    pub(super) fn v0_26(windows: Windows) -> Self {
        Self {
            mails: None,
            ..Self::v0_23(windows)
        }
    }

    /// Behind a proxy that names this pause with each refusal.
    pub(super) fn asking_for(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// Counts a request, and answers it.
    pub(super) fn answer(&mut self, caller: &Caller, mails: bool, now: Duration) -> Outcome {
        let is_counted = self.mails.is_some() || caller.is_none();
        let mut allowed = !is_counted || self.allows(caller, Kind::Create, CREATIONS, now);
        // As v0.23 does: a creation that is refused is not counted as a mail.
        if let Some(limit) = self.mails.filter(|_| allowed && mails) {
            allowed = self.allows(caller, Kind::Mail, limit, now);
        }
        match allowed {
            true => Outcome::Answered,
            false => Outcome::Limited(self.retry_after),
        }
    }

    /// Counts one more, also one that is refused.
    fn allows(&mut self, caller: &Caller, kind: Kind, limit: u32, now: Duration) -> bool {
        let begins = match self.windows {
            Windows::FirstRequest => now,
            Windows::Clock => now.saturating_sub(Duration::from_nanos(
                u64::try_from(now.as_nanos() % WINDOW.as_nanos()).unwrap_or_default(),
            )),
        };
        let key = (caller.clone(), kind);
        let count = self.counts.entry(key).or_insert_with(|| Count {
            since: begins,
            ..Count::default()
        });
        if now.saturating_sub(count.since) >= WINDOW {
            *count = Count {
                since: begins,
                ..Count::default()
            };
        }
        count.requests += 1;
        let allows = count.requests <= limit;
        if !allows {
            count.refused += 1;
            self.refused += 1;
            self.most_refused = self.most_refused.max(count.refused);
        }
        allows
    }
}

#[test]
fn it_counts_each_kind_of_each_caller_in_windows() {
    let mut service = Service::v0_23(Windows::FirstRequest);
    let [ops, other] = ["ops", "other"].map(|account| Some(account.to_owned()));
    let answered = |service: &mut Service, caller: &Caller, mails, now| {
        (0..2000)
            .filter(|_| service.answer(caller, mails, now) == Outcome::Answered)
            .count()
    };
    assert_eq!(answered(&mut service, &ops, true, 7 * S), 50);
    assert_eq!(service.answer(&other, true, 7 * S), Outcome::Answered);
    assert_eq!(service.answer(&other, false, 7 * S), Outcome::Answered);
    let late = 7 * S + WINDOW;
    assert_eq!(
        answered(&mut service, &ops, false, late - S),
        0,
        "it had 2,000 creations"
    );
    assert_eq!(answered(&mut service, &ops, false, late), 1000);

    let mut service = Service::v0_26(Windows::Clock).asking_for(9);
    assert_eq!(answered(&mut service, &None, true, WINDOW - S), 1000);
    assert_eq!(
        service.answer(&None, false, WINDOW - S),
        Outcome::Limited(Some(9))
    );
    assert_eq!(answered(&mut service, &None, false, WINDOW), 1000);
    assert_eq!(
        answered(&mut service, &ops, true, WINDOW),
        2000,
        "an account has no limit"
    );
}
