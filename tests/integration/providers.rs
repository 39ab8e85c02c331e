//! Providers: what an edit means for shares, whom they may reach, how fast they are asked, and what they tell.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Config, Fault, Hold, Journal, Operation, Stage, State, Version};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::env::Env;
use crate::own::Own;
use crate::registry::{Phase, integration_test};
use crate::scope::{PATIENCE, Scope, is_ready_now, merged};

integration_test!(provider_edit_moves_later_requests);
/// An edit of the provider sends nothing again; what is asked for later goes to where the provider points now.
async fn provider_edit_moves_later_requests(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "provider-edit", Version::V0_26).await?;
    let other = env.service(Config::new(Version::V0_23)).await?;
    scope.secret("alice").await?;
    scope.share("alice", json!({})).await?;
    let first = scope.ready("alice").await?;

    scope.provider(json!({"url": other.url()})).await?;
    scope.secret("bob").await?;
    scope.share("bob", json!({})).await?;
    scope.ready("bob").await?;
    let now = scope.ready("alice").await?;
    ensure!(now["status"]["link"] == first["status"]["link"], "the link stays");
    ensure!(scope.service.journal().shares.len() == 1, "nothing is sent again");
    ensure!(other.journal().shares.len() == 1, "bob's is at the new server");

    scope.share("alice", json!({"requestID": "2"})).await?;
    let link = first["status"]["link"].clone();
    let moved = |share: &Value| is_ready_now(share) && share["status"]["link"] != link;
    scope.wait("alice", "ready with another link", moved).await?;
    let before = scope.service.journal().shares;
    ensure!(
        before.len() == 1 && before[0].state == State::Burned,
        "the old link is burned where it was"
    );
    ensure!(
        other.journal().shares.len() == 2,
        "the new one is at the new server"
    );
    Ok(())
}

integration_test!(ca_bundle_is_needed_and_used);
/// A server of one's own with a certificate of one's own.
async fn ca_bundle_is_needed_and_used(env: &Env) -> Result<()> {
    let config = Config::new(Version::V0_26).tls();
    let scope = Scope::open(env, "ca-bundle", config).await?;
    let pem = scope.service.ca_pem().context("the authority")?;
    scope.provider(json!({})).await?;
    scope.secret("alice").await?;
    scope.share("alice", json!({})).await?;
    let untrusted = |share: &Value| cluster::is(share, "Ready", "Unknown", "Unavailable");
    let share = scope.wait("alice", "without trust", untrusted).await?;
    let ready = cluster::condition(&share, "Ready").context("Ready")?;
    let message = ready["message"].as_str().unwrap_or_default();
    ensure!(message.contains("caBundle"), "it says what to do: {message:?}");
    ensure!(scope.service.journal().requests.is_empty(), "nothing was sent");

    scope.provider(json!({"caBundle": pem})).await?;
    scope.ready("alice").await?;
    ensure!(scope.service.journal().shares.len() == 1);
    Ok(())
}

/// When the creating requests arrived, in milliseconds between each two.
fn gaps(scope: &Scope<'_>) -> Vec<i64> {
    let journal = scope.service.journal();
    let posts = journal
        .requests
        .iter()
        .filter(|request| request.operation == Operation::Share);
    let times: Vec<i64> = posts.map(|request| request.at_ms).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

async fn shares(scope: &Scope<'_>, count: usize) -> Result<()> {
    for number in 0..count {
        let name = format!("share-{number}");
        scope.secret(&name).await?;
        scope.share(&name, json!({})).await?;
    }
    for number in 0..count {
        scope.ready(&format!("share-{number}")).await?;
    }
    Ok(())
}

integration_test!(requests_per_minute_are_kept);
/// 40 a minute are one every 1.5 s.
async fn requests_per_minute_are_kept(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "per-minute", Version::V0_26).await?;
    scope.provider(json!({"requestsPerMinute": 40})).await?;
    shares(&scope, 4).await?;
    let gaps = gaps(&scope);
    // The first of two may have been late on its way.
    ensure!(gaps.len() == 3 && gaps.iter().sum::<i64>() > 4000, "{gaps:?}");
    Ok(())
}

integration_test!(concurrent_requests_are_kept);
/// The next request is sent when the one before has its answer.
async fn concurrent_requests_are_kept(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "concurrent", Version::V0_26).await?;
    scope.provider(json!({"maxConcurrentRequests": 1})).await?;
    let slow = Fault::Hang(Stage::AfterCommit, Hold::For(Duration::from_millis(800)));
    scope.service.plan().always(Operation::Share, slow);
    shares(&scope, 3).await?;
    let gaps = gaps(&scope);
    ensure!(gaps.len() == 2 && gaps.iter().all(|gap| *gap >= 800), "{gaps:?}");
    Ok(())
}

integration_test!(shares_per_namespace_are_limited);
/// Of 50 shares at once exactly 10 get a link. The others say why, and follow when there is room; a share that has a link may
/// ask for another one.
async fn shares_per_namespace_are_limited(env: &Env) -> Result<()> {
    const LIMIT: usize = 10;
    let scope = Scope::anonymous(env, "shares-limit", Version::V0_26).await?;
    scope.provider(json!({"maxSharesPerNamespace": LIMIT})).await?;
    scope.secret("value").await?;
    let name = |number: usize| format!("share-{number}");
    let spec = json!({"secretRef": {"name": "value"}});
    futures::future::try_join_all((0..50).map(|number| {
        let (scope, name, spec) = (&scope, name(number), spec.clone());
        async move { scope.share(&name, spec).await }
    }))
    .await?;
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "TooManyShares");
    many(&scope, 50 - LIMIT, "waiting", waits).await?;
    many(&scope, LIMIT, "ready", is_ready_now).await?;
    ensure!(
        scope.service.journal().shares.len() == LIMIT,
        "as many links as allowed"
    );
    let (ready, waiting) = both(&scope, waits).await?;
    let told = cluster::condition(&waiting[0], "Ready").context("Ready")?["message"].to_string();
    for word in [
        "shares-limit",
        "at most 10",
        "spec.maxSharesPerNamespace",
        "delete",
    ] {
        ensure!(told.contains(word), "{told}");
    }
    ensure!(
        cluster::condition(&waiting[0], "Stalled").is_none(),
        "it heals by itself"
    );

    // Two go, and two follow.
    for share in &ready[..2] {
        scope.delete(share).await?;
    }
    many(&scope, LIMIT, "ready", is_ready_now).await?;
    live(&scope, LIMIT + 2, LIMIT).await?;
    // One that counts already does not need room.
    let again = merged(spec, json!({"requestID": "2"}));
    scope.share(&ready[2], again).await?;
    scope.ready(&ready[2]).await?;
    live(&scope, LIMIT + 3, LIMIT).await?;

    scope.provider(json!({"maxSharesPerNamespace": 100})).await?;
    many(&scope, 48, "ready", is_ready_now).await?;
    live(&scope, 51, 48).await
}

async fn many(scope: &Scope<'_>, count: usize, what: &str, fits: impl Fn(&Value) -> bool) -> Result<()> {
    Box::pin(cluster::wait_for_many(&scope.shares, count, what, PATIENCE, fits)).await
}

/// The names of the shares that are ready, and the shares that wait.
async fn both(scope: &Scope<'_>, waits: impl Fn(&Value) -> bool) -> Result<(Vec<String>, Vec<Value>)> {
    let (mut ready, mut waiting) = (Vec::new(), Vec::new());
    for share in scope.shares.list(&ListParams::default()).await? {
        let value = serde_json::to_value(&share)?;
        if cluster::is_ready(&value) {
            ready.push(share.name_any());
        } else if waits(&value) {
            waiting.push(value);
        }
    }
    Ok((ready, waiting))
}

/// So many links were created, and so many can still be opened.
async fn live(scope: &Scope<'_>, created: usize, living: usize) -> Result<()> {
    let what = format!("{created} links, {living} of them living");
    let fits = |journal: &Journal| {
        let new = journal.shares.iter().filter(|share| share.state == State::New);
        journal.shares.len() == created && new.count() == living
    };
    scope.journal(&what, fits).await.map(drop)
}

integration_test!(provider_events_tell_of_changes);
/// A change of the readiness is one event, however often the provider is checked.
async fn provider_events_tell_of_changes(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "provider-events", Version::V0_26).await?;
    let edited = |interval: &str| merged(scope.account_spec(), json!({"pollInterval": interval}));
    for interval in ["2s", "3s"] {
        scope.provider(edited(interval)).await?;
    }
    let wrong = env.canary("token");
    scope.credentials(&wrong).await?;
    for interval in ["4s", "5s", "6s"] {
        scope.provider(edited(interval)).await?;
    }
    let kind = GroupVersionKind::gvk("events.k8s.io", "v1", "Event");
    let events: Api<DynamicObject> =
        Api::namespaced_with(env.client.clone(), "default", &ApiResource::from_gvk(&kind));
    let about = |event: &Value| event["regarding"]["name"] == "provider-events";
    Box::pin(cluster::wait_for_many(&events, 2, "events", PATIENCE, about)).await?;
    let mut found = Vec::new();
    for event in events.list(&ListParams::default()).await? {
        let event = serde_json::to_value(&event)?;
        if about(&event) {
            ensure!(event["series"].is_null(), "repeated: {event:#}");
            ensure!(event["regarding"]["kind"] == "ClusterShareProvider", "{event:#}");
            found.push(
                [&event["type"], &event["reason"]].map(|word| word.as_str().unwrap_or_default().to_owned()),
            );
        }
    }
    found.sort();
    ensure!(
        found == [["Normal", "CredentialsAccepted"], ["Warning", "Unauthorized"]],
        "{found:?}"
    );
    Ok(())
}

integration_test!(server_version_is_shown);
/// v0.23 tells everybody, v0.26 only accounts.
async fn server_version_is_shown(env: &Env) -> Result<()> {
    let old = Scope::anonymous(env, "version-23", Version::V0_23).await?;
    version(&old, "0.23.6", |version| version == "0.23.6").await?;
    let new = Scope::with_account(env, "version-26", Version::V0_26).await?;
    version(&new, "0.26.6", |version| version == "0.26.6").await?;
    new.provider(json!({})).await?;
    version(&new, "not there any more", Value::is_null).await
}

async fn version(scope: &Scope<'_>, what: &str, fits: impl Fn(&Value) -> bool) -> Result<()> {
    let shown = |provider: &Value| fits(&provider["status"]["serverVersion"]);
    let providers = scope.env.providers();
    Box::pin(cluster::wait_for(&providers, &scope.name, what, PATIENCE, shown))
        .await
        .map(drop)
}

integration_test!(tenants_cannot_reach_inside, Phase::OwnOperator(2));
/// A name on the administrator's list that leads to an address inside: the connection is not made.
async fn tenants_cannot_reach_inside(env: &Env) -> Result<()> {
    let args = ["--allowed-provider-hosts=localhost"];
    let own = Own::start(env, "tenants", Config::new(Version::V0_26), &args).await?;
    let scope = &own.scope;
    let port = own.service().address().port();
    let inside = json!({"url": format!("http://localhost:{port}")});
    own.provider("inside", inside.clone()).await?;
    own.provider("elsewhere", json!({"url": "https://elsewhere.example.com"}))
        .await?;
    for share in ["inside", "elsewhere", "administrator"] {
        scope.secret(share).await?;
    }
    let tenant = |provider: &str| json!({"providerRef": {"kind": "ShareProvider", "name": provider}});
    scope.share("inside", tenant("inside")).await?;
    scope.share("elsewhere", tenant("elsewhere")).await?;
    refused(scope, "inside", "Unavailable", "not allowed").await?;
    refused(scope, "elsewhere", "ProviderInvalid", "--allowed-provider-hosts").await?;
    ensure!(
        own.service().journal().connections == 0,
        "nobody has connected to what is inside"
    );

    // The same address is reached through the administrator's own provider.
    own.cluster_provider("tenants-inside", inside).await?;
    scope
        .share(
            "administrator",
            json!({"providerRef": {"name": "tenants-inside"}}),
        )
        .await?;
    scope.ready("administrator").await?;
    own.stop().await
}

async fn refused(scope: &Scope<'_>, share: &str, reason: &str, word: &str) -> Result<()> {
    let shown =
        |share: &Value| cluster::condition(share, "Ready").is_some_and(|ready| ready["reason"] == reason);
    let share = scope.wait(share, reason, shown).await?;
    let ready = cluster::condition(&share, "Ready").context("Ready")?;
    let message = ready["message"].as_str().unwrap_or_default();
    ensure!(message.contains(word), "{message:?}");
    Ok(())
}
