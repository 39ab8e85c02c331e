//! What all connections of a server share: memory, plan, the wish to drop connections.
//!
//! It must not read or answer requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::config::Version;
use super::journal::Outcome;
use super::plan::Plan;
use super::state::Memory;
use super::tls::Tls;

/// What all connections share.
pub(super) struct Shared {
    memory: Mutex<Memory>,
    changes: watch::Sender<u64>,
    drops: watch::Sender<u64>,
    refusals: AtomicU64,
    pub(super) plan: Plan,
    tls: Option<Tls>,
    pub(super) version: Version,
    /// v0.23 does one thing at a time (`v1-smtp-stall-blocks-server`).
    pub(super) single: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(super) fn new(memory: Memory, tls: Option<Tls>) -> Self {
        Self {
            version: memory.config.version,
            memory: Mutex::new(memory),
            changes: watch::Sender::new(0),
            drops: watch::Sender::new(0),
            refusals: AtomicU64::new(0),
            plan: Plan::default(),
            tls,
            single: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.as_ref().map(|tls| tls.acceptor.clone())
    }

    pub(super) fn ca_pem(&self) -> Option<&str> {
        self.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// Changes something and tells whoever waits.
    pub(super) fn change<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        let result = self.look(work);
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// The same for something that only looks.
    pub(super) fn look<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        work(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn drops(&self) -> watch::Receiver<u64> {
        self.drops.subscribe()
    }

    pub(super) fn drop_connections(&self) {
        self.drops.send_modify(|count| *count += 1);
    }

    pub(super) fn refuse(&self, connections: u64) {
        self.refusals.store(connections, Ordering::SeqCst);
    }

    pub(super) fn refuse_this_one(&self) -> bool {
        self.refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }

    pub(super) fn count_connection(&self) -> u64 {
        self.change(|memory| {
            memory.journal.connections += 1;
            memory.journal.connections
        })
    }

    pub(super) fn finish(&self, index: usize, outcome: Outcome) {
        self.change(|memory| {
            if let Some(request) = memory.journal.requests.get_mut(index) {
                request.outcome = outcome;
            }
        });
    }
}
