//! The Secret that a generated value goes to: created or extended only when it is ours, never taken from anybody.

use crate::api::GROUP;
use crate::api::condition::Reason;
use crate::api::share::SecretKeyRef;
use crate::kubernetes::{ApiError, bounded};
use crate::ledger::{LedgerError, Link, Owner, Phase, Retry, Undelivered, Versioned};
use crate::problem::Problem;
use crate::share::context::Context;
use fail::fail_point;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, ResourceExt};
use std::collections::BTreeMap;

/// Names the share that made the Secret.
fn mark() -> String {
    format!("{GROUP}/generated-by")
}

/// Checks that the value could be written, before anything is sent.
///
/// # Errors
/// A problem when it could not.
pub async fn check(context: &Context, owner: &Owner, target: &SecretKeyRef) -> Result<(), Problem> {
    if !context.options.generate {
        return Err(Problem::administrator(
            Reason::GenerateDisabled,
            "spec.generate is not switched on in this operator: its administrator can do so with --enable-generate",
        ));
    }
    let api: Api<Secret> = Api::namespaced(context.kubernetes.clone(), &owner.namespace);
    match bounded(api.get_opt(&target.name)).await {
        Ok(None) => Ok(()),
        Ok(Some(found)) if is_ours(&found, owner) => Ok(()),
        Ok(Some(_)) => Err(not_ours(target)),
        Err(error) => Err(unwritable(target, &error)),
    }
}

fn is_ours(secret: &Secret, owner: &Owner) -> bool {
    let maker = secret.annotations().get(&mark());
    let made_by_it = maker == Some(&owner.name) || mutant!("take-target");
    made_by_it && secret.immutable != Some(true)
}

fn not_ours(target: &SecretKeyRef) -> Problem {
    Problem::edit(
        Reason::TargetNotOurs,
        format!(
            "Secret {:?} exists and was not made by this share, so it is not touched: name another one in spec.generate.targetSecretRef, or delete it",
            target.name
        ),
    )
}

fn unwritable(target: &SecretKeyRef, error: &ApiError) -> Problem {
    if error.is_forbidden() {
        Problem::administrator(
            Reason::TargetNotWritten,
            format!(
                "the operator may not write Secret {:?}: its administrator must grant get, create and update on secrets in this namespace",
                target.name
            ),
        )
    } else {
        Problem::passing(
            Reason::TargetNotWritten,
            format!("Secret {:?} could not be written: {error}", target.name),
        )
    }
}

/// Writes the value to its Secret, and then takes it out of the ledger.
///
/// # Errors
/// [`LedgerError`] when the entry could not be written.
pub async fn deliver(context: &Context, read: Versioned, link: &Link) -> Result<Versioned, LedgerError> {
    let Some(undelivered) = &link.undelivered else {
        return Ok(read);
    };
    let delivered = Link {
        undelivered: None,
        ..link.clone()
    };
    let read = match mutant!("value-first") {
        true => {
            context
                .ledger
                .record(read, Phase::Shared(delivered.clone()), Retry::default())
                .await?
        }
        false => read,
    };
    fail_point!("target.before");
    let written = write(context, &read.entry.owner, undelivered).await;
    fail_point!("target.after");
    match written {
        Ok(()) => {
            step!(
                "delivered",
                context
                    .ledger
                    .record(read, Phase::Shared(delivered), Retry::default())
            )
        }
        Err(problem) => {
            let retry = read
                .entry
                .retry
                .after_failure(problem, Timestamp::now(), &read.entry.write);
            let phase = read.entry.phase.clone();
            context.ledger.record(read, phase, retry).await
        }
    }
}

async fn write(context: &Context, owner: &Owner, undelivered: &Undelivered) -> Result<(), Problem> {
    let Undelivered { value, target } = undelivered;
    let api: Api<Secret> = Api::namespaced(context.kubernetes.clone(), &owner.namespace);
    let failed = |error: ApiError| unwritable(target, &error);
    let bytes = ByteString(value.expose().as_bytes().to_vec());
    match bounded(api.get_opt(&target.name)).await.map_err(failed)? {
        None => {
            let secret = Secret {
                metadata: ObjectMeta {
                    name: Some(target.name.clone()),
                    // No ownerReference: pruning the share must not delete the credential.
                    annotations: Some(BTreeMap::from([(mark(), owner.name.clone())])),
                    ..ObjectMeta::default()
                },
                data: Some(BTreeMap::from([(target.key.clone(), bytes)])),
                ..Secret::default()
            };
            bounded(api.create(&PostParams::default(), &secret))
                .await
                .map(drop)
                .map_err(failed)
        }
        Some(mut found) if is_ours(&found, owner) => {
            // The resourceVersion that was read goes along: whoever wrote in between wins.
            found
                .data
                .get_or_insert_default()
                .insert(target.key.clone(), bytes);
            bounded(api.replace(&target.name, &PostParams::default(), &found))
                .await
                .map(drop)
                .map_err(failed)
        }
        Some(_) => Err(not_ours(target)),
    }
}
