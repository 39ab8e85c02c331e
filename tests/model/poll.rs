//! The poll's program: mirrors `poll/orphans.rs`, `poll/follow_up.rs`, `poll/superseded.rs`, `poll/on_hold.rs` and
//! `poll/links.rs`.
//!
//! Tombstones are kept for good here: that they go after the retention is time beyond this model.

use super::model::OperatorModel;
use super::mutation::Mutation;
use super::operator::{Worker, marked};
use super::real::Found;
use super::state::{Age, Entry, Held, Life, Link, Nonce, Pc, Phase, Sight, State, Then, Why, bit};

impl OperatorModel {
    /// Whether the poll of missing shares would look at this one, and with which entry.
    pub fn missing(&self, s: &State, operator: usize, share: u8) -> Option<Held> {
        let held = s.ledger_of(operator, share)?;
        let due = match held.entry.phase {
            Phase::Shared(_) => true,
            Phase::Burning(link, _) => link.keyed,
            Phase::Intent { nonce, held: false } => s.attempt(nonce).age != Age::Young,
            Phase::Intent { held: true, .. } | Phase::Finished { .. } => false,
            Phase::Idle => held.entry.request.epoch == 0 && held.entry.superseded == 0,
        };
        (due && s.share_of(operator, share).is_none()).then_some(held)
    }

    /// The polls: a link whose end the service knows and the ledger does not.
    pub fn poll(&self, s: &mut State, worker: Worker) {
        let Some(held) = s.ledger_of(worker.operator, worker.share) else {
            return;
        };
        let Phase::Shared(link) = held.entry.phase else {
            return;
        };
        let how = s.receipt(link.receipt).life;
        if link.keyed && how != Life::Alive {
            ends(s, worker, held, link, how);
        }
    }

    /// The same when the service does not answer: the link's end stays unknown.
    pub fn poll_in_silence(&self, s: &mut State, worker: Worker) {
        let Some(held) = s.ledger_of(worker.operator, worker.share) else {
            return;
        };
        let Phase::Shared(link) = held.entry.phase else {
            return;
        };
        if link.keyed && self.mutation == Some(Mutation::EndAssumed) {
            ends(s, worker, held, link, Life::Expired);
        }
    }

    pub fn poll_step(&self, s: &mut State, worker: Worker, pc: Pc) {
        match pc {
            Pc::Gone(held) => self.gone(s, worker, held),
            Pc::Remove(version) => {
                let share = s.place(worker.operator, worker.share);
                if s.ledger[share].is_some_and(|held| held.version == version) {
                    s.ledger[share] = None;
                    s.remember(worker);
                }
                s.rest(worker);
            }
            Pc::Seek(held, nonce) => {
                let list = self.listed(s, worker, nonce, Sight::List);
                s.go(worker, Pc::Sought(held, nonce, list));
            }
            Pc::Sought(held, nonce, list) => {
                let found = self.search(s, worker, nonce, list);
                self.superseded(s, worker, held, nonce, found);
            }
            Pc::Quench(held, nonce, receipt) => {
                let claimed = s.receipt_mut(receipt).claimed_for.get_or_insert(nonce);
                if *claimed == nonce {
                    s.quench(receipt);
                    let past = held.entry.past | bit(receipt);
                    let entry = Entry { past, ..held.entry };
                    forget(s, worker, Held { entry, ..held }, nonce);
                } else {
                    s.rest(worker);
                }
            }
            _ => {}
        }
    }

    /// GETs the share that the cache does not have.
    fn gone(&self, s: &mut State, worker: Worker, held: Held) {
        if s.shares[usize::from(worker.share)].is_some() {
            return s.rest(worker);
        }
        match held.entry.phase {
            Phase::Shared(_) => {
                let entry = marked(&held.entry, Why::Deleted);
                s.go(worker, Pc::Write(None, Some(held.version), entry, Then::Burn));
            }
            Phase::Burning(..) => s.go(worker, Pc::Burn(None, held)),
            Phase::Intent { held: false, .. } => self.resolve(s, worker, None, held),
            Phase::Intent { .. } | Phase::Idle | Phase::Finished { .. } => {
                s.go(worker, Pc::Remove(held.version));
            }
        }
    }

    /// Begins to look for a lost attempt of an earlier request.
    pub fn seek(&self, s: &mut State, worker: Worker, nonce: Nonce) {
        let Some(held) = s.ledger_of(worker.operator, worker.share) else {
            return;
        };
        if held.entry.superseded & bit(nonce) == 0 || s.attempt(nonce).age == Age::Young {
            return;
        }
        if self.mails(worker.share) {
            s.go(worker, Pc::Seek(held, nonce));
        } else {
            forget(s, worker, held, nonce);
        }
    }

    /// Begins to look for an attempt that is on hold.
    pub fn heal(&self, s: &mut State, worker: Worker) {
        if self.mutation == Some(Mutation::NoHeal) {
            return;
        }
        let Some(held) = s.ledger_of(worker.operator, worker.share) else {
            return;
        };
        if matches!(held.entry.phase, Phase::Intent { held: true, .. }) && self.mails(worker.share) {
            s.go(worker, Pc::List(None, held));
        }
    }

    fn superseded(&self, s: &mut State, worker: Worker, held: Held, nonce: Nonce, found: Found) {
        match found {
            Found::Adopt(receipt) => s.go(worker, Pc::Quench(held, nonce, receipt)),
            Found::SendAgain if held.entry.found_none & bit(nonce) == 0 => {
                let found_none = held.entry.found_none | bit(nonce);
                let entry = Entry {
                    found_none,
                    ..held.entry
                };
                let operator = &mut s.operators[worker.operator];
                operator.found_none &= !bit(nonce);
                operator.settled &= !bit(nonce);
                s.go(worker, Pc::Write(None, Some(held.version), entry, Then::Done));
            }
            Found::SendAgain => s.rest(worker),
            Found::LookAgain { none } => {
                if none && held.entry.found_none & bit(nonce) == 0 {
                    s.operators[worker.operator].found_none |= bit(nonce);
                }
                s.rest(worker);
            }
            Found::Hold => s.rest(worker),
        }
    }
}

fn ends(s: &mut State, worker: Worker, held: Held, link: Link, how: Life) {
    let phase = Phase::Finished {
        nonce: link.nonce,
        how,
        why: None,
        receipt: Some(link.receipt),
    };
    let entry = Entry { phase, ..held.entry };
    s.go(worker, Pc::Write(None, Some(held.version), entry, Then::Done));
}

fn forget(s: &mut State, worker: Worker, held: Held, nonce: Nonce) {
    let entry = Entry {
        superseded: held.entry.superseded & !bit(nonce),
        found_none: held.entry.found_none & !bit(nonce),
        ..held.entry
    };
    s.go(worker, Pc::Write(None, Some(held.version), entry, Then::Done));
}
