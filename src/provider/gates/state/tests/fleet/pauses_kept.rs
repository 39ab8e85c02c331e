//! Watches whether an operator asks an account that it knows to be paused.

use super::super::super::{Kind, Outcome};
use super::service::Caller;
use std::collections::HashMap;
use std::time::Duration;

/// The service never wants to be asked again sooner.
const SHORTEST: Duration = Duration::from_secs(10);

/// What one operator knows of a refusal.
#[derive(Debug, Default)]
struct Known {
    until: Duration,
    /// How many requests are under way that were sent since.
    asking: u32,
}

/// Which limits were known when a request was sent.
pub(super) type Despite = [bool; 2];

/// What all operators know, each by its number, and what they did in spite of it.
#[derive(Debug, Default)]
pub(super) struct PausesKept {
    known: HashMap<(usize, Caller, Kind), Known>,
    /// Requests that were sent before the pause was over.
    pub(super) too_soon: u32,
    /// The most that one operator sent at once to an account after a refusal and before the next link.
    pub(super) most_at_once: u32,
}

/// The limits that a request may meet, of which the last one is learned from.
fn kinds(mails: bool) -> [Option<Kind>; 2] {
    match mails {
        true => [Some(Kind::Create), Some(Kind::Mail)],
        false => [None, Some(Kind::Create)],
    }
}

impl PausesKept {
    /// A request is sent.
    pub(super) fn sent(&mut self, operator: usize, caller: &Caller, mails: bool, now: Duration) -> Despite {
        kinds(mails).map(|kind| {
            let Some(known) = kind.and_then(|kind| self.known.get_mut(&(operator, caller.clone(), kind)))
            else {
                return false;
            };
            known.asking += 1;
            self.most_at_once = self.most_at_once.max(known.asking);
            if now < known.until {
                self.too_soon += 1;
            }
            true
        })
    }

    /// Its answer came.
    pub(super) fn answered(
        &mut self,
        (operator, caller, mails): (usize, &Caller, bool),
        despite: Despite,
        outcome: Outcome,
        now: Duration,
    ) {
        for (kind, despite) in kinds(mails).into_iter().zip(despite) {
            let Some(kind) = kind else { continue };
            let key = (operator, caller.clone(), kind);
            if despite && let Some(known) = self.known.get_mut(&key) {
                known.asking = known.asking.saturating_sub(1);
            }
            match outcome {
                Outcome::Limited(asked) if mails == (kind == Kind::Mail) => {
                    let pause = Duration::from_secs(asked.unwrap_or_default()).max(SHORTEST);
                    let known = self.known.entry(key).or_default();
                    known.until = known.until.max(now + pause);
                }
                Outcome::Answered if despite => drop(self.known.remove(&key)),
                _ => {}
            }
        }
    }
}
