//! What a word about a link means at its time: PURE.

use super::{Clocks, Verdict, Word};
use crate::ledger::{Ending, LinkFacts};
use jiff::SignedDuration;
use std::time::Duration;

/// How long the service must have been asked in vain before a clock may say that the receipt is gone: longer than most
/// outages, after which the service says itself how the link ended, and longer than a stepped clock stays wrong where
/// somebody looks after it.
pub const SILENCE: Duration = Duration::from_secs(3600);

/// Judges one link.
#[must_use]
pub fn judge(facts: &LinkFacts, word: &Word, clocks: &Clocks) -> Verdict {
    let expired = Verdict::Ended(Ending::Expired, facts.expires_at);
    match word {
        Word::Over(Ending::Expired, _) => expired,
        Word::Over(how, at) => Verdict::Ended(*how, at.or(clocks.service).unwrap_or(clocks.ours)),
        Word::Lives => Verdict::Lives,
        // A receipt outlives its link: before the link's end something else is wrong, as with a service that lost its data.
        Word::Gone if is_past_its_ttl(facts, clocks) => expired,
        Word::Gone => Verdict::Unknown,
        Word::Failed if receipt_is_over(facts, clocks) => expired,
        Word::Failed if is_past_its_ttl(facts, clocks) => Verdict::Unknown,
        Word::Failed | Word::NotAsked => Verdict::Open,
    }
}

/// Whether the link's time is over by any clock. That ends nothing; it is when the receipt is looked at.
#[must_use]
pub fn is_past_its_ttl(facts: &LinkFacts, clocks: &Clocks) -> bool {
    clocks.any_is_past(facts.expires_at)
}

/// Whether even the receipt is over, so that nobody will ever say how the link ended.
fn receipt_is_over(facts: &LinkFacts, clocks: &Clocks) -> bool {
    let ttl = facts
        .created_at
        .duration_until(facts.expires_at)
        .max(SignedDuration::ZERO);
    let Ok(end) = facts.expires_at.checked_add(ttl) else {
        return false;
    };
    clocks.service.unwrap_or(clocks.ours) >= end && clocks.silent_for >= SILENCE
}
