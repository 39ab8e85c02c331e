//! The entry that a reconcile begins with. One that another shard wrote is taken first: from then on the poll of this shard
//! follows its link.

use crate::ledger::{Owner, Versioned};
use crate::share::context::Context;
use crate::share::error::Failure;

/// What the ledger holds for a share.
pub(super) enum Found {
    /// Its entry, if there is one.
    Entry(Box<Option<Versioned>>),
    /// Nothing for this shard: the share is another one's by now.
    OfAnotherShard,
}

/// Finds the entry of a share, and takes it when another shard wrote it.
///
/// # Errors
/// [`Failure`]: a conflict when somebody else was faster.
pub(super) async fn find(context: &Context, owner: &Owner) -> Result<Found, Failure> {
    let read = match context.ledger.find(owner).await? {
        Some(read) if read.is_of_another_shard() => read,
        read => return Ok(Found::Entry(Box::new(read))),
    };
    // The cache of shares may be behind: two shards would take the entry from each other until it is not.
    if context.live_share(owner).await?.is_none() {
        return Ok(Found::OfAnotherShard);
    }
    context.may_begin()?;
    let taken = step!("take", context.ledger.take(&read))?;
    tracing::info!("the share came from another shard; its ledger entry was taken");
    Ok(Found::Entry(Box::new(Some(taken))))
}
