//! What to do about an attempt whose answer was lost and whose sender certainly sends no more: PURE.
//!
//! Without a recipient nobody holds the lost link, so the request is sent again, and the lost link expires at the end of
//! its TTL. With one somebody may have the mail, so the operator looks at the service's list of receipts: exactly one
//! unknown receipt that fits is ours. Nothing is sent again unless two looks, a settling time apart, both found none in a
//! list that shows what the ledger knows.

mod find;
mod known;
mod rules;
#[cfg(test)]
mod tests;

#[cfg(feature = "mutants")]
pub use super::mutated::{find, gather, resolve};
pub use find::Clocks;
#[cfg(not(feature = "mutants"))]
pub use find::find;
#[cfg(not(feature = "mutants"))]
pub use known::gather;
pub use known::{Known, Listed, SKEW};
#[cfg(not(feature = "mutants"))]
pub use rules::resolve;

/// The functions without a deliberate mistake, for the module that makes them.
#[cfg(feature = "mutants")]
pub(super) mod right {
    pub(in crate::share::decide) use super::find::{find, fitting};
    pub(in crate::share::decide) use super::known::gather;
    pub(in crate::share::decide) use super::rules::resolve;
}

use crate::onetime::MetadataKey;
use std::time::Duration;

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
    /// None fits, and one may be ours: its recipient is told in no known form or not at all, or its age cannot be measured
    /// or is far off.
    Unclear,
    /// None fits, and a receipt that must be there is missing: the list is old or not whole.
    Incomplete,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// The link is this one.
    Adopt(MetadataKey),
    /// No link of this attempt can be in anybody's hands: send again.
    SendAgain,
    /// Look again after this long.
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
