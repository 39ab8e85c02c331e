//! Who waits at one gate: in turn by namespace, in order within one. Knows nothing of rates and places. PURE.

use crate::ledger::Owner;
use crate::ring::{Ring, Waiting};
use std::collections::VecDeque;

/// So many of one namespace that cannot go are passed over in one look. Each is blocked by an attempt under way, and of
/// those there are fewer.
const PASSED_OVER: usize = 64;

/// One that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Lower ones came earlier.
    pub(super) number: u64,
    pub(super) owner: Owner,
}

/// Those of one namespace. Each line is in order.
#[derive(Debug, Default)]
struct Lines {
    plain: VecDeque<Ticket>,
    mailed: VecDeque<Ticket>,
}

impl Waiting for Lines {
    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.mailed.is_empty()
    }
}

impl Lines {
    fn line(&mut self, mails: bool) -> &mut VecDeque<Ticket> {
        match mails {
            true => &mut self.mailed,
            false => &mut self.plain,
        }
    }

    fn len(&self) -> usize {
        self.plain.len() + self.mailed.len()
    }

    fn before(&self, number: u64) -> usize {
        let before = |line: &VecDeque<Ticket>| line.partition_point(|ticket| ticket.number < number);
        before(&self.plain) + before(&self.mailed)
    }

    /// The earliest that may go. Those that are no more are dropped on the way, and told.
    fn take(
        &mut self,
        mails: bool,
        verdict: &impl Fn(&Owner) -> Verdict,
        gone: &mut Vec<Owner>,
    ) -> Option<Ticket> {
        let mut first = |line: &mut VecDeque<Ticket>| {
            let mut at = 0;
            while at < line.len().min(PASSED_OVER) {
                match verdict(&line[at].owner) {
                    Verdict::Go => return Some((line[at].number, at)),
                    Verdict::Blocked => at += 1,
                    Verdict::Gone => gone.extend(line.remove(at).map(|ticket| ticket.owner)),
                }
            }
            None
        };
        let plain = first(&mut self.plain);
        let mailed = if mails { first(&mut self.mailed) } else { None };
        match (plain, mailed) {
            (Some((plain, at)), Some((mailed, _))) if plain < mailed => self.plain.remove(at),
            (_, Some((_, at))) => self.mailed.remove(at),
            (Some((_, at)), None) => self.plain.remove(at),
            (None, None) => None,
        }
    }
}

/// Whether one that waits may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// Not yet.
    Blocked,
    /// It is no more.
    Gone,
}

/// All that wait at one gate.
#[derive(Debug, Default)]
pub(super) struct Tickets(Ring<String, Lines>);

impl Tickets {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one waits whose link is to be mailed.
    pub(super) fn has_mailed(&self) -> bool {
        self.0.values().any(|lines| !lines.mailed.is_empty())
    }

    /// Whether one waits whose link is not to be mailed.
    pub(super) fn has_plain(&self) -> bool {
        self.0.values().any(|lines| !lines.plain.is_empty())
    }

    pub(super) fn add(&mut self, ticket: Ticket, mails: bool) {
        let line = self.0.entry(&ticket.owner.namespace).line(mails);
        let at = line.partition_point(|other| other.number < ticket.number);
        line.insert(at, ticket);
    }

    pub(super) fn remove(&mut self, owner: &Owner, number: u64) {
        self.0.take_out(&owner.namespace, |lines| {
            for line in [&mut lines.plain, &mut lines.mailed] {
                let at = line.partition_point(|ticket| ticket.number < number);
                if line.get(at).is_some_and(|ticket| ticket.number == number) {
                    line.remove(at);
                }
            }
        });
    }

    /// Takes the next that may go. `namespace_may` says whether one of a namespace may, `mails` whether mails may be
    /// sent, and `verdict` whether this one may. Those that are gone are put into `gone`.
    pub(super) fn next(
        &mut self,
        mails: bool,
        namespace_may: impl Fn(&str) -> bool,
        verdict: impl Fn(&Owner) -> Verdict,
        gone: &mut Vec<Owner>,
    ) -> Option<Ticket> {
        self.0.next(|namespace, lines| {
            if namespace_may(namespace) {
                lines.take(mails, &verdict, gone)
            } else {
                None
            }
        })
    }

    /// How many go before this one, if each takes its turn.
    pub(super) fn before(&self, owner: &Owner, number: u64) -> usize {
        let Some(own) = self.0.get(&owner.namespace) else {
            return 0;
        };
        let ahead = own.before(number);
        let all: usize = self.0.values().map(|lines| lines.len().min(ahead + 1)).sum();
        // Its own namespace was counted with itself.
        all.saturating_sub(own.len().min(ahead + 1)) + ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(number: u64, namespace: &str) -> Ticket {
        Ticket {
            number,
            owner: Owner {
                namespace: namespace.into(),
                name: number.to_string(),
            },
        }
    }

    fn tickets(all: &[(u64, &str, bool)]) -> Tickets {
        let mut tickets = Tickets::default();
        for (number, namespace, mails) in all {
            tickets.add(ticket(*number, namespace), *mails);
        }
        tickets
    }

    fn next(tickets: &mut Tickets, mails: bool, verdict: impl Fn(&Owner) -> Verdict) -> Option<u64> {
        let next = tickets.next(mails, |_| true, verdict, &mut Vec::new());
        next.map(|ticket| ticket.number)
    }

    #[test]
    fn namespaces_take_turns_and_each_keeps_its_order() {
        let mut all = tickets(&[
            (1, "a", false),
            (2, "a", true),
            (3, "a", false),
            (4, "b", true),
            (5, "b", false),
        ]);
        assert_eq!(all.before(&ticket(3, "a").owner, 3), 4);
        assert_eq!(all.before(&ticket(5, "b").owner, 5), 3);
        let order: Vec<_> = std::iter::from_fn(|| next(&mut all, true, |_| Verdict::Go)).collect();
        assert_eq!(order, [1, 4, 2, 5, 3]);
        assert!(all.is_empty());
    }

    #[test]
    fn mails_that_may_not_go_hold_up_nobody() {
        let mut all = tickets(&[(1, "a", true), (2, "a", true), (3, "a", false)]);
        assert_eq!(next(&mut all, false, |_| Verdict::Go), Some(3));
        assert_eq!(next(&mut all, false, |_| Verdict::Go), None);
        assert!(all.has_mailed() && !all.has_plain());
        assert_eq!(next(&mut all, true, |_| Verdict::Go), Some(1));
    }

    #[test]
    fn a_blocked_one_keeps_its_place_and_one_that_is_gone_loses_it() {
        let mut all = tickets(&[(1, "a", true), (2, "a", true), (3, "a", true)]);
        let verdict = |owner: &Owner| match &*owner.name {
            "1" => Verdict::Gone,
            "2" => Verdict::Blocked,
            _ => Verdict::Go,
        };
        let mut gone = Vec::new();
        let taken = all.next(true, |_| true, verdict, &mut gone);
        assert_eq!((taken, gone), (Some(ticket(3, "a")), vec![ticket(1, "a").owner]));
        assert_eq!(next(&mut all, true, |_| Verdict::Go), Some(2));
        assert!(all.is_empty());
    }

    #[test]
    fn one_that_leaves_is_out_of_the_line() {
        let mut all = tickets(&[(1, "a", true), (2, "a", false)]);
        all.remove(&ticket(1, "a").owner, 1);
        all.remove(&ticket(7, "b").owner, 7);
        assert_eq!(next(&mut all, true, |_| Verdict::Go), Some(2));
        assert_eq!(next(&mut all, true, |_| Verdict::Go), None);
    }
}
