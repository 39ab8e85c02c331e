//! The JSON of the service.
//!
//! Owns: the names of the fields in both versions, and which of them an answer can't
//! do without. Must not: look at status codes (see `wire::answer`).

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::lenient::LenientValue;
use crate::onetime::endpoint::plain_host;
use crate::onetime::keys::MetadataKey;
use crate::onetime::receipt::{Created, Receipt, RecentReceipt, State};

/// An error, as far as it is looked at.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireError {
    pub(super) message: LenientValue,
    pub(super) error: LenientValue,
}

/// The value of a generated secret, or of a receipt looked at for the first time.
/// Parsed on its own, so that nobody who does not want it ever holds it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireValue {
    pub(super) value: LenientValue,
    pub(super) secret_value: LenientValue,
}

/// The answer of v1 to creating and looking, and an entry of its list.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireReceipt {
    custid: LenientValue,
    metadata_key: LenientValue,
    secret_key: LenientValue,
    secret_identifier: LenientValue,
    ttl: LenientValue,
    metadata_ttl: LenientValue,
    secret_ttl: LenientValue,
    recipient: LenientValue,
    recipients: LenientValue,
    created: LenientValue,
    updated: LenientValue,
    received: LenientValue,
    passphrase_required: LenientValue,
    share_domain: LenientValue,
    state: LenientValue,
}

impl WireReceipt {
    fn masks(&self) -> Vec<String> {
        let masks = self.recipient.texts();
        if masks.is_empty() {
            self.recipients.texts()
        } else {
            masks
        }
    }

    fn domain(&self) -> Option<String> {
        self.share_domain.text().and_then(plain_host)
    }

    pub(super) fn key(&self) -> Option<MetadataKey> {
        self.metadata_key.metadata_key()
    }

    /// None without both keys.
    pub(super) fn created(&self) -> Option<Created> {
        Some(Created {
            custid: self.custid.plain(),
            metadata_key: self.metadata_key.metadata_key()?,
            secret_key: self.secret_key.secret_key()?,
            ttl_seconds: self.ttl.whole(),
            metadata_ttl_seconds: self.metadata_ttl.whole(),
            secret_ttl_seconds: self.secret_ttl.whole(),
            recipient: self.masks(),
            created_at: self.created.time(),
            updated_at: self.updated.time(),
            passphrase_required: self.passphrase_required.flag().unwrap_or(false),
            share_domain: self.domain(),
            state: State::from_word(self.state.text()),
        })
    }

    /// None without a metadata key or a state.
    pub(super) fn receipt(&self) -> Option<Receipt> {
        Some(Receipt {
            custid: self.custid.plain(),
            metadata_key: self.metadata_key.metadata_key()?,
            secret_key: self.secret_key.secret_key(),
            state: State::from_word(Some(self.state.text()?)),
            ttl_seconds: self.ttl.whole(),
            metadata_ttl_seconds: self.metadata_ttl.whole(),
            secret_ttl_seconds: self.secret_ttl.whole(),
            recipient: self.masks(),
            created_at: self.created.time(),
            updated_at: self.updated.time(),
            received_at: self.received.time(),
            passphrase_required: self.passphrase_required.flag(),
            share_domain: self.domain(),
        })
    }

    /// The service's clock, where the entry tells it: the time left for a receipt counts down from twice the ttl.
    pub(super) fn clock(&self) -> Option<Timestamp> {
        let age = (2 * self.ttl.whole()?).checked_sub(self.metadata_ttl.whole()?)?;
        let age = SignedDuration::from_secs(i64::try_from(age).ok()?);
        self.created.time()?.checked_add(age).ok()
    }

    /// None without a metadata key, a state or a creation time: such an entry could
    /// be the one that is looked for.
    pub(super) fn recent(&self) -> Option<RecentReceipt> {
        Some(RecentReceipt {
            metadata_key: self.metadata_key.metadata_key()?,
            secret_key: self.secret_identifier.secret_key(),
            state: State::from_word(Some(self.state.text()?)),
            ttl_seconds: self.ttl.whole(),
            recipient: self.masks(),
            created_at: self.created.time()?,
            updated_at: self.updated.time(),
            received_at: self.received.time(),
            burned_at: None,
            passphrase_required: self.passphrase_required.flag(),
            share_domain: self.domain(),
        })
    }
}

/// The answer to burning; its `state.state` still says `new` (v1-burn.json).
#[derive(Deserialize)]
pub(super) struct WireBurned {
    pub(super) state: WireReceipt,
}

/// The answer of v2 to the list of receipts, without its records.
#[derive(Deserialize)]
pub(super) struct WireRecentV2 {
    #[serde(default)]
    pub(super) success: LenientValue,
    #[serde(default)]
    pub(super) count: LenientValue,
}

/// The service's clock beside v2's list. Read apart: a list without it is a list.
#[derive(Deserialize)]
pub(super) struct WireClockV2 {
    details: WireDetailsV2,
}

#[derive(Deserialize)]
struct WireDetailsV2 {
    now: LenientValue,
}

impl WireClockV2 {
    /// A number on v0.26, a date on v0.23.
    pub(super) fn clock(&self) -> Option<Timestamp> {
        self.details.now.time().or_else(|| self.details.now.date())
    }
}

/// An entry of v2's list.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireRecordV2 {
    key: LenientValue,
    identifier: LenientValue,
    secret_identifier: LenientValue,
    state: LenientValue,
    secret_ttl: LenientValue,
    recipients: LenientValue,
    created: LenientValue,
    updated: LenientValue,
    received: LenientValue,
    burned: LenientValue,
    has_passphrase: LenientValue,
    share_domain: LenientValue,
}

impl WireRecordV2 {
    /// None without a key, a state or a creation time.
    pub(super) fn recent(&self) -> Option<RecentReceipt> {
        Some(RecentReceipt {
            metadata_key: self
                .key
                .metadata_key()
                .or_else(|| self.identifier.metadata_key())?,
            secret_key: self.secret_identifier.secret_key(),
            state: State::from_word(Some(self.state.text()?)),
            ttl_seconds: self.secret_ttl.whole(),
            recipient: self.recipients.texts(),
            created_at: self.created.time()?,
            updated_at: self.updated.time(),
            received_at: self.received.time(),
            burned_at: self.burned.time(),
            passphrase_required: self.has_passphrase.flag(),
            share_domain: self.share_domain.text().and_then(plain_host),
        })
    }
}

/// `{"status":"nominal"}`, and the version: a list of parts on v0.23 (v2-basics.json).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireStatus {
    pub(super) status: LenientValue,
    version: LenientValue,
}

impl WireStatus {
    /// The version with dots; none when it is no plain version.
    pub(super) fn version(&self) -> Option<String> {
        let parts = match &self.version {
            LenientValue::List(parts) => parts.iter().map(version_part).collect::<Option<Vec<_>>>()?,
            single => vec![version_part(single)?],
        };
        let version = parts.join(".");
        let fits = (1..=32).contains(&version.len());
        let plain = version
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
        (fits && plain).then_some(version)
    }
}

fn version_part(part: &LenientValue) -> Option<String> {
    part.text()
        .map(str::to_owned)
        .or_else(|| part.whole().map(|number| number.to_string()))
}
