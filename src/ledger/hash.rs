//! The hashes and random names by which the ledger knows things without holding them. PURE but for the random numbers.

use sha2::{Digest, Sha256};

/// 40 hex digits of SHA-256 over the parts, each with its length, so that no two lists collide.
#[must_use]
pub fn short_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(40);
    text
}

/// The hash by which a metadata key is known without holding it.
#[must_use]
pub fn key_hash(metadata_key: &str) -> String {
    short_hash(&["metadata key", metadata_key])
}

/// The hash by which the last part of a link is known without holding it.
#[must_use]
pub fn link_hash(secret_key: &str) -> String {
    short_hash(&["secret key", secret_key])
}

/// 128 random bits in hex.
#[must_use]
pub fn random_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}
