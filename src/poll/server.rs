//! Which work of the poll belongs together: one task for each server and kind.

use super::schedule::Group;
use crate::ledger::{Burning, Phase, Route, Versioned};
use crate::provider::ProviderId;

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

    /// The servers that an entry has to do with.
    pub(super) fn all_of(read: &Versioned) -> impl Iterator<Item = Self> {
        let entry = &read.entry;
        let link = match &entry.phase {
            Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => Some(&link.route),
            Phase::Idle | Phase::Intent(_) | Phase::Finished(_) => None,
        };
        let attempts = entry.unresolved().map(|attempt| &attempt.route);
        link.into_iter()
            .chain(attempts)
            .map(|route| Self::of(route, &entry.owner.namespace))
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
