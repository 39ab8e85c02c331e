//! The ledger: one Secret per share in the operator's own namespace, the only durable truth about what was sent.
//!
//! Every write is a compare-and-swap with the resourceVersion that was read. A stale cache, a second replica or a
//! deposed leader loses that race, and so can never send.

mod claims;
mod codec;
mod entry;
mod hidden;
mod memory;
mod store;

pub use codec::CodecError;
pub use entry::{
    Attempt, BurnReason, Burning, ContentMark, Ending, Entry, FORMAT, Finished, MAX_PAST, MAX_SUPERSEDED,
    Owner, Phase, Recipient, RequestKey, Retry, Route, Share, ShareFacts, Undelivered, key_hash, lane,
    short_hash,
};
pub use hidden::Hidden;
pub(crate) use store::random_id;
pub use store::{Ledger, LedgerError, Versioned};
