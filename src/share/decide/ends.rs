//! How a link's life ended, as far as anybody can tell: PURE.
//!
//! An end is what the service says. Our clock ends nothing: it may be stepped, and the service's may be another. Where the
//! service cannot be asked, the end is unknown until the receipt itself must be gone, after twice the lifetime.

#[cfg(feature = "mutants")]
mod mutated;
mod rules;

#[cfg(feature = "mutants")]
pub use mutated::judge;
#[cfg(not(feature = "mutants"))]
pub use rules::judge;
pub use rules::{SILENCE, is_past_its_ttl};

use crate::ledger::Ending;
use crate::onetime::{Receipt, RecentReceipt, State};
use jiff::Timestamp;
use std::time::Duration;

/// What was heard of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The service says how its life ended, and since when where it tells.
    Over(Ending, Option<Timestamp>),
    /// Its own receipt says that it lives. A list is not enough: v0.23 lists an expired link as new.
    Lives,
    /// The service does not know its receipt, or not any more.
    Gone,
    /// It was asked for in vain, or cannot be asked for.
    Failed,
    /// Nobody asked.
    NotAsked,
}

impl Word {
    /// What a look at the single receipt says. A state that nobody knows says nothing.
    #[must_use]
    pub fn of_receipt(receipt: &Receipt) -> Self {
        match receipt.state {
            State::New | State::Viewed => Self::Lives,
            State::Orphaned | State::Other(_) => Self::Failed,
            _ => {
                let at = receipt.received_at.or(receipt.updated_at);
                Self::of_final(&receipt.state, at)
            }
        }
    }

    /// What a look at the receipt of a link says that could not be burned, because the service knows no such secret.
    #[must_use]
    pub fn of_unburnable(receipt: &Receipt) -> Self {
        match receipt.state {
            // Its secret is gone, and nobody received it.
            State::Orphaned => Self::Over(Ending::Burned, receipt.updated_at),
            _ => Self::of_receipt(receipt),
        }
    }

    /// What an entry of the list says: only ends count.
    #[must_use]
    pub fn of_listed(receipt: &RecentReceipt) -> Self {
        let at = receipt.received_at.or(receipt.burned_at).or(receipt.updated_at);
        Self::of_final(&receipt.state, at)
    }

    fn of_final(state: &State, at: Option<Timestamp>) -> Self {
        match state {
            State::Received => Self::Over(Ending::Received, at),
            State::Burned => Self::Over(Ending::Burned, at),
            State::Expired => Self::Over(Ending::Expired, None),
            State::New | State::Viewed | State::Orphaned | State::Other(_) => Self::NotAsked,
        }
    }
}

/// What time it is, and for how long nothing was heard.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// Our wall clock. It may be stepped.
    pub ours: Timestamp,
    /// The service's clock, where it told it a moment ago.
    pub service: Option<Timestamp>,
    /// For how long this process has asked in vain, by the boot-time clock.
    pub silent_for: Duration,
}

impl Clocks {
    /// Whether any of them is past a time.
    #[must_use]
    pub fn any_is_past(&self, time: Timestamp) -> bool {
        self.ours >= time || self.service.is_some_and(|now| now >= time)
    }
}

/// What follows for the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its life ended like this, at this time.
    Ended(Ending, Timestamp),
    /// It lives, whatever our clock says.
    Lives,
    /// Its time is over, or the service does not know it, and nobody can say how it ended.
    Unknown,
    /// Nothing new.
    Open,
}

#[cfg(test)]
mod tests;
