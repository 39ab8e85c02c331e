//! Events: how what happened to a share or a provider is told to whoever runs `kubectl describe`. Never carries a link, key,
//! value, passphrase or address in full.

use crate::api::condition::Reason;
use crate::api::share::OneTimeShare;
use crate::kubernetes::bounded;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

/// Publishes events. A failure to publish is logged and changes nothing.
pub struct Events {
    recorder: Recorder,
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
        let reporter = Reporter {
            controller: "onetimeshare.dev/controller".into(),
            instance: Some(instance),
        };
        Self {
            recorder: Recorder::new(client, reporter),
        }
    }

    /// Publishes one notice about a share.
    pub async fn publish(&self, share: &OneTimeShare, notice: Notice) {
        self.publish_about(share, notice).await;
    }

    /// Publishes one notice about an object: in its namespace, or in `default` where it has none.
    pub async fn publish_about(&self, object: &impl Resource<DynamicType = ()>, notice: Notice) {
        let event = Event {
            type_: if notice.warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: notice.reason.as_str().into(),
            note: Some(notice.note.chars().take(1000).collect()),
            action: "Reconcile".into(),
            secondary: None,
        };
        if let Err(error) = bounded(self.recorder.publish(&event, &object.object_ref(&()))).await {
            tracing::warn!(%error, reason = notice.reason.as_str(), "an event could not be published");
        }
    }
}
