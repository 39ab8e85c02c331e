//! Many shares at once: lost answers, several replicas without election, an etcd that is killed.

use crate::catalog;
use crate::crowd::{self, Crowd, Expect};
use crate::objects;
use crate::plan::Flavor;
use crate::run::Verdict;
use crate::scope::{Fixture, Scope};
use anyhow::{Context as _, Result, anyhow};
use futures::FutureExt as _;
use futures::future::{BoxFuture, LocalBoxFuture};
use harness::cluster;
use harness::control_plane::ControlPlane;
use harness::onetime::{Fault, Matcher, Operation as Call, Rule};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use std::time::{Duration, Instant};

/// What a scenario found: how many shares were held for a person, and the violations.
pub type Outcome = Result<(usize, Vec<String>)>;

/// A scenario. `scenario!` registers it, next to the function that plays it.
pub struct Scenario {
    pub name: &'static str,
    /// The column of the report's table.
    pub column: &'static str,
    pub play: Play,
}

/// How to play a scenario.
pub enum Play {
    /// At the same time as others on the control plane. The number says how many shares, where
    /// that matters.
    Shared(for<'a> fn(&'a Fixture, usize) -> BoxFuture<'a, Outcome>),
    /// Alone, because it disturbs everything else on the control plane.
    Alone(for<'a> fn(&'a Fixture, &'a mut ControlPlane) -> LocalBoxFuture<'a, Outcome>),
}
use Play::{Alone, Shared};

inventory::collect!(Scenario);

macro_rules! scenario {
    ($name:literal, $column:literal, $play:expr) => {
        inventory::submit! {
            Scenario { name: concat!("scenario/", $name), column: $column, play: $play }
        }
    };
}

mod answers;
mod edits;
mod election;
mod fire;
mod tenants;

impl Scenario {
    /// Every scenario, sorted by name.
    pub fn all() -> Vec<&'static Self> {
        let mut all: Vec<_> = inventory::iter::<Self>().collect();
        all.sort_by_key(|scenario| scenario.name);
        all
    }

    pub fn is_alone(&self) -> bool {
        matches!(self.play, Alone(_))
    }

    /// Plays a scenario that shares the control plane with others.
    pub async fn play(&self, fixture: &Fixture, many: usize) -> Verdict {
        let start = Instant::now();
        match self.play {
            Shared(play) => verdict(start, play(fixture, many).await),
            Alone(_) => verdict(start, Err(anyhow!("needs the control plane for itself"))),
        }
    }

    /// Plays any scenario, with the control plane for itself.
    pub async fn play_alone(&self, fixture: &Fixture, many: usize, plane: &mut ControlPlane) -> Verdict {
        let start = Instant::now();
        match self.play {
            Shared(play) => verdict(start, play(fixture, many).await),
            Alone(play) => verdict(start, play(fixture, plane).await),
        }
    }
}

/// How long a crowd may take to settle.
pub const LIMIT: Duration = Duration::from_secs(180);

fn verdict(start: Instant, result: Outcome) -> Verdict {
    let (held, violations) = result.unwrap_or_else(|error| (0, vec![format!("{error:#}")]));
    Verdict {
        held: held > 0,
        violations,
        time: start.elapsed(),
    }
}

scenario!(
    "lost-answers/v26",
    "lost",
    Shared(|fixture, many| lost_answers(fixture, Flavor::Account26, many).boxed())
);
scenario!(
    "lost-answers/v23",
    "lost",
    Shared(|fixture, many| lost_answers(fixture, Flavor::Account23, many).boxed())
);
scenario!(
    "lost-answers/v26-anonymous",
    "lost",
    Shared(|fixture, many| lost_answers(fixture, Flavor::Anonymous26, many).boxed())
);
scenario!(
    "lost-answers/v23-anonymous",
    "lost",
    Shared(|fixture, many| lost_answers(fixture, Flavor::Anonymous23, many).boxed())
);
/// The first response for every share is lost after the service stored and mailed it. At least 99 of
/// 100 are resolved without a person, and nobody gets a second e-mail.
async fn lost_answers(fixture: &Fixture, flavor: Flavor, many: usize) -> Outcome {
    let mut scope = Scope::new(fixture, flavor, false).await?;
    scope.start().await?;
    let crowd = Crowd::new(many, flavor.has_account());
    for number in 0..many {
        let matcher = Matcher::operation(Call::Share);
        let matcher = match crowd.recipient(number) {
            Some(recipient) => matcher.recipient(&recipient),
            // Anonymous shares are told apart by nothing: the first so many answers are lost.
            None => matcher,
        };
        scope
            .service
            .plan()
            .push(Rule::once(matcher, Fault::commit_then_reset()));
    }
    crowd.apply(&scope, 1).await?;
    crowd.settle(&scope, LIMIT).await?;
    let log = scope.operator(0)?.log();
    let lost = log.matches("the service's answer was lost").count();
    let expect = Expect {
        links_made: Some(match crowd.recipient(0) {
            // Each is found and adopted.
            Some(_) => many..=many,
            // Each is sent again, and so is one whose answer took longer than the deadline on a busy machine.
            None => 2 * many..=many + lost,
        }),
        held: many / 100,
        ..Expect::default()
    };
    let (held, mut found) = crowd::violations(&scope, &crowd, expect).await?;
    let metrics = scope.operator(0)?.metrics().await?;
    let branch = |result: &str| resolutions(&metrics, result);
    let (adopted, again) = (branch("adopt"), branch("send_again"));
    let journal = scope.service.journal();
    println!(
        "scenario/lost-answers/{}: {many} shares, {lost} answers lost, {adopted} adopted, {again} sent again, {held} held, {} links made, {} e-mails",
        flavor.name(),
        journal.shares.len(),
        journal.mails.len(),
    );
    let right = match crowd.recipient(0) {
        Some(_) => again + many <= lost && adopted + held >= many,
        None => adopted == 0 && again >= many,
    };
    if !right {
        found.push(format!("{adopted} adopted and {again} sent again"));
    }
    scope.stop(0).await?;
    Ok((held, found))
}

/// How often the operator came to this result about a lost answer.
pub fn resolutions(metrics: &str, result: &str) -> usize {
    let of_result =
        |line: &&str| line.contains("_resolutions_total{") && line.contains(&format!("\"{result}\""));
    let value = metrics
        .lines()
        .find(of_result)
        .and_then(|line| line.rsplit(' ').next());
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

scenario!(
    "one-recipient",
    "lost",
    Shared(|fixture, _| one_recipient(fixture).boxed())
);
/// Several links for one recipient, and the first response for each is lost: the service's list
/// cannot tell them apart. No person has to decide: each waits until the one before it is found.
async fn one_recipient(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.start().await?;
    let crowd = Crowd::alike(4);
    let lost = Fault::commit_then_reset();
    let rule = Rule::times(4, Matcher::operation(Call::Share), lost);
    scope.service.plan().push(rule);
    crowd.apply(&scope, 1).await?;
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(4..=4),
        ..Expect::default()
    };
    let (held, mut found) = crowd::violations(&scope, &crowd, expect).await?;
    // An intent in the lane is a rival for whoever looks at the service's list in that moment.
    if scope.operator(0)?.log().contains("takes its intent back") {
        found.push("an attempt wrote its intent while another one of its lane was in doubt".to_owned());
    }
    scope.stop(0).await?;
    Ok((held, found))
}

scenario!(
    "handover",
    "lease",
    Shared(|fixture, _| handover(fixture).boxed())
);
/// Two replicas with election. The leader is stopped as in a rollout and releases the lease, so the
/// other one leads long before the lease would expire.
async fn handover(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.set("--leader-elect=", "true");
    scope.set("--lease-duration=", "30s");
    let leader = scope.start().await?;
    let leads = |log: &String| log.contains("\"leading\"");
    scope.operator(leader)?.wait_for_log(LIMIT, leads).await?;
    let next = scope.start().await?;
    let crowd = Crowd::new(10, true);
    crowd.apply(&scope, 1).await?;
    scope.stop(leader).await?;
    let ended = Instant::now();
    scope.operator(next)?.wait_for_log(LIMIT, leads).await?;
    let took = ended.elapsed();
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(10..=10),
        ..Expect::default()
    };
    let (held, mut found) = crowd::violations(&scope, &crowd, expect).await?;
    if took > Duration::from_secs(2) {
        found.push(format!("taken over after {:.1} s", took.as_secs_f64()));
    }
    scope.stop(next).await?;
    Ok((held, found))
}

scenario!(
    "taken-target",
    "target",
    Shared(|fixture, _| taken_target(fixture).boxed())
);
/// Somebody else creates the target Secret of a generated value after the link exists. The operator
/// leaves that Secret alone, the share says why it is not ready, and the value is written once the
/// Secret is gone.
async fn taken_target(fixture: &Fixture) -> Outcome {
    let plan = catalog::named("generate-plain/v26/nothing").context("a plan that generates")?;
    let mut scope = Scope::new(fixture, plan.flavor, false).await?;
    let armed = scope.start_armed("target.before=sleep:2000").await?;
    scope.apply(&plan, 1).await?;
    scope.reached(armed, LIMIT).await?;
    let theirs = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"password": "theirs"},
        "metadata": {"name": objects::TARGET, "namespace": scope.namespace},
    });
    cluster::apply_one(&scope.client, theirs).await?;
    let told = |share: &serde_json::Value| {
        cluster::condition(share, "Ready").is_some_and(|ready| ready["reason"] == "TargetNotOurs")
            || cluster::is_ready(share)
    };
    cluster::wait_for(&scope.shares, objects::SHARE, "refused", LIMIT, told).await?;
    let secrets: Api<Secret> = Api::namespaced(scope.client.clone(), &scope.namespace);
    let kept = secrets.get(objects::TARGET).await?.data.unwrap_or_default();
    if kept.get("password").is_none_or(|value| value.0 != b"theirs") {
        return Ok((0, vec!["somebody else's Secret was overwritten".to_owned()]));
    }
    secrets.delete(objects::TARGET, &DeleteParams::default()).await?;
    cluster::wait_for(&scope.shares, objects::SHARE, "ready", LIMIT, cluster::is_ready).await?;
    let value = secrets.get(objects::TARGET).await?.data.unwrap_or_default();
    let journal = scope.service.journal();
    let [share] = &journal.shares[..] else {
        anyhow::bail!("{} links were made", journal.shares.len());
    };
    let mut found = Vec::new();
    if value.get("password").is_none_or(|value| value.0 != share.value) {
        found.push("the target does not hold the value behind the link".to_owned());
    }
    scope.stop_all().await?;
    Ok((0, found))
}

scenario!(
    "three-replicas",
    "replicas",
    Shared(|fixture, _| replicas(fixture).boxed())
);
/// Three replicas without election.
async fn replicas(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    for _ in 0..3 {
        scope.start().await?;
    }
    let crowd = Crowd::new(30, true);
    crowd.apply(&scope, 1).await?;
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(30..=30),
        ..Expect::default()
    };
    let result = crowd::violations(&scope, &crowd, expect).await?;
    for number in 0..3 {
        scope.stop(number).await?;
    }
    Ok(result)
}

scenario!(
    "etcd-killed",
    "etcd",
    Alone(|fixture, plane| etcd_killed(fixture, plane).boxed_local())
);
/// Etcd is killed while shares are created, edited and deleted.
async fn etcd_killed(fixture: &Fixture, plane: &mut ControlPlane) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.start().await?;
    let crowd = Crowd::new(30, true);
    crowd.apply_some(&scope, 1, 0..20).await?;
    crowd.settle_some(&scope, LIMIT, 0..20).await?;
    // Ten are edited, ten deleted and ten created, and no answer of the API server is waited for any more.
    crowd.apply_some(&scope, 2, 0..10).await?;
    crowd.delete_some(&scope, 10..20).await?;
    crowd.apply_some(&scope, 1, 20..30).await?;
    plane.kill_etcd().await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    plane.restart_etcd().await?;
    crowd.settle_some(&scope, LIMIT, 0..10).await?;
    crowd.settle_some(&scope, LIMIT, 20..30).await?;
    crowd.burned(&scope, LIMIT, 10..20).await?;
    let expect = Expect {
        edited: 0..10,
        deleted: 10..20,
        ..Expect::default()
    };
    let result = crowd::violations(&scope, &crowd, expect).await?;
    scope.stop(0).await?;
    Ok(result)
}
