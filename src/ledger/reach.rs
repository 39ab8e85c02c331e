//! How far a watch has come in the order of all writes: what it has passed, it has brought.
//!
//! The API server orders all writes of a kind, and a watch brings them in that order. A watch that has brought a write has
//! therefore brought every earlier one too, from any client. This replaces a list after the write.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::runtime::watcher;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The newest version that a watch has passed. Versions are decimal numbers that grow.
#[derive(Debug)]
pub(super) struct Reach(watch::Sender<u64>);

impl Reach {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(0)))
    }

    /// Waits until the watch has passed a version. False when it does not in time, or when the version is no number.
    pub(super) async fn comes_to(&self, version: &str, patience: Duration) -> bool {
        let Ok(version) = version.parse::<u64>() else {
            return false;
        };
        let mut passed = self.0.subscribe();
        let passed = passed.wait_for(|passed| *passed >= version);
        matches!(tokio::time::timeout(patience, passed).await, Ok(Ok(_)))
    }

    fn came_to(&self, version: u64) {
        self.0.send_if_modified(|passed| {
            let is_further = *passed < version;
            *passed = version.max(*passed);
            is_further
        });
    }
}

/// Follows the events of one watch.
pub(super) struct Follower {
    reach: Arc<Reach>,
    /// The newest version in the list under way. It says nothing until the list is complete.
    listed: u64,
}

impl Follower {
    pub(super) fn new(reach: Arc<Reach>) -> Self {
        Self { reach, listed: 0 }
    }

    /// How far the watch has come once this event was acted on. None where it says nothing.
    pub(super) fn after(&mut self, event: &Result<watcher::Event<Secret>, watcher::Error>) -> Option<u64> {
        match event {
            Ok(watcher::Event::Apply(secret) | watcher::Event::Delete(secret)) => version(secret),
            Ok(watcher::Event::Init) => {
                self.listed = 0;
                None
            }
            Ok(watcher::Event::InitApply(secret)) => {
                self.listed = version(secret).unwrap_or_default().max(self.listed);
                None
            }
            Ok(watcher::Event::InitDone) => Some(self.listed),
            Err(_) => None,
        }
    }

    /// Notes that an event was acted on.
    pub(super) fn acted(&self, after: Option<u64>) {
        if let Some(version) = after {
            self.reach.came_to(version);
        }
    }
}

fn version(secret: &Secret) -> Option<u64> {
    secret.resource_version()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::api::ObjectMeta;
    use watcher::Event;

    const PATIENCE: Duration = Duration::from_secs(2);

    fn secret(version: &str) -> Secret {
        Secret {
            metadata: ObjectMeta {
                resource_version: Some(version.to_owned()),
                ..ObjectMeta::default()
            },
            ..Secret::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_has_brought_what_it_has_passed() {
        let reach = Reach::new();
        let mut follower = Follower::new(Arc::clone(&reach));
        let mut bring = |event| {
            let after = follower.after(&Ok(event));
            follower.acted(after);
        };
        bring(Event::Init);
        bring(Event::InitApply(secret("12")));
        assert!(
            !reach.comes_to("7", PATIENCE).await,
            "a list that is not complete"
        );
        bring(Event::InitApply(secret("9")));
        bring(Event::InitDone);
        assert!(reach.comes_to("12", PATIENCE).await);
        assert!(!reach.comes_to("13", PATIENCE).await);
        bring(Event::Apply(secret("20")));
        assert!(reach.comes_to("13", PATIENCE).await, "one of another object");
        bring(Event::Delete(secret("21")));
        assert!(reach.comes_to("21", PATIENCE).await);
        bring(Event::Init);
        bring(Event::InitApply(secret("15")));
        bring(Event::InitDone);
        assert!(reach.comes_to("21", PATIENCE).await, "it never goes back");
        assert!(!reach.comes_to("a-name", PATIENCE).await);
    }

    #[tokio::test]
    async fn who_waits_is_called() {
        let reach = Reach::new();
        let waits = tokio::spawn({
            let reach = Arc::clone(&reach);
            async move { reach.comes_to("5", PATIENCE).await }
        });
        let after = Follower::new(Arc::clone(&reach)).after(&Ok(Event::Apply(secret("5"))));
        Follower::new(reach).acted(after);
        assert!(waits.await.expect("a task"));
    }
}
