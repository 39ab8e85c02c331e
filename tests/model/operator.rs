//! The operator's program, effect by effect: mirrors `share/reconcile.rs`, `share/attempt.rs`, `share/adopt.rs` and
//! `share/burn.rs`. What to do is asked of production code (`real.rs`); only the order of the effects is copied.
//!
//! One step has one effect. The computation between two effects belongs to the step before.

use super::model::OperatorModel;
use super::mutation::Mutation;
use super::real::{self, Act, Found, Search};
use super::service::Post;
use super::state::{
    Age, Entry, Held, Life, Link, List, NONCES, Namespace, Nonce, Pc, Phase, Request, Seen, Shown, Sight,
    State, Status, Task, Then, Try, Why, bit,
};

/// A worker of an operator, and the share that it works on.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    pub operator: usize,
    pub slot: usize,
    pub share: u8,
}

impl State {
    pub fn go(&mut self, worker: Worker, pc: Pc) {
        self.operators[worker.operator].tasks[worker.slot] = Some(Task {
            share: worker.share,
            pc,
        });
    }

    pub fn rest(&mut self, worker: Worker) {
        self.operators[worker.operator].tasks[worker.slot] = None;
    }

    /// What is in the ledger now, noted by the operator as its own writes and live reads are.
    pub fn remember(&mut self, worker: Worker) {
        let share = self.place(worker.operator, worker.share);
        let now = self.ledger[share];
        if let Some(old) = &mut self.operators[worker.operator].old_ledger {
            old[share] = now;
        }
    }

    fn age_of(&self, entry: Option<&Entry>) -> Age {
        entry
            .and_then(Entry::intent)
            .map_or(Age::Young, |nonce| self.attempt(nonce).age)
    }

    /// Begins an attempt under a number that nobody uses.
    fn begin(&mut self, share: u8, request: Request) -> Option<Nonce> {
        let free = (0..NONCES as Nonce).find(|nonce| self.tries[usize::from(*nonce)].is_none())?;
        self.tries[usize::from(free)] = Some(Try {
            share,
            request,
            age: Age::Young,
            intended: false,
            posted: false,
            on_wire: false,
            ended: false,
            too_late: false,
        });
        Some(free)
    }
}

impl OperatorModel {
    pub fn mails(&self, share: u8) -> bool {
        self.mails.get(usize::from(share)) == Some(&true)
    }

    /// `reconcile`: the share comes from the cache.
    pub fn reconcile(&self, s: &mut State, worker: Worker) {
        if let Some(share) = s.share_of(worker.operator, worker.share) {
            self.round(s, worker, Seen { share, after: None });
        }
    }

    /// One turn of the loop in `reconcile`: read the ledger, decide, and stand before the first effect.
    pub fn round(&self, s: &mut State, worker: Worker, seen: Seen) {
        let read = s.ledger_of(worker.operator, worker.share);
        let entry = read.as_ref().map(|held| &held.entry);
        let live = seen.after == Some(read.map(|held| held.version));
        let age = s.age_of(entry);
        let known = s.operators[worker.operator].known & bit(worker.share) != 0;
        let (act, needs_namespace) = real::act(
            self.mails(worker.share),
            &seen,
            entry,
            known,
            live,
            age,
            self.mutation,
        );
        if needs_namespace && self.two_ledgers && self.mutation != Some(Mutation::IgnoreNeighbour) {
            match s.operators[worker.operator].namespace {
                Namespace::Ours => {}
                Namespace::Unknown => return s.go(worker, Pc::Occupy(seen)),
                Namespace::Others => return self.stand_back(s, worker, seen),
            }
        }
        match act {
            Act::Ignore => s.rest(worker),
            Act::ReadShare => s.go(worker, Pc::ReadShare(read.map(|held| held.version))),
            Act::Show(status) => self.show(s, worker, seen, status),
            Act::Rebuild(entry) => {
                let expected = read.map(|held| held.version);
                s.go(worker, Pc::Write(Some(seen), expected, entry, Then::Again));
            }
            Act::TakeOver => {
                let held = read.expect("an entry to take over");
                let entry = Entry {
                    uid: seen.share.uid,
                    generation: seen.share.generation,
                    ..held.entry
                };
                s.go(
                    worker,
                    Pc::Write(Some(seen), Some(held.version), entry, Then::Again),
                );
            }
            Act::Resolve => self.resolve(s, worker, Some(seen), read.expect("an intent to resolve")),
            Act::Send {
                request,
                burn_first: false,
            } => self.send(s, worker, seen, read, request),
            Act::Send { burn_first: true, .. } => {
                let held = read.expect("a link to burn first");
                let burning = marked(&held.entry, Why::Replaced);
                s.go(
                    worker,
                    Pc::Write(Some(seen), Some(held.version), burning, Then::Again),
                );
            }
            Act::Revoke => {
                let held = read.expect("a link to burn");
                let burning = marked(&held.entry, Why::Asked);
                s.go(
                    worker,
                    Pc::Write(Some(seen), Some(held.version), burning, Then::Again),
                );
            }
            Act::Burn => s.go(worker, Pc::Burn(Some(seen), read.expect("a link to burn"))),
        }
    }

    /// `effects::occupy`: creates the Lease of the namespace, or reads whose it is.
    fn occupy(&self, s: &mut State, worker: Worker, seen: Seen) {
        let operator = &mut s.operators[worker.operator];
        let holder = *s.lease.get_or_insert(operator.ledger);
        let is_ours = holder == operator.ledger || self.mutation == Some(Mutation::LeaseConflictWon);
        operator.namespace = if is_ours {
            Namespace::Ours
        } else {
            Namespace::Others
        };
        self.round(s, worker, seen);
    }

    /// `reconcile::refused`, when the other operator had all the time that it gets for its own status.
    fn stand_back(&self, s: &mut State, worker: Worker, seen: Seen) {
        if !real::may_tell(&seen.share) && self.mutation != Some(Mutation::ContradictNeighbour) {
            return s.rest(worker);
        }
        let status = Status {
            generation: seen.share.generation,
            shown: Shown::Other,
            ..seen.share.status
        };
        self.show(s, worker, seen, status);
    }

    /// `attempt::send` up to the intent.
    fn send(&self, s: &mut State, worker: Worker, seen: Seen, read: Option<Held>, request: Request) {
        let Some(nonce) = s.begin(worker.share, request) else {
            s.broken.out_of_numbers = true;
            return;
        };
        let before = read.map_or(0, |held| {
            held.entry.superseded | held.entry.intent().map_or(0, bit)
        });
        let entry = Entry {
            uid: seen.share.uid,
            generation: seen.share.generation,
            request,
            phase: Phase::Intent { nonce, held: false },
            superseded: before,
            resolved: read.map_or(0, |held| held.entry.resolved),
            found_none: read.map_or(0, |held| held.entry.found_none),
            past: read.map_or(0, |held| held.entry.past | held.entry.receipt().map_or(0, bit)),
        };
        let expected = read.map(|held| held.version);
        if self.mutation == Some(Mutation::PostFirst) {
            let version = expected.unwrap_or(0);
            return s.go(worker, Pc::Post(seen, Held { version, entry }));
        }
        s.go(worker, Pc::Write(Some(seen), expected, entry, Then::Send));
    }

    /// `adopt::resolve` up to the look.
    pub fn resolve(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: Held) {
        let nonce = read.entry.intent().expect("an intent to resolve");
        if self.mails(worker.share) {
            s.go(worker, Pc::List(seen, read));
        } else {
            assert!(
                real::sends_again_unseen(nonce),
                "nobody holds a link that was not mailed"
            );
            self.free(s, worker, seen, read, nonce);
        }
    }

    /// The next effect of a worker, where there is no choice.
    pub fn step(&self, s: &mut State, worker: Worker, pc: Pc) {
        match pc {
            Pc::ReadShare(after) => match s.shares[usize::from(worker.share)] {
                Some(share) => self.round(
                    s,
                    worker,
                    Seen {
                        share,
                        after: Some(after),
                    },
                ),
                None => s.rest(worker),
            },
            Pc::Occupy(seen) => self.occupy(s, worker, seen),
            Pc::Write(seen, expected, entry, then) => self.write(s, worker, seen, expected, entry, then),
            Pc::Lane(seen, intent) => self.lane(s, worker, seen, intent),
            Pc::Post(seen, intent) => self.post(s, worker, seen, intent, Post::Answered),
            Pc::Record(seen, was, will) => self.record(s, worker, seen, was, will),
            Pc::List(seen, read) => self.look(s, worker, seen, read, Sight::List),
            Pc::Listed(seen, read, list) => self.find(s, worker, seen, read, list),
            Pc::Claim(seen, read, receipt) => self.adopt(s, worker, seen, read, receipt),
            Pc::Burn(seen, read) => self.burn(s, worker, seen, read),
            Pc::Show(seen, status) => {
                s.patch(
                    worker.share,
                    &seen,
                    &status,
                    self.mutation == Some(Mutation::BlindStatus),
                );
                s.rest(worker);
            }
            Pc::Gone(_) | Pc::Remove(_) | Pc::Seek(..) | Pc::Sought(..) | Pc::Quench(..) => {
                self.poll_step(s, worker, pc);
            }
        }
    }

    fn write(
        &self,
        s: &mut State,
        worker: Worker,
        seen: Option<Seen>,
        expected: Option<u8>,
        entry: Entry,
        then: Then,
    ) {
        let found = s.ledger[s.place(worker.operator, worker.share)];
        let fits = found.map(|held| held.version) == expected
            || (self.mutation == Some(Mutation::NoVersion) && found.is_some() && expected.is_some());
        if !fits {
            s.remember(worker);
            return match seen {
                // An entry that is gone is no conflict but an error: it is tried again from the start.
                Some(seen) if found.is_some() => self.round(s, worker, seen),
                _ => s.rest(worker),
            };
        }
        let held = s.put(worker, entry);
        match (then, seen) {
            (Then::Again, Some(seen)) => self.round(s, worker, seen),
            (Then::Send, Some(seen)) if self.mails(worker.share) => {
                s.go(worker, Pc::Lane(seen, held));
            }
            (Then::Send, Some(seen)) => s.go(worker, Pc::Post(seen, held)),
            (Then::Burn, seen) => s.go(worker, Pc::Burn(seen, held)),
            _ => s.rest(worker),
        }
    }

    /// `is_oldest_in_lane`: all shares of this model that mail are in one lane.
    fn lane(&self, s: &mut State, worker: Worker, seen: Seen, intent: Held) {
        let older = (0..2).any(|share| {
            let Some(other) = s.ledger[s.place(worker.operator, share)] else {
                return false;
            };
            let waits = matches!(other.entry.phase, Phase::Intent { held: false, .. });
            self.mails(share) && waits && other.version < intent.version
        });
        if older {
            // Yields, and tries again a few seconds later: it does not go on in this reconcile.
            s.go(worker, Pc::Record(None, intent.entry.phase, Phase::Idle));
        } else {
            s.go(worker, Pc::Post(seen, intent));
        }
    }

    /// GETs the service's list; the ledger is listed after it.
    pub fn look(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: Held, sight: Sight) {
        let nonce = read.entry.intent().expect("an intent to resolve");
        let list = self.listed(s, worker, nonce, sight);
        if matches!(sight, Sight::NotYet | Sight::Never) {
            let found = self.search(s, worker, nonce, list);
            return self.conclude(s, worker, seen, read, found);
        }
        s.go(worker, Pc::Listed(seen, read, list));
    }

    fn find(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: Held, list: List) {
        let nonce = read.entry.intent().expect("an intent to resolve");
        let found = self.search(s, worker, nonce, list);
        self.conclude(s, worker, seen, read, found);
    }

    /// What `recover` makes of the service's list, with the ledger as it is now.
    pub fn search(&self, s: &State, worker: Worker, nonce: Nonce, list: List) -> Found {
        let mailing = |share: &u8| self.mails(*share);
        let now = (0..2)
            .filter(mailing)
            .filter_map(|share| s.ledger[s.place(worker.operator, share)]);
        let mut entries: Vec<Entry> = now
            .map(|held| held.entry)
            .filter(|e| e.phase != Phase::Idle)
            .collect();
        let cached = (0..2)
            .filter(mailing)
            .filter_map(|share| s.ledger_of(worker.operator, share));
        entries.extend(cached.map(|held| held.entry));
        let receipts: Vec<(u8, Life)> = (0..)
            .zip(&s.receipts)
            .filter(|(number, _)| list.receipts & bit(*number) != 0)
            .filter_map(|(number, receipt)| Some((number, (*receipt)?)))
            .filter(|(_, receipt)| self.mails(receipt.share))
            .map(|(number, receipt)| (number, receipt.life))
            .collect();
        let claimed = (0..).zip(&s.receipts).filter(|(_, receipt)| {
            let by = receipt.and_then(|receipt| receipt.claimed_for);
            by.is_some_and(|by| by != nonce)
        });
        let operator = &s.operators[worker.operator];
        real::search(Search {
            nonce,
            receipts,
            entries,
            look: list.sight,
            expected: list.expected,
            claimed: claimed.fold(0, |set, (number, _)| set | bit(number)),
            service: self.service,
            age: s.attempt(nonce).age,
            found_none: operator.found_none & bit(nonce) != 0,
            settled: list.settled
                || (self.mutation == Some(Mutation::HistoryAfterLook) && operator.settled & bit(nonce) != 0),
            mutation: self.mutation,
        })
    }

    fn conclude(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: Held, found: Found) {
        let was = read.entry.phase;
        let nonce = read.entry.intent().expect("an intent to resolve");
        let on_hold = matches!(was, Phase::Intent { held: true, .. });
        match found {
            // Only what fits heals a hold; sending again needs a person.
            Found::LookAgain { .. } | Found::SendAgain | Found::Hold if on_hold => s.rest(worker),
            Found::LookAgain { none } => {
                if none {
                    s.operators[worker.operator].found_none |= bit(nonce);
                }
                self.later(s, worker, seen, &read);
            }
            Found::SendAgain => self.free(s, worker, seen, read, nonce),
            Found::Hold => s.go(worker, Pc::Record(seen, was, Phase::Intent { nonce, held: true })),
            Found::Adopt(receipt) => s.go(worker, Pc::Claim(seen, read, receipt)),
        }
    }

    /// `resolve::send_again`: frees the entry as it was read. What may have mailed somebody is kept, to be burned when it
    /// turns up.
    fn free(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: Held, nonce: Nonce) {
        let kept = if self.mails(worker.share) && self.mutation != Some(Mutation::ForgetNone) {
            bit(nonce)
        } else {
            0
        };
        let entry = Entry {
            phase: Phase::Idle,
            superseded: read.entry.superseded | kept,
            found_none: read.entry.found_none | kept,
            ..read.entry
        };
        let operator = &mut s.operators[worker.operator];
        operator.found_none &= !bit(nonce);
        operator.settled &= !bit(nonce);
        s.go(worker, Pc::Write(seen, Some(read.version), entry, Then::Again));
    }

    fn later(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: &Held) {
        match seen {
            Some(seen) => {
                let status = real::status(self.mails(worker.share), &seen.share, Some(&read.entry));
                self.show(s, worker, seen, status);
            }
            None => s.rest(worker),
        }
    }

    /// Claims the receipt and GETs it, which no other effect can come between to any difference.
    fn adopt(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: Held, number: u8) {
        let nonce = read.entry.intent().expect("an intent to resolve");
        let receipt = s.receipt_mut(number);
        if *receipt.claimed_for.get_or_insert(nonce) != nonce {
            return self.later(s, worker, seen, &read);
        }
        let phase = match receipt.life {
            Life::Alive => Phase::Shared(Link {
                nonce,
                receipt: number,
                keyed: true,
            }),
            how => Phase::Finished {
                nonce,
                how,
                why: None,
                receipt: Some(number),
            },
        };
        s.go(worker, Pc::Record(seen, read.entry.phase, phase));
    }

    /// `burn::go_on`, when the service answers neither the burn nor the look after it: it is tried again later.
    pub fn burn_in_silence(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: Held) {
        let Phase::Burning(link, why) = read.entry.phase else {
            return s.rest(worker);
        };
        if self.mutation != Some(Mutation::EndAssumed) {
            return self.later(s, worker, seen, &read);
        }
        let phase = Phase::Finished {
            nonce: link.nonce,
            how: Life::Burned,
            why: Some(why),
            receipt: Some(link.receipt),
        };
        s.go(worker, Pc::Record(seen, read.entry.phase, phase));
    }

    /// `burn::go_on`: asks the service, and then the receipt when the link is gone already.
    fn burn(&self, s: &mut State, worker: Worker, seen: Option<Seen>, read: Held) {
        let Phase::Burning(link, why) = read.entry.phase else {
            return s.rest(worker);
        };
        if !link.keyed {
            // Not possible; it is tried again until the link has expired, which is beyond this model.
            return self.later(s, worker, seen, &read);
        }
        let phase = Phase::Finished {
            nonce: link.nonce,
            how: s.quench(link.receipt),
            why: Some(why),
            receipt: Some(link.receipt),
        };
        s.go(worker, Pc::Record(seen, read.entry.phase, phase));
    }

    /// `show`: writes nothing when the status is the one that was read.
    fn show(&self, s: &mut State, worker: Worker, seen: Seen, status: Status) {
        let before = &seen.share.status;
        if before.shown.is_over()
            && status.shown == Shown::Shared
            && before.told == status.told
            && self.mutation != Some(Mutation::StaleStatus)
        {
            // The ledger's cache is older than the status.
            s.remember(worker);
            return s.rest(worker);
        }
        if seen.share.status == status {
            s.rest(worker);
        } else {
            s.go(worker, Pc::Show(seen, status));
        }
    }

    /// `attempt::record`: as long as the entry is in the phase that the outcome belongs to. Its own read and write are one
    /// step here: what comes between them makes it begin again.
    fn record(&self, s: &mut State, worker: Worker, seen: Option<Seen>, was: Phase, will: Phase) {
        if let Some(found) = s.ledger[s.place(worker.operator, worker.share)]
            && found.entry.phase == was
        {
            s.put(
                worker,
                Entry {
                    phase: will,
                    ..found.entry
                },
            );
            if let Phase::Intent { nonce, .. } = was {
                let operator = &mut s.operators[worker.operator];
                operator.found_none &= !bit(nonce);
                operator.settled &= !bit(nonce);
            }
        } else {
            s.remember(worker);
            if s.ledger[s.place(worker.operator, worker.share)].is_none() {
                // Nothing to write it into: an error that ends the reconcile.
                return s.rest(worker);
            }
        }
        match seen {
            Some(seen) => self.round(s, worker, seen),
            None => s.rest(worker),
        }
    }
}

/// Marks a link as one to burn: `burn::begin`.
pub fn marked(entry: &Entry, why: Why) -> Entry {
    match entry.phase {
        Phase::Shared(link) => Entry {
            phase: Phase::Burning(link, why),
            ..*entry
        },
        _ => *entry,
    }
}
