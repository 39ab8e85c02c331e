//! One copy of what very many entries have in common: routes with their CAs, and ids. PURE.

use super::attempt::Route;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A route with the hashes that it is known by.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownRoute {
    /// The route.
    pub route: Route,
    /// [`Route::hash`].
    pub hash: String,
    /// [`Route::account_hash`].
    pub account_hash: String,
}

/// The copies.
#[derive(Debug, Default)]
pub(super) struct Interned {
    routes: HashMap<Route, Arc<KnownRoute>>,
    texts: HashSet<Arc<str>>,
    /// So many copies there were after the last tidying.
    tidied: usize,
}

/// So few copies are never tidied.
const FEW: usize = 64;

impl Interned {
    /// The copy of a route.
    pub(super) fn route(&mut self, route: Route) -> Arc<KnownRoute> {
        if let Some(known) = self.routes.get(&route) {
            return Arc::clone(known);
        }
        self.tidy();
        let known = Arc::new(KnownRoute {
            hash: route.hash(),
            account_hash: route.account_hash(),
            route: route.clone(),
        });
        self.routes.insert(route, Arc::clone(&known));
        known
    }

    /// The copy of a text.
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        self.tidy();
        let known: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&known));
        known
    }

    fn len(&self) -> usize {
        self.routes.len() + self.texts.len()
    }

    /// Forgets what nobody uses any more, when there are twice as many copies as after the last time.
    fn tidy(&mut self) {
        if self.len() >= 2 * self.tidied.max(FEW) {
            self.routes.retain(|_, known| Arc::strong_count(known) > 1);
            self.texts.retain(|known| Arc::strong_count(known) > 1);
            self.tidied = self.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::link;

    #[test]
    fn there_is_one_copy_and_none_of_what_nobody_uses() {
        let mut interned = Interned::default();
        let (one, again) = (interned.text("a"), interned.text("a"));
        assert!(Arc::ptr_eq(&one, &again));
        let route = link().route;
        let (one_route, again) = (interned.route(route.clone()), interned.route(route.clone()));
        assert!(Arc::ptr_eq(&one_route, &again));
        assert_eq!((&one_route.hash, &one_route.route), (&route.hash(), &route));
        for number in 0..10 * FEW {
            interned.text(&number.to_string());
            let mut route = route.clone();
            route.endpoint = number.to_string();
            interned.route(route);
        }
        assert!(interned.len() <= 2 * FEW, "{} copies", interned.len());
        assert!(interned.texts.contains("a") && interned.routes.contains_key(&route));
    }
}
