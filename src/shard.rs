//! Which shares an operator works on when several share the work, as `--watch-label-selector` says. PURE.
//!
//! The label of a share says which shard works on it. The label of a ledger entry says which shard wrote it last: it is
//! always [`LABEL`], whatever label the shares carry.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The label of a ledger entry that a named shard wrote last, and by default that of a share.
pub const LABEL: &str = "onetimeshare.dev/shard";

/// The lease of the operator that works on all shares, or on those of the default shard.
const LEASE: &str = "onetimeshare";

/// A Lease `onetimeshare-ledger` says which ledger a namespace belongs to: no shard may be named so.
const TAKEN: &str = "ledger";

/// The labels of an object.
type Labels = Option<BTreeMap<String, String>>;

/// The part of the shares that an operator works on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shard {
    /// All of them: there are no shards.
    #[default]
    All,
    /// Those without the label.
    Default {
        /// The label of shares.
        key: String,
    },
    /// Those whose label says this name.
    Named {
        /// The label of shares.
        key: String,
        /// The name: a DNS label.
        name: String,
    },
}

/// Why a selector names no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// It has another form.
    #[error(
        "--watch-label-selector is {0:?}: write {LABEL}=NAME for the shares of a shard, or !{LABEL} for those that no shard is named for"
    )]
    Form(String),
    /// The name cannot be that of a lease and of a label.
    #[error(
        "--watch-label-selector names the shard {0:?}: use at most 50 lower case letters, digits and hyphens, with a letter or digit at both ends"
    )]
    Name(String),
    /// The name is used otherwise.
    #[error(
        "--watch-label-selector names the shard {TAKEN:?}, whose lease would have the name of another Lease: choose another name"
    )]
    Taken,
}

impl Shard {
    /// Whether this is one part of several.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self != &Self::All
    }

    /// Whether this operator speaks for all shards, where one must: about providers, for instance.
    #[must_use]
    pub fn speaks_for_all(&self) -> bool {
        !matches!(self, Self::Named { .. })
    }

    /// The label selector of its shares. None for all.
    #[must_use]
    pub fn shares(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Default { key } => Some(format!("!{key}")),
            Self::Named { key, name } => Some(format!("{key}={name}")),
        }
    }

    /// Whether a share is one of its own, by the share's labels.
    #[must_use]
    pub fn works_on(&self, labels: &Labels) -> bool {
        match self {
            Self::All => true,
            Self::Default { key } => label(labels, key).is_none(),
            Self::Named { key, name } => label(labels, key) == Some(name),
        }
    }

    /// What its entries carry as [`LABEL`]. None where they carry no such label.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::All | Self::Default { .. } => None,
            Self::Named { name, .. } => Some(name),
        }
    }

    /// The label selector of its ledger entries. None for all.
    #[must_use]
    pub fn entries(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Default { .. } => Some(format!("!{LABEL}")),
            Self::Named { name, .. } => Some(format!("{LABEL}={name}")),
        }
    }

    /// The label selector of the entries of all other shards. None where there is none.
    #[must_use]
    pub fn entries_of_others(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Default { .. } => Some(LABEL.to_owned()),
            Self::Named { name, .. } => Some(format!("{LABEL}!={name}")),
        }
    }

    /// Whether a ledger entry is one of its own, by the entry's labels.
    #[must_use]
    pub fn wrote(&self, labels: &Labels) -> bool {
        match self {
            Self::All => true,
            Self::Default { .. } => label(labels, LABEL).is_none(),
            Self::Named { name, .. } => label(labels, LABEL) == Some(name),
        }
    }

    /// The name of its lease.
    #[must_use]
    pub fn lease(&self) -> String {
        self.name().map_or_else(|| LEASE.to_owned(), lease_of)
    }
}

/// The name of the lease of a named shard.
#[must_use]
pub fn lease_of(name: &str) -> String {
    format!("{LEASE}-{name}")
}

fn label<'a>(labels: &'a Labels, key: &str) -> Option<&'a str> {
    labels.as_ref()?.get(key).map(String::as_str)
}

/// As the log names it.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all shares"),
            Self::Default { .. } => f.write_str("the default shard"),
            Self::Named { name, .. } => write!(f, "shard {name}"),
        }
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let selector = text.trim();
        if selector.is_empty() {
            return Ok(Self::All);
        }
        let (key, name) = match selector.strip_prefix('!') {
            Some(key) => (key, None),
            None => {
                let (key, name) = named(selector).ok_or_else(|| ShardError::Form(text.to_owned()))?;
                (key, Some(name.trim()))
            }
        };
        let key = key.trim();
        if !is_key(key) {
            return Err(ShardError::Form(text.to_owned()));
        }
        let key = key.to_owned();
        match name {
            None => Ok(Self::Default { key }),
            Some(TAKEN) => Err(ShardError::Taken),
            Some(name) if is_name(name) => Ok(Self::Named {
                key,
                name: name.to_owned(),
            }),
            Some(name) => Err(ShardError::Name(name.to_owned())),
        }
    }
}

/// The key and the name of `KEY=NAME`, `KEY==NAME` and `KEY in (NAME)`.
fn named(selector: &str) -> Option<(&str, &str)> {
    if let Some((key, name)) = selector.split_once('=') {
        return Some((key, name.strip_prefix('=').unwrap_or(name)));
    }
    let (key, names) = selector.split_once(" in ")?;
    let names = names.trim().strip_prefix('(')?.strip_suffix(')')?;
    Some((key, names))
}

/// Whether a text can be the key of a label, near enough that a selector stays one requirement: the API server knows the
/// rest.
fn is_key(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let parts = key.split('/').count();
    !key.is_empty() && key.chars().all(plain) && parts <= 2 && !key.starts_with('/') && !key.ends_with('/')
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = name.starts_with(plain) && name.ends_with(plain);
    ends && name.len() <= 50 && name.chars().all(|c| plain(c) || c == '-')
}

#[cfg(test)]
mod tests;
