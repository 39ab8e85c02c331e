//! A share beside its ledger entry: what the rules ask about, gathered once. PURE.

use super::facts::Facts;
use crate::api::share::RefreshPolicy;
use crate::ledger::{BurnReason, Ending, Entry, Finished, Phase};
use crate::share::inputs::fields;
use crate::share::inputs::request::Request;
use jiff::Timestamp;

/// A share beside its entry.
pub(super) struct Case<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) entry: Option<&'a Entry>,
    pub(super) asks: Asks,
}

/// What the spec asks for, beside what the entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The spec cannot be read.
    Unreadable,
    /// There is no entry.
    First,
    /// The same request.
    Same,
    /// Another request.
    Another,
    /// Another spec, written after the link's life was over, which asks for no other link.
    NoOther,
    /// A newer operator wrote the entry: the two cannot be compared.
    Incomparable,
}

/// Whether the value of the Secret still equals the one that was sent, where the share follows its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It does not matter, or is the same.
    Settled,
    /// Nobody has compared it yet.
    Unread,
    /// It is another one.
    Changed,
}

impl<'a> Case<'a> {
    pub(super) fn gather(facts: &'a Facts<'a>, entry: Option<&'a Entry>) -> Self {
        let asks = match (facts.request, entry) {
            (Err(_), _) => Asks::Unreadable,
            (Ok(_), None) => Asks::First,
            (Ok(request), Some(entry)) => match request.fingerprint(entry.request.version) {
                None => Asks::Incomparable,
                Some(print) if print == entry.request.fingerprint => Asks::Same,
                Some(_) if edited_after_the_end(entry, request, facts.uid).is_some() => Asks::NoOther,
                Some(_) => Asks::Another,
            },
        };
        Self { facts, entry, asks }
    }

    /// The request, where the spec can be read.
    pub(super) fn request(&self) -> Option<&'a Request> {
        self.facts.request.ok()
    }

    /// The phase of the entry.
    pub(super) fn phase(&self) -> Option<&'a Phase> {
        self.entry.map(|entry| &entry.phase)
    }

    /// The entry, when the spec asks for what it is about.
    pub(super) fn same(&self) -> Option<&'a Entry> {
        self.entry.filter(|_| self.asks == Asks::Same)
    }

    /// The entry, when the spec asks for something else: another request, or another value of the same one.
    pub(super) fn another(&self) -> Option<&'a Entry> {
        self.entry
            .filter(|_| self.asks == Asks::Another || self.value() == Value::Changed)
    }

    /// Whether the entry is of another cluster, whose links are not ours to burn.
    pub(super) fn is_foreign(&self) -> bool {
        self.entry
            .is_some_and(|entry| entry.cluster != self.facts.cluster)
    }

    /// Until when the last failure asks for a pause, if that is not over.
    pub(super) fn pause(&self, entry: &Entry) -> Option<Timestamp> {
        entry.retry.pause_until(self.facts.now)
    }

    /// The link of the same request, where nothing is left to do but to follow it: it lives, or its life is over.
    pub(super) fn settled(&self) -> Option<&'a Entry> {
        self.same().filter(|entry| match &entry.phase {
            Phase::Shared(link) => link.undelivered.is_none(),
            Phase::Finished(finished) => {
                !(was_mailed_elsewhere(finished)
                    || lost_its_value(finished)
                    || was_burned_unread_by_us(finished))
            }
            Phase::Idle | Phase::Intent(_) | Phase::Burning(_) => false,
        })
    }

    /// The finished link whose share was edited since, so that it asks for no other one.
    pub(super) fn edited(&self) -> Option<&'a Entry> {
        self.entry.filter(|_| self.asks == Asks::NoOther)
    }

    /// The link that is settled, or whose share was edited after its end, with what the spec says now.
    pub(super) fn followed(&self) -> Option<(&'a Entry, &'a Request)> {
        self.settled().or(self.edited()).zip(self.request())
    }

    /// Whether the value still equals the one that was sent. Only a settled link is compared.
    pub(super) fn value(&self) -> Value {
        let Some((entry, request)) = self.followed() else {
            return Value::Settled;
        };
        match (request.refresh, self.facts.content, &entry.content) {
            _ if self.is_foreign() => Value::Settled,
            (RefreshPolicy::Once, _, _) => Value::Settled,
            (RefreshPolicy::OnChange, None, _) => Value::Unread,
            // Marks with two salts tell nothing: the entry was written after the value was read.
            (RefreshPolicy::OnChange, Some(now), Some(then)) if now.salt != then.salt => Value::Unread,
            (RefreshPolicy::OnChange, Some(now), Some(then)) if now != then => Value::Changed,
            // Without a mark the policy was switched on after the link was made: from now on changes count.
            (RefreshPolicy::OnChange, Some(_), _) => Value::Settled,
        }
    }
}

/// The fields that a spec changes of a finished link's request, where these changes ask for no other link: a person may
/// tidy up the spec of a link that was opened long ago. None when the spec asks for the link that the entry records, or
/// for another one: with a new `requestID`, or as another object.
#[must_use]
pub fn edited_after_the_end(entry: &Entry, request: &Request, uid: &str) -> Option<Vec<String>> {
    let Phase::Finished(finished) = &entry.phase else {
        return None;
    };
    let is_same = request.fingerprint(entry.request.version)? == entry.request.fingerprint;
    if is_same || !is_done(finished) || entry.share_uid != uid {
        return None;
    }
    let now = request.fields(&entry.owner);
    (!fields::asks_anew(&entry.fields, &now)).then(|| fields::changed(&entry.fields, &now))
}

/// The link did what it was made for, or somebody did not want it. One that we burned unread did not.
fn is_done(finished: &Finished) -> bool {
    match finished.burned_for {
        None | Some(BurnReason::Asked) => true,
        Some(BurnReason::Replaced | BurnReason::Deleted) => finished.how == Ending::Received,
        Some(BurnReason::ValueLost | BurnReason::MailedElsewhere) => false,
    }
}

/// The service mailed the link to somebody else, so that it was burned.
pub(super) fn was_mailed_elsewhere(finished: &Finished) -> bool {
    finished.burned_for == Some(BurnReason::MailedElsewhere)
}

/// The recipient was mailed a link whose generated value was lost: it was burned, and nobody is mailed again.
pub(super) fn lost_its_value(finished: &Finished) -> bool {
    finished.burned_for == Some(BurnReason::ValueLost) && finished.facts.mail_asked
}

/// A link that we burned unread for a reason that is gone: the share was deleted and is there again, its spec was edited
/// and edited back, or its value was lost. One that was opened meanwhile stays received.
pub(super) fn was_burned_unread_by_us(finished: &Finished) -> bool {
    finished.how != Ending::Received
        && matches!(
            finished.burned_for,
            Some(BurnReason::Deleted | BurnReason::Replaced | BurnReason::ValueLost)
        )
}
