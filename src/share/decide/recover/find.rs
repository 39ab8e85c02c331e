//! Which receipt of an account's list is a lost attempt's: PURE.
//!
//! A receipt is recognised by its recipient, by whether it needs a passphrase, and by its age. The lifetime is no
//! criterion: a site may grant less than was asked for, and more. The age is measured within the list, because the
//! service's clock may be minutes off.

use super::LookupResult;
use super::known::{Known, SKEW};
use crate::ledger::{Attempt, key_hash, link_hash};
use crate::onetime::{MaskOf, Recent, RecentReceipt, mask_of};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How far it must be to be certainly not ours, where it was measured.
const FAR: SignedDuration = SignedDuration::from_hours(1);

/// The same where nobody can measure: no two clocks are further apart.
const FAR_UNMEASURED: SignedDuration = SignedDuration::from_hours(24);

/// What the clocks of this process say when a list arrives.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// How long ago the attempt began.
    pub ago: Duration,
    /// The wall clock. Only used where the list does not tell its own.
    pub now: Timestamp,
}

/// Finds the attempt's receipt among those of the account.
#[must_use]
pub fn find(attempt: &Attempt, recent: &Recent, known: &Known, clocks: Clocks) -> LookupResult {
    let mut fitting = fitting(attempt, recent, known, clocks);
    match (fitting.next(), fitting.next()) {
        (None, _) if may_have_another(attempt, recent, known, clocks) => LookupResult::Unclear,
        (None, _) if !known.newest_is_in(recent, clocks.now) => LookupResult::Incomplete,
        (None, _) => LookupResult::None,
        // The one that fits may be a rival's.
        (Some(_), None) if known.rivals => LookupResult::Several,
        (Some(only), None) => LookupResult::One(only.metadata_key.clone()),
        (Some(_), Some(_)) => LookupResult::Several,
    }
}

/// The receipts that nobody knows and that fit in all that the list tells.
pub(in crate::share::decide) fn fitting<'a>(
    attempt: &'a Attempt,
    recent: &'a Recent,
    known: &'a Known,
    clocks: Clocks,
) -> impl Iterator<Item = &'a RecentReceipt> {
    unknown(recent, known).filter(move |receipt| fit(attempt, recent, receipt, known, clocks) == Fit::Yes)
}

fn may_have_another(attempt: &Attempt, recent: &Recent, known: &Known, clocks: Clocks) -> bool {
    unknown(recent, known).any(|receipt| fit(attempt, recent, receipt, known, clocks) == Fit::Perhaps)
}

fn unknown<'a>(recent: &'a Recent, known: &'a Known) -> impl Iterator<Item = &'a RecentReceipt> {
    recent.receipts.iter().filter(|receipt| {
        let by_link = receipt.secret_key.as_ref().map(|key| link_hash(key.expose()));
        !known.keys.contains(&key_hash(receipt.metadata_key.expose()))
            && by_link.is_none_or(|hash| !known.links.contains(&hash))
    })
}

/// Whether a receipt is the attempt's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    No,
    /// What the list tells is not enough to say.
    Perhaps,
    Yes,
}

fn fit(attempt: &Attempt, recent: &Recent, receipt: &RecentReceipt, known: &Known, clocks: Clocks) -> Fit {
    let passphrase_fits = receipt
        .passphrase_required
        .is_none_or(|needed| needed == attempt.passphrase.is_some());
    if !passphrase_fits {
        return Fit::No;
    }
    let recipient = recipient_fits(attempt, recent, receipt);
    let age = age_fits(attempt, recent, receipt, known, clocks);
    match (recipient, age) {
        (Fit::No, _) | (_, Fit::No) => Fit::No,
        (Fit::Yes, age) => age,
        // Two riddles about one receipt: it was made by somebody else.
        (Fit::Perhaps, Fit::Perhaps) if recent.now.is_some() => Fit::No,
        (Fit::Perhaps, _) => Fit::Perhaps,
    }
}

fn recipient_fits(attempt: &Attempt, recent: &Recent, receipt: &RecentReceipt) -> Fit {
    let Some(recipient) = &attempt.recipient else {
        return Fit::No;
    };
    let told = receipt
        .recipient
        .iter()
        .map(|told| mask_of(told, &recipient.forms));
    let told: Vec<MaskOf> = told.collect();
    match () {
        () if told.contains(&MaskOf::This) => Fit::Yes,
        () if told.contains(&MaskOf::Anybody) => Fit::Perhaps,
        () if !told.is_empty() => Fit::No,
        // A list that tells recipients at all would tell this one.
        () if recent.receipts.iter().any(|other| !other.recipient.is_empty()) => Fit::No,
        () => Fit::Perhaps,
    }
}

fn age_fits(
    attempt: &Attempt,
    recent: &Recent,
    receipt: &RecentReceipt,
    known: &Known,
    clocks: Clocks,
) -> Fit {
    let offset = known.clock_offset.map(SignedDuration::from_secs);
    let by_offset = offset.and_then(|offset| clocks.now.checked_add(offset).ok());
    let measured = recent.now.or(by_offset);
    let age = receipt.created_at.duration_until(measured.unwrap_or(clocks.now));
    // It was made at some time from the intent until nothing of the attempt could arrive any more.
    let oldest = signed(clocks.ago);
    let youngest = oldest.saturating_sub(signed(attempt.safe_after()));
    let outside = age
        .saturating_sub(oldest)
        .max(youngest.saturating_sub(age))
        .max(SignedDuration::ZERO);
    let far = if measured.is_some() { FAR } else { FAR_UNMEASURED };
    match outside {
        _ if outside > far => Fit::No,
        _ if outside > SKEW || measured.is_none() => Fit::Perhaps,
        _ => Fit::Yes,
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
