use super::*;

const S: Duration = Duration::from_secs(1);

fn target(namespace: Option<&str>, account: Option<&str>) -> Target {
    Target {
        server: "server".into(),
        account: account.map(str::to_owned),
        namespace: namespace.map(str::to_owned),
    }
}

struct Called {
    pauses: Pauses,
    now: Duration,
}

impl Called {
    fn new() -> Self {
        Self {
            pauses: Pauses::default(),
            now: 1000 * S,
        }
    }

    fn call(&mut self, target: &Target, kind: Kind, outcome: Outcome) {
        assert_eq!(self.check(target, kind), Ok(()), "{kind:?}");
        let probe = self.pauses.begin(target, kind, self.now);
        self.pauses.learn(target, kind, probe, outcome, self.now);
    }

    fn check(&self, target: &Target, kind: Kind) -> Result<(), Closed> {
        self.pauses.check(target, kind, self.now)
    }
}

#[test]
fn a_rate_limit_pauses_this_kind_of_call_of_this_account() {
    let mut called = Called::new();
    let ours = target(None, Some("ops"));
    called.call(&ours, Kind::Mail, Outcome::Limited(None));
    let until = Closed::Limited(1010 * S);
    assert_eq!(called.check(&ours, Kind::Mail), Err(until));
    assert_eq!(
        called.check(&target(Some("team"), Some("ops")), Kind::Mail),
        Err(until)
    );
    for kind in [Kind::Create, Kind::Look, Kind::Burn] {
        assert_eq!(called.check(&ours, kind), Ok(()), "{kind:?}");
    }
    assert_eq!(called.check(&target(None, Some("other")), Kind::Mail), Ok(()));
    called.now += 10 * S;
    assert_eq!(called.check(&ours, Kind::Mail), Ok(()));
}

#[test]
fn after_a_limit_one_call_tries_and_its_answer_alone_ends_it() {
    let mut called = Called::new();
    let ours = target(None, Some("ops"));
    let early = called.pauses.begin(&ours, Kind::Mail, called.now);
    called.call(&ours, Kind::Mail, Outcome::Limited(None));
    let learn = |called: &mut Called, probe, outcome| {
        called.pauses.learn(&ours, Kind::Mail, probe, outcome, called.now);
    };
    learn(&mut called, early, Outcome::Answered);
    assert!(
        called.check(&ours, Kind::Mail).is_err(),
        "it was sent before the limit was met"
    );
    called.now += 10 * S;
    for _ in 0..2 {
        let probe = called.pauses.begin(&ours, Kind::Mail, called.now);
        let elsewhere = target(Some("team"), Some("ops"));
        assert!(called.check(&elsewhere, Kind::Mail).is_err(), "one tries");
        assert_eq!(called.check(&ours, Kind::Create), Ok(()), "another kind");
        // It was not sent after all: the next one tries.
        called.pauses.give_back(&ours, Kind::Mail, probe);
        assert_eq!(called.check(&elsewhere, Kind::Mail), Ok(()));
    }
    let probe = called.pauses.begin(&ours, Kind::Mail, called.now);
    learn(&mut called, probe, Outcome::Limited(None));
    called.now += 30 * S;
    called.call(&ours, Kind::Mail, Outcome::Answered);
    called.pauses.begin(&ours, Kind::Mail, called.now);
    assert_eq!(
        called.check(&ours, Kind::Mail),
        Ok(()),
        "an answer opens it for all"
    );
}

/// `Retry-After: 0` was sent by a real proxy: 43 POSTs a second.
#[test]
fn limits_in_a_row_pause_longer_whatever_they_ask_for() {
    let mut called = Called::new();
    let ours = target(None, None);
    for (asked, seconds) in [
        (Some(0), 10),
        (Some(0), 30),
        (Some(90), 90),
        (None, 120),
        (Some(u64::MAX), 3600),
    ] {
        called.call(&ours, Kind::Create, Outcome::Limited(asked));
        // A second one that was under way counts as the same.
        let late = Outcome::Limited(asked);
        called
            .pauses
            .learn(&ours, Kind::Create, Probe::default(), late, called.now);
        called.now += Duration::from_millis(seconds * 1000 - 1);
        assert!(
            called.check(&ours, Kind::Create).is_err(),
            "{seconds} s are not over"
        );
        called.now += Duration::from_millis(2);
    }
    called.call(&ours, Kind::Create, Outcome::Answered);
    called.call(&ours, Kind::Create, Outcome::Limited(Some(0)));
    called.now += 10 * S;
    assert_eq!(called.check(&ours, Kind::Create), Ok(()), "an answer begins anew");
}

#[test]
fn failures_in_a_row_open_the_circuit_and_one_call_tries() {
    let mut called = Called::new();
    let ours = target(Some("team"), None);
    for _ in 1..FAILURES {
        called.call(&ours, Kind::Burn, Outcome::Failed);
    }
    called.call(&ours, Kind::Burn, Outcome::Other);
    for _ in 0..FAILURES {
        called.call(&ours, Kind::Burn, Outcome::Failed);
    }
    for seconds in [30, 60, 120, 300, 300] {
        let until = called.now + seconds * S;
        assert_eq!(called.check(&ours, Kind::Burn), Err(Closed::Failing(until)));
        assert_eq!(called.check(&ours, Kind::Create), Ok(()), "another kind");
        assert_eq!(called.check(&target(None, None), Kind::Burn), Ok(()), "others");
        called.now = until;
        let probe = called.pauses.begin(&ours, Kind::Burn, called.now);
        assert!(probe.tries());
        assert_eq!(called.check(&ours, Kind::Burn), Err(Closed::Tried));
        called.pauses.give_back(&ours, Kind::Burn, probe);
        called.call(&ours, Kind::Burn, Outcome::Failed);
    }
    called.now += 300 * S;
    called.call(&ours, Kind::Burn, Outcome::Answered);
    called.call(&ours, Kind::Burn, Outcome::Failed);
    assert_eq!(called.check(&ours, Kind::Burn), Ok(()), "an answer closes it");
}

#[test]
fn nothing_is_kept_for_ever() {
    let mut called = Called::new();
    for number in 0..100 {
        let other = Target {
            server: number.to_string(),
            ..target(None, None)
        };
        called.call(&other, Kind::Create, Outcome::Failed);
        called.call(&other, Kind::Create, Outcome::Limited(None));
    }
    called.now += FORGET + 10 * S;
    called.pauses.tidy(called.now);
    assert!(called.pauses.limits.is_empty() && called.pauses.circuits.is_empty());
}
