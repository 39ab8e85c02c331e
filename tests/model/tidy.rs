//! One form for states that differ only in names: versions become ranks, numbers of attempts that nothing speaks of
//! any more are free again, and the two operators, who run the same program, are put in order.

use super::state::{
    Age, Entry, Held, NONCES, Nonce, Pc, Phase, Request, Seen, Set, Share, State, Status, Version, bit,
};

impl State {
    pub fn tidy(&mut self) {
        self.rank_versions();
        self.forget_what_never_was();
        self.forget_resolved();
        self.free_attempts();
        if self.operators[0] > self.operators[1] {
            self.operators.swap(0, 1);
        }
    }

    fn rank_versions(&mut self) {
        let mut used = [false; 64];
        self.each_version(&mut |version| used[usize::from(*version)] = true);
        let mut rank = [0; 64];
        let mut next = 0;
        for (version, used) in used.iter().enumerate() {
            next += u8::from(*used);
            rank[version] = next;
        }
        self.each_version(&mut |version| *version = rank[usize::from(*version)]);
    }

    /// Every version that anybody holds.
    pub fn each_version(&mut self, visit: &mut impl FnMut(&mut Version)) {
        let held = |held: &mut Option<Held>, visit: &mut dyn FnMut(&mut Version)| {
            held.iter_mut().for_each(|held| visit(&mut held.version));
        };
        for entry in &mut self.ledger {
            held(entry, visit);
        }
        for operator in &mut self.operators {
            for entry in operator.old_ledger.iter_mut().flat_map(|old| old.iter_mut()) {
                held(entry, visit);
            }
            for task in operator.tasks.iter_mut().flatten() {
                versions_of(&mut task.pc, visit);
            }
        }
    }

    /// Of the resolved attempts only those can be looked up which a status names as of the entry's request, or may name
    /// when somebody shows the entry that he holds.
    fn forget_resolved(&mut self) {
        let mut told = Vec::new();
        told.extend(self.shares.iter().flatten().filter_map(|share| share.status.told));
        for operator in &self.operators {
            let old = operator.old_shares.iter().flat_map(|old| old.iter().flatten());
            told.extend(old.filter_map(|share| share.status.told));
            let old = operator.old_ledger.iter().flat_map(|old| old.iter().flatten());
            told.extend(old.filter_map(|held| may_be_told(&held.entry)));
            for task in operator.tasks.iter().flatten() {
                told.extend(told_to(&task.pc));
            }
        }
        self.each_entry(&mut |entry| {
            let named = told.iter().filter(|(request, _)| *request == entry.request);
            entry.resolved &= named.fold(0, |set, (_, nonce)| set | bit(*nonce));
        });
    }

    /// An attempt that was not found and left nothing is kept until its link would be dead. Nothing comes of it until then,
    /// so that time passes at once.
    fn forget_what_never_was(&mut self) {
        let may_turn_up = |nonce: Nonce| {
            let mut receipts = self.receipts.iter().flatten();
            self.tries[usize::from(nonce)].is_some_and(|attempt| attempt.on_wire)
                || receipts.any(|receipt| receipt.nonce == nonce)
        };
        let dead = (0..NONCES as Nonce).filter(|nonce| !may_turn_up(*nonce));
        let dead: Set = dead.fold(0, |set, nonce| set | bit(nonce));
        self.each_entry(&mut |entry| {
            entry.resolved |= dead & entry.found_none;
            entry.superseded &= !(dead & entry.found_none);
            entry.found_none &= !dead;
        });
    }

    /// Every entry that anybody holds.
    fn each_entry(&mut self, visit: &mut impl FnMut(&mut Entry)) {
        self.ledger
            .iter_mut()
            .flatten()
            .for_each(|held| visit(&mut held.entry));
        for operator in &mut self.operators {
            let old = operator.old_ledger.iter_mut().flat_map(|old| old.iter_mut());
            old.flatten().for_each(|held| visit(&mut held.entry));
            for task in operator.tasks.iter_mut().flatten() {
                if let Some(entry) = entry_in(&mut task.pc) {
                    visit(entry);
                }
            }
        }
    }

    fn free_attempts(&mut self) {
        let open = self.open_attempts();
        let known = open | self.told_attempts();
        for nonce in 0..NONCES as Nonce {
            let slot = &mut self.tries[usize::from(nonce)];
            let Some(attempt) = slot else { continue };
            if attempt.on_wire || open & bit(nonce) != 0 {
                continue;
            }
            if known & bit(nonce) == 0 {
                *slot = None;
            } else {
                // Nothing can happen to it any more, so its age says nothing.
                attempt.age = Age::Young;
                attempt.intended = false;
                attempt.posted = false;
            }
        }
        for operator in &mut self.operators {
            operator.found_none &= open;
            operator.settled &= open;
        }
    }

    /// The attempts that some entry or copy of one holds as unresolved.
    fn open_attempts(&self) -> Set {
        let mut open = self
            .ledger
            .iter()
            .flatten()
            .fold(0, |set, held| set | unresolved(&held.entry));
        for operator in &self.operators {
            let old = operator.old_ledger.iter().flat_map(|old| old.iter().flatten());
            open |= old.fold(0, |set, held| set | unresolved(&held.entry));
            open |= operator
                .tasks
                .iter()
                .flatten()
                .fold(0, |set, task| set | open_in(&task.pc));
        }
        open
    }

    /// The attempts that a link, a status or the service speaks of.
    fn told_attempts(&self) -> Set {
        let mut told = 0;
        for receipt in self.receipts.iter().flatten() {
            told |= bit(receipt.nonce) | receipt.claimed_for.map_or(0, bit);
        }
        for share in self.shares.iter().flatten() {
            told |= told_in(share);
        }
        self.ledger
            .iter()
            .flatten()
            .for_each(|held| told |= settled(&held.entry.phase));
        for operator in &self.operators {
            if let Some(old) = &operator.old_ledger {
                old.iter()
                    .flatten()
                    .for_each(|held| told |= settled(&held.entry.phase));
            }
            if let Some(old) = &operator.old_shares {
                old.iter().flatten().for_each(|share| told |= told_in(share));
            }
            for task in operator.tasks.iter().flatten() {
                told |= told_by(&task.pc);
            }
        }
        told
    }
}

fn entry_in(pc: &mut Pc) -> Option<&mut Entry> {
    match pc {
        Pc::Lane(_, held)
        | Pc::Post(_, held)
        | Pc::List(_, held)
        | Pc::Listed(_, held, _)
        | Pc::Claim(_, held, _)
        | Pc::Burn(_, held)
        | Pc::Gone(held)
        | Pc::Seek(held, _)
        | Pc::Sought(held, ..)
        | Pc::Quench(held, ..) => Some(&mut held.entry),
        Pc::Write(_, _, written, _) => Some(written),
        Pc::Record(..) | Pc::ReadShare(_) | Pc::Occupy(_) | Pc::Show(..) | Pc::Remove(_) => None,
    }
}

fn unresolved(entry: &Entry) -> Set {
    entry.superseded | entry.intent().map_or(0, bit)
}

fn open_in(pc: &Pc) -> Set {
    match pc {
        Pc::Lane(_, held)
        | Pc::Post(_, held)
        | Pc::List(_, held)
        | Pc::Listed(_, held, _)
        | Pc::Claim(_, held, _)
        | Pc::Burn(_, held)
        | Pc::Gone(held)
        | Pc::Seek(held, _)
        | Pc::Sought(held, ..)
        | Pc::Quench(held, ..) => unresolved(&held.entry),
        Pc::Write(_, _, written, _) => unresolved(written),
        Pc::Record(_, Phase::Intent { nonce, .. }, _) => bit(*nonce),
        Pc::Record(..) | Pc::ReadShare(_) | Pc::Occupy(_) | Pc::Show(..) | Pc::Remove(_) => 0,
    }
}

fn told_in(share: &Share) -> Set {
    told_by_status(&share.status) | share.burn.map_or(0, bit)
}

fn told_by_status(status: &Status) -> Set {
    status.told.map_or(0, |(_, nonce)| bit(nonce))
}

fn settled(phase: &Phase) -> Set {
    match phase {
        Phase::Idle | Phase::Intent { .. } => 0,
        Phase::Shared(link) | Phase::Burning(link, _) => bit(link.nonce),
        Phase::Finished { nonce, .. } => bit(*nonce),
    }
}

/// What a status says that shows an entry with an attempt without an outcome.
fn may_be_told(entry: &Entry) -> Option<(Request, Nonce)> {
    entry.intent().map(|nonce| (entry.request, nonce))
}

/// What the statuses in a task name, or those that may come of it.
fn told_to(pc: &Pc) -> Vec<(Request, Nonce)> {
    let seen = |seen: &Option<Seen>| seen.and_then(|seen| seen.share.status.told);
    let told = match pc {
        Pc::Occupy(view) => [view.share.status.told, None],
        Pc::Show(view, status) => [view.share.status.told, status.told],
        Pc::Lane(view, held) | Pc::Post(view, held) => [view.share.status.told, may_be_told(&held.entry)],
        Pc::Write(view, _, entry, _) => [seen(view), may_be_told(entry)],
        Pc::List(view, held)
        | Pc::Listed(view, held, _)
        | Pc::Claim(view, held, _)
        | Pc::Burn(view, held) => [seen(view), may_be_told(&held.entry)],
        Pc::Record(view, ..) => [seen(view), None],
        Pc::ReadShare(_) | Pc::Gone(_) | Pc::Remove(_) | Pc::Seek(..) | Pc::Sought(..) | Pc::Quench(..) => {
            [None, None]
        }
    };
    told.into_iter().flatten().collect()
}

fn told_by(pc: &Pc) -> Set {
    let seen = |seen: &Option<Seen>| seen.map_or(0, |seen| told_in(&seen.share));
    match pc {
        Pc::Occupy(view) => told_in(&view.share),
        Pc::Show(view, status) => told_in(&view.share) | told_by_status(status),
        Pc::Write(view, _, entry, _) => seen(view) | settled(&entry.phase),
        Pc::Lane(view, held) | Pc::Post(view, held) => told_in(&view.share) | settled(&held.entry.phase),
        Pc::Record(view, was, will) => seen(view) | settled(was) | settled(will),
        Pc::List(view, held)
        | Pc::Listed(view, held, _)
        | Pc::Claim(view, held, _)
        | Pc::Burn(view, held) => seen(view) | settled(&held.entry.phase),
        Pc::Gone(held) | Pc::Seek(held, _) | Pc::Sought(held, ..) | Pc::Quench(held, ..) => {
            settled(&held.entry.phase)
        }
        Pc::ReadShare(_) | Pc::Remove(_) => 0,
    }
}

fn versions_of(pc: &mut Pc, visit: &mut impl FnMut(&mut Version)) {
    let seen = |seen: &mut Seen, visit: &mut dyn FnMut(&mut Version)| {
        if let Some(Some(version)) = &mut seen.after {
            visit(version);
        }
    };
    match pc {
        Pc::Show(view, _) | Pc::Occupy(view) => seen(view, visit),
        Pc::ReadShare(version) => version.iter_mut().for_each(visit),
        Pc::Write(view, version, _, _) => {
            view.iter_mut().for_each(|view| seen(view, visit));
            version.iter_mut().for_each(visit);
        }
        Pc::Lane(view, held) | Pc::Post(view, held) => {
            seen(view, visit);
            visit(&mut held.version);
        }
        Pc::Record(view, _, _) => view.iter_mut().for_each(|view| seen(view, visit)),
        Pc::List(view, held)
        | Pc::Listed(view, held, _)
        | Pc::Claim(view, held, _)
        | Pc::Burn(view, held) => {
            view.iter_mut().for_each(|view| seen(view, visit));
            visit(&mut held.version);
        }
        Pc::Gone(held) | Pc::Seek(held, _) | Pc::Sought(held, ..) | Pc::Quench(held, ..) => {
            visit(&mut held.version);
        }
        Pc::Remove(version) => visit(version),
    }
}
