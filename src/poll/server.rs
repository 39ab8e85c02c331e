//! Which work of the poll belongs together: one task for each server and kind.

use super::schedule::Group;
use crate::ledger::{Line, Route, Versioned};
use crate::provider::ProviderId;
use std::collections::HashSet;
use std::sync::Arc;

/// A server, as one tenant reaches it: a namespace whose server hangs slows no other one, whatever address it names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Server {
    /// The namespace of the provider; None for providers of the cluster.
    pub(super) namespace: Option<String>,
    pub(super) endpoint: String,
}

impl Server {
    /// The server of a route that a share in this namespace used.
    pub(super) fn of(route: &Route, namespace: &str) -> Self {
        Self {
            namespace: ProviderId::of(&route.provider, namespace).namespace,
            endpoint: route.endpoint.clone(),
        }
    }

    /// The servers of the links whose ends are not known.
    pub(super) fn of_links(lines: &[Arc<Line>]) -> HashSet<Self> {
        let mut servers = HashSet::new();
        // One copy of each route: very many links have few of them.
        let mut seen = HashSet::new();
        for line in lines {
            let Some(link) = line.link() else { continue };
            let namespace = line.owner().namespace.as_str();
            if seen.insert((Arc::as_ptr(&link.route), namespace)) {
                servers.insert(Self::of(&link.route.route, namespace));
            }
        }
        servers
    }

    /// The servers of the attempts without an outcome.
    pub(super) fn of_attempts(read: &Versioned) -> impl Iterator<Item = Self> {
        let entry = &read.entry;
        let attempts = entry.unresolved();
        attempts.map(|attempt| Self::of(&attempt.route, &entry.owner.namespace))
    }

    pub(super) fn of_group(group: &Group) -> Self {
        Self {
            namespace: group.provider.namespace.clone(),
            endpoint: group.endpoint.clone(),
        }
    }
}

/// What is done. No kind waits for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// What became of links: lists, and looks.
    Links,
    /// Its lists, which may fail where looks do not. No task of its own.
    Lists,
    /// Burning the links of shares that are gone.
    Burns,
    /// What became of lost attempts of shares that are gone.
    InDoubt,
    /// Superseded attempts and those on hold.
    Lost,
    /// Old entries, at the API server alone.
    Tidying,
    /// Old claims, at the API server alone.
    Claims,
}

impl Kind {
    /// Those that have tasks.
    pub(super) const ALL: [Self; 6] = [
        Self::Links,
        Self::Burns,
        Self::InDoubt,
        Self::Lost,
        Self::Tidying,
        Self::Claims,
    ];

    /// What the log calls it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Links => "looks",
            Self::Lists => "lists",
            Self::Burns => "burning",
            Self::InDoubt | Self::Lost => "lost responses",
            Self::Tidying | Self::Claims => "tidying",
        }
    }
}

/// What one task does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Job {
    /// None: nothing is asked of any server.
    pub(super) server: Option<Server>,
    pub(super) kind: Kind,
}

impl Job {
    pub(super) fn at(server: Server, kind: Kind) -> Self {
        Self {
            server: Some(server),
            kind,
        }
    }

    /// Old entries.
    pub(super) fn tidying() -> Self {
        Self {
            server: None,
            kind: Kind::Tidying,
        }
    }

    /// Old claims.
    pub(super) fn claims() -> Self {
        Self {
            server: None,
            kind: Kind::Claims,
        }
    }
}
