//! The rules about a lost answer: PURE.

use super::{History, Lookup, LookupResult, Patience, Resolution};
use crate::ledger::Attempt;

/// An attempt, the look at the list, and what is known besides.
struct Case<'a> {
    attempt: &'a Attempt,
    lookup: Option<&'a Lookup>,
    history: History,
    patience: Patience,
}

impl Case<'_> {
    fn found_none(&self) -> bool {
        matches!(self.lookup, Some(Lookup::Found(LookupResult::None)))
    }
}

/// The rules, in the order in which they are tried: the first rule that applies decides.
const RULES: &[fn(&Case<'_>) -> Option<Resolution>] = &[
    nobody_holds_the_lost_link,
    exactly_one_receipt_fits,
    the_list_tells_nothing_certain,
    the_list_cannot_be_had_now,
    the_first_look_found_none,
    the_second_look_is_too_early,
    two_looks_found_none,
];

/// Decides about an attempt without a recipient, or after a look.
#[must_use]
pub fn resolve(
    attempt: &Attempt,
    lookup: Option<&Lookup>,
    history: History,
    patience: Patience,
) -> Resolution {
    let case = Case {
        attempt,
        lookup,
        history,
        patience,
    };
    RULES
        .iter()
        .find_map(|rule| rule(&case))
        .unwrap_or(Resolution::Hold)
}

/// Without a recipient nobody was told of the link: it expires at the end of its TTL.
fn nobody_holds_the_lost_link(case: &Case<'_>) -> Option<Resolution> {
    (!case.attempt.mails()).then_some(Resolution::SendAgain)
}

/// It is the attempt's own.
fn exactly_one_receipt_fits(case: &Case<'_>) -> Option<Resolution> {
    match case.lookup {
        Some(Lookup::Found(LookupResult::One(key))) => Some(Resolution::Adopt(key.clone())),
        _ => None,
    }
}

/// There is no list, or it cannot be trusted, or several receipts fit, or one may: the recipient may have the mail, and only a
/// person can find out.
fn the_list_tells_nothing_certain(case: &Case<'_>) -> Option<Resolution> {
    let uncertain = matches!(
        case.lookup,
        None | Some(Lookup::Never | Lookup::Found(LookupResult::Several | LookupResult::Unclear))
    );
    uncertain.then_some(Resolution::Hold)
}

/// It may come back, or catch up, but nobody waits for ever.
fn the_list_cannot_be_had_now(case: &Case<'_>) -> Option<Resolution> {
    let later = matches!(
        case.lookup,
        Some(Lookup::NotYet | Lookup::Found(LookupResult::Incomplete))
    );
    later.then(|| {
        if case.history.known_for >= case.patience.unreachable {
            Resolution::Hold
        } else {
            Resolution::LookAgain(case.patience.interval)
        }
    })
}

/// The service may list a receipt late.
fn the_first_look_found_none(case: &Case<'_>) -> Option<Resolution> {
    (case.found_none() && case.history.found_none.is_none())
        .then_some(Resolution::LookAgain(case.patience.settling))
}

/// Two looks close together are one.
fn the_second_look_is_too_early(case: &Case<'_>) -> Option<Resolution> {
    let rest = case
        .patience
        .settling
        .checked_sub(case.history.found_none?)
        .filter(|rest| !rest.is_zero());
    rest.filter(|_| case.found_none()).map(Resolution::LookAgain)
}

/// The service stored nothing and mailed nobody.
fn two_looks_found_none(case: &Case<'_>) -> Option<Resolution> {
    case.found_none().then_some(Resolution::SendAgain)
}
