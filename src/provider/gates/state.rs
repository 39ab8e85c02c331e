//! Who may send through which provider, and who is next. PURE: it is told the time, and what is known of those that wait.
//!
//! A share that may not go at once waits in a line and leaves its worker. When it is its turn it is called: its place is
//! reserved for a while, and goes to the next when it does not come.

use super::pauses::{Closed, Outcome, Pauses, Probe};
use super::target::{Kind, Target};
use super::tickets::{Ticket, Tickets, Verdict};
use crate::ledger::Owner;
use crate::provider::settings::ProviderId;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How long a place is kept for one that was called.
const RESERVED: Duration = Duration::from_secs(10);

/// A wait that is shorter is not told.
const SILENT: Duration = Duration::from_secs(2);

/// Nor is the place in a line that moves so fast that the wait will be over within this time: telling it costs the API
/// server as much as the link's own status.
const SOON: Duration = Duration::from_secs(30);

/// So many are under way at once in all.
const IN_ALL: usize = 256;

/// So many of one namespace are under way at once at one gate: a server that does not answer must not take all places
/// of its namespace.
const AT_A_GATE: usize = 8;

/// How many of one namespace may be under way. The fewer places are left, the fewer it gets, so that a namespace that
/// has none finds one.
fn of_a_namespace(total: usize) -> usize {
    (IN_ALL.saturating_sub(total) / 8).clamp(1, 4 * AT_A_GATE)
}

/// The uid and the generation of a share.
pub type Version = (Option<String>, Option<i64>);

/// Who wants to send, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) owner: Owner,
    /// The uid and generation of the share that asks.
    pub(super) version: Version,
    pub(super) provider: ProviderId,
    /// So many at once through this provider, and one in this time.
    pub(super) size: usize,
    pub(super) interval: Option<Duration>,
    pub(super) target: Target,
    pub(super) mails: bool,
    /// Attempts of one lane go one at a time.
    pub(super) lane: Option<Lane>,
}

/// What keeps attempts apart that the service's list could not tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The hash of the lane.
    pub name: String,
    /// The address that the attempt goes to.
    pub endpoint: String,
}

impl Ask {
    /// Whether a place for the other one is one for this.
    fn is_like(&self, other: &Self) -> bool {
        let Self {
            owner,
            provider,
            target,
            mails,
            lane,
            version: _,
            size: _,
            interval: _,
        } = self;
        (owner, provider, target, mails, lane)
            == (
                &other.owner,
                &other.provider,
                &other.target,
                &other.mails,
                &other.lane,
            )
    }

    fn kind(&self) -> Kind {
        match self.mails {
            true => Kind::Mail,
            false => Kind::Create,
        }
    }
}

/// What is known elsewhere of a share that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can go.
    Ready,
    /// An attempt of its lane is in doubt.
    Blocked,
    /// It is no more.
    Gone,
}

/// Tells the standing of a share with a lane.
pub type Check = dyn Fn(&Owner, Option<&Lane>) -> Standing + Send + Sync;

/// A place: to be used, or given back.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) ask: Ask,
    /// Until when it keeps others from sending, where a rate is set.
    turn: Option<Duration>,
    /// Of the creation, and of the mail.
    probes: [Probe; 2],
    /// Since when the share had waited, and its number in the line.
    pub(super) since: Duration,
    number: u64,
}

/// Why a share waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// For how long it has.
    pub(super) waited: Duration,
    /// How many go before it and itself. From when it is worth telling on it stays the same, so that it is told once.
    pub(super) position: usize,
    /// What keeps all of them.
    pub(super) closed: Option<Closed>,
    /// Whether this is worth telling.
    pub(super) tells: Tells,
}

/// Whether a wait is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    /// Not before this time has passed.
    NotYet(Duration),
    /// Now, for the first time.
    First,
    /// It was told before.
    Again,
}

#[derive(Default)]
struct Gate {
    size: usize,
    interval: Option<Duration>,
    target: Option<Target>,
    /// How many places are reserved or used.
    used: usize,
    /// The same by namespace.
    running: HashMap<String, usize>,
    /// When the next may be sent, where a rate is set.
    next: Option<Duration>,
    tickets: Tickets,
    /// How many were called so far.
    calls: u64,
}

struct Waiting {
    ask: Ask,
    since: Duration,
    number: u64,
    /// How many had been called at its gate when it came.
    calls_before: u64,
    /// What was told: a position, and which kind of pause kept it.
    told: Option<(usize, Option<std::mem::Discriminant<Closed>>)>,
}

struct Called {
    grant: Grant,
    until: Duration,
}

/// All gates.
#[derive(Default)]
pub(super) struct State {
    gates: HashMap<ProviderId, Gate>,
    /// Boxed: the table of a line of thousands has room for twice as many.
    waiting: HashMap<Owner, Box<Waiting>>,
    called: HashMap<Owner, Called>,
    /// The lanes in which one is called or under way.
    lanes: HashSet<String>,
    /// How many are called or under way, by namespace.
    running: HashMap<String, usize>,
    total: usize,
    numbers: u64,
    pub(super) pauses: Pauses,
    /// Who was called and not told yet.
    pub(super) to_call: Vec<Owner>,
}

impl State {
    /// Takes a place, or waits for one.
    pub(super) fn enter(&mut self, ask: Ask, now: Duration, check: &Check) -> Result<Grant, Wait> {
        // The provider may have been edited since the others asked.
        let gate = self.gates.entry(ask.provider.clone()).or_default();
        gate.size = ask.size;
        gate.interval = ask.interval;
        gate.target = Some(ask.target.clone());
        if let Some(grant) = self.take_called(&ask, now) {
            return Ok(grant);
        }
        let (owner, provider) = (ask.owner.clone(), ask.provider.clone());
        self.queue(ask, now);
        self.dispatch(&provider, now, check);
        if let Some(called) = self.called.remove(&owner) {
            self.to_call.retain(|other| *other != owner);
            return Ok(called.grant);
        }
        Err(self.wait(&owner, &provider, now))
    }

    /// Gives a share that was called its place, if it asks for the same as before. If its account or server was paused since
    /// the call, the service would refuse it too: it goes back to its place in the line.
    fn take_called(&mut self, ask: &Ask, now: Duration) -> Option<Grant> {
        let grant = self.called.remove(&ask.owner)?.grant;
        let is_like = grant.ask.is_like(ask);
        if is_like && self.may_still_go(&grant, now) {
            return Some(grant);
        }
        let (since, number) = (grant.since, grant.number);
        self.release(grant, None, now);
        if is_like {
            self.add(Waiting {
                ask: ask.clone(),
                since,
                number,
                calls_before: self.gates.get(&ask.provider).map_or(0, |gate| gate.calls),
                told: None,
            });
        }
        None
    }

    fn may_still_go(&self, grant: &Grant, now: Duration) -> bool {
        let Grant { ask, probes, .. } = grant;
        let [create, mail] = *probes;
        let may = |kind, probe| self.pauses.still_allows(&ask.target, kind, probe, now);
        may(Kind::Create, create) && (!ask.mails || may(Kind::Mail, mail))
    }

    /// Puts an ask into its line. One that waits already keeps its place there.
    fn queue(&mut self, ask: Ask, now: Duration) {
        let before = self.waiting.get(&ask.owner);
        let kept = before
            .filter(|before| before.ask.provider == ask.provider)
            .map(|before| (before.since, before.number, before.calls_before, before.told));
        if let Some(before) = self.waiting.get_mut(&ask.owner)
            && before.ask.is_like(&ask)
        {
            before.ask = ask;
            return;
        }
        self.leave_line(&ask.owner);
        self.numbers += 1;
        let calls = self.gates.get(&ask.provider).map_or(0, |gate| gate.calls);
        let (since, number, calls_before, told) = kept.unwrap_or((now, self.numbers, calls, None));
        self.add(Waiting {
            since,
            number,
            calls_before,
            told,
            ask,
        });
    }

    /// Puts one into its line at its number.
    fn add(&mut self, waiting: Waiting) {
        let ticket = Ticket {
            number: waiting.number,
            owner: waiting.ask.owner.clone(),
        };
        let gate = self.gates.entry(waiting.ask.provider.clone()).or_default();
        gate.tickets.add(ticket, waiting.ask.mails);
        self.waiting.insert(waiting.ask.owner.clone(), Box::new(waiting));
    }

    fn leave_line(&mut self, owner: &Owner) {
        if let Some(waiting) = self.waiting.remove(owner)
            && let Some(gate) = self.gates.get_mut(&waiting.ask.provider)
        {
            gate.tickets.remove(owner, waiting.number);
        }
    }

    /// A share does not want to send any more. Tells whether that gave something to others.
    pub(super) fn leave(&mut self, owner: &Owner, now: Duration) -> bool {
        self.leave_line(owner);
        let called = self.called.remove(owner);
        let is_free = called.is_some();
        if let Some(called) = called {
            self.release(called.grant, None, now);
        }
        is_free
    }

    /// How a share waits that asked before, and did not change since.
    pub(super) fn still_waits(
        &mut self,
        owner: &Owner,
        version: &Version,
        now: Duration,
    ) -> Option<(ProviderId, Wait)> {
        let waiting = self.waiting.get(owner)?;
        let provider = waiting.ask.provider.clone();
        (&waiting.ask.version == version).then(|| {
            let wait = self.wait(owner, &provider, now);
            (provider, wait)
        })
    }

    /// For how long a share has waited for the place that is kept for it.
    pub(super) fn called_after(&self, owner: &Owner, now: Duration) -> Option<Duration> {
        let called = self.called.get(owner)?;
        Some(now.saturating_sub(called.grant.since))
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Calls those whose turn it is at one gate.
    fn dispatch(&mut self, provider: &ProviderId, now: Duration, check: &Check) {
        let mut gone = Vec::new();
        while let Some(owner) = self.pick(provider, now, check, &mut gone) {
            let Some(waiting) = self.waiting.remove(&owner) else {
                continue;
            };
            let grant = self.grant(*waiting, now);
            let until = now + RESERVED;
            self.called.insert(owner.clone(), Called { grant, until });
            self.to_call.push(owner);
        }
        for owner in gone {
            self.waiting.remove(&owner);
        }
    }

    fn pick(
        &mut self,
        provider: &ProviderId,
        now: Duration,
        check: &Check,
        gone: &mut Vec<Owner>,
    ) -> Option<Owner> {
        let gate = self.gates.get_mut(provider)?;
        let has_room = self.total < IN_ALL && gate.used < gate.size;
        let target = gate.target.as_ref()?;
        if !has_room || gate.next.is_some_and(|next| next > now) {
            return None;
        }
        self.pauses.check(target, Kind::Create, now).ok()?;
        let mails = self.pauses.check(target, Kind::Mail, now).is_ok();
        let (running, waiting, lanes) = (&self.running, &self.waiting, &self.lanes);
        let verdict = |owner: &Owner| match waiting.get(owner) {
            None => Verdict::Gone,
            Some(waiting) => may_go(&waiting.ask, lanes, check),
        };
        let (most, at_gate) = (of_a_namespace(self.total), &gate.running);
        let namespace_may = |namespace: &str| {
            running.get(namespace).is_none_or(|running| *running < most)
                && at_gate.get(namespace).is_none_or(|running| *running < AT_A_GATE)
        };
        let ticket = gate.tickets.next(mails, namespace_may, verdict, gone)?;
        Some(ticket.owner)
    }

    fn grant(&mut self, waiting: Waiting, now: Duration) -> Grant {
        let Waiting {
            ask, since, number, ..
        } = waiting;
        *self.running.entry(ask.owner.namespace.clone()).or_default() += 1;
        self.total += 1;
        self.lanes.extend(ask.lane.as_ref().map(|lane| lane.name.clone()));
        let create = self.pauses.begin(&ask.target, Kind::Create, now);
        let mail = match ask.mails {
            true => self.pauses.begin(&ask.target, Kind::Mail, now),
            false => Probe::default(),
        };
        let gate = self.gates.entry(ask.provider.clone()).or_default();
        gate.used += 1;
        gate.calls += 1;
        *gate.running.entry(ask.owner.namespace.clone()).or_default() += 1;
        let turn = gate.interval.map(|interval| now + interval);
        gate.next = turn.or(gate.next);
        Grant {
            ask,
            turn,
            probes: [create, mail],
            since,
            number,
        }
    }

    /// A place is free again. None when nothing was sent: then its turn is, too.
    pub(super) fn release(&mut self, grant: Grant, outcome: Option<Outcome>, now: Duration) {
        let Grant {
            ask, turn, probes, ..
        } = grant;
        self.total = self.total.saturating_sub(1);
        count_down(&mut self.running, &ask.owner.namespace);
        if let Some(lane) = &ask.lane {
            self.lanes.remove(&lane.name);
        }
        if let Some(gate) = self.gates.get_mut(&ask.provider) {
            gate.used = gate.used.saturating_sub(1);
            count_down(&mut gate.running, &ask.owner.namespace);
            // It was free when it was taken, so it is free again, unless another one was taken since.
            if outcome.is_none() && turn.is_some() && gate.next == turn {
                gate.next = Some(now);
            }
        }
        let [create, mail] = probes;
        for (kind, probe) in [(Kind::Create, create), (Kind::Mail, mail)] {
            match outcome {
                // A mail that fails or is limited says nothing of links that are not mailed; one that works does, and so
                // does the one that tries.
                Some(outcome)
                    if kind == ask.kind()
                        || (outcome == Outcome::Answered && ask.mails)
                        || (outcome == Outcome::Failed && probe.tries()) =>
                {
                    self.pauses.learn(&ask.target, kind, probe, outcome, now);
                }
                _ => self.pauses.give_back(&ask.target, kind, probe),
            }
        }
    }

    /// Lets the places go for which nobody came, and calls whoever can go. Tells when to look again.
    pub(super) fn tick(&mut self, now: Duration, check: &Check) -> Option<Duration> {
        let late: Vec<Owner> = self
            .called
            .iter()
            .filter(|(_, called)| called.until <= now)
            .map(|(owner, _)| owner.clone())
            .collect();
        for owner in late {
            if let Some(called) = self.called.remove(&owner) {
                self.release(called.grant, None, now);
            }
        }
        self.call(now, check);
        let reserved = self.called.values().map(|called| called.until);
        let gates = self.gates.values().filter_map(|gate| self.opens(gate, now));
        reserved.chain(gates).min()
    }

    /// Calls whoever can go, at all gates.
    pub(super) fn call(&mut self, now: Duration, check: &Check) {
        let queues = self.gates.iter().filter(|(_, gate)| !gate.tickets.is_empty());
        let providers: Vec<ProviderId> = queues.map(|(id, _)| id.clone()).collect();
        for provider in providers {
            self.dispatch(&provider, now, check);
        }
    }

    /// When a gate opens by itself for somebody who waits there.
    fn opens(&self, gate: &Gate, now: Duration) -> Option<Duration> {
        let target = gate.target.as_ref()?;
        if gate.tickets.is_empty() || gate.used >= gate.size {
            return None;
        }
        let until = |kind| match self.pauses.check(target, kind, now) {
            Ok(()) => Some(now),
            Err(closed) => closed.until(),
        };
        let create = until(Kind::Create)?;
        let either = [
            gate.tickets.has_plain().then_some(create),
            until(Kind::Mail)
                .filter(|_| gate.tickets.has_mailed())
                .map(|mail| mail.max(create)),
        ];
        let opens = either.into_iter().flatten().min()?.max(gate.next.unwrap_or(now));
        // What is open now and was not taken waits for something else.
        Some(opens).filter(|opens| *opens > now)
    }

    fn wait(&mut self, owner: &Owner, provider: &ProviderId, now: Duration) -> Wait {
        let (Some(gate), Some(waiting)) = (self.gates.get(provider), self.waiting.get_mut(owner)) else {
            return Wait {
                waited: Duration::ZERO,
                position: 1,
                closed: None,
                tells: Tells::NotYet(SILENT),
            };
        };
        let closed = [Kind::Create, waiting.ask.kind()]
            .into_iter()
            .find_map(|kind| self.pauses.check(&waiting.ask.target, kind, now).err());
        let position = gate.tickets.before(owner, waiting.number) + 1;
        let waited = now.saturating_sub(waiting.since);
        let why = closed.as_ref().map(std::mem::discriminant);
        let (position, tells) = match waiting.told {
            Some((told, told_why)) if told_why == why => (told, Tells::Again),
            _ if waited < SILENT => (position, Tells::NotYet(SILENT - waited)),
            _ => {
                let calls = gate.calls.saturating_sub(waiting.calls_before);
                match time_left(position, calls, waited).filter(|left| closed.is_none() && *left <= SOON) {
                    Some(left) => (position, Tells::NotYet(left.max(SILENT))),
                    None => (position, Tells::First),
                }
            }
        };
        if tells == Tells::First {
            waiting.told = Some((position, why));
        }
        Wait {
            waited,
            position,
            closed,
            tells,
        }
    }

    /// Forgets those that are no more, and gates that nobody uses.
    pub(super) fn tidy(&mut self, now: Duration, check: &Check) {
        let gone: Vec<Owner> = self
            .waiting
            .iter()
            .filter(|(owner, waiting)| check(owner, waiting.ask.lane.as_ref()) == Standing::Gone)
            .map(|(owner, _)| owner.clone())
            .collect();
        gone.iter().for_each(|owner| self.leave_line(owner));
        self.gates.retain(|_, gate| {
            gate.used > 0 || !gate.tickets.is_empty() || gate.next.is_some_and(|next| next > now)
        });
        self.pauses.tidy(now);
        // A line of thousands leaves much room behind.
        if self.waiting.len() < self.waiting.capacity() / 8 {
            self.waiting.shrink_to(self.waiting.len() * 2);
        }
    }
}

/// One less; what is none is forgotten.
fn count_down(counts: &mut HashMap<String, usize>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn may_go(ask: &Ask, lanes: &HashSet<String>, check: &Check) -> Verdict {
    if ask.lane.as_ref().is_some_and(|lane| lanes.contains(&lane.name)) {
        return Verdict::Blocked;
    }
    match check(&ask.owner, ask.lane.as_ref()) {
        Standing::Ready => Verdict::Go,
        Standing::Blocked => Verdict::Blocked,
        Standing::Gone => Verdict::Gone,
    }
}

/// How long the one at this position waits still, if those before it are called as fast as others were while it waited.
/// None while nobody was.
fn time_left(position: usize, calls: u64, waited: Duration) -> Option<Duration> {
    let calls = u32::try_from(calls).ok().filter(|calls| *calls > 0)?;
    let position = u32::try_from(position).unwrap_or(u32::MAX);
    Some(waited.saturating_mul(position) / calls)
}

#[cfg(test)]
mod tests;
