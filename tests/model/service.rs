//! The two servers as they really are: what the API server does with a write, and what the service does with a POST.

use super::model::OperatorModel;
use super::mutation::Mutation;
use super::operator::Worker;
use super::real;
use super::state::{
    Age, Entry, Held, Life, Link, List, Nonce, Pc, Phase, RECEIPTS, Receipt, Seen, Set, Share, Shown, Sight,
    State, Status, Then, bit,
};

/// What becomes of a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Post {
    /// It is done, and the answer arrives.
    Answered,
    /// It never arrives, and the sender cannot know.
    RequestLost,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// The sender gives up while it is still on its way.
    OnItsWay,
}

impl OperatorModel {
    /// What the service's list shows now, and what the operator knows by now that must be in it.
    pub fn listed(&self, s: &State, worker: Worker, nonce: Nonce, sight: Sight) -> List {
        let shown = (0..).zip(&s.receipts);
        let shown = shown.filter(|(_, receipt)| receipt.is_some() && sight != Sight::Old);
        List {
            receipts: shown.fold(0, |set, (number, _)| set | bit(number)),
            sight,
            expected: self.expected(s, worker.operator),
            settled: s.operators[worker.operator].settled & bit(nonce) != 0,
        }
    }

    /// The receipts of the account that an operator's cache knows.
    pub fn expected(&self, s: &State, operator: usize) -> Set {
        let known = (0..2).filter(|share| self.mails(*share));
        let known = known.filter_map(|share| s.ledger_of(operator, share)?.entry.receipt());
        known.fold(0, |set, receipt| set | bit(receipt))
    }

    /// Checks the deadline and POSTs.
    pub fn post(&self, s: &mut State, worker: Worker, seen: Seen, intent: Held, post: Post) {
        let nonce = intent.entry.intent().expect("a POST has an intent");
        let was = intent.entry.phase;
        if s.attempt(nonce).age != Age::Young {
            // Past the deadline nothing is handed over: a definite no.
            return s.go(worker, Pc::Record(Some(seen), was, Phase::Idle));
        }
        self.hand_over(s, nonce);
        match post {
            Post::Answered => {
                let Some(receipt) = s.commit(nonce) else { return };
                let link = Link {
                    nonce,
                    receipt,
                    keyed: true,
                };
                self.answered(s, worker, seen, intent, link);
            }
            Post::RequestLost => self.round(s, worker, seen),
            Post::AnswerLost => {
                s.commit(nonce);
                self.round(s, worker, seen);
            }
            Post::OnItsWay => {
                s.attempt_mut(nonce).on_wire = true;
                self.round(s, worker, seen);
            }
        }
    }

    fn answered(&self, s: &mut State, worker: Worker, seen: Seen, intent: Held, link: Link) {
        let phase = Phase::Shared(link);
        let entry = Entry {
            phase,
            ..intent.entry
        };
        match self.mutation {
            Some(Mutation::PostFirst) => {
                let expected = Some(intent.version).filter(|version| *version > 0);
                return s.go(worker, Pc::Write(Some(seen), expected, entry, Then::Again));
            }
            Some(Mutation::StatusFirst) => {
                let status = real::status(self.mails(worker.share), &seen.share, Some(&entry));
                s.patch(worker.share, &seen, &status, true);
            }
            _ => {}
        }
        s.go(worker, Pc::Record(Some(seen), intent.entry.phase, phase));
    }

    fn hand_over(&self, s: &mut State, nonce: Nonce) {
        let attempt = s.attempt_mut(nonce);
        let (twice, intended) = (attempt.posted, attempt.intended);
        attempt.posted = true;
        let (request, share) = (attempt.request, usize::from(attempt.share));
        s.broken.posted_twice |= twice;
        s.broken.post_without_intent |= !intended;
        s.broken.not_asked_for |= request.epoch >= s.asked[share];
    }
}

impl State {
    /// The service does what a POST asks for.
    pub fn commit(&mut self, nonce: Nonce) -> Option<u8> {
        let Some(free) = (0..RECEIPTS).find(|number| self.receipts[*number].is_none()) else {
            self.broken.out_of_numbers = true;
            return None;
        };
        let attempt = self.attempt(nonce);
        self.receipts[free] = Some(Receipt {
            nonce,
            share: attempt.share,
            request: attempt.request,
            life: Life::Alive,
            claimed_for: None,
            published: false,
            key_lost: false,
            revoked: false,
            too_late: attempt.too_late,
        });
        u8::try_from(free).ok()
    }

    /// Burns a link if it lives; how it ended in the end.
    pub fn quench(&mut self, receipt: u8) -> Life {
        let receipt = self.receipt_mut(receipt);
        if receipt.life == Life::Alive {
            receipt.life = Life::Burned;
        }
        receipt.life
    }

    /// Writes an entry; what was to be compared is compared already.
    pub fn put(&mut self, worker: Worker, mut entry: Entry) -> Held {
        // `Entry::following`.
        if let Some(before) = self.ledger[self.place(worker.operator, worker.share)] {
            entry.resolved |= before.entry.attempts() & !entry.attempts();
        }
        let held = Held {
            version: self.next_version(),
            entry,
        };
        let place = self.place(worker.operator, worker.share);
        self.ledger[place] = Some(held);
        if let Some(nonce) = entry.intent() {
            self.attempt_mut(nonce).intended = true;
        }
        self.remember(worker);
        held
    }

    /// `write_status`: a merge patch that holds for the share as it was seen, or when `blind` for its uid.
    pub fn patch(&mut self, share: u8, seen: &Seen, wanted: &Status, blind: bool) {
        let fits = |live: &&mut Share| live.uid == seen.share.uid && (blind || **live == seen.share);
        let Some(live) = self.shares[usize::from(share)].as_mut().filter(fits) else {
            return;
        };
        let before = &seen.share.status;
        // What the writer saw and does not want is set to null; what it never saw stays.
        let status = Status {
            generation: wanted.generation,
            told: wanted.told.or(live.status.told.filter(|_| before.told.is_none())),
            link: wanted.link.or(live.status.link.filter(|_| before.link.is_none())),
            shown: wanted.shown,
        };
        self.broken.contradicted |= wanted.shown == Shown::Other
            && live.status.generation >= wanted.generation
            && live.status.shown != Shown::Other;
        live.status = status;
        self.publish(&status);
    }

    fn publish(&mut self, status: &Status) {
        if let Some(link) = status.link {
            self.receipt_mut(link).published = true;
        }
        let Some((_, nonce)) = status.told else { return };
        let attempt = self.attempt_mut(nonce);
        let came_back = attempt.ended && status.shown == Shown::Shared;
        attempt.ended |= status.shown.is_over();
        self.broken.came_back |= came_back;
    }
}
