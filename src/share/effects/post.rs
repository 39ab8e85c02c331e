//! The POST itself: one, within its deadline. What its outcome means is not decided here.

use super::prepare::{Prepared, Value};
use crate::clock::Deadline;
use crate::onetime::{CreateError, Created, GenerateRequest, Generated, ShareRequest};
use crate::provider::Resolved;
use crate::share::context::Context;
use crate::share::inputs::request::Request;
use fail::fail_point;
use secrecy::SecretString;

/// What the service answered.
pub(super) struct Answer {
    pub(super) created: Created,
    pub(super) generated: Option<SecretString>,
}

/// What is sent.
pub(super) enum Form {
    Share(ShareRequest),
    Generate(GenerateRequest),
}

impl Form {
    pub(super) fn new(prepared: &Prepared, request: &Request) -> Self {
        let passphrase = prepared.passphrase.clone();
        let recipient = prepared.recipient.as_ref().map(|(address, _)| address.clone());
        let share_domain = prepared.route.share_domain.clone();
        let ttl_seconds = request.ttl_seconds;
        match &prepared.value {
            Value::Given(secret) => Self::Share(ShareRequest {
                secret: secret.clone(),
                passphrase,
                ttl_seconds,
                recipient,
                share_domain,
            }),
            Value::Generated(length, _) => Self::Generate(GenerateRequest {
                length: Some(*length),
                passphrase,
                ttl_seconds,
                recipient,
                share_domain,
            }),
        }
    }

    /// The size of the body in bytes.
    pub(super) fn body_bytes(&self) -> usize {
        match self {
            Self::Share(form) => form.body_bytes(),
            Self::Generate(form) => form.body_bytes(),
        }
    }
}

/// Sends, and tells the metrics and the provider's limits how that went. `early` is the answer of a deliberate mistake.
pub(super) async fn once(
    context: &Context,
    prepared: &Prepared,
    form: &Form,
    deadline: Deadline,
    early: Option<Result<Answer, CreateError>>,
) -> Result<Answer, CreateError> {
    let call = context.metrics.service_request(match form {
        Form::Share(_) => "share",
        Form::Generate(_) => "generate",
    });
    let deadline = match mutant!("late-send") {
        true => Deadline::after(context.options.attempt_deadline),
        false => deadline,
    };
    let answer = match early {
        Some(answer) => answer,
        None => post(prepared, form, deadline.clone()).await,
    };
    let answer = match answer {
        Err(CreateError::UnknownOutcome(_)) if mutant!("post-again") => post(prepared, form, deadline).await,
        answer => answer,
    };
    fail_point!("post.after");
    call.ended(outcome_label(answer.as_ref().err()));
    prepared.permit.finish(answer.as_ref().err());
    answer
}

pub(super) async fn post(
    prepared: &Prepared,
    form: &Form,
    deadline: Deadline,
) -> Result<Answer, CreateError> {
    let Resolved { client, account, .. } = &prepared.provider;
    match form {
        Form::Share(form) => {
            let created = client.share(account, form, deadline).await?;
            Ok(Answer {
                created,
                generated: None,
            })
        }
        Form::Generate(form) => {
            let Generated { created, value } = client.generate(account, form, deadline).await?;
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
