//! Which receipt of an account's list is a lost attempt's: PURE.

use super::LookupResult;
use crate::ledger::{Attempt, Entry, key_hash};
use crate::onetime::RecentReceipt;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;

/// How far the clocks of the service, of the attempt's sender and of this process may differ. v0.23 sends no `Date`, so
/// the difference cannot be measured.
pub const SKEW: SignedDuration = SignedDuration::from_secs(300);

/// What the ledger knows of an account's links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The hashes of the metadata keys of all entries.
    pub keys: HashSet<String>,
    /// Whether another unresolved attempt could have made a receipt that fits this one.
    pub rivals: bool,
}

/// Gathers what matters for an attempt from the entries of its account.
#[must_use]
pub fn gather<'a>(attempt: &Attempt, entries: impl IntoIterator<Item = &'a Entry>) -> Known {
    let mut known = Known::default();
    for entry in entries {
        known.keys.extend(entry.key_hashes());
        known.rivals |= entry
            .unresolved()
            .any(|other| other.nonce != attempt.nonce && other.lane() == attempt.lane());
    }
    known
}

/// Finds the attempt's receipt among those of the account.
#[must_use]
pub fn find(attempt: &Attempt, receipts: &[RecentReceipt], known: &Known) -> LookupResult {
    let mut fitting = fitting(attempt, receipts, known);
    match (fitting.next(), fitting.next()) {
        (None, _) => LookupResult::None,
        // The one that fits may be a rival's.
        (Some(_), None) if known.rivals => LookupResult::Several,
        (Some(only), None) => LookupResult::One(only.metadata_key.clone()),
        (Some(_), Some(_)) => LookupResult::Several,
    }
}

/// The receipts that nobody knows and that may be the attempt's.
pub(in crate::share::decide) fn fitting<'a>(
    attempt: &'a Attempt,
    receipts: &'a [RecentReceipt],
    known: &'a Known,
) -> impl Iterator<Item = &'a RecentReceipt> {
    receipts
        .iter()
        .filter(|receipt| !known.keys.contains(&key_hash(receipt.metadata_key.expose())))
        .filter(|receipt| fits(attempt, receipt))
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
    let deadline = SignedDuration::try_from(attempt.safe_after()).unwrap_or(SignedDuration::MAX);
    let earliest = attempt.started_at.checked_sub(SKEW).unwrap_or(Timestamp::MIN);
    let latest = attempt
        .started_at
        .checked_add(deadline)
        .and_then(|end| end.checked_add(SKEW))
        .unwrap_or(Timestamp::MAX);
    (earliest..=latest).contains(&created_at)
}
