//! The rules, in the order in which they are tried: the first rule that applies decides.
//!
//! Each rule is a small function whose name says what it catches, and whose comment says what would go wrong without
//! it. The files are the four situations: what comes before the spec, no entry, the same request, another request.

mod another_request;
mod no_entry;
mod precedence;
mod same_request;

use super::case::Case;
use super::facts::Facts;
use super::step::Step;
use crate::ledger::Entry;

/// What a rule catches, and what to do then.
struct Rule {
    name: &'static str,
    apply: fn(&Case<'_>) -> Option<Step>,
}

macro_rules! rules {
    ($($module:ident::$name:ident,)+) => {
        &[$(Rule { name: stringify!($name), apply: $module::$name },)+]
    };
}

const RULES: &[Rule] = rules![
    precedence::the_entry_is_newer_than_the_share,
    precedence::a_user_revokes_the_link,
    precedence::the_share_came_back_under_another_definition,
    precedence::a_burn_goes_on_with_an_unreadable_spec,
    precedence::the_spec_is_unreadable,
    precedence::a_newer_operator_wrote_the_entry,
    no_entry::the_entry_was_lost_a_moment_ago,
    no_entry::the_status_knows_a_link_that_the_ledger_does_not,
    no_entry::the_entry_vanished_with_an_attempt,
    no_entry::the_status_tells_of_a_noted_edit,
    no_entry::the_status_answers_an_earlier_request,
    no_entry::nothing_was_ever_sent,
    same_request::the_entry_is_of_another_cluster,
    another_request::the_cache_may_be_older_than_the_entry,
    same_request::the_attempt_is_on_hold,
    same_request::the_attempt_may_still_run,
    same_request::the_attempt_is_in_doubt,
    same_request::the_last_failure_asks_for_a_pause,
    same_request::the_share_was_created_again,
    same_request::no_link_exists,
    same_request::the_link_is_being_burned,
    same_request::the_value_is_not_in_its_secret,
    same_request::the_link_was_mailed_elsewhere,
    same_request::the_value_was_lost_with_the_mail,
    same_request::we_burned_the_link_unread,
    same_request::the_value_was_not_compared,
    another_request::an_earlier_attempt_is_unresolved,
    another_request::too_many_attempts_are_lost,
    another_request::the_old_link_is_being_burned,
    another_request::the_old_link_lives,
    another_request::nothing_stands_in_the_way,
    same_request::the_policy_changed,
    another_request::the_edit_came_after_the_end,
];

/// Decides from the facts and the share's ledger entry.
#[must_use]
pub fn decide(facts: &Facts<'_>, entry: Option<&Entry>) -> Step {
    explain(facts, entry).1
}

/// The same, with the name of the rule that decided.
pub(super) fn explain(facts: &Facts<'_>, entry: Option<&Entry>) -> (&'static str, Step) {
    let case = Case::gather(facts, entry);
    RULES
        .iter()
        .find_map(|rule| (rule.apply)(&case).map(|step| (rule.name, step)))
        .unwrap_or(("nothing_is_left_to_do", Step::DONE))
}

/// The names of all rules, in order.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    RULES
        .iter()
        .map(|rule| rule.name)
        .chain(["nothing_is_left_to_do"])
}
