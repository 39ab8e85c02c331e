//! A state with a clock that is moved by hand.

use super::super::*;

pub(super) const S: Duration = Duration::from_secs(1);

pub(super) fn owner(namespace: &str, name: &str) -> Owner {
    Owner {
        namespace: namespace.into(),
        name: name.into(),
    }
}

pub(super) fn lane_of(name: &str) -> Option<Lane> {
    Some(Lane {
        name: name.to_owned(),
        endpoint: "server".into(),
    })
}

pub(super) fn ask(namespace: &str, name: &str) -> Ask {
    Ask {
        owner: owner(namespace, name),
        version: (Some(name.to_owned()), Some(1)),
        provider: ProviderId {
            namespace: None,
            name: "p".into(),
        },
        size: 1,
        interval: None,
        target: Target::new(&["server"], Some("ops"), None),
        mails: false,
        lane: None,
    }
}

/// A state with its time.
pub(super) struct Played {
    pub(super) state: State,
    pub(super) now: Duration,
}

impl Played {
    pub(super) fn new() -> Self {
        Self {
            state: State::default(),
            now: 1000 * S,
        }
    }

    pub(super) fn enter(&mut self, ask: &Ask) -> Result<Grant, Wait> {
        self.state.enter(ask.clone(), self.now, &|_, _| Standing::Ready)
    }

    pub(super) fn go(&mut self, ask: &Ask) -> Grant {
        self.enter(ask).expect("a place")
    }

    pub(super) fn waits(&mut self, ask: &Ask) -> Wait {
        self.enter(ask).expect_err("no place")
    }

    pub(super) fn release(&mut self, grant: Grant, outcome: Option<Outcome>) {
        self.state.release(grant, outcome, self.now);
        self.state.call(self.now, &|_, _| Standing::Ready);
    }

    pub(super) fn tick(&mut self) -> Option<Duration> {
        self.state.tick(self.now, &|_, _| Standing::Ready)
    }

    pub(super) fn called(&mut self) -> Vec<String> {
        self.state.to_call.drain(..).map(|owner| owner.name).collect()
    }
}
