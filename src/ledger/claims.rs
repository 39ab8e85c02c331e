//! Claims: who a receipt that was found belongs to. Create-only, so that of two attempts one gets it.

use super::codec::{self, CLAIM_TYPE};
use super::entry::Owner;
use super::store::{Ledger, LedgerError};
use crate::kubernetes::bounded;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use std::collections::HashMap;

impl Ledger {
    /// Claims a receipt for an attempt. False when another attempt has it.
    ///
    /// # Errors
    /// [`LedgerError::Api`]
    pub async fn claim(&self, key_hash: &str, owner: &Owner, nonce: &str) -> Result<bool, LedgerError> {
        let claim = codec::encode_claim(&self.namespace, key_hash, owner, nonce);
        match bounded(self.api.create(&PostParams::default(), &claim)).await {
            Ok(_) => Ok(true),
            // Also after a create of ours whose answer was lost.
            Err(error) => match bounded(self.api.get_opt(&claim.name_any())).await? {
                Some(found) => Ok(codec::claims_for(&found, nonce)),
                None if error.is_refusal() => Err(LedgerError::Refused(error)),
                None => Err(error.into()),
            },
        }
    }

    /// Which attempt has claimed which receipt: their nonces by the hashes of metadata keys, from the API server.
    ///
    /// # Errors
    /// [`LedgerError::Api`]
    pub async fn claimed(&self) -> Result<HashMap<String, String>, LedgerError> {
        let claims = self.claims().await?;
        Ok(claims.iter().filter_map(codec::decode_claim).collect())
    }

    async fn claims(&self) -> Result<Vec<Secret>, LedgerError> {
        let params = ListParams::default().fields(&format!("type={CLAIM_TYPE}"));
        Ok(bounded(self.api.list(&params)).await?.items)
    }

    /// Removes claims from before a time. The service lists receipts for 30 days; no look finds one that is older.
    ///
    /// # Errors
    /// [`LedgerError::Api`]
    pub async fn forget_claims(&self, before: Timestamp) -> Result<(), LedgerError> {
        for claim in self.claims().await? {
            let old = claim
                .metadata
                .creation_timestamp
                .as_ref()
                .is_some_and(|time| time.0 < before);
            if old {
                match bounded(self.api.delete(&claim.name_any(), &DeleteParams::default())).await {
                    Ok(_) => {}
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}
