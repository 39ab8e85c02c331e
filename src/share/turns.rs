//! How many shares are worked on at once, and who is next: in turn by namespace, and within one by provider, so that
//! nobody waits behind the thousand shares of somebody else. Knows nothing of what is done in a turn.

use crate::provider::ProviderId;
use crate::ring::Ring;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Where a share of a namespace waits. The lines take turns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// A place to send is kept for it.
    Called,
    /// It was worked on before: an edit, an end, a burn.
    Known,
    /// It is new, for this provider.
    New(ProviderId),
}

/// The turns.
#[derive(Clone)]
pub struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    waiting: Ring<String, Ring<Line, VecDeque<oneshot::Sender<Turn>>>>,
    is_closed: bool,
}

/// The right to work on a share. Others go on when it is dropped, or left.
pub struct Turn {
    turns: Turns,
    is_held: AtomicBool,
}

impl Turns {
    /// So many at once.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: at_once.max(1),
            waiting: Ring::default(),
            is_closed: false,
        })))
    }

    /// Waits for a turn. None when there are no more.
    pub async fn enter(&self, namespace: &str, line: Line) -> Option<Turn> {
        let turn = {
            let mut state = self.lock();
            if state.is_closed {
                return None;
            }
            let (sender, turn) = oneshot::channel();
            state
                .waiting
                .entry(&namespace.to_owned())
                .entry(&line)
                .push_back(sender);
            turn
        };
        self.pass_on();
        turn.await.ok()
    }

    /// Nobody gets a turn any more, also not those that wait.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.waiting = Ring::default();
    }

    /// Gives the free turns to those that wait.
    fn pass_on(&self) {
        loop {
            let next = {
                let mut state = self.lock();
                if state.free == 0 {
                    return;
                }
                let next = state
                    .waiting
                    .next(|_, lines| lines.next(|_, line| line.pop_front()));
                let Some(next) = next else { return };
                state.free -= 1;
                next
            };
            let turn = Turn {
                turns: self.clone(),
                is_held: AtomicBool::new(true),
            };
            // One that does not wait any more gives its turn back here, without another round of this.
            if let Err(turn) = next.send(turn) {
                turn.is_held.store(false, Ordering::Relaxed);
                self.lock().free += 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Lets others go on: what follows waits for a service.
    pub fn leave(&self) {
        if self.is_held.swap(false, Ordering::Relaxed) {
            self.turns.lock().free += 1;
            self.turns.pass_on();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use futures::stream::{FuturesUnordered, StreamExt as _};

    fn new(provider: &str) -> Line {
        Line::New(ProviderId {
            namespace: None,
            name: provider.into(),
        })
    }

    #[tokio::test]
    async fn nobody_waits_behind_the_many_of_another() {
        let turns = Turns::new(1);
        let first = turns.enter("many", new("slow")).await.expect("a turn");
        let mut waiting = FuturesUnordered::new();
        let asks = std::iter::repeat_n(("many", new("slow")), 100).chain([
            ("many", new("quick")),
            ("many", Line::Known),
            ("few", new("slow")),
        ]);
        for (number, (namespace, line)) in asks.enumerate() {
            let turns = &turns;
            waiting.push(async move { (number, turns.enter(namespace, line).await) });
        }
        assert!(waiting.next().now_or_never().is_none(), "one at a time");
        drop(first);
        let mut order = Vec::new();
        while let Some((number, turn)) = waiting.next().await {
            order.push(number);
            drop(turn);
        }
        let at = |number| order.iter().position(|other| *other == number).expect("served");
        assert!(at(100) < 5 && at(101) < 6 && at(102) < 3, "{:?}", &order[..8]);
        assert_eq!(order.len(), 103);
        assert!(at(1) < at(2) && at(2) < at(3), "in order");
    }

    #[tokio::test]
    async fn a_turn_that_is_left_is_for_others() {
        let turns = Turns::new(1);
        let first = turns.enter("a", Line::Known).await.expect("a turn");
        first.leave();
        let second = turns.enter("a", Line::Known).await.expect("a turn");
        drop(first);
        assert!(
            turns.enter("a", Line::Known).now_or_never().is_none(),
            "left once only"
        );
        // The one that gave up does not keep the turn.
        drop(second);
        assert!(turns.enter("a", Line::Known).now_or_never().is_some());
    }

    #[tokio::test]
    async fn those_that_wait_leave_when_it_closes() {
        let turns = Turns::new(1);
        let _first = turns.enter("a", Line::Known).await.expect("a turn");
        let waits = turns.enter("a", Line::Known);
        let closes = async { turns.close() };
        let (waited, ()) = tokio::join!(waits, closes);
        assert!(waited.is_none());
        assert!(turns.enter("a", Line::Known).await.is_none());
    }
}
