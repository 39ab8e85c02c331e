//! Gathering and checking what a try needs. Nothing is sent or written here, so every problem can be told and healed.

use super::deliver;
use crate::api::condition::Reason;
use crate::api::share::SecretKeyRef;
use crate::ledger::{Owner, Recipient, Route, lane};
use crate::onetime::{Account, mask_class, mask_forms};
use crate::problem::Problem;
use crate::provider::{Permit, ProviderId, Resolved};
use crate::share::context::Context;
use crate::share::inputs::read::Sources;
use crate::share::inputs::request::{Request, Source};
use secrecy::SecretString;
use std::num::NonZeroU32;
use tokio::sync::OwnedMutexGuard;

/// Everything that a try needs, gathered and checked.
pub struct Prepared {
    pub(super) provider: Resolved,
    pub(super) route: Route,
    /// Whom the service is to mail the link to, and how its list will show that address.
    pub(super) recipient: Option<(String, Recipient)>,
    /// The place in the queue of attempts that could be mistaken for this one.
    pub(super) _lane: Option<OwnedMutexGuard<()>>,
    pub(super) permit: Permit,
    pub(super) value: Value,
    pub(super) passphrase: Option<SecretString>,
    /// A hash of the versions of all this, where a refusal would pause for long.
    pub(super) inputs: Option<String>,
}

impl Prepared {
    /// With the hash of what it is made from.
    #[must_use]
    pub fn tried_with(self, inputs: Option<String>) -> Self {
        Self { inputs, ..self }
    }
}

pub(super) enum Value {
    /// A Secret's value.
    Given(SecretString),
    /// One that the service generates: so many characters, for this Secret.
    Generated(NonZeroU32, SecretKeyRef),
}

/// Gathers what a request needs and checks it.
///
/// # Errors
/// A problem; nothing was sent and nothing written.
pub async fn prepare(context: &Context, owner: &Owner, request: &Request) -> Result<Prepared, Problem> {
    let id = ProviderId::of(&request.provider, &owner.namespace);
    let provider = context.providers.resolve(&id).await?;
    context.providers.admits(&id, &owner.namespace).await?;
    let sources = context.sources(owner);
    let recipient = sources.recipient(request).await?;
    if let Some(address) = &recipient {
        check_recipient(&provider, address)?;
    }
    let passphrase = sources.passphrase(request).await?;
    let value = value(context, owner, request, &sources, &provider).await?;
    let share_domain = request
        .share_domain
        .clone()
        .or_else(|| provider.spec.share_domain.clone());
    let route = provider.route(share_domain.clone());
    let recipient = recipient.map(|address| (address.clone(), as_listed(&address)));
    context.providers.has_answered(&provider)?;
    // The lane before the permit: those that wait for each other must not keep others from sending.
    let lane = match &recipient {
        Some((_, listed)) => {
            Some(enter(context, owner, &lane(route.account.as_deref(), Some(listed))).await?)
        }
        None => None,
    };
    let permit = context.providers.enter(&provider).await?;
    Ok(Prepared {
        provider,
        route,
        recipient,
        _lane: lane,
        permit,
        value,
        passphrase,
        inputs: None,
    })
}

/// Waits for the attempts of this process, and turns back while another one is in doubt: an intent that only waits
/// would keep that one's link from being recognised.
async fn enter(context: &Context, owner: &Owner, lane: &str) -> Result<OwnedMutexGuard<()>, Problem> {
    let turn = context.lanes.enter(lane).await;
    if context.ledger.seems_taken(lane, owner) && !mutant!("skip-lane") {
        let note = "another link for the same recipient is being created; this one follows automatically";
        return Err(Problem::passing(Reason::InProgress, note));
    }
    Ok(turn)
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
