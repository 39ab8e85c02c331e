//! Reading entries from the index, and compare-and-swap writes that survive a lost answer.

use super::codec::{self, CodecError, SECRET_TYPE};
use super::entry::{Entry, Owner};
use super::hash::random_id;
use super::index::{Index, Vanished};
use super::lane_watch::LaneWatch;
use super::line::Line;
use super::reach::{Follower, Reach};
use super::versioned::Versioned;
use crate::kubernetes::bounded;
use crate::shard::Shard;
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

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

/// Is told of every write that the API server took: the entry before, if there was one, and the entry after.
pub type OnWrite = Arc<dyn Fn(Option<&Entry>, &Entry) + Send + Sync>;

/// The ledger of this cluster.
pub struct Ledger {
    pub(super) api: Api<Secret>,
    pub(super) namespace: String,
    index: Arc<Mutex<Index>>,
    filled: watch::Receiver<bool>,
    /// How far the watch of the entries has come.
    pub(super) reach: Arc<Reach>,
    /// The lanes of all shards, where the index has only those of one.
    pub(super) all_lanes: Option<Arc<LaneWatch>>,
    pub(super) shard: Shard,
    on_write: OnWrite,
}

impl Ledger {
    /// Opens the ledger, with the entries of a shard. The returned stream must be polled: it fills the index, and tells
    /// whose entry changed.
    pub fn open(
        client: Client,
        namespace: &str,
        shard: Shard,
        on_write: OnWrite,
    ) -> (Self, impl futures::Stream<Item = Owner> + Send + 'static) {
        let api: Api<Secret> = Api::namespaced(client, namespace);
        let (is_filled, filled) = watch::channel(false);
        let index = Arc::<Mutex<Index>>::default();
        let reach = Reach::new();
        let follower = Follower::new(Arc::clone(&reach));
        let changes = changes(&api, &shard, Arc::clone(&index), follower, is_filled);
        let all_lanes = shard.is_part().then(LaneWatch::new);
        let lanes = all_lanes.as_ref().map(|lanes| lanes.fill(&api));
        let lanes = lanes.map_or_else(|| stream::empty().left_stream(), StreamExt::right_stream);
        let ledger = Self {
            api,
            namespace: namespace.to_owned(),
            index,
            filled,
            reach,
            all_lanes,
            shard,
            on_write,
        };
        (ledger, stream::select(changes, lanes))
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }

    /// The namespace of the ledger.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Waits until the index was filled once. False when its watch ended.
    pub async fn filled(&self) -> bool {
        let mut filled = self.filled.clone();
        filled.wait_for(|filled| *filled).await.is_ok()
    }

    /// The newest version of a share's entry that this process knows.
    ///
    /// # Errors
    /// [`LedgerError::Codec`] when the Secret is not this share's entry or cannot be read.
    pub fn read(&self, owner: &Owner) -> Result<Option<Versioned>, LedgerError> {
        let line = self.index().get(&owner.entry_name())?;
        match line {
            Some(line) if line.owner() == owner => Ok(Some(line.open()?)),
            Some(_) => Err(CodecError::OtherOwner.into()),
            None => Ok(None),
        }
    }

    /// The version of a share's entry that [`Ledger::read`] would give. None without one.
    #[must_use]
    pub fn version(&self, owner: &Owner) -> Option<String> {
        let line = self.index().get(&owner.entry_name()).ok()??;
        Some(line.version().to_owned())
    }

    /// Notes that this version of a share's entry was acted on, and calls for nothing more until it changes.
    pub fn acted_on(&self, owner: &Owner, read: Option<&Versioned>) {
        if let Some(read) = read {
            self.index().acted_on(&owner.entry_name(), read.version());
        }
    }

    /// Whether the newest known version of a share's entry was acted on.
    #[must_use]
    pub fn is_acted_on(&self, owner: &Owner) -> bool {
        self.index().is_acted_on(&owner.entry_name())
    }

    /// Whether this process ever knew an entry of a share, also when there is none now.
    pub fn knew(&self, owner: &Owner) -> bool {
        self.index().knew(&owner.entry_name())
    }

    /// The attempt that an entry held when this process last saw it, where the entry is gone and what became of the
    /// attempt is not known.
    pub fn vanished(&self, owner: &Owner) -> Option<Vanished> {
        self.index().vanished(&owner.entry_name())
    }

    /// Notes that nothing came of the attempt that a vanished entry held.
    pub(super) fn settled(&self, owner: &Owner) {
        if !mutant!("lose-outcome") {
            self.index().settled(&owner.entry_name());
        }
    }

    /// The entry of a share, from the API server.
    ///
    /// # Errors
    /// As [`Ledger::read`], and [`LedgerError::Api`].
    pub async fn read_live(&self, owner: &Owner) -> Result<Option<Versioned>, LedgerError> {
        let name = owner.entry_name();
        let mut found = bounded(self.api.get_opt(&name)).await?;
        let versioned = found
            .as_ref()
            .map(|secret| self.versioned(secret, owner))
            .transpose()?;
        if versioned.as_ref().is_some_and(|read| read.of_another_shard) {
            // No watch would ever replace it here.
            self.index().removed(&name);
        } else {
            self.index().found(&name, found.as_ref());
        }
        found.iter_mut().for_each(codec::wipe);
        Ok(versioned)
    }

    /// Every entry that can be read. Costs no request, and opens none of them.
    #[must_use]
    pub fn lines(&self) -> Vec<Arc<Line>> {
        self.index().lines()
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
        let mut secret = codec::encode(&entry, &self.namespace, version)?;
        codec::sign(&mut secret, &self.shard);
        let params = PostParams::default();
        let answer = match expected {
            None => bounded(self.api.create(&params, &secret)).await,
            Some(_) => bounded(self.api.replace(&name, &params, &secret)).await,
        };
        codec::wipe(&mut secret);
        match answer {
            Ok(mut written) => {
                let versioned = self.versioned(&written, &owner)?;
                self.index().found(&name, Some(&written));
                codec::wipe(&mut written);
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
                self.index().removed(&name);
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.is_conflict() => Err(LedgerError::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    fn versioned(&self, secret: &Secret, owner: &Owner) -> Result<Versioned, LedgerError> {
        let entry = codec::decode_for(secret, owner)?;
        let meta = &secret.metadata;
        Ok(Versioned {
            entry,
            resource_version: secret.resource_version().unwrap_or_default(),
            created: meta.creation_timestamp.as_ref().map(|time| time.0),
            of_another_shard: !self.shard.wrote(&meta.labels),
        })
    }
}

/// Fills the index with what a watch brings, and tells whose entry changed.
fn changes(
    api: &Api<Secret>,
    shard: &Shard,
    index: Arc<Mutex<Index>>,
    mut follower: Follower,
    is_filled: watch::Sender<bool>,
) -> impl Stream<Item = Owner> + Send + use<> {
    let mut config =
        crate::kubernetes::watch::config("ledger", api.namespace()).fields(&format!("type={SECRET_TYPE}"));
    config.label_selector = shard.entries();
    let events = watcher(api.clone(), config).default_backoff();
    events.flat_map(move |event| {
        let after = follower.after(&event);
        let mut index = lock(&index);
        let owners = match event {
            Ok(watcher::Event::Apply(mut secret) | watcher::Event::InitApply(mut secret)) => {
                let owner = index.brought(&secret);
                codec::wipe(&mut secret);
                owner.into_iter().collect()
            }
            Ok(watcher::Event::Delete(mut secret)) => {
                let owner = index.deleted(&secret);
                codec::wipe(&mut secret);
                owner.into_iter().collect()
            }
            Ok(watcher::Event::Init) => {
                index.list_begins();
                Vec::new()
            }
            Ok(watcher::Event::InitDone) => {
                is_filled.send_replace(true);
                index.list_ends()
            }
            Err(error) => {
                tracing::warn!(error = %crate::kubernetes::watch_error(&error), "the watch of the ledger broke off and starts again");
                Vec::new()
            }
        };
        drop(index);
        follower.acted(after);
        stream::iter(owners)
    })
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}
