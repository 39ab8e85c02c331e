//! Answers that nobody expects: each is told for what it was, nothing is repeated at speed, and what is corrected goes on.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{
    Canned, Config, Fault, Journal, Matcher, OnetimeServer, Operation, Outcome, Rule, Stage, Version,
};
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::{Phase, integration_cases, integration_test};
use crate::scope::{PATIENCE, Scope, is_ready_now, username};

/// A no to every create, until somebody corrects it.
struct Case {
    name: &'static str,
    account: bool,
    answer: fn() -> Canned,
    reason: &'static str,
    by_person: bool,
    words: &'static [&'static str],
}

fn message(text: &str) -> Canned {
    let body = json!({ "message": text }).to_string();
    Canned::Raw(404, "application/json".to_owned(), body.into_bytes())
}

integration_cases!("no_", noes(), no);

fn noes() -> Vec<Case> {
    vec![
        Case {
            name: "weak_passphrase",
            account: true,
            answer: || message("Passphrase must contain at least one uppercase letter, number, symbol"),
            reason: "PassphraseInvalid",
            by_person: true,
            words: &[
                "spec.passphraseSecretRef",
                "at least one uppercase letter, number, symbol",
            ],
        },
        Case {
            name: "domain_of_others",
            account: true,
            answer: || message("You do not have permission to use domain: links.example.com"),
            reason: "ShareDomainRefused",
            by_person: true,
            words: &["permission", "spec.shareDomain"],
        },
        Case {
            name: "anonymous",
            account: false,
            answer: || Canned::NotAuthorized,
            reason: "Unauthorized",
            by_person: true,
            words: &["anonymous", "spec.credentialsSecretRef"],
        },
        Case {
            name: "limited_for_no_time",
            account: false,
            answer: || Canned::TooManyRequestsNow,
            reason: "RateLimited",
            by_person: false,
            words: &["rate", "automatically"],
        },
    ]
}

async fn no(env: &Env, case: Case) -> Result<()> {
    let name = format!("no-{}", case.name.replace('_', "-"));
    let scope = if case.account {
        Scope::with_account(env, &name, Version::V0_26).await?
    } else {
        Scope::anonymous(env, &name, Version::V0_26).await?
    };
    let fault = Fault::Answer(Stage::BeforeCommit, (case.answer)());
    scope.service.plan().always(Operation::Share, fault);
    scope.secret("app").await?;
    scope.share("app", json!({})).await?;
    let ready = if case.by_person { "False" } else { "Unknown" };
    let share = scope
        .wait("app", case.reason, |share| {
            cluster::is(share, "Ready", ready, case.reason)
        })
        .await?;
    ensure!(is_stalled(&share) == case.by_person, "{:#}", share["status"]);
    for word in case.words {
        ensure!(
            ready_message(&share).contains(word),
            "{word:?}: {:#}",
            share["status"]
        );
    }
    let note = scope.event("app", "Warning", case.reason).await?;
    ensure!(
        !note.contains("uppercase"),
        "an event is kept by others: {note:?}"
    );
    // The pauses are 10, 30 and 60 s.
    let journal = scope
        .journal("a third answer", |journal| answered(journal) >= 3)
        .await?;
    let times = posts(&journal);
    ensure!(
        times[1] - times[0] >= 10_000 && times[2] - times[1] >= 30_000,
        "{times:?}"
    );
    scope.service.plan().clear();
    // The user corrects the field that the message names: an edit is a new request and ends the pause.
    scope.share("app", json!({"ttl": "2h"})).await?;
    // The pause of the provider after three rate limits is a minute.
    scope.ready("app").await?;
    apart(&scope.service)
}

/// When each create arrived, in milliseconds.
fn posts(journal: &Journal) -> Vec<i64> {
    let posts = journal
        .requests
        .iter()
        .filter(|request| request.operation == Operation::Share);
    posts.map(|request| request.at_ms).collect()
}

/// How many creates had their answer.
fn answered(journal: &Journal) -> usize {
    let requests = journal.requests.iter();
    let answered = requests.filter(|request| {
        request.operation == Operation::Share && matches!(request.outcome, Outcome::Answered(_))
    });
    answered.count()
}

/// No value was sent twice within ten seconds.
fn apart(service: &OnetimeServer) -> Result<()> {
    let times = posts(&service.journal());
    ensure!(
        times.windows(2).all(|pair| pair[1] - pair[0] >= 10_000),
        "{times:?}"
    );
    Ok(())
}

fn ready_message(share: &Value) -> &str {
    let ready = cluster::condition(share, "Ready");
    ready
        .and_then(|ready| ready["message"].as_str())
        .unwrap_or_default()
}

fn is_stalled(share: &Value) -> bool {
    cluster::condition(share, "Stalled").is_some()
}

fn redirect() -> Canned {
    Canned::Redirect("https://new.example.com/secret/5c7c0ee4?next=5c7c0ee4".to_owned())
}

integration_test!(redirected_from_the_start);
/// The URL redirects everything: the provider says where to, and nothing is sent. All go on after the correction.
async fn redirected_from_the_start(env: &Env) -> Result<()> {
    let name = "redirected";
    let config = || Config::new(Version::V0_26);
    let scope = Scope::open(env, name, config()).await?;
    let rule = Rule::always(Matcher::any(), Fault::Answer(Stage::BeforeCommit, redirect()));
    scope.service.plan().push(rule);
    scope.credentials(&scope.token).await?;
    scope.provider(scope.account_spec()).await?;
    let providers = env.providers();
    let told = |provider: &Value| {
        let message = ready_message(provider);
        cluster::is(provider, "Ready", "False", "Unavailable")
            && message.contains("redirects to https://new.example.com:")
            && !message.contains("5c7c0ee4")
    };
    Box::pin(cluster::wait_for(&providers, name, "told", PATIENCE, told)).await?;
    let shares = [
        ("plain", json!({})),
        ("mailed", json!({"recipient": "amy@example.com"})),
    ];
    for (share, spec) in &shares {
        scope.secret(share).await?;
        scope.share(share, spec.clone()).await?;
        let waits = |share: &Value| {
            cluster::is(share, "Ready", "Unknown", "Unavailable")
                && ready_message(share).contains("redirects to https://new.example.com")
        };
        scope.wait(share, "waiting for the provider", waits).await?;
    }
    // One more check of the provider, and looks at the shares meanwhile.
    scope.polled(Operation::AuthCheck, 1).await?;
    ensure!(
        posts(&scope.service.journal()).is_empty(),
        "a value went to a redirect"
    );

    let right = env
        .service(config().account(&username(name), &scope.token))
        .await?;
    let spec = json!({"url": right.url(), "credentialsSecretRef": {"name": name}});
    scope.provider(spec).await?;
    for (share, _) in &shares {
        scope.ready(share).await?;
    }
    let journal = right.journal();
    ensure!(
        journal.shares.len() == 2 && journal.mails.len() == 1,
        "{journal:#?}"
    );
    ensure!(
        posts(&scope.service.journal()).is_empty(),
        "a value went to a redirect"
    );
    Ok(())
}

integration_test!(redirected_later, Phase::Slow);
/// The URL begins to redirect: one value goes there, and no second one until the API answers again.
async fn redirected_later(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "redirected-later", Version::V0_26).await?;
    for share in ["zero", "one", "two"] {
        scope.secret(share).await?;
    }
    // With this link, the checks of the new provider are over.
    scope.share("zero", json!({})).await?;
    scope.ready("zero").await?;
    let rule = Rule::always(Matcher::any(), Fault::Answer(Stage::BeforeCommit, redirect()));
    scope.service.plan().push(rule);
    scope.share("one", json!({})).await?;
    let told = |share: &Value| {
        let message = ready_message(share);
        cluster::is(share, "Ready", "Unknown", "UnexpectedAnswer")
            && message.contains("redirects to https://new.example.com (302)")
    };
    scope.wait("one", "told", told).await?;
    scope.share("two", json!({})).await?;
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "Unavailable");
    scope.wait("two", "waiting for the provider", waits).await?;
    // The first one is resolved after deadline and slack, and waits, too.
    scope.wait("one", "waiting for the provider", waits).await?;
    let times = posts(&scope.service.journal());
    ensure!(times.len() == 2, "one POST is enough to find out: {times:?}");
    scope.service.plan().clear();
    scope.ready("two").await?;
    scope.ready("one").await?;
    let times = posts(&scope.service.journal());
    ensure!(times.len() == 4 && times[2] - times[1] >= 10_000, "{times:?}");
    Ok(())
}

integration_test!(unknown_message, Phase::Slow);
/// A message that nobody knows, with the value in it: told without the value, stalled after three, and tried again when
/// the Secret changes.
async fn unknown_message(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "unknown-message", Version::V0_26).await?;
    let value = scope.secret("app").await?;
    let fault = Fault::Answer(
        Stage::BeforeCommit,
        message(&format!("The value {value} is not authorized")),
    );
    scope.service.plan().always(Operation::Share, fault);
    scope.share("app", json!({})).await?;
    let told = |share: &Value| {
        cluster::is(share, "Ready", "Unknown", "UnexpectedAnswer")
            && ready_message(share).contains("(404)")
            && ready_message(share).ends_with("The value … is not authorized")
    };
    scope.wait("app", "told what came back", told).await?;
    let note = scope.event("app", "Warning", "UnexpectedAnswer").await?;
    ensure!(
        note.contains("(404)") && !note.contains("is not authorized"),
        "{note:?}"
    );
    let stalled = |share: &Value| cluster::is(share, "Stalled", "True", "UnexpectedAnswer");
    let limit = Duration::from_secs(180);
    let share = Box::pin(cluster::wait_for(&scope.shares, "app", "stalled", limit, stalled)).await?;
    ensure!(share["status"]["state"] == "Failed", "{:#}", share["status"]);
    ensure!(posts(&scope.service.journal()).len() == 3, "three in a row");
    apart(&scope.service)?;
    scope.service.plan().clear();
    scope.secret("app").await.context("another value")?;
    Box::pin(cluster::wait_for(
        &scope.shares,
        "app",
        "ready",
        limit,
        is_ready_now,
    ))
    .await?;
    ensure!(posts(&scope.service.journal()).len() == 4, "once more");
    apart(&scope.service)
}
