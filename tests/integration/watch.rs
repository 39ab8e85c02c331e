//! `--watch-secrets`: what names a Secret reacts at once; and without it no Secret is listed or watched.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::cluster;
use harness::onetime::{Config, Journal, Operation, Outcome, State, Version};
use serde_json::{Value, json};

use crate::env::{Env, LEDGER, USER};
use crate::own::Own;
use crate::registry::{Phase, integration_test};
use crate::scope::{Scope, is_ready_now};

/// Well below what it takes without the watch: a young share is looked at again after 7.5 s at least, a provider that
/// cannot be used after 11 s, a changing value after a minute.
const AT_ONCE: Duration = Duration::from_secs(5);

integration_test!(watched_secrets_wake, Phase::OwnOperator(1));
async fn watched_secrets_wake(env: &Env) -> Result<()> {
    let args = [
        "--watch-secrets",
        "--allowed-provider-hosts=127.0.0.1",
        "--allow-private-addresses",
    ];
    let own = Own::start(env, "watching", Config::new(Version::V0_26), &args).await?;
    own.provider("anonymous", json!({})).await?;
    shares_that_wait(&own).await?;
    providers_that_wait(&own).await?;
    changed_values(&own).await?;
    only_names_are_watched(&own).await?;
    own.stop().await
}

/// A share's spec that uses a provider.
fn through(kind: &str, provider: &str, secret: &str) -> Value {
    json!({"providerRef": {"kind": kind, "name": provider}, "secretRef": {"name": secret}})
}

fn anonymous(secret: &str) -> Value {
    through("ShareProvider", "anonymous", secret)
}

async fn shows(scope: &Scope<'_>, share: &str, reason: &str) -> Result<()> {
    let shown =
        |share: &Value| cluster::condition(share, "Ready").is_some_and(|ready| ready["reason"] == reason);
    scope.wait(share, reason, shown).await.map(drop)
}

async fn soon(scope: &Scope<'_>, share: &str, since: Instant) -> Result<Value> {
    let ready = scope.ready(share).await?;
    let took = since.elapsed();
    ensure!(took < AT_ONCE, "{share} was ready after {took:?}");
    Ok(ready)
}

/// Several, so that none is looked at just then by chance.
async fn shares_that_wait(own: &Own<'_>) -> Result<()> {
    let scope = &own.scope;
    let names: Vec<String> = (0..6).map(|number| format!("waits-{number}")).collect();
    for name in &names {
        scope.share(name, anonymous(name)).await?;
    }
    scope.secret("locked").await?;
    let mut locked = anonymous("locked");
    locked["passphraseSecretRef"] = json!({"name": "passphrase", "key": "passphrase"});
    scope.share("locked", locked).await?;
    for name in &names {
        shows(scope, name, "SecretNotFound").await?;
    }
    shows(scope, "locked", "PassphraseNotFound").await?;

    let since = Instant::now();
    for name in &names {
        scope.secret(name).await?;
    }
    let passphrase = scope.env.canary("passphrase");
    scope
        .secret_with("passphrase", json!({"passphrase": passphrase}))
        .await?;
    for name in names.iter().map(String::as_str).chain(["locked"]) {
        soon(scope, name, since).await?;
    }
    Ok(())
}

/// The credentials of a provider of the namespace, and of one of the cluster.
async fn providers_that_wait(own: &Own<'_>) -> Result<()> {
    let scope = &own.scope;
    let account = json!({"credentialsSecretRef": {"name": "account"}});
    let places = [
        ("ShareProvider", scope.name.as_str()),
        ("ClusterShareProvider", own.system.as_str()),
    ];
    for (kind, namespace) in places {
        let name = format!("account-{}", kind.to_lowercase());
        let earlier = refusals(&scope.service.journal());
        own.credentials(namespace, "account", "wrong").await?;
        if kind == "ShareProvider" {
            own.provider(&name, account.clone()).await?;
        } else {
            own.cluster_provider(&name, account.clone()).await?;
        }
        // Before the share: else it may be what is refused, and a value that was refused is sent again 10 s later.
        scope
            .journal("refused credentials", |journal| refusals(journal) > earlier)
            .await?;
        scope.secret(&name).await?;
        scope.share(&name, through(kind, &name, &name)).await?;
        shows(scope, &name, "Unauthorized").await?;
        let since = Instant::now();
        own.credentials(namespace, "account", &scope.token).await?;
        soon(scope, &name, since).await?;
    }
    Ok(())
}

/// How many checks had their credentials refused.
fn refusals(journal: &Journal) -> usize {
    let requests = journal.requests.iter();
    let checks = requests.filter(|request| request.operation == Operation::AuthCheck);
    checks
        .filter(|check| check.outcome == Outcome::Answered(404))
        .count()
}

/// A share that follows its value makes a new link at once. One that does not costs nothing.
async fn changed_values(own: &Own<'_>) -> Result<()> {
    let scope = &own.scope;
    let follows = async |value: &str, label: &str| {
        let labels = json!({"onetimeshare.dev/shareable": "true", "test": label});
        scope
            .secret_object(json!({
                "metadata": {"name": "follows", "namespace": scope.name, "labels": labels},
                "stringData": {"value": value},
            }))
            .await
    };
    follows("first", "1").await?;
    let mut spec = anonymous("follows");
    spec["refreshPolicy"] = json!("OnChange");
    scope.share("follows", spec).await?;
    let first = scope.ready("follows").await?;
    let reads = async |secret: &str| {
        let calls = own.secret_calls().await?;
        let of = |name: &str| calls.iter().filter(|call| call.name == name).count();
        anyhow::Ok((of(secret), of(&scope.entry_name(secret))))
    };
    let settled = reads("waits-0").await?;
    let before = reads("follows").await?.0;

    scope.secret("waits-0").await?;
    follows("first", "2").await?;
    // What is done about these is under way when this one is ready, and done when the next is.
    for name in ["barrier-1", "barrier-2"] {
        scope.share(name, anonymous(name)).await?;
        scope.secret(name).await?;
        scope.ready(name).await?;
    }
    ensure!(
        reads("follows").await?.0 == before + 1,
        "a share that follows its value reads it once for each change"
    );

    let since = Instant::now();
    follows("second", "2").await?;
    let link = first["status"]["link"].clone();
    let other = |share: &Value| is_ready_now(share) && share["status"]["link"] != link;
    scope.wait("follows", "ready with another link", other).await?;
    ensure!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());

    ensure!(
        reads("waits-0").await? == settled,
        "a settled share reads neither its Secret nor its entry"
    );
    let journal = own.service().journal();
    let burned = journal.shares.iter().filter(|share| share.state == State::Burned);
    ensure!(
        burned.count() == 1,
        "only the link of the changed value is burned"
    );
    Ok(())
}

async fn only_names_are_watched(own: &Own<'_>) -> Result<()> {
    let calls = own.secret_calls().await?;
    let mut watched = 0;
    for call in calls
        .iter()
        .filter(|call| ["list", "watch"].contains(&&*call.verb))
    {
        if call.namespace == own.ledger {
            ensure!(
                call.uri.contains("type%3Donetimeshare.dev"),
                "the ledger's own: {}",
                call.uri
            );
            continue;
        }
        ensure!(
            [&own.scope.name, &own.system].contains(&&call.namespace),
            "{}",
            call.uri
        );
        let without = format!("metadata.namespace%21%3D{}", own.ledger);
        ensure!(call.uri.contains(&without), "{}", call.uri);
        watched += usize::from(call.verb == "watch");
    }
    ensure!(watched >= 2, "both namespaces are watched");
    Ok(())
}

integration_test!(unwatched_secrets, Phase::LookBack(3));
/// Looks back at what the operator of all tests, which has no such flag, has asked for.
async fn unwatched_secrets(env: &Env) -> Result<()> {
    // When it has done this, it has long begun whatever it watches.
    let scope = Scope::anonymous(env, "unwatched", Version::V0_26).await?;
    scope.secret("alice").await?;
    scope.share("alice", json!({})).await?;
    scope.ready("alice").await?;
    let calls = env.audit.calls_and_watches_of(USER).await?;
    let lists: Vec<_> = calls
        .iter()
        .filter(|call| call.resource == "secrets" && ["list", "watch"].contains(&&*call.verb))
        .collect();
    ensure!(!lists.is_empty(), "the ledger is listed");
    for call in lists {
        ensure!(
            call.namespace == LEDGER,
            "Secrets are listed or watched: {}",
            call.uri
        );
    }
    Ok(())
}
