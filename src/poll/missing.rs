//! Missing shares beside what the cluster says of them: the namespaces that go, and the administrator's word. What that
//! comes to is decided in `mass`.

use super::mass::{Count, Mass};
use crate::clock::Clock;
use crate::kubernetes::bounded;
use crate::kubernetes::namespaces::{self, Standing};
use crate::ledger::{Line, Owner};
use crate::share::context::Context;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at a namespace whose shares cannot be listed, or are missing in large numbers.
const INTERVAL: Duration = Duration::from_secs(60);

/// Between two looks whether the administrator lets missing shares go.
const RELEASE_INTERVAL: Duration = Duration::from_secs(10);

/// With this annotation on the ledger's namespace, shares that are missing in large numbers count as deleted.
const RELEASE: &str = "onetimeshare.dev/release-missing";

/// What is remembered of missing shares from round to round.
pub(super) struct Missing {
    mass: Mass,
    /// What a namespace was when it was last looked at, and when to look again.
    looks: HashMap<String, (Standing, Instant)>,
    /// Whether the administrator lets missing shares go, and when to ask again.
    release: Option<(bool, Instant)>,
}

impl Default for Missing {
    fn default() -> Self {
        Self {
            mass: Mass::new(Clock::boot()),
            looks: HashMap::new(),
            release: None,
        }
    }
}

impl Missing {
    /// Whether a share that no list shows may be believed to be deleted.
    pub(super) fn lets_go(&self, owner: &Owner) -> bool {
        self.mass.lets_go(owner)
    }

    /// A namespace that is gone refuses its list because its Role went with it. That there is nothing in it is known.
    pub(super) async fn look_for_unlisted(&mut self, context: &Context) {
        self.looks.retain(|_, (_, time)| *time > Instant::now());
        for namespace in context.unlisted.all() {
            if self.standing(context, &namespace).await == Standing::Gone {
                context.unlisted.remove(&namespace);
            }
        }
    }

    /// What a namespace is: asked at most once in a minute.
    async fn standing(&mut self, context: &Context, namespace: &str) -> Standing {
        if let Some((standing, _)) = self.looks.get(namespace) {
            return *standing;
        }
        let standing = namespaces::standing(&context.kubernetes, namespace)
            .await
            .unwrap_or(Standing::There);
        self.looks
            .insert(namespace.to_owned(), (standing, Instant::now() + INTERVAL));
        standing
    }

    /// Holds links back while very many shares are missing that nobody saw going. `ours` are the entries that this is
    /// measured by. Gives the namespaces that go: what is missing in them was deleted with them.
    pub(super) async fn guard<'a>(
        &mut self,
        context: &Context,
        ours: impl Iterator<Item = &'a Line>,
        absent: &[&Line],
    ) -> HashSet<String> {
        let mut links = BTreeMap::<&str, usize>::new();
        for line in ours.filter(|line| line.burns()) {
            *links.entry(&line.owner().namespace).or_default() += 1;
        }
        let owners: Vec<&Owner> = absent
            .iter()
            .filter(|line| line.burns())
            .map(|line| line.owner())
            .collect();
        let there: HashSet<&Owner> = owners.iter().copied().collect();
        context.deletions.next_round(|owner| there.contains(owner));
        let mut missing: Vec<&Owner> = owners
            .into_iter()
            .filter(|owner| !context.deletions.contains(owner))
            .collect();
        let mut going = HashSet::new();
        for namespace in self.mass.namespaces(&missing, &links) {
            if self.standing(context, &namespace).await != Standing::There {
                going.insert(namespace);
            }
        }
        missing.retain(|owner| !going.contains(&owner.namespace));
        let released = self.is_released(context).await;
        let count = self.mass.note(&missing, &links, released);
        tell(count);
        // From here on the annotation is looked for.
        if count.held > 0 && self.release.is_none() {
            self.release = Some((false, Instant::now()));
        } else if count.held == 0 {
            self.release = None;
        }
        context.metrics.quarantined(count.held);
        going
    }

    /// Asked only while something is held back.
    async fn is_released(&mut self, context: &Context) -> bool {
        if context.options.allow_mass_burn {
            return true;
        }
        match self.release {
            Some((_, time)) if time <= Instant::now() => {
                let released = is_annotated(context).await;
                self.release = Some((released, Instant::now() + RELEASE_INTERVAL));
                released
            }
            Some((released, _)) => released,
            None => false,
        }
    }
}

fn tell(count: Count) {
    let Count {
        new,
        held,
        from_the_start,
    } = count;
    if new == 0 {
        return;
    }
    if from_the_start {
        tracing::error!(
            held,
            "very many shares are missing; their links are not burned. If they were deleted on purpose, set the annotation onetimeshare.dev/release-missing on the ledger's namespace, or restart with --allow-mass-burn"
        );
    } else {
        tracing::error!(
            held,
            "very many shares went missing at once, and nobody saw them deleted; their links are burned in ten minutes unless the shares come back"
        );
    }
}

async fn is_annotated(context: &Context) -> bool {
    let api: Api<Namespace> = Api::all(context.kubernetes.clone());
    match bounded(api.get(context.ledger.namespace())).await {
        Ok(namespace) => namespace.annotations().contains_key(RELEASE),
        Err(error) => {
            tracing::warn!(%error, "whether the ledger's namespace lets missing shares go cannot be read; trying again");
            false
        }
    }
}
