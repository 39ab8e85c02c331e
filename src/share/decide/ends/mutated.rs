//! A deliberate mistake about ends, to show that the tests notice it: see `src/mutant.rs`. PURE.

use super::rules;
use super::{Clocks, Verdict, Word};
use crate::ledger::{Ending, LinkFacts};

/// Judges one link, with the mistake that the environment names.
#[must_use]
pub fn judge(facts: &LinkFacts, word: &Word, clocks: &Clocks) -> Verdict {
    let is_told = matches!(word, Word::Over(..));
    if mutant!("expire-by-clock") && !is_told && clocks.ours >= facts.expires_at {
        return Verdict::Ended(Ending::Expired, facts.expires_at);
    }
    rules::judge(facts, word, clocks)
}
