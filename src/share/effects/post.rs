//! The POST itself: one, within its deadline. What its outcome means is not decided here.

use super::prepare::{Prepared, Value};
use crate::clock::Deadline;
use crate::ledger::Attempt;
use crate::onetime::{CreateError, Created, GenerateRequest, Generated, ShareRequest};
use crate::share::context::Context;
use crate::share::inputs::request::Request;
use fail::fail_point;
use secrecy::SecretString;

/// What the service answered.
pub(super) struct Answer {
    pub(super) created: Created,
    pub(super) generated: Option<SecretString>,
}

/// Sends, and tells the metrics and the provider's limits how that went. `early` is the answer of a deliberate mistake.
pub(super) async fn once(
    context: &Context,
    attempt: &Attempt,
    prepared: &Prepared,
    request: &Request,
    deadline: Deadline,
    early: Option<Result<Answer, CreateError>>,
) -> Result<Answer, CreateError> {
    let call = context.metrics.service_request(match attempt.target {
        None => "share",
        Some(_) => "generate",
    });
    let deadline = match mutant!("late-send") {
        true => Deadline::after(context.options.attempt_deadline),
        false => deadline,
    };
    let answer = match early {
        Some(answer) => answer,
        None => post(prepared, request, deadline.clone()).await,
    };
    let answer = match answer {
        Err(CreateError::UnknownOutcome(_)) if mutant!("post-again") => {
            post(prepared, request, deadline).await
        }
        answer => answer,
    };
    fail_point!("post.after");
    call.ended(outcome_label(answer.as_ref().err()));
    prepared.permit.finish(answer.as_ref().err());
    answer
}

pub(super) async fn post(
    prepared: &Prepared,
    request: &Request,
    deadline: Deadline,
) -> Result<Answer, CreateError> {
    let Prepared { provider, value, .. } = prepared;
    let passphrase = prepared.passphrase.clone();
    let recipient = prepared.recipient.as_ref().map(|(address, _)| address.clone());
    let share_domain = prepared.route.share_domain.clone();
    let ttl_seconds = request.ttl_seconds;
    match value {
        Value::Given(secret) => {
            let form = ShareRequest {
                secret: secret.clone(),
                passphrase,
                ttl_seconds,
                recipient,
                share_domain,
            };
            let created = provider.client.share(&provider.account, &form, deadline).await?;
            Ok(Answer {
                created,
                generated: None,
            })
        }
        Value::Generated(length, _) => {
            let form = GenerateRequest {
                length: Some(*length),
                passphrase,
                ttl_seconds,
                recipient,
                share_domain,
            };
            let Generated { created, value } = provider
                .client
                .generate(&provider.account, &form, deadline)
                .await?;
            Ok(Answer {
                created,
                generated: Some(value),
            })
        }
    }
}

fn outcome_label(error: Option<&CreateError>) -> &'static str {
    match error {
        None => "ok",
        Some(CreateError::NotSent(_)) => "not_sent",
        Some(CreateError::Unauthorized) => "unauthorized",
        Some(CreateError::Refused(_)) => "refused",
        Some(CreateError::RateLimited { .. }) => "rate_limited",
        Some(CreateError::UnknownOutcome(_)) => "unknown",
    }
}
