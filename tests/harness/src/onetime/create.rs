//! `share`, `create` and `generate`: what is refused, what is stored, what is mailed.
//!
//! It must not know how answers travel; the JSON of a receipt is made in `receipt`.

use super::answer::{Answer, random_secret};
use super::config::{Config, MailServer, Version};
use super::dispatch::{Call, Caller};
use super::form::{Params, ruby_integer};
use super::journal::{Share, State};
use super::receipt::{self, Shown};
use super::recipient::{self, Understood};
use super::route::Route;
use super::state::{Counted, Memory};

const DEFAULT_TTL: u64 = 604_800;
const MIN_TTL: u64 = 60;
const ANONYMOUS_MAX_TTL: u64 = 604_800;
/// What a stalled mail server costs (`v1-smtp-down`, 5026 ms).
const STALL_MS: i64 = 5_000;

/// A request that passed every check.
struct Draft {
    value: Vec<u8>,
    generated: bool,
    passphrase: Option<String>,
    ttl: u64,
    recipients: Vec<String>,
    share_domain: Option<String>,
}

pub(super) fn create(memory: &mut Memory, call: &Call, caller: &Caller) -> Answer {
    match draft(memory, call, caller) {
        Ok(draft) => commit(memory, call, caller, draft),
        Err(answer) => answer,
    }
}

fn draft(memory: &mut Memory, call: &Call, caller: &Caller) -> Result<Draft, Answer> {
    let version = memory.config.version;
    let params = flat_params(version, call)?;
    let recipients = recipients(memory, &params, caller)?;
    let generated = call.route == Route::Generate;
    let value = if generated {
        generate(version, &params)?
    } else {
        secret(version, &params, caller)?
    };
    if !recipients.is_empty() && caller.account.is_none() {
        return Err(Answer::form_error(
            version,
            "An account is required to send emails.",
        ));
    }
    let share_domain = share_domain(memory, &params)?;
    let passphrase = passphrase(memory, &params)?;
    let ttl = call
        .grant
        .unwrap_or_else(|| granted_ttl(&memory.config, &params, caller));
    Ok(Draft {
        value,
        generated,
        passphrase,
        ttl,
        recipients,
        share_domain,
    })
}

/// `create` of v0.23 wants `secret[secret]=…`; elsewhere such a hash becomes its own text
/// (`v1-create-endpoint`).
fn flat_params(version: Version, call: &Call) -> Result<Params, Answer> {
    let nested = call.params.nested("secret");
    match (version, &call.route, nested) {
        (Version::V0_23, Route::Create, Some(nested)) => Ok(nested),
        (Version::V0_23, Route::Create, None) => Err(Answer::form_error(version, "Incorrect payload format")),
        (_, _, None) => Ok(call.params.clone()),
        (_, _, Some(nested)) => {
            let inner: Vec<String> = nested
                .0
                .iter()
                .map(|(name, value)| format!("{name:?}=>{:?}", String::from_utf8_lossy(value)))
                .collect();
            let mut params = call.params.clone();
            params.0.push((
                "secret".to_owned(),
                format!("{{{}}}", inner.join(", ")).into_bytes(),
            ));
            Ok(params)
        }
    }
}

fn recipients(memory: &mut Memory, params: &Params, caller: &Caller) -> Result<Vec<String>, Answer> {
    let version = memory.config.version;
    let mut found = Vec::new();
    for asked in params.list("recipient") {
        match recipient::understand(version, &asked) {
            Understood::Address(address) => found.push(address),
            Understood::Nobody => {}
            Understood::Refused(_) if caller.account.is_none() => found.push(asked),
            Understood::Refused(text) => {
                return Err(Answer::form_error(
                    version,
                    &format!("Undeliverable email address: {text}"),
                ));
            }
        }
    }
    // Both versions name only the first of several in the answer.
    found.truncate(1);
    let counts = version == Version::V0_23 && !found.is_empty();
    if counts && !memory.allow(&caller.identity, Counted::Email) {
        return Err(Answer::rate_limited(version));
    }
    Ok(found)
}

/// `v1-share-size`, `v1-share-empty-secret`. v0.23 cuts silently: 100,000 characters anonymous,
/// 1,000,000 with an account. That it strips NUL and garbles what is not UTF-8 is not among the
/// recordings (see DESIGN.md, section 1).
fn secret(version: Version, params: &Params, caller: &Caller) -> Result<Vec<u8>, Answer> {
    let sent = params.bytes("secret").unwrap_or_default();
    let mut text = String::from_utf8_lossy(sent).into_owned();
    match version {
        Version::V0_23 => {
            text.retain(|letter| letter != '\0');
            let limit = if caller.account.is_some() {
                1_000_000
            } else {
                100_000
            };
            if let Some((cut, _)) = text.char_indices().nth(limit) {
                text.truncate(cut);
            }
        }
        Version::V0_26 if sent.len() > 10_000 => {
            return Err(Answer::form_error(
                version,
                "Secret value exceeds the maximum size of 10000 bytes",
            ));
        }
        Version::V0_26 => {}
    }
    if text.is_empty() {
        return Err(Answer::form_error(
            version,
            "You did not provide anything to share",
        ));
    }
    Ok(text.into_bytes())
}

/// `v1-generate`: 12 characters, at least 4; a length that is no positive number is a crash.
fn generate(version: Version, params: &Params) -> Result<Vec<u8>, Answer> {
    let length = params.text("length").map_or(12, |text| ruby_integer(&text));
    let length = usize::try_from(length).unwrap_or(0);
    if length == 0 {
        return Err(Answer::unexpected(version));
    }
    if let Some(maximum) = version.generate_maximum().filter(|maximum| length > *maximum) {
        let message = format!("Generated password length must be no more than {maximum} characters");
        return Err(Answer::form_error(version, &message));
    }
    Ok(random_secret(length.max(4)).into_bytes())
}

/// `v1-share-domain`, `v1-share-domain-registered`: what is no public host name, and the site
/// itself, is ignored; what is not registered is refused; anybody may use what is.
fn share_domain(memory: &Memory, params: &Params) -> Result<Option<String>, Answer> {
    let asked = params
        .text("share_domain")
        .unwrap_or_default()
        .trim()
        .to_lowercase();
    let labels: Vec<&str> = asked.split('.').collect();
    let public = labels.len() >= 2
        && labels
            .iter()
            .all(|l| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
        && labels
            .last()
            .is_some_and(|l| l.chars().all(|c| c.is_ascii_alphabetic()));
    if !public || asked == memory.site_host {
        return Ok(None);
    }
    if memory.config.domains.contains(&asked) {
        return Ok(Some(asked));
    }
    Err(Answer::form_error(
        memory.config.version,
        &format!("Unknown domain: {asked}"),
    ))
}

/// `v1-share-passphrase-limits`, `v1-passphrase-required`.
fn passphrase(memory: &Memory, params: &Params) -> Result<Option<String>, Answer> {
    let version = memory.config.version;
    let minimum = memory
        .config
        .passphrase_minimum
        .unwrap_or_else(|| version.passphrase_minimum());
    let text = params.text("passphrase").unwrap_or_default();
    let length = text.chars().count();
    let message = match length {
        0 if memory.config.passphrase_required => "A passphrase is required for all secrets".to_owned(),
        0 => return Ok(None),
        _ if length < minimum => format!("Passphrase must be at least {minimum} characters long"),
        _ if length > 128 => "Passphrase must be no more than 128 characters long".to_owned(),
        _ => return Ok(Some(text)),
    };
    Err(Answer::form_error(version, &message))
}

/// `v1-share-ttl`: clamped without a word; junk is 0 and so becomes the minimum.
fn granted_ttl(config: &Config, params: &Params, caller: &Caller) -> u64 {
    let asked = match params.text("ttl") {
        None => DEFAULT_TTL,
        Some(text) => u64::try_from(ruby_integer(&text)).unwrap_or(0),
    };
    let maximum = match &caller.account {
        None => ANONYMOUS_MAX_TTL,
        Some(account) => account
            .max_ttl
            .unwrap_or_else(|| config.version.account_max_ttl()),
    };
    let minimum = config.ttl_minimum.unwrap_or(MIN_TTL);
    asked.clamp(minimum, maximum.max(minimum))
}

fn commit(memory: &mut Memory, call: &Call, caller: &Caller, draft: Draft) -> Answer {
    let version = memory.config.version;
    let secret_key = memory.fresh_key();
    let now = memory.now_ms();
    let index = memory.store(Share {
        order: 0,
        request: call.order,
        metadata_key: memory.fresh_key(),
        link: format!(
            "{}/secret/{secret_key}",
            memory.base_url(draft.share_domain.as_deref())
        ),
        secret_key,
        value: draft.value,
        passphrase: draft.passphrase,
        ttl: draft.ttl,
        recipients: draft.recipients,
        recipient_asked: call.params.list("recipient").into_iter().next(),
        account: caller.username().map(str::to_owned),
        share_domain: draft.share_domain,
        generated: draft.generated,
        created_ms: now,
        updated_ms: now,
        viewed_ms: None,
        received_ms: None,
        burned_ms: None,
        state: State::New,
    });
    let recipient = memory.journal.shares[index].recipients.first().cloned();
    let arrives = call.mail && memory.config.mail == MailServer::Up;
    if let Some(to) = recipient.as_ref().filter(|_| arrives) {
        memory.mail(to, index, caller.username());
    }
    let stalled = recipient.is_some() && stall(memory).is_some();
    let at = if stalled { now + STALL_MS } else { now };
    let share = &mut memory.journal.shares[index];
    let shown = share.clone();
    if version == Version::V0_23 && shown.generated {
        // The generated value was given here, so the receipt's first look does not give it again.
        share.state = State::Viewed;
    }
    Answer::ok(&receipt::render(
        memory,
        &shown,
        caller,
        at,
        &Shown::created(&shown),
    ))
}

/// How long v0.23 holds everything while its mail server stalls.
pub(super) fn stall(memory: &Memory) -> Option<std::time::Duration> {
    match (memory.config.version, memory.config.mail) {
        (Version::V0_23, MailServer::Stalled { held }) => Some(held),
        _ => None,
    }
}
