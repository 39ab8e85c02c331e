//! Values that are held in large numbers and seldom looked at: as compressed JSON, wiped when they are dropped.
//!
//! Each kind of value has a sample of its JSON. What a value has in common with the sample, above all the names of its
//! fields, costs next to nothing.

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize, Zeroizing};

/// A value that cannot be packed or unpacked. That is a mistake in this program: it packs only what it can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value in memory cannot be read")]
pub struct Unreadable;

/// A packed value. The sample must be the same for packing and unpacking.
#[derive(Clone)]
pub struct Packed(Box<[u8]>);

impl Packed {
    /// Packs a value.
    ///
    /// # Errors
    /// [`Unreadable`] when it has no JSON form.
    pub fn pack<T: Serialize>(value: &T, sample: &str) -> Result<Self, Unreadable> {
        let json = Zeroizing::new(serde_json::to_vec(value).map_err(|_| Unreadable)?);
        let packed = Zeroizing::new(compress_prepend_size_with_dict(&json, sample.as_bytes()));
        // A copy of the exact size: the compressor reserves for the worst case.
        Ok(Self(Box::from(packed.as_slice())))
    }

    /// The value as it was packed.
    ///
    /// # Errors
    /// [`Unreadable`] when it was packed with another sample, or as another type.
    pub fn unpack<T: DeserializeOwned>(&self, sample: &str) -> Result<T, Unreadable> {
        let json = decompress_size_prepended_with_dict(&self.0, sample.as_bytes());
        let json = Zeroizing::new(json.map_err(|_| Unreadable)?);
        serde_json::from_slice(&json).map_err(|_| Unreadable)
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const SAMPLE: &str = r#"{"name":"alice","link":"https://eu.onetimesecret.com/secret/"}"#;

    #[test]
    fn what_is_like_the_sample_costs_little() {
        let value = json!({"name": "bob", "link": "https://eu.onetimesecret.com/secret/0123456789"});
        let packed = Packed::pack(&value, SAMPLE).expect("packed");
        assert_eq!(packed.unpack::<Value>(SAMPLE), Ok(value.clone()));
        let plain = value.to_string().len();
        assert!(packed.0.len() < plain * 2 / 3, "{packed:?} of {plain}");
        assert!(!format!("{packed:?}").contains("bob"));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_no_panic() {
        let packed = Packed::pack(&json!({"name": "alice"}), SAMPLE).expect("packed");
        assert_eq!(packed.unpack::<u32>(SAMPLE), Err(Unreadable));
        assert_eq!(packed.unpack::<Value>("short"), Err(Unreadable));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in ".{0,2000}") {
            let packed = Packed::pack(&text, SAMPLE).expect("packed");
            prop_assert_eq!(packed.unpack::<String>(SAMPLE), Ok(text));
        }
    }
}
