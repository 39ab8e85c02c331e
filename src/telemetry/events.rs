//! Events: how what happened to a share or a provider is told to whoever runs `kubectl describe`. Never carries a link, key,
//! value, passphrase or address in full.

mod recent;

use crate::api::condition::Reason;
use crate::api::share::OneTimeShare;
use crate::clock::Clock;
use crate::kubernetes::{ApiError, bounded};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Resource, ResourceExt};
use recent::{Recent, Subject};
use serde_json::json;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who reports.
const CONTROLLER: &str = "onetimeshare.dev/controller";

/// Publishes events. A failure to publish is logged and changes nothing.
///
/// The recorder of kube 5.0 keeps whole events for six minutes, and looks at all of them for each that it publishes: too
/// much for thousands of shares.
pub struct Events {
    client: kube::Client,
    instance: String,
    recent: Mutex<Recent>,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether it is a warning.
    pub warning: bool,
    /// The reason: one of [`Reason`].
    pub reason: Reason,
    /// For people.
    pub note: String,
}

impl Notice {
    /// A warning.
    pub fn warning(reason: Reason, note: impl Into<String>) -> Self {
        Self {
            warning: true,
            reason,
            note: note.into(),
        }
    }

    /// Not a warning.
    pub fn normal(reason: Reason, note: impl Into<String>) -> Self {
        Self {
            warning: false,
            reason,
            note: note.into(),
        }
    }
}

impl Events {
    /// Publishes through this client as this instance of the controller.
    #[must_use]
    pub fn new(client: kube::Client, instance: String) -> Self {
        Self {
            client,
            instance,
            recent: Mutex::new(Recent::new(Clock::boot())),
        }
    }

    /// Publishes one notice about a share.
    pub async fn publish(&self, share: &OneTimeShare, notice: Notice) {
        self.publish_about(share, notice).await;
    }

    /// Publishes one notice about an object: in its namespace, or in `default` where it has none. One that was published a
    /// moment ago is counted once more and says what it says now.
    pub async fn publish_about(&self, object: &impl Resource<DynamicType = ()>, notice: Notice) {
        let regarding = object.object_ref(&());
        let reason = notice.reason.as_str();
        if let Err(error) = self.write(&regarding, &notice).await {
            tracing::warn!(%error, reason, "an event could not be published");
        }
    }

    async fn write(&self, regarding: &ObjectReference, notice: &Notice) -> Result<(), ApiError> {
        let namespace = regarding.namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let subject = Subject {
            uid: regarding.uid.clone().unwrap_or_default(),
            warning: notice.warning,
            reason: notice.reason,
        };
        let now = Timestamp::now();
        let repeated = self.recent().repeated(&subject);
        if let Some((name, count)) = repeated {
            let patch = json!({
                "note": note(notice),
                "series": EventSeries { count, last_observed_time: MicroTime(now) },
            });
            let patched = bounded(api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch))).await;
            match patched {
                // It was deleted, or is too old: another one is made.
                Err(error) if error.is_not_found() => {}
                patched => return patched.map(drop),
            }
        }
        let event = self.event(regarding, notice, now);
        let name = event.name_any();
        bounded(api.create(&PostParams::default(), &event)).await?;
        self.recent().published(subject, name);
        Ok(())
    }

    fn event(&self, regarding: &ObjectReference, notice: &Notice, now: Timestamp) -> Event {
        let name = regarding.name.as_deref().unwrap_or(CONTROLLER);
        Event {
            metadata: ObjectMeta {
                namespace: Some(
                    regarding
                        .namespace
                        .clone()
                        .unwrap_or_else(|| "default".to_owned()),
                ),
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            action: Some("Reconcile".to_owned()),
            reason: Some(notice.reason.as_str().to_owned()),
            note: Some(note(notice)),
            regarding: Some(regarding.clone()),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(if notice.warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The API server takes 1024 bytes.
fn note(notice: &Notice) -> String {
    let mut room = 1000usize;
    let fits = |letter: &char| {
        let left = room.checked_sub(letter.len_utf8());
        room = left.unwrap_or_default();
        left.is_some()
    };
    notice.note.chars().take_while(fits).collect()
}
