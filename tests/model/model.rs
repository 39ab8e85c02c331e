//! What can happen, and when: the events of the model and their bounds.
//!
//! Time: an attempt grows from `Young` to `Over` when deadline and slack have passed by every clock, and whoever holds
//! its intent may act on it only then. That is what `attempt_known_for` means to a process which first saw the intent
//! after it was written, on clocks that run alike: the sender's deadline began before the intent. The model so
//! believes the boot-time clocks, and does not check them. While its sender still lives, an attempt grows `Over` only
//! by a pause. A request that nobody waits for may arrive later than the deadline, but not later than the settling
//! time, unless the bounds say so: that gap is documented. `not_before` is left out: waiting changes no order.

use super::mutation::Mutation;
use super::operator::Worker;
use super::service::Post;
use super::state::{
    Age, Broken, Budget, Held, LEDGERS, NONCES, Nonce, Operator, POLLER, Pc, Phase, RECEIPTS, Receipt,
    Service, Share, Shown, Sight, State, Status, Task, Then, bit,
};
use super::truth;
use stateright::{Model, Property};

/// The bounds of one exploration.
#[derive(Clone, Debug)]
pub struct OperatorModel {
    /// For every share whether it mails; all that mail are in one lane.
    pub mails: Vec<bool>,
    /// How many specs a user goes back and forth between.
    pub specs: u8,
    /// How many shares one operator reconciles at once.
    pub workers: usize,
    /// Whether the poll works beside the reconcilers of its process, or in turn with them.
    pub poll_apart: bool,
    pub service: Service,
    /// Whether the two operators have a ledger each, and not one for both.
    pub two_ledgers: bool,
    pub budget: Budget,
    pub mutation: Option<Mutation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    Reconcile {
        operator: usize,
        slot: usize,
        share: u8,
    },
    Orphan {
        operator: usize,
        share: u8,
    },
    Seek {
        operator: usize,
        share: u8,
        nonce: Nonce,
    },
    Poll {
        operator: usize,
        share: u8,
    },
    /// Asks about a link, and the service does not answer.
    PollInSilence {
        operator: usize,
        share: u8,
    },
    BurnInSilence {
        operator: usize,
        slot: usize,
    },
    /// Looks for an attempt on hold.
    Heal {
        operator: usize,
        share: u8,
    },
    Step {
        operator: usize,
        slot: usize,
    },
    Post {
        operator: usize,
        slot: usize,
        post: Post,
    },
    BadLook {
        operator: usize,
        slot: usize,
        sight: Sight,
    },
    Crash {
        operator: usize,
    },
    LedgerLags {
        operator: usize,
    },
    LedgerCatchesUp {
        operator: usize,
    },
    SharesLag {
        operator: usize,
    },
    SharesCatchUp {
        operator: usize,
    },
    DeadlinePasses {
        nonce: Nonce,
        paused: bool,
    },
    LongWait {
        nonce: Nonce,
    },
    SettlingPasses {
        operator: usize,
        nonce: Nonce,
    },
    Arrives {
        nonce: Nonce,
    },
    NeverArrives {
        nonce: Nonce,
    },
    Edit {
        share: u8,
        spec: u8,
    },
    Delete {
        share: u8,
    },
    Create {
        share: u8,
        spec: u8,
    },
    /// A user wants the link burned that the status tells of.
    Revoke {
        share: u8,
    },
    Open {
        receipt: u8,
    },
    /// Its time is over, by the service's clock.
    Expire {
        receipt: u8,
    },
    LoseEntry {
        share: u8,
    },
}

impl OperatorModel {
    pub fn shares(&self) -> u8 {
        u8::try_from(self.mails.len()).expect("few shares")
    }

    pub fn begin_orphan(&self, s: &mut State, worker: Worker) {
        if let Some(held) = self.missing(s, worker.operator, worker.share) {
            s.go(worker, Pc::Gone(held));
        }
    }

    /// The worker that a poll may begin with.
    fn poller(&self, s: &State, operator: usize) -> Option<usize> {
        let slot = if self.poll_apart { POLLER } else { 0 };
        s.operators[operator].tasks[slot].is_none().then_some(slot)
    }

    fn poll_worker(&self, s: &State, operator: usize, share: u8) -> Worker {
        Worker {
            operator,
            slot: self
                .poller(s, operator)
                .expect("a poll begins where nothing is under way"),
            share,
        }
    }

    fn operator_events(&self, s: &State, operator: usize, events: &mut Vec<Event>) {
        let tasks = &s.operators[operator].tasks;
        for (slot, task) in tasks.iter().enumerate() {
            if let Some(task) = task {
                self.task_events(s, operator, slot, task, events);
            }
        }
        let free = (0..self.workers).find(|slot| tasks[*slot].is_none());
        for share in 0..self.shares() {
            let busy = tasks[..POLLER].iter().flatten().any(|task| task.share == share);
            if let Some(slot) = free.filter(|_| !busy && s.share_of(operator, share).is_some()) {
                events.push(Event::Reconcile {
                    operator,
                    slot,
                    share,
                });
            }
            if self.poller(s, operator).is_some() {
                if self.missing(s, operator, share).is_some() {
                    events.push(Event::Orphan { operator, share });
                }
                events.push(Event::Poll { operator, share });
                if s.budget.faults > 0 && s.budget.silences > 0 {
                    events.push(Event::PollInSilence { operator, share });
                }
                let Some(Held { entry, .. }) = s.ledger_of(operator, share) else {
                    continue;
                };
                if unknown(s).count() > 0 && matches!(entry.phase, Phase::Intent { held: true, .. }) {
                    events.push(Event::Heal { operator, share });
                }
                let lost = match unknown(s).any(|receipt| !waits_for(s, receipt.nonce)) {
                    true => entry.superseded,
                    false => entry.superseded & !entry.found_none,
                };
                let lost = (0..NONCES as Nonce).filter(|nonce| lost & bit(*nonce) != 0);
                events.extend(lost.map(|nonce| Event::Seek {
                    operator,
                    share,
                    nonce,
                }));
            }
        }
    }

    fn task_events(&self, s: &State, operator: usize, slot: usize, task: &Task, events: &mut Vec<Event>) {
        let b = &s.budget;
        let may = |kind: u8| b.faults > 0 && kind > 0;
        match task.pc {
            // Attempts of one lane queue within a process.
            Pc::Write(_, _, _, Then::Send) if self.mails(task.share) && sends(s, operator, slot) => return,
            Pc::Post(_, intent) => {
                let young = intent
                    .entry
                    .intent()
                    .is_some_and(|nonce| s.attempt(nonce).age == Age::Young);
                let faults = [
                    (b.lost_requests, Post::RequestLost),
                    (b.lost_answers, Post::AnswerLost),
                    (b.late_commits, Post::OnItsWay),
                ];
                let possible = faults.into_iter().filter(|(kind, _)| young && may(*kind));
                events.extend(possible.map(|(_, post)| Event::Post { operator, slot, post }));
            }
            Pc::Burn(..) if may(b.silences) => events.push(Event::BurnInSilence { operator, slot }),
            Pc::List(..) if may(b.bad_looks) => {
                let mut sights = vec![Sight::NotYet, Sight::Never, Sight::Hidden];
                // Where the ledger knows nothing that must be in it, an old list is believed: see docs/design.md.
                if self.expected(s, operator) != 0 {
                    sights.push(Sight::Old);
                }
                events.extend(sights.into_iter().map(|sight| Event::BadLook {
                    operator,
                    slot,
                    sight,
                }));
            }
            _ => {}
        }
        events.push(Event::Step { operator, slot });
    }

    fn fault_events(&self, s: &State, operator: usize, events: &mut Vec<Event>) {
        let b = &s.budget;
        let may = |kind: u8| b.faults > 0 && kind > 0;
        let this = &s.operators[operator];
        let has_something_to_lose = this.tasks.iter().any(Option::is_some) || this.found_none != 0;
        if may(b.crashes) && has_something_to_lose {
            events.push(Event::Crash { operator });
        }
        match this.old_ledger {
            Some(_) => events.push(Event::LedgerCatchesUp { operator }),
            None if may(b.ledger_lags) => events.push(Event::LedgerLags { operator }),
            None => {}
        }
        match this.old_shares {
            Some(_) => events.push(Event::SharesCatchUp { operator }),
            None if may(b.share_lags) => events.push(Event::SharesLag { operator }),
            None => {}
        }
        let settles = (0..NONCES as Nonce)
            .filter(|nonce| this.found_none & !this.settled & bit(*nonce) != 0)
            .filter(|nonce| !s.attempt(*nonce).on_wire || may(b.too_late));
        events.extend(settles.map(|nonce| Event::SettlingPasses { operator, nonce }));
    }

    fn attempt_events(&self, s: &State, events: &mut Vec<Event>) {
        let b = &s.budget;
        for nonce in 0..NONCES as Nonce {
            let Some(attempt) = s.tries[usize::from(nonce)] else {
                continue;
            };
            let open = truth::open(s, nonce);
            if attempt.age == Age::Young && (open || attempt.on_wire) {
                let paused = is_being_sent(s, nonce);
                if !paused || (b.faults > 0 && b.pauses > 0) {
                    events.push(Event::DeadlinePasses { nonce, paused });
                }
            }
            if attempt.age == Age::Over && waits_for(s, nonce) && b.faults > 0 && b.long_waits > 0 {
                events.push(Event::LongWait { nonce });
            }
            if attempt.on_wire {
                events.push(Event::Arrives { nonce });
                if attempt.age != Age::Young {
                    events.push(Event::NeverArrives { nonce });
                }
            }
        }
    }

    fn user_events(&self, s: &State, events: &mut Vec<Event>) {
        let b = &s.budget;
        for share in 0..self.shares() {
            let others = |now: Option<u8>| (0..self.specs).filter(move |spec| Some(*spec) != now);
            match &s.shares[usize::from(share)] {
                Some(now) => {
                    if b.edits > 0 {
                        events.extend(others(Some(now.spec)).map(|spec| Event::Edit { share, spec }));
                    }
                    if b.deletions > 0 {
                        events.push(Event::Delete { share });
                    }
                    if b.revocations > 0 && now.status.shown == Shown::Shared {
                        events.push(Event::Revoke { share });
                    }
                }
                None => events.extend(others(None).map(|spec| Event::Create { share, spec })),
            }
            if b.faults > 0 && b.lost_entries > 0 && is_told(s, share) {
                events.push(Event::LoseEntry { share });
            }
        }
        let alive = |number: &u8| {
            s.receipts[usize::from(*number)].is_some_and(|r| r.life == super::state::Life::Alive)
        };
        if b.openings > 0 {
            events.extend(
                (0..RECEIPTS as u8)
                    .filter(alive)
                    .map(|receipt| Event::Open { receipt }),
            );
        }
        if b.expiries > 0 {
            events.extend(
                (0..RECEIPTS as u8)
                    .filter(alive)
                    .map(|receipt| Event::Expire { receipt }),
            );
        }
    }

    pub fn apply(&self, s: &mut State, event: Event) {
        match event {
            Event::Reconcile {
                operator,
                slot,
                share,
            } => self.reconcile(
                s,
                Worker {
                    operator,
                    slot,
                    share,
                },
            ),
            Event::Orphan { operator, share } => self.begin_orphan(s, self.poll_worker(s, operator, share)),
            Event::Seek {
                operator,
                share,
                nonce,
            } => self.seek(s, self.poll_worker(s, operator, share), nonce),
            Event::Poll { operator, share } => self.poll(s, self.poll_worker(s, operator, share)),
            Event::PollInSilence { operator, share } => {
                s.budget.spend(|b| &mut b.silences);
                self.poll_in_silence(s, self.poll_worker(s, operator, share));
            }
            Event::BurnInSilence { operator, slot } => {
                let (worker, pc) = task(s, operator, slot);
                s.budget.spend(|b| &mut b.silences);
                if let Pc::Burn(seen, read) = pc {
                    self.burn_in_silence(s, worker, seen, read);
                }
            }
            Event::Heal { operator, share } => self.heal(s, self.poll_worker(s, operator, share)),
            Event::Step { operator, slot } => {
                let (worker, pc) = task(s, operator, slot);
                self.step(s, worker, pc);
            }
            Event::Post { operator, slot, post } => {
                let (worker, pc) = task(s, operator, slot);
                s.budget.spend(match post {
                    Post::Answered => return,
                    Post::RequestLost => |b| &mut b.lost_requests,
                    Post::AnswerLost => |b| &mut b.lost_answers,
                    Post::OnItsWay => |b| &mut b.late_commits,
                });
                if let Pc::Post(seen, intent) = pc {
                    self.post(s, worker, seen, intent, post);
                }
            }
            Event::BadLook {
                operator,
                slot,
                sight,
            } => {
                let (worker, pc) = task(s, operator, slot);
                s.budget.spend(|b| &mut b.bad_looks);
                if let Pc::List(seen, read) = pc {
                    self.look(s, worker, seen, read, sight);
                }
            }
            event => s.happen(event),
        }
    }
}

impl State {
    /// The events that no operator causes.
    fn happen(&mut self, event: Event) {
        match event {
            Event::Crash { operator } => {
                self.budget.spend(|b| &mut b.crashes);
                let Operator { tag, ledger, .. } = self.operators[operator];
                self.operators[operator] = Operator::new(tag.0, ledger);
            }
            Event::LedgerLags { operator } => {
                self.budget.spend(|b| &mut b.ledger_lags);
                self.operators[operator].old_ledger = Some(Box::new(self.ledger));
            }
            Event::LedgerCatchesUp { operator } => self.operators[operator].old_ledger = None,
            Event::SharesLag { operator } => {
                self.budget.spend(|b| &mut b.share_lags);
                self.operators[operator].old_shares = Some(Box::new(self.shares));
            }
            Event::SharesCatchUp { operator } => self.operators[operator].old_shares = None,
            Event::DeadlinePasses { nonce, paused } => {
                if paused {
                    self.budget.spend(|b| &mut b.pauses);
                }
                self.attempt_mut(nonce).age = Age::Over;
            }
            Event::LongWait { nonce } => {
                self.budget.spend(|b| &mut b.long_waits);
                self.attempt_mut(nonce).age = Age::Stale;
            }
            Event::SettlingPasses { operator, nonce } => {
                if self.attempt(nonce).on_wire {
                    self.budget.spend(|b| &mut b.too_late);
                    self.attempt_mut(nonce).too_late = true;
                }
                self.operators[operator].settled |= bit(nonce);
            }
            Event::Arrives { nonce } => {
                self.attempt_mut(nonce).on_wire = false;
                self.commit(nonce);
            }
            Event::NeverArrives { nonce } => self.attempt_mut(nonce).on_wire = false,
            event => self.user_does(event),
        }
    }

    fn user_does(&mut self, event: Event) {
        match event {
            Event::Edit { share, spec } => {
                self.budget.edits -= 1;
                self.asked[usize::from(share)] += 1;
                if let Some(now) = &mut self.shares[usize::from(share)] {
                    now.spec = spec;
                    now.generation += 1;
                }
            }
            Event::Delete { share } => {
                self.budget.deletions -= 1;
                self.shares[usize::from(share)] = None;
            }
            Event::Create { share, spec } => self.create(share, spec),
            Event::Revoke { share } => {
                self.budget.revocations -= 1;
                if let Some(now) = &mut self.shares[usize::from(share)] {
                    now.burn = now.status.told.map(|(_, nonce)| nonce);
                    if let Some(link) = now.status.link {
                        self.receipt_mut(link).revoked = true;
                    }
                }
            }
            Event::Open { receipt } => {
                self.budget.openings -= 1;
                self.receipt_mut(receipt).life = super::state::Life::Received;
            }
            Event::Expire { receipt } => {
                self.budget.expiries -= 1;
                self.receipt_mut(receipt).life = super::state::Life::Expired;
            }
            Event::LoseEntry { share } => {
                self.budget.spend(|b| &mut b.lost_entries);
                // Only ever explored with one ledger.
                let lost = self.ledger[usize::from(share)].take();
                if let Some(Phase::Shared(link) | Phase::Burning(link, _)) = lost.map(|held| held.entry.phase)
                {
                    self.receipt_mut(link.receipt).key_lost = true;
                }
            }
            _ => {}
        }
    }

    fn create(&mut self, share: u8, spec: u8) {
        let at = usize::from(share);
        self.uids[at] += 1;
        self.asked[at] += 1;
        // A new object never told of an end.
        for attempt in self
            .tries
            .iter_mut()
            .flatten()
            .filter(|attempt| attempt.share == share)
        {
            attempt.ended = false;
        }
        self.shares[at] = Some(Share {
            uid: self.uids[at],
            generation: 1,
            spec,
            burn: None,
            status: Status::EMPTY,
        });
    }
}

impl Budget {
    /// Spends one fault of a kind. Where a kind has more left than all together, the difference means nothing: states
    /// that differ only in which faults led to them become one.
    fn spend(&mut self, kind: fn(&mut Self) -> &mut u8) {
        *kind(self) -= 1;
        self.faults -= 1;
        let left = self.faults;
        let Self {
            faults: _,
            crashes,
            pauses,
            lost_requests,
            lost_answers,
            late_commits,
            bad_looks,
            silences,
            too_late,
            ledger_lags,
            share_lags,
            long_waits,
            lost_entries,
            edits: _,
            deletions: _,
            openings: _,
            expiries: _,
            revocations: _,
        } = self;
        let kinds = [
            crashes,
            pauses,
            lost_requests,
            lost_answers,
            late_commits,
            bad_looks,
            silences,
            too_late,
            ledger_lags,
            share_lags,
            long_waits,
            lost_entries,
        ];
        for kind in kinds {
            *kind = left.min(*kind);
        }
    }
}

fn task(s: &State, operator: usize, slot: usize) -> (Worker, Pc) {
    let Task { share, pc } =
        s.operators[operator].tasks[slot].expect("only a worker that is busy takes a step");
    (
        Worker {
            operator,
            slot,
            share,
        },
        pc,
    )
}

/// Whether another worker of the same process is between its turn in the lane and its outcome.
fn sends(s: &State, operator: usize, but: usize) -> bool {
    s.operators[operator]
        .tasks
        .iter()
        .enumerate()
        .any(|(slot, task)| {
            let sends = task.is_some_and(|task| {
                matches!(
                    task.pc,
                    Pc::Lane(..) | Pc::Post(..) | Pc::Record(_, Phase::Intent { .. }, _)
                )
            });
            slot != but && sends
        })
}

/// Whether the sender of an attempt still holds it: it goes past its deadline only by a pause.
fn is_being_sent(s: &State, nonce: Nonce) -> bool {
    let tasks = s
        .operators
        .iter()
        .flat_map(|operator| operator.tasks.iter().flatten());
    tasks.into_iter().any(|task| match task.pc {
        Pc::Write(_, _, entry, Then::Send) => entry.intent() == Some(nonce),
        Pc::Lane(_, held) | Pc::Post(_, held) => held.entry.intent() == Some(nonce),
        Pc::Record(_, Phase::Intent { nonce: of, .. }, Phase::Shared(_)) => of == nonce,
        _ => false,
    })
}

/// The receipts that no entry knows. Without one, a look for what was looked for before tells nothing new; nor does one that
/// belongs to an attempt which is still a rival, and whose outcome makes it known.
fn unknown(s: &State) -> impl Iterator<Item = &Receipt> {
    let known = s.ledger.iter().flatten().fold(0, |set, held| {
        set | held.entry.past | held.entry.receipt().map_or(0, bit)
    });
    let receipts = (0..).zip(&s.receipts);
    receipts.filter_map(move |(number, receipt)| receipt.as_ref().filter(|_| known & bit(number) == 0))
}

/// Whether an unresolved attempt keeps somebody waiting.
fn waits_for(s: &State, nonce: Nonce) -> bool {
    let mut entries = s.ledger.iter().flatten();
    truth::open(s, nonce) && !entries.any(|held| held.entry.found_none & bit(nonce) != 0)
}

/// Whether a status tells of what the entry holds, and everybody knows. A loss of what nobody was told of cannot be
/// noticed, and is documented.
fn is_told(s: &State, share: u8) -> bool {
    let unaware = |operator: &Operator| {
        operator.old_ledger.is_some()
            || (operator.old_shares.is_some() && operator.known & bit(share) == 0)
            || operator.tasks.iter().flatten().any(|task| task.share == share)
    };
    if s.operators.iter().any(unaware) {
        return false;
    }
    let (Some(share), Some(held)) = (s.shares[usize::from(share)], s.entry_of(share)) else {
        return false;
    };
    share.status.told.is_some_and(|(request, nonce)| {
        let attempt = match held.entry.phase {
            Phase::Shared(link) | Phase::Burning(link, _) => Some(link.nonce),
            Phase::Finished { nonce, .. } => Some(nonce),
            Phase::Idle | Phase::Intent { .. } => None,
        };
        request == held.entry.request && attempt == Some(nonce)
    })
}

impl Model for OperatorModel {
    type State = State;
    type Action = Event;

    fn init_states(&self) -> Vec<State> {
        let mut s = State {
            shares: [None; 2],
            ledger: [None; LEDGERS * 2],
            lease: None,
            tries: [None; NONCES],
            receipts: [None; RECEIPTS],
            operators: [
                Operator::new('P', 0),
                Operator::new('Q', u8::from(self.two_ledgers)),
            ],
            uids: [0; 2],
            asked: [0; 2],
            budget: self.budget,
            loses: self.budget.lost_entries > 0,
            broken: Broken::default(),
        };
        (0..self.shares()).for_each(|share| s.create(share, 0));
        vec![s]
    }

    fn actions(&self, s: &State, events: &mut Vec<Event>) {
        // What comes after something went wrong is of no interest.
        if s.broken != Broken::default() {
            return;
        }
        for operator in 0..s.operators.len() {
            self.operator_events(s, operator, events);
            self.fault_events(s, operator, events);
        }
        self.attempt_events(s, events);
        self.user_events(s, events);
    }

    fn next_state(&self, s: &State, event: Event) -> Option<State> {
        let mut next = s.clone();
        self.apply(&mut next, event);
        next.learn();
        next.tidy();
        (next != *s).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        truth::properties()
    }
}
