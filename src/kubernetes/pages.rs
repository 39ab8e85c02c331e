//! Lists that may be long, page by page: no answer of the API server is large, and no call takes long.

use super::{ApiError, bounded};
use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// How many objects a page has at most.
const PAGE: u32 = 500;

/// Lists objects, and hands each over.
///
/// # Errors
/// [`ApiError`], also in the middle of the list.
pub async fn for_each<K>(api: &Api<K>, params: ListParams, mut each: impl FnMut(K)) -> Result<(), ApiError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut params = params.limit(PAGE);
    loop {
        let page = bounded(api.list(&params)).await?;
        page.items.into_iter().for_each(&mut each);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(()),
        }
    }
}
