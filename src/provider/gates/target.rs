//! Whom a call reaches, and what it does there: what pauses and failures are counted by.

use sha2::{Digest, Sha256};

/// What a call does. The service counts each kind apart (v0.23: 50 mails, 1000 creations, 1000 looks, 10 burns of
/// protected links in 20 minutes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Creates a link.
    Create,
    /// Creates a link and mails it.
    Mail,
    /// Looks at a receipt or at a list of receipts.
    Look,
    /// Burns a link.
    Burn,
}

/// Whom a call reaches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// A hash of the server's address, and of how it is reached and trusted.
    pub(super) server: String,
    /// The account's name; None without one.
    pub(super) account: Option<String>,
    /// The namespace of the provider; None of a ClusterShareProvider.
    pub(super) namespace: Option<String>,
}

impl Target {
    /// `way` tells servers apart: the address, the authorities that are trusted, the proxy, the policy.
    pub(in crate::provider) fn new(way: &[&str], account: Option<&str>, namespace: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        for part in way {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        Self {
            server: hex::encode(hash.finalize()),
            account: account.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
        }
    }
}
