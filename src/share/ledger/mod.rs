//! The ledger: one Secret per share in the operator's own namespace, the only durable truth about what was sent.
//!
//! Every write is a compare-and-swap with the resourceVersion that was read. A stale cache, a second replica or a
//! deposed leader loses that race, and so can never send.

mod attempt;
mod claims;
mod codec;
mod entry;
mod hidden;
mod link;
mod memory;
mod store;

pub use attempt::{Attempt, Recipient, Route, lane};
pub use codec::{CodecError, decode, encode};
pub use entry::{
    ContentMark, Entry, FORMAT, MAX_PAST, MAX_SUPERSEDED, Owner, Phase, RequestKey, Retry, short_hash,
};
pub use hidden::Hidden;
pub use link::{BurnReason, Burning, Ending, Finished, Share, ShareFacts, Undelivered, key_hash};
pub(crate) use store::random_id;
pub use store::{Ledger, LedgerError, Versioned};
