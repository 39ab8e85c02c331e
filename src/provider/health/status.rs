//! What a provider's status says after a check, and which change of it is worth an event: PURE.

use crate::api::condition::{READY, Reason, STALLED};
use crate::api::provider::{Provider, ProviderStatus};
use crate::onetime::Account;
use crate::problem::{Problem, without_words};
use crate::provider::Resolved;
use crate::telemetry::Notice;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The status after a check.
pub(super) fn status<K: Provider>(
    provider: &K,
    result: &Result<Resolved, Problem>,
    server_version: Option<String>,
    now: Timestamp,
) -> ProviderStatus {
    let (value, reason, message, endpoint) = match result {
        Ok(resolved) => {
            let (reason, message) = match resolved.account {
                Account::Anonymous => (Reason::Anonymous, "the service answers; shares are anonymous"),
                Account::Basic { .. } => (Reason::CredentialsAccepted, "the service accepts the credentials"),
            };
            (
                "True",
                reason,
                message.to_owned(),
                Some(resolved.settings.endpoint.base().to_string()),
            )
        }
        Err(problem) => {
            let endpoint = provider.status().and_then(|status| status.endpoint.clone());
            ("False", problem.reason, problem.message.clone(), endpoint)
        }
    };
    let generation = provider.meta().generation;
    let condition = |type_: &str, value: &str, message: String| {
        let all = provider.status().map(|status| &status.conditions[..]);
        let before = all.unwrap_or_default().iter().find(|c| c.type_ == type_);
        let since = before
            .filter(|c| c.status == value)
            .map(|c| c.last_transition_time.clone());
        Condition {
            last_transition_time: since.unwrap_or(Time(now)),
            message,
            observed_generation: generation,
            reason: reason.as_str().into(),
            status: value.into(),
            type_: type_.into(),
        }
    };
    let mut conditions = vec![condition(READY, value, message.clone())];
    // kstatus uses it to tell problems that a person must fix from temporary ones.
    if result
        .as_ref()
        .is_err_and(|problem| problem.remedy.needs_person())
    {
        conditions.push(condition(STALLED, "True", message));
    }
    ProviderStatus {
        observed_generation: generation,
        endpoint,
        server_version,
        conditions,
    }
}

/// The event that tells of a change of the readiness. None where its status and its reason are as before.
pub(super) fn notice(before: Option<&ProviderStatus>, after: &ProviderStatus) -> Option<Notice> {
    let ready = |status: &ProviderStatus| status.conditions.iter().find(|c| c.type_ == READY).cloned();
    let now = ready(after)?;
    if before
        .and_then(ready)
        .is_some_and(|then| then.status == now.status && then.reason == now.reason)
    {
        return None;
    }
    let reason = *Reason::ALL.iter().find(|reason| reason.as_str() == now.reason)?;
    Some(if now.status == "True" {
        Notice::normal(reason, now.message)
    } else {
        Notice::warning(reason, without_words(&now.message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: &str, reason: Reason, message: &str) -> ProviderStatus {
        ProviderStatus {
            conditions: vec![Condition {
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
                message: message.into(),
                observed_generation: None,
                reason: reason.as_str().into(),
                status: status.into(),
                type_: READY.into(),
            }],
            ..ProviderStatus::default()
        }
    }

    #[test]
    fn an_event_tells_of_a_change_and_never_of_a_check() {
        let accepted = status("True", Reason::CredentialsAccepted, "accepted");
        let refused = status("False", Reason::Unauthorized, "refused");
        let away = status(
            "False",
            Reason::Unavailable,
            "timed out; the service says: a word",
        );
        let elsewhere = status("False", Reason::Unavailable, "connection refused");
        for (before, after, wanted) in [
            (
                None,
                &accepted,
                Some(Notice::normal(Reason::CredentialsAccepted, "accepted")),
            ),
            (Some(&accepted), &accepted, None),
            (
                Some(&accepted),
                &refused,
                Some(Notice::warning(Reason::Unauthorized, "refused")),
            ),
            (
                Some(&refused),
                &away,
                Some(Notice::warning(Reason::Unavailable, "timed out")),
            ),
            (Some(&away), &elsewhere, None),
            (
                Some(&elsewhere),
                &accepted,
                Some(Notice::normal(Reason::CredentialsAccepted, "accepted")),
            ),
        ] {
            assert_eq!(notice(before, after), wanted);
        }
    }
}
