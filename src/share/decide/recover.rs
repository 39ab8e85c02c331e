//! What to do about an attempt whose answer was lost and whose sender certainly sends no more: PURE.
//!
//! Without a recipient nobody holds the lost link, so the request is sent again and the lost link dies by its ttl.
//! With one somebody may have the mail, so the service's list of receipts is asked: exactly one unknown receipt that
//! fits is ours. Nothing is sent again unless two looks, a settling time apart, both found none.

use crate::ledger::{Attempt, Entry, key_hash};
use crate::onetime::{MetadataKey, RecentReceipt};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::time::Duration;

/// How far the clocks of the service, of the attempt's sender and of this process may differ. v0.23 sends no `Date`, so
/// the difference cannot be measured.
pub const SKEW: SignedDuration = SignedDuration::from_secs(300);

/// How a look at the service's list went.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// The whole list was read.
    Found(LookupResult),
    /// The list could not be had, and perhaps can later: an outage, a rate limit, refused credentials.
    NotYet,
    /// The list cannot be trusted or there is none: cut short, too large, unreadable.
    Never,
}

/// What a whole list shows.
#[derive(Clone, Debug, PartialEq)]
pub enum LookupResult {
    /// No unknown receipt fits.
    None,
    /// Exactly one unknown receipt fits.
    One(MetadataKey),
    /// More than one fits: nobody can tell which is ours.
    Several,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// The link is this one.
    Adopt(MetadataKey),
    /// No link of this attempt can be in anybody's hands: send again.
    SendAgain,
    /// Lookup again after this long.
    LookAgain(Duration),
    /// Nobody can tell: a person must act.
    Hold,
}

/// How patient a recovery is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between the two looks that must both find nothing.
    pub settling: Duration,
    /// For how long an unreachable list is asked for, from when the attempt was first seen.
    pub unreachable: Duration,
    /// Between looks at an unreachable list.
    pub interval: Duration,
}

/// What is known about the attempt besides the look.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    /// How long ago an earlier look of this process found none.
    pub found_none: Option<Duration>,
    /// How long this process has known the attempt.
    pub known_for: Duration,
}

/// Decides about an attempt without a recipient, or after a look.
#[must_use]
pub fn resolve(attempt: &Attempt, look: Option<&Lookup>, history: History, patience: Patience) -> Resolution {
    if !attempt.mails() || mutant!("mail-again") {
        return Resolution::SendAgain;
    }
    match look {
        None => Resolution::Hold,
        Some(Lookup::Found(LookupResult::One(key))) => Resolution::Adopt(key.clone()),
        Some(Lookup::Found(LookupResult::Several) | Lookup::Never) => Resolution::Hold,
        Some(Lookup::Found(LookupResult::None)) => match history.found_none {
            None if mutant!("one-look") => Resolution::SendAgain,
            Some(_) if mutant!("no-settling") => Resolution::SendAgain,
            Some(ago) if ago >= patience.settling => Resolution::SendAgain,
            Some(ago) => Resolution::LookAgain(patience.settling.saturating_sub(ago)),
            None => Resolution::LookAgain(patience.settling),
        },
        Some(Lookup::NotYet) if history.known_for >= patience.unreachable => Resolution::Hold,
        Some(Lookup::NotYet) => Resolution::LookAgain(patience.interval),
    }
}

/// What the ledger knows of an account's links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The hashes of the metadata keys of all entries.
    pub keys: HashSet<String>,
    /// Whether another unresolved attempt could have made a receipt that fits this one.
    pub rivals: bool,
}

impl Known {
    /// Gathers what matters for an attempt from the entries of its account.
    #[must_use]
    pub fn gather<'a>(attempt: &Attempt, entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut known = Self::default();
        for entry in entries {
            known.keys.extend(entry.key_hashes());
            known.rivals |= entry
                .unresolved()
                .any(|other| other.nonce != attempt.nonce && other.lane() == attempt.lane());
        }
        known
    }
}

/// Finds the attempt's receipt among those of the account.
#[must_use]
pub fn find(attempt: &Attempt, receipts: &[RecentReceipt], known: &Known) -> LookupResult {
    let mut fitting = receipts
        .iter()
        .filter(|receipt| !known.keys.contains(&key_hash(receipt.metadata_key.expose())))
        .filter(|receipt| fits(attempt, receipt));
    match (fitting.next(), fitting.next()) {
        (None, _) => LookupResult::None,
        // The one that fits may be a rival's.
        (Some(_), None) if known.rivals && !mutant!("ignore-rivals") => LookupResult::Several,
        (Some(only), None) => LookupResult::One(only.metadata_key.clone()),
        (Some(first), Some(_)) if mutant!("pick-first") => LookupResult::One(first.metadata_key.clone()),
        (Some(_), Some(_)) => LookupResult::Several,
    }
}

/// Whether a receipt may be the attempt's. What a list does not tell speaks for neither.
fn fits(attempt: &Attempt, receipt: &RecentReceipt) -> bool {
    let Some(recipient) = &attempt.recipient else {
        return false;
    };
    let mask_fits = receipt
        .recipient
        .iter()
        .any(|mask| recipient.forms.contains(mask));
    // The service clamps silently, only ever down for what the CRD lets ask (v1-share-ttl).
    let ttl_fits = receipt
        .ttl_seconds
        .is_none_or(|granted| granted <= attempt.ttl_seconds);
    let passphrase_fits = receipt
        .passphrase_required
        .is_none_or(|needed| needed == attempt.passphrase.is_some());
    mask_fits && ttl_fits && passphrase_fits && in_window(attempt, receipt.created_at)
}

fn in_window(attempt: &Attempt, created_at: Timestamp) -> bool {
    let deadline = SignedDuration::from_secs(i64::try_from(attempt.deadline_seconds).unwrap_or(i64::MAX));
    let earliest = attempt.started_at.checked_sub(SKEW).unwrap_or(Timestamp::MIN);
    let latest = attempt
        .started_at
        .checked_add(deadline)
        .and_then(|end| end.checked_add(SKEW))
        .unwrap_or(Timestamp::MAX);
    (earliest..=latest).contains(&created_at)
}

#[cfg(test)]
mod tests;
