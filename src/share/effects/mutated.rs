//! A deliberate mistake of sending, to show that the tests notice it: see `src/mutant.rs`.

use crate::api::OneTimeShare;
use crate::ledger::{Entry, Phase, Versioned};
use crate::share::context::Context;
use crate::share::status::{View, render};
use jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};

/// Shows an outcome that the ledger does not hold yet.
pub(super) async fn status_first(context: &Context, share: &OneTimeShare, intent: &Versioned, phase: &Phase) {
    if !mutant!("status-first") {
        return;
    }
    let entry = Entry {
        phase: phase.clone(),
        ..intent.entry.clone()
    };
    let status = render(&View {
        generation: entry.generation,
        entry: Some(&entry),
        current: true,
        edited: &[],
        problem: None,
        previous: share.status.as_ref(),
        now: Timestamp::now(),
    });
    let api: Api<OneTimeShare> = Api::namespaced(context.kubernetes.clone(), &entry.owner.namespace);
    let patch = Patch::Merge(serde_json::json!({"status": status}));
    let _ = api
        .patch_status(&entry.owner.name, &PatchParams::default(), &patch)
        .await;
}
