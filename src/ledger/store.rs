//! Reading entries from the watch cache, and compare-and-swap writes that survive a lost answer.

use super::codec::{self, CodecError, SECRET_TYPE};
use super::entry::{Entry, Owner};
use super::hash::random_id;
use super::own_writes::{OwnWrites, Vanished};
use crate::kubernetes::bounded;
use crate::kubernetes::definition::Seen;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use std::sync::Arc;

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else wrote the entry first. Decide again.
    #[error("the ledger entry was changed by another writer")]
    Conflict,
    /// This replica may begin nothing at this moment: it waits for its lease, or shuts down. Nothing was written.
    #[error("this replica may begin nothing now: it waits for its lease, or shuts down")]
    Paused,
    /// The entry is not one that this operator can use.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The API server refuses the write: nothing was written, and an administrator must act.
    #[error("the ledger refuses writes: {0}")]
    Refused(crate::kubernetes::ApiError),
    /// The API server did not do it, or did not say whether it did.
    #[error("the ledger cannot be reached: {0}")]
    Api(#[from] crate::kubernetes::ApiError),
}

/// An entry with the version of the Secret that holds it.
#[derive(Clone, Debug)]
pub struct Versioned {
    /// The entry.
    pub entry: Entry,
    pub(super) resource_version: String,
    /// When the Secret was created, by the API server's clock.
    created: Option<jiff::Timestamp>,
}

impl Versioned {
    /// An entry of the first version.
    #[cfg(test)]
    pub(crate) fn first(entry: Entry) -> Self {
        Self {
            entry,
            resource_version: "1".into(),
            created: None,
        }
    }

    /// Whether the share was last acted upon under an earlier definition than this one.
    #[must_use]
    pub fn is_older_than(&self, definition: &Seen) -> bool {
        definition.is_newer_than(self.entry.crd_uid.as_deref(), self.created)
    }

    /// Names this version of the entry.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.resource_version
    }
}

/// Is told of every write that the API server took: the entry before, if there was one, and the entry after.
pub type OnWrite = Arc<dyn Fn(Option<&Entry>, &Entry) + Send + Sync>;

/// The ledger of this cluster.
pub struct Ledger {
    pub(super) api: Api<Secret>,
    pub(super) namespace: String,
    pub(super) cache: Store<Secret>,
    pub(super) own_writes: Arc<OwnWrites>,
    on_write: OnWrite,
}

impl Ledger {
    /// Opens the ledger. The returned stream must be polled: it fills the cache, and tells whose entry changed.
    pub fn open(
        client: Client,
        namespace: &str,
        on_write: OnWrite,
    ) -> (Self, impl futures::Stream<Item = Owner> + Send + 'static) {
        use futures::StreamExt;
        let api: Api<Secret> = Api::namespaced(client, namespace);
        let (cache, writer) = reflector::store();
        let config = crate::kubernetes::watch::config("ledger", Some(namespace))
            .fields(&format!("type={SECRET_TYPE}"));
        let own_writes = Arc::<OwnWrites>::default();
        let seen = Arc::clone(&own_writes);
        let changes = watcher(api.clone(), config)
            .default_backoff()
            .reflect(writer)
            .inspect(move |event| match event {
                Ok(watcher::Event::Delete(deleted)) => seen.forget(deleted),
                Ok(watcher::Event::Apply(secret) | watcher::Event::InitApply(secret)) => {
                    seen.note(secret);
                }
                Ok(watcher::Event::Init | watcher::Event::InitDone) | Err(_) => {}
            })
            .touched_objects()
            .filter_map(|change| async move {
                match change {
                    Ok(secret) => codec::decode(&secret).ok().map(|entry| entry.owner),
                    Err(error) => {
                        tracing::warn!(error = %crate::kubernetes::watch_error(&error), "the watch of the ledger broke off and starts again");
                        None
                    }
                }
            });
        let ledger = Self {
            api,
            namespace: namespace.to_owned(),
            cache,
            own_writes,
            on_write,
        };
        (ledger, changes)
    }

    /// The namespace of the ledger.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Waits until the cache was filled once. False when its watch ended.
    pub async fn filled(&self) -> bool {
        crate::kubernetes::filled(&self.cache).await
    }

    /// The entry of a share, from the cache.
    ///
    /// # Errors
    /// [`LedgerError::Codec`] when the Secret is not this share's entry or cannot be read.
    pub fn read(&self, owner: &Owner) -> Result<Option<Versioned>, LedgerError> {
        let name = owner.entry_name();
        let cached = self.cache.get(&ObjectRef::new(&name).within(&self.namespace));
        let own = self
            .own_writes
            .newer(&name, cached.as_deref(), |own| versioned(own, owner));
        own.or_else(|| cached.map(|secret| versioned(&secret, owner)))
            .transpose()
    }

    /// Whether this process ever knew an entry of a share, also when there is none now.
    pub fn knew(&self, owner: &Owner) -> bool {
        self.own_writes.knew(&owner.entry_name())
    }

    /// The attempt that an entry held when this process last saw it, where the entry is gone and what became of the
    /// attempt is not known.
    pub fn vanished(&self, owner: &Owner) -> Option<Vanished> {
        self.own_writes.unresolved(&owner.entry_name())
    }

    /// Notes that nothing came of the attempt that a vanished entry held.
    pub(super) fn settled(&self, owner: &Owner) {
        if !mutant!("lose-outcome") {
            self.own_writes.settled(&owner.entry_name());
        }
    }

    /// The entry of a share, from the API server.
    ///
    /// # Errors
    /// As [`Ledger::read`], and [`LedgerError::Api`].
    pub async fn read_live(&self, owner: &Owner) -> Result<Option<Versioned>, LedgerError> {
        let name = owner.entry_name();
        let found = bounded(self.api.get_opt(&name)).await?;
        let versioned = found
            .as_ref()
            .map(|secret| versioned(secret, owner))
            .transpose()?;
        self.own_writes.remember(name, found);
        Ok(versioned)
    }

    /// Every entry in the cache that can be read.
    #[must_use]
    pub fn all(&self) -> Vec<Versioned> {
        self.cache
            .state()
            .iter()
            .filter_map(|secret| {
                let entry = codec::decode(secret).ok()?;
                self.read(&entry.owner).ok().flatten()
            })
            .collect()
    }

    /// Writes the first entry of a share, if there is none.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] when there is one, and [`LedgerError::Api`].
    pub async fn create(&self, entry: Entry) -> Result<Versioned, LedgerError> {
        self.write(None, entry).await
    }

    /// Creates an entry again that somebody deleted, if there is still none.
    ///
    /// # Errors
    /// As [`Ledger::create`].
    pub(super) async fn create_again(&self, before: &Entry, entry: Entry) -> Result<Versioned, LedgerError> {
        let written = self.write_over(None, entry.following(before)).await?;
        (self.on_write)(Some(before), &written.entry);
        Ok(written)
    }

    /// Replaces an entry, if it is still the one that was read.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] when it is not, and [`LedgerError::Api`].
    pub async fn replace(&self, read: &Versioned, entry: Entry) -> Result<Versioned, LedgerError> {
        self.write(Some(read), entry).await
    }

    async fn write(&self, read: Option<&Versioned>, entry: Entry) -> Result<Versioned, LedgerError> {
        let expected = read.map(|read| read.resource_version.clone());
        let entry = match read {
            Some(read) => entry.following(&read.entry),
            None => entry,
        };
        let written = self.write_over(expected, entry).await?;
        (self.on_write)(read.map(|read| &read.entry), &written.entry);
        Ok(written)
    }

    async fn write_over(&self, expected: Option<String>, mut entry: Entry) -> Result<Versioned, LedgerError> {
        entry.write = random_id();
        entry.retry.record_pause(Timestamp::now());
        let owner = entry.owner.clone();
        let name = owner.entry_name();
        let replaces = expected.is_some();
        let version = expected.clone().filter(|_| !mutant!("blind-replace"));
        let secret = codec::encode(&entry, &self.namespace, version)?;
        let params = PostParams::default();
        let answer = match expected {
            None => bounded(self.api.create(&params, &secret)).await,
            Some(_) => bounded(self.api.replace(&name, &params, &secret)).await,
        };
        match answer {
            Ok(written) => {
                let versioned = versioned(&written, &owner)?;
                self.own_writes.remember(name, Some(written));
                Ok(versioned)
            }
            // The client repeats writes after 429, 503 and 504, so that a conflict may be with our own first try;
            // and an answer that was lost says nothing. The write's id tells.
            Err(error) => match self.read_live(&owner).await {
                Ok(Some(found)) if found.entry.write == entry.write || mutant!("race-won") => Ok(found),
                _ if error.is_conflict() => Err(LedgerError::Conflict),
                // Somebody deleted it: nothing is left to be replaced.
                Ok(None) if replaces && error.is_not_found() => Err(LedgerError::Conflict),
                _ if error.is_refusal() => Err(LedgerError::Refused(error)),
                _ => Err(error.into()),
            },
        }
    }

    /// Removes an entry, if it is still the one that was read.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] when it is not, and [`LedgerError::Api`].
    pub async fn remove(&self, read: &Versioned) -> Result<(), LedgerError> {
        let name = read.entry.owner.entry_name();
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                resource_version: Some(read.resource_version.clone()),
                uid: None,
            }),
            ..DeleteParams::default()
        };
        match bounded(self.api.delete(&name, &params)).await {
            Ok(_) => {
                self.own_writes.removed(&name);
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.is_conflict() => Err(LedgerError::Conflict),
            Err(error) => Err(error.into()),
        }
    }
}

fn versioned(secret: &Secret, owner: &Owner) -> Result<Versioned, LedgerError> {
    let entry = codec::decode_for(secret, owner)?;
    Ok(Versioned {
        entry,
        resource_version: secret.resource_version().unwrap_or_default(),
        created: secret.metadata.creation_timestamp.as_ref().map(|time| time.0),
    })
}
