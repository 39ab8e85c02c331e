//! Entry <-> Secret: PURE. Labels carry hashes only, because labels end up in audit logs and metrics.

use super::attempt::{Route, lane_label};
use super::entry::{Entry, FORMAT, Owner, Phase};
use crate::shard::{self, Shard};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The type of an entry's Secret: what the ledger lists and what the admission policy protects.
pub(super) const SECRET_TYPE: &str = "onetimeshare.dev/ledger";

const DATA_KEY: &str = "entry";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// On an attempt that may be under way.
pub(super) const LANE: &str = "onetimeshare.dev/lane";
/// Server and account.
pub(super) const ROUTE: &str = "onetimeshare.dev/route";
/// The account alone. Entries of the first version have none.
pub(super) const ACCOUNT: &str = "onetimeshare.dev/account";
const PHASE: &str = "onetimeshare.dev/phase";
const INTENT: &str = "intent";

/// Why a Secret is no entry of this operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The Secret has no data under the expected key, or not in the expected form.
    #[error("the entry cannot be read")]
    Malformed,
    /// A newer operator wrote it.
    #[error("the entry has format {0}, and this operator reads only {FORMAT}")]
    Newer(u32),
    /// The entry belongs to another share.
    #[error("the entry belongs to another share")]
    OtherOwner,
}

/// Makes the Secret of an entry, for the ledger's namespace.
///
/// # Errors
/// [`CodecError::Malformed`] when the entry cannot be written as JSON, which would be a bug.
pub fn encode(
    entry: &Entry,
    namespace: &str,
    resource_version: Option<String>,
) -> Result<Secret, CodecError> {
    let json = serde_json::to_vec(entry).map_err(|_| CodecError::Malformed)?;
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(entry.owner.entry_name()),
            namespace: Some(namespace.to_owned()),
            resource_version,
            labels: Some(labels(entry)),
            ..ObjectMeta::default()
        },
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some(BTreeMap::from([(DATA_KEY.to_owned(), ByteString(json))])),
        ..Secret::default()
    })
}

fn labels(entry: &Entry) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([(MANAGED_BY.to_owned(), "onetimeshare".to_owned())]);
    let hashes = |route: &Route| (Some(route.hash()), Some(route.account_hash()));
    let (phase, (route, account)) = match &entry.phase {
        Phase::Idle => ("idle", (None, None)),
        Phase::Intent(attempt) => (INTENT, hashes(&attempt.route)),
        Phase::Shared(link) => ("shared", hashes(&link.route)),
        Phase::Burning(burning) => ("burning", hashes(&burning.link.route)),
        Phase::Finished(finished) => (
            "finished",
            (Some(finished.route.clone()), finished.account.clone()),
        ),
    };
    labels.insert(PHASE.to_owned(), phase.to_owned());
    labels.extend(route.map(|route| (ROUTE.to_owned(), route)));
    labels.extend(account.map(|account| (ACCOUNT.to_owned(), account)));
    if let Phase::Intent(attempt) = &entry.phase
        && !attempt.needs_decision
    {
        let lane = lane_label(&attempt.route, attempt.recipient.as_ref());
        labels.insert(LANE.to_owned(), lane);
    }
    labels
}

/// Writes down which shard writes an entry.
pub(super) fn sign(secret: &mut Secret, shard: &Shard) {
    let name = shard
        .name()
        .map(|name| (shard::LABEL.to_owned(), name.to_owned()));
    secret
        .metadata
        .labels
        .get_or_insert_with(BTreeMap::new)
        .extend(name);
}

/// Whether an entry may hold an attempt that keeps its lane, as its label says.
pub(super) fn is_laned(secret: &Secret) -> bool {
    let labels = secret.metadata.labels.as_ref();
    labels.is_some_and(|labels| labels.contains_key(LANE))
}

/// Reads an entry from its Secret.
///
/// # Errors
/// [`CodecError::Malformed`], or [`CodecError::Newer`] for an entry of a newer operator.
pub fn decode(secret: &Secret) -> Result<Entry, CodecError> {
    let data = secret
        .data
        .as_ref()
        .and_then(|data| data.get(DATA_KEY))
        .ok_or(CodecError::Malformed)?;
    #[derive(serde::Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head = serde_json::from_slice(&data.0).map_err(|_| CodecError::Malformed)?;
    if head.format > FORMAT {
        return Err(CodecError::Newer(head.format));
    }
    serde_json::from_slice(&data.0).map_err(|_| CodecError::Malformed)
}

/// Reads an entry and makes sure that it is this share's.
pub(super) fn decode_for(secret: &Secret, owner: &Owner) -> Result<Entry, CodecError> {
    let entry = decode(secret)?;
    if &entry.owner == owner {
        Ok(entry)
    } else {
        Err(CodecError::OtherOwner)
    }
}

/// The type of a claim's Secret.
pub(super) const CLAIM_TYPE: &str = "onetimeshare.dev/claim";
const CLAIM_KEY: &str = "attempt";

/// Makes the Secret that claims a receipt: its name is the hash of the receipt's key, so that there can be only one.
pub(super) fn encode_claim(namespace: &str, key_hash: &str, owner: &Owner, nonce: &str) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(format!("claim-{key_hash}")),
            namespace: Some(namespace.to_owned()),
            labels: Some(BTreeMap::from([
                (MANAGED_BY.to_owned(), "onetimeshare".to_owned()),
                (PHASE.to_owned(), "claim".to_owned()),
                ("onetimeshare.dev/entry".to_owned(), owner.entry_name()),
            ])),
            ..ObjectMeta::default()
        },
        type_: Some(CLAIM_TYPE.to_owned()),
        data: Some(BTreeMap::from([(
            CLAIM_KEY.to_owned(),
            ByteString(nonce.as_bytes().to_vec()),
        )])),
        immutable: Some(true),
        ..Secret::default()
    }
}

/// The hash of the receipt's key, and the nonce of the attempt that claims it. None for what is no claim.
pub(super) fn decode_claim(claim: &Secret) -> Option<(String, String)> {
    let hash = claim.metadata.name.as_deref()?.strip_prefix("claim-")?;
    let nonce = claim.data.as_ref()?.get(CLAIM_KEY)?;
    Some((hash.to_owned(), String::from_utf8(nonce.0.clone()).ok()?))
}

/// Whether a claim is this attempt's.
pub(super) fn claims_for(claim: &Secret, nonce: &str) -> bool {
    decode_claim(claim).is_some_and(|(_, claimant)| claimant == nonce)
}

/// Wipes what a Secret holds, for those that are about to be dropped.
pub(super) fn wipe(secret: &mut Secret) {
    for value in secret.data.iter_mut().flat_map(BTreeMap::values_mut) {
        drop(Zeroizing::new(std::mem::take(&mut value.0)));
    }
}
