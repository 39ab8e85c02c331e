//! The capabilities that the service hands out: metadata key, secret key, link.
//!
//! Owns: their validation, redaction and wiping. Must not: implement `Display`
//! or `Serialize`; whoever needs the text says so with `expose`.

use std::fmt;
use std::hash::{Hash, Hasher};

use zeroize::Zeroizing;

/// A text that is not a key of the service: not 16 to 128 ASCII letters and digits.
///
/// Recorded keys have up to 31 (v0.23) or 62 (v0.26) characters. The limits keep
/// slashes, dots and control characters of a hostile answer out of our URLs, and
/// words such as `recent` from being taken for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key of the service: a key is 16 to 128 ASCII letters and digits")]
pub struct BadKey;

fn checked(text: &str) -> Result<Zeroizing<String>, BadKey> {
    let fits = (16..=128).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(Zeroizing::new(text.to_owned()))
    } else {
        Err(BadKey)
    }
}

macro_rules! capability {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// The text itself. Never log it, never put it into an error.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.expose().hash(state);
            }
        }
    };
}

capability! {
    /// The key of a receipt. It alone allows looking at the receipt and burning
    /// the secret (v1-burn.json: "burn anonymous, of alices"). Wiped on drop.
    MetadataKey
}

capability! {
    /// The key of a secret, the last part of the link. Wiped on drop.
    SecretKey
}

capability! {
    /// The one-time link, `https://HOST/secret/KEY`. Wiped on drop.
    Link
}

impl MetadataKey {
    /// Takes a text for a key.
    ///
    /// # Errors
    /// [`BadKey`] unless it is 16 to 128 ASCII letters and digits.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        checked(text).map(Self)
    }
}

impl SecretKey {
    /// Takes a text for a key.
    ///
    /// # Errors
    /// [`BadKey`] unless it is 16 to 128 ASCII letters and digits.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        checked(text).map(Self)
    }
}

impl Link {
    /// A link built by [`super::Endpoint::link`], the only maker of links.
    pub(super) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_alphanumeric_and_long() {
        for bad in [
            "",
            "recent",
            "../../../../etc/passwd",
            "aaaaaaaaaaaaaaa/aaaaaaaa",
            "aaaaaaaaaaaaaaaa\n",
        ] {
            assert!(SecretKey::parse(bad).is_err(), "{bad:?}");
            assert!(MetadataKey::parse(bad).is_err(), "{bad:?}");
        }
        assert!(SecretKey::parse(&"a".repeat(129)).is_err());
        assert!(SecretKey::parse("3zrt7inskylvt4j20bzd0un12bnp25s").is_ok());
    }

    #[test]
    fn debug_says_nothing() {
        let key = SecretKey::parse("3zrt7inskylvt4j20bzd0un12bnp25s").unwrap();
        assert_eq!(format!("{key:?}"), "SecretKey([redacted])");
    }
}
