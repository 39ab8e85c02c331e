//! Gathering and checking what a try needs. Nothing is sent or written here, so every problem can be told and healed.

use super::deliver;
use crate::api::condition::Reason;
use crate::api::share::SecretKeyRef;
use crate::ledger::{Owner, Recipient, Route, lane};
use crate::onetime::{Account, mask_class, mask_forms};
use crate::problem::Problem;
use crate::provider::gates::{Lane, Version};
use crate::provider::{Permit, ProviderId, Resolved, Waits};
use crate::share::context::Context;
use crate::share::current::Wish;
use crate::share::inputs::read::Sources;
use crate::share::inputs::request::{Request, Source};
use crate::share::quota::Admission;
use crate::share::read_at::{ReadAt, SHARE_FRESH_FOR};
use crate::share::snapshot::ShareSnapshot;
use secrecy::{ExposeSecret, SecretString};
use std::num::NonZeroU32;

/// Everything that a try needs, gathered and checked.
pub struct Prepared {
    pub(super) provider: Resolved,
    pub(super) route: Route,
    /// Whom the service is to mail the link to, and how its list will show that address.
    pub(super) recipient: Option<(String, Recipient)>,
    pub(super) permit: Permit,
    /// Counts it until the ledger does.
    pub(super) _admission: Option<Admission>,
    pub(super) value: Value,
    pub(super) passphrase: Option<SecretString>,
    /// A hash of the versions of all this, where a refusal would pause for long.
    pub(super) inputs: Option<String>,
    /// What the share wanted when this was decided.
    pub(super) wish: Wish,
    /// When the share was read.
    pub(super) share_read: ReadAt,
    /// When the provider and the sources were read.
    pub(super) sources_read: ReadAt,
}

impl Prepared {
    /// With the hash of what it is made from.
    #[must_use]
    pub fn tried_with(self, inputs: Option<String>) -> Self {
        Self { inputs, ..self }
    }
}

/// Why nothing is sent now.
pub enum NotPrepared {
    /// Something is wrong.
    Problem(Problem),
    /// The share, or where it goes, changed while it waited: decide again.
    Changed,
    /// It waits for its turn, and is triggered when it is called.
    Waits(Waits),
}

impl From<Problem> for NotPrepared {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Where a link is created and to whom it goes: what its place in line depends on.
struct Destination {
    provider: Resolved,
    route: Route,
    recipient: Option<(String, Recipient)>,
    read: ReadAt,
}

/// The destination and what the share names, as they are now.
struct Gathered {
    to: Destination,
    value: Value,
    passphrase: Option<SecretString>,
    admission: Option<Admission>,
}

pub(super) enum Value {
    /// A Secret's value.
    Given(SecretString),
    /// One that the service generates: so many characters, for this Secret.
    Generated(NonZeroU32, SecretKeyRef),
}

/// Takes a place to send, gathers what a request needs, and checks it. One that has no place waits elsewhere, and nothing
/// that it names is read before its turn.
///
/// # Errors
/// Nothing was sent and nothing written.
pub(in crate::share) async fn prepare(
    context: &Context,
    snapshot: &ShareSnapshot,
    request: &Request,
) -> Result<Prepared, NotPrepared> {
    let (share, owner, mut share_read) = (&snapshot.share, &snapshot.owner, snapshot.read_at);
    let wish = Wish::of(share);
    let gates = context.providers.gates();
    let version = (share.metadata.uid.clone(), share.metadata.generation);
    if let Some(waits) = gates.still_waits(owner, &version) {
        return Err(why(context, owner, request, waits).await);
    }
    // Called after a wait: what the cache has may be what was there before it.
    let waited = gates.called_after(owner);
    if waited.is_some_and(|waited| waited > SHARE_FRESH_FOR) && !mutant!("skip-reread") {
        share_read = still_wanted(context, snapshot, request, &wish).await?;
    }
    let to = destination(context, owner, request).await?;
    let permit = to.enter(context, owner, version)?;
    let mut gathered = gather(context, owner, request, to).await?;
    let is_old = share_read.is_old_for_a_share() || gathered.to.read.is_old_for_a_share();
    if is_old && !mutant!("skip-reread") {
        let lane = gathered.to.lane(owner);
        share_read = still_wanted(context, snapshot, request, &wish).await?;
        let to = destination(context, owner, request).await?;
        if to.lane(owner) != lane {
            return Err(NotPrepared::Changed);
        }
        gathered = gather(context, owner, request, to).await?;
    }
    let Gathered {
        to,
        value,
        passphrase,
        admission,
    } = gathered;
    Ok(Prepared {
        provider: to.provider,
        route: to.route,
        recipient: to.recipient,
        permit,
        _admission: admission,
        value,
        passphrase,
        inputs: None,
        wish,
        share_read,
        sources_read: to.read,
    })
}

/// What to tell of a share that waits: its place in line, or what is wrong with what it names, so that nobody learns of
/// that only after a long wait.
async fn why(context: &Context, owner: &Owner, request: &Request, waits: Waits) -> NotPrepared {
    if waits.is_news
        && let Err(problem) = everything(context, owner, request).await
    {
        return problem.into();
    }
    NotPrepared::Waits(waits)
}

/// What was decided before a wait may be undone. Tells when the API server still had the share so: it is asked where the cache
/// may be old. Has the account read anew.
async fn still_wanted(
    context: &Context,
    snapshot: &ShareSnapshot,
    request: &Request,
    wish: &Wish,
) -> Result<ReadAt, NotPrepared> {
    let fresh = snapshot.known_at.filter(|known| !known.is_old_for_a_share());
    let read = match fresh {
        Some(known) => known,
        None => step!("reread", read_again(context, &snapshot.owner, wish))?,
    };
    let id = ProviderId::of(&request.provider, &snapshot.owner.namespace);
    context.providers.renew_account(&id, SHARE_FRESH_FOR);
    Ok(read)
}

async fn read_again(context: &Context, owner: &Owner, wish: &Wish) -> Result<ReadAt, NotPrepared> {
    let read = ReadAt::now();
    match wish.is_still_there(context, owner).await {
        Ok(true) => Ok(read),
        Ok(false) => Err(NotPrepared::Changed),
        Err(error) => Err(NotPrepared::Problem(Problem::passing(
            Reason::ApiUnavailable,
            format!("the share could not be read again before it is sent: {error}"),
        ))),
    }
}

/// Whether what was prepared may still be sent, after the intent was written: asks only when that took long.
pub(super) async fn is_current(
    context: &Context,
    owner: &Owner,
    request: &Request,
    prepared: &Prepared,
) -> bool {
    let sources_are_old = prepared.sources_read.is_old_for_sources();
    let is_skipped = mutant!("skip-recheck") || mutant!("skip-reread");
    if is_skipped || !(prepared.share_read.is_old_for_a_share() || sources_are_old) {
        return true;
    }
    // In doubt nothing is sent.
    if !matches!(prepared.wish.is_still_there(context, owner).await, Ok(true)) {
        return false;
    }
    !sources_are_old
        || everything(context, owner, request)
            .await
            .is_ok_and(|now| now.is_like(prepared))
}

impl Destination {
    fn lane(&self, owner: &Owner) -> Option<String> {
        let (_, listed) = self.recipient.as_ref()?;
        Some(lane(&self.route, &owner.namespace, Some(listed)))
    }

    /// Takes a place, and turns back while another attempt of the lane is in doubt: an intent that only waits would keep
    /// that one's link from being recognised.
    fn enter(&self, context: &Context, owner: &Owner, version: Version) -> Result<Permit, NotPrepared> {
        let lane = self.lane(owner).filter(|_| !mutant!("skip-lane"));
        let taken = |lane: &String| context.ledger.seems_taken(lane, &self.route.endpoint, owner);
        let asked = lane.clone().map(|name| Lane {
            name,
            endpoint: self.route.endpoint.clone(),
        });
        let mails = self.recipient.is_some();
        let permit = context
            .providers
            .gates()
            .enter(&self.provider, owner, version, mails, asked)
            .map_err(NotPrepared::Waits)?;
        if lane.as_ref().is_some_and(taken) {
            return Err(lane_is_taken().into());
        }
        Ok(permit)
    }
}

impl Gathered {
    fn is_like(&self, prepared: &Prepared) -> bool {
        let passphrases = [&self.passphrase, &prepared.passphrase]
            .map(|secret| secret.as_ref().map(ExposeSecret::expose_secret));
        let value = match (&self.value, &prepared.value) {
            (Value::Given(now), Value::Given(then)) => now.expose_secret() == then.expose_secret(),
            (Value::Generated(..), Value::Generated(..)) => true,
            _ => false,
        };
        value
            && self.to.route == prepared.route
            && self.to.recipient == prepared.recipient
            && passphrases[0] == passphrases[1]
    }
}

/// Reads and checks the provider and everything that the request names.
async fn everything(context: &Context, owner: &Owner, request: &Request) -> Result<Gathered, Problem> {
    let to = destination(context, owner, request).await?;
    gather(context, owner, request, to).await
}

/// Reads and checks the provider and the recipient.
async fn destination(context: &Context, owner: &Owner, request: &Request) -> Result<Destination, Problem> {
    let read = ReadAt::now();
    let id = ProviderId::of(&request.provider, &owner.namespace);
    let provider = context.providers.resolve(&id).await?;
    context.providers.admits(&id, &owner.namespace).await?;
    let recipient = context.sources(owner).recipient(request).await?;
    if let Some(address) = &recipient {
        check_recipient(&provider, address)?;
    }
    let share_domain = request
        .share_domain
        .clone()
        .or_else(|| provider.spec.share_domain.clone());
    let route = provider.route(share_domain);
    let recipient = recipient.map(|address| (address.clone(), as_listed(&address)));
    Ok(Destination {
        provider,
        route,
        recipient,
        read,
    })
}

/// Reads and checks everything else that the request names.
async fn gather(
    context: &Context,
    owner: &Owner,
    request: &Request,
    to: Destination,
) -> Result<Gathered, Problem> {
    let sources = context.sources(owner);
    let passphrase = sources.passphrase(request).await?;
    let value = value(context, owner, request, &sources, &to.provider).await?;
    context.providers.has_answered(&to.provider)?;
    let admission = context.quota.admit(&context.ledger, owner, &to.provider)?;
    Ok(Gathered {
        to,
        value,
        passphrase,
        admission,
    })
}

/// Another attempt of the lane is under way.
pub(super) fn lane_is_taken() -> Problem {
    let note = "another link, for a recipient that the service shows alike, is being created; this one follows automatically";
    Problem::passing(Reason::InProgress, note)
}

async fn value(
    context: &Context,
    owner: &Owner,
    request: &Request,
    sources: &Sources<'_>,
    provider: &Resolved,
) -> Result<Value, Problem> {
    match &request.source {
        Source::Secret(source) => {
            let max_bytes = provider.settings.max_secret_bytes;
            sources
                .value(source, max_bytes, request.refresh)
                .await
                .map(Value::Given)
        }
        Source::Generate(generate) => {
            deliver::check(context, owner, &generate.target_secret_ref).await?;
            Ok(Value::Generated(
                length(generate.length)?,
                generate.target_secret_ref.clone(),
            ))
        }
    }
}

/// By what the service's list shows a recipient.
fn as_listed(address: &str) -> Recipient {
    Recipient {
        class: mask_class(address),
        forms: mask_forms(address),
    }
}

fn length(asked: i64) -> Result<NonZeroU32, Problem> {
    let length = u32::try_from(asked).ok().and_then(NonZeroU32::new);
    length.ok_or_else(|| {
        Problem::edit(
            Reason::SourceInvalid,
            "spec.generate.length must be between 4 and 1024",
        )
    })
}

fn check_recipient(provider: &Resolved, recipient: &str) -> Result<(), Problem> {
    if matches!(provider.account, Account::Anonymous) {
        return Err(Problem::edit(
            Reason::RecipientNeedsAccount,
            format!(
                "{} has no account, and the service mails links only for accounts: give the provider spec.credentialsSecretRef, or remove spec.recipient and hand over the link yourself",
                provider.id
            ),
        ));
    }
    let allowed = &provider.spec.allowed_recipient_domains;
    let domain = recipient
        .rsplit_once('@')
        .map(|(_, domain)| domain)
        .unwrap_or_default();
    if !allowed.is_empty() && !allowed.iter().any(|name| name.eq_ignore_ascii_case(domain)) {
        return Err(Problem::edit(
            Reason::RecipientNotAllowed,
            format!(
                "{} does not allow the domain of the recipient: use an address in one of its spec.allowedRecipientDomains, or have the domain added there",
                provider.id
            ),
        ));
    }
    Ok(())
}
