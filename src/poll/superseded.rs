//! Lost attempts of earlier requests: looked for only to be burned, never shown to anybody.

use crate::clock::Deadline;
use crate::ledger::{Attempt, Entry, LedgerError, SecretText, Versioned, key_hash};
use crate::onetime::{Account, CallError, MetadataKey};
use crate::share::context::Context;
use crate::share::decide::recover::{Lookup, LookupResult, SKEW};
use crate::share::effects::resolve;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks for the same attempt.
const INTERVAL: Duration = Duration::from_secs(60);

/// When to look again for which attempt.
#[derive(Default)]
pub(super) struct Superseded {
    later: HashMap<String, Instant>,
}

impl Superseded {
    pub(super) async fn poll(&mut self, context: &Context, entries: &[Versioned]) {
        self.later.retain(|_, time| *time > Instant::now());
        for read in entries
            .iter()
            .filter(|read| read.entry.cluster == context.cluster)
            .filter(|read| context.options.namespaces.include(&read.entry.owner.namespace))
        {
            // The first that is due: what is done to it changes the entry.
            let due = read
                .entry
                .superseded
                .iter()
                .find(|attempt| self.is_due(context, attempt));
            let Some(attempt) = due else { continue };
            self.later
                .insert(attempt.nonce.clone(), Instant::now() + INTERVAL);
            match follow(context, read, attempt).await {
                Ok(()) | Err(LedgerError::Conflict) => {}
                Err(error) => tracing::warn!(%error, "a lost attempt could not be dealt with; trying again"),
            }
        }
    }

    fn is_due(&self, context: &Context, attempt: &Attempt) -> bool {
        let safe_after = attempt.safe_after();
        context.sightings.known_for(&attempt.nonce) >= safe_after && !self.later.contains_key(&attempt.nonce)
    }
}

async fn follow(context: &Context, read: &Versioned, attempt: &Attempt) -> Result<(), LedgerError> {
    // Nobody holds a link that was not mailed, and one whose time is over cannot be opened.
    if !attempt.mails() || is_over(attempt, Timestamp::now()) {
        return forget(context, read, attempt, None).await;
    }
    // Before the look, as for every second look.
    let found_none = context.sightings.found_none_for(&attempt.nonce);
    match resolve::look_for(context, &read.entry.owner.namespace, attempt).await? {
        Lookup::Found(LookupResult::One(key)) => {
            let hash = key_hash(key.expose());
            let claimed = context
                .ledger
                .claim(&hash, &read.entry.owner, &attempt.nonce)
                .await?;
            if claimed && burn(context, read, attempt, &key).await {
                return step!("superseded.forget", forget(context, read, attempt, Some(hash)));
            }
        }
        Lookup::Found(LookupResult::None) => match found_none {
            Some(ago) if ago >= context.options.settling_time => {
                return forget(context, read, attempt, None).await;
            }
            Some(_) => {}
            None => context.sightings.found_none(&attempt.nonce),
        },
        Lookup::Found(LookupResult::Several) | Lookup::NotYet | Lookup::Never => {}
    }
    Ok(())
}

fn is_over(attempt: &Attempt, now: Timestamp) -> bool {
    let seconds = attempt.ttl_seconds.saturating_add(attempt.safe_after().as_secs());
    let life = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    attempt
        .started_at
        .checked_add(life)
        .and_then(|end| end.checked_add(SKEW))
        .is_ok_and(|end| end < now)
}

/// True when the link cannot be opened any more.
async fn burn(context: &Context, read: &Versioned, attempt: &Attempt, key: &MetadataKey) -> bool {
    let Ok(client) = context
        .providers
        .client_for_route(&attempt.route, &read.entry.owner.namespace)
    else {
        return false;
    };
    let passphrase = attempt.passphrase.as_ref().map(SecretText::secret);
    let deadline = Deadline::after(context.options.request_timeout);
    let request = context.metrics.service_request("burn");
    let burned = step!(
        "superseded.burn",
        client.burn(&Account::Anonymous, key, passphrase, deadline)
    );
    request.ended(CallError::label(burned.as_ref().err()));
    matches!(burned, Ok(()) | Err(CallError::Gone))
}

/// Takes the attempt out of the entry, which remembers the link that was found and burned.
async fn forget(
    context: &Context,
    read: &Versioned,
    attempt: &Attempt,
    burned: Option<String>,
) -> Result<(), LedgerError> {
    let mut superseded = read.entry.superseded.clone();
    superseded.retain(|other| other.nonce != attempt.nonce);
    context
        .ledger
        .replace(
            read,
            Entry {
                superseded,
                past: read.entry.past_with(burned),
                ..read.entry.clone()
            },
        )
        .await?;
    context.sightings.forget(&attempt.nonce);
    Ok(())
}
