//! The ledger: one Secret per share in a namespace of the operator's own, the only durable truth about what was sent.
//!
//! Every write is a compare-and-swap with the resourceVersion that was read. A stale cache, a second replica or a
//! deposed leader loses that race, and so can never send.

mod attempt;
mod claims;
mod codec;
mod entry;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod hash;
mod index;
mod interned;
mod lane_watch;
mod lanes;
mod line;
mod link;
mod living;
mod queries;
mod reach;
pub mod rebuild;
mod record;
mod retry;
mod secret_text;
mod shards;
mod store;
pub mod transition;
mod versioned;

pub use attempt::{Attempt, BootTime, Recipient, Route, SLACK, lane, slack_seconds};
pub use codec::{CodecError, decode, encode};
pub use entry::{
    ContentMark, Entry, FORMAT, MAX_PAST, MAX_RESOLVED, MAX_SUPERSEDED, Owner, Phase, RequestKey,
};
pub use hash::{key_hash, link_hash, random_id, short_hash};
pub use index::Vanished;
pub use interned::KnownRoute;
pub use line::{KeyHash, Line, LinkLine, Stage};
pub use link::{BurnReason, Burning, Ending, Finished, Link, LinkFacts, Undelivered};
pub use living::Place;
pub use retry::{LONGEST_UNRECORDED, Retry};
pub use secret_text::SecretText;
pub use store::{Ledger, LedgerError, OnWrite};
pub use versioned::Versioned;
