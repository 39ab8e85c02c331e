//! Scenarios: two operators as two shards, with one ledger, and shares whose label moves.

use crate::catalog::dice;
use crate::crowd::{self, Crowd, Expect};
use crate::plan::Flavor;
use crate::scenario::{LIMIT, Outcome, Play, Scenario};
use crate::scope::{Fixture, Scope};
use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use harness::onetime::{Fault, Gate, Hold, Matcher, Operation as Call, Rule, Stage};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams, Patch, PatchParams};
use onetimeshare::ledger::Owner;
use onetimeshare::shard::LABEL;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::Duration;

const BLUE: Option<&str> = Some("blue");

/// So often the labels of a third of the shares change and an operator is killed.
const ROUNDS: usize = 4;

/// Sets whose shard the operators are that are started from now on.
fn set_shard(scope: &mut Scope, shard: Option<&str>) {
    let selector = match shard {
        Some(name) => format!("{LABEL}={name}"),
        None => format!("!{LABEL}"),
    };
    scope.set("--watch-label-selector=", &selector);
    scope.set("--shards=", "2");
}

async fn start(scope: &mut Scope, shard: Option<&str>) -> Result<usize> {
    set_shard(scope, shard);
    scope.start().await
}

async fn kill(scope: &mut Scope, number: usize) -> Result<()> {
    let operator = scope.operator(number)?;
    operator.signal(Signal::KILL)?;
    operator.wait(Duration::from_secs(10)).await.map(drop)
}

/// Gives a share to a shard. Who applies the share says nothing of its label.
async fn move_to(scope: &Scope, number: usize, shard: Option<&str>) -> Result<()> {
    let label = Patch::Merge(serde_json::json!({"metadata": {"labels": {LABEL: shard}}}));
    let (shares, name) = (&scope.shares, crowd::name(number));
    shares.patch(&name, &PatchParams::default(), &label).await?;
    Ok(())
}

/// What the promises say in the end, and whether the entries of so many shares followed them.
async fn judge(scope: &mut Scope, crowd: &Crowd, shares: usize, expect: Expect) -> Outcome {
    let astray = entries_follow(scope, shares).await?;
    let (held, mut found) = crowd::violations(scope, crowd, expect).await?;
    found.extend(astray);
    scope.stop_all().await?;
    Ok((held, found))
}

/// Waits until every entry is that of the shard whose share it is. What stays wrong is told.
async fn entries_follow(scope: &Scope, crowd: usize) -> Result<Vec<String>> {
    let entries: Api<Secret> = Api::namespaced(scope.client.clone(), &format!("{}-ledger", scope.namespace));
    let wait = async {
        loop {
            let wrong = astray(scope, &entries, crowd).await?;
            if wrong.is_empty() {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(30), wait).await {
        Ok(done) => done.map(|()| Vec::new()),
        Err(_) => {
            let wrong = astray(scope, &entries, crowd).await?;
            Ok(vec![format!(
                "the shard of the share did not take the entries of {wrong:?}"
            )])
        }
    }
}

/// The shares whose entry is another shard's.
async fn astray(scope: &Scope, entries: &Api<Secret>, crowd: usize) -> Result<Vec<String>> {
    let label = |labels: Option<BTreeMap<String, String>>| labels.and_then(|mut labels| labels.remove(LABEL));
    let mut shards = BTreeMap::new();
    for entry in entries.list(&ListParams::default()).await? {
        shards.insert(
            entry.metadata.name.unwrap_or_default(),
            label(entry.metadata.labels),
        );
    }
    let mut wrong = Vec::new();
    for number in 0..crowd {
        let share = scope.shares.get(&crowd::name(number)).await?;
        let owner = Owner {
            namespace: scope.namespace.clone(),
            name: crowd::name(number),
        };
        if shards.get(&owner.entry_name()) != Some(&label(share.metadata.labels)) {
            wrong.push(owner.name);
        }
    }
    Ok(wrong)
}

scenario!(
    "shard-moves",
    "shards",
    Play::Shared(|fixture, many| shard_moves(fixture, many.min(60)).boxed())
);
/// Labels move while shares are made and answers are lost, and the operator of one shard after the other is killed. Each
/// share is sent once, and in the end the shard of its label has it.
async fn shard_moves(fixture: &Fixture, many: usize) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    let shards = [None, BLUE];
    let mut running = [start(&mut scope, None).await?, start(&mut scope, BLUE).await?];
    for _ in 0..many / 4 {
        let matcher = Matcher::operation(Call::Share).chance(0.3, 7);
        let lost = Rule::once(matcher, Fault::commit_then_reset());
        scope.service.plan().push(lost);
    }
    let crowd = Crowd::new(many, true);
    for round in 0..ROUNDS {
        let new = round * many / ROUNDS..(round + 1) * many / ROUNDS;
        let there = new.end;
        crowd.apply_some(&scope, 1, new).await?;
        let victim = round % 2;
        for number in 0..there {
            let dice = dice(1, &format!("{round} {number}"));
            if dice.is_multiple_of(3) {
                let to = usize::try_from(dice / 3 % 2).unwrap_or_default();
                move_to(&scope, number, shards[to]).await?;
            }
            if number == there / 2 {
                kill(&mut scope, running[victim]).await?;
            }
        }
        running[victim] = start(&mut scope, shards[victim]).await?;
    }
    crowd.settle(&scope, LIMIT).await?;
    judge(&mut scope, &crowd, many, Expect::default()).await
}

scenario!(
    "shard-takes",
    "shards",
    Play::Shared(|fixture, _| shard_takes(fixture).boxed())
);
/// While a shard takes an entry, the other one writes the outcome of its POST into it: the link is kept.
async fn shard_takes(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.set("--attempt-deadline=", "15s");
    start(&mut scope, None).await?;
    set_shard(&mut scope, BLUE);
    let blue = scope.start_armed("take.before=sleep:3000").await?;
    let gate = Gate::new();
    let hang = Fault::Hang(Stage::AfterCommit, Hold::Until(gate.clone()));
    let rule = Rule::once(Matcher::operation(Call::Share), hang);
    scope.service.plan().push(rule);
    // Not mailed: a lost link would be replaced by another one.
    let crowd = Crowd::new(1, false);
    crowd.apply(&scope, 1).await?;
    let sent = |journal: &harness::onetime::Journal| !journal.shares.is_empty();
    scope.service.wait_for("POST", LIMIT, sent).await?;
    move_to(&scope, 0, BLUE).await?;
    scope.reached(blue, LIMIT).await?;
    gate.open();
    let shared = |history: &crate::history::History| {
        let entry = history.entry();
        entry.is_some_and(|entry| !entry["phase"]["shared"].is_null())
    };
    let mut history = scope.watches.receiver();
    tokio::time::timeout(Duration::from_secs(2), history.wait_for(shared))
        .await
        .context("what should go wrong did not: the outcome came too late")??;
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(1..=1),
        ..Expect::default()
    };
    judge(&mut scope, &crowd, 1, expect).await
}

scenario!(
    "shard-rests",
    "shards",
    Play::Shared(|fixture, _| shard_rests(fixture).boxed())
);
/// Shares that have their links move, and nothing is left to be written for them: their entries go with them.
async fn shard_rests(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    start(&mut scope, None).await?;
    start(&mut scope, BLUE).await?;
    let crowd = Crowd::new(4, true);
    crowd.apply(&scope, 1).await?;
    crowd.settle(&scope, LIMIT).await?;
    for number in 0..2 {
        move_to(&scope, number, BLUE).await?;
    }
    let expect = Expect {
        links_made: Some(4..=4),
        ..Expect::default()
    };
    judge(&mut scope, &crowd, 4, expect).await
}

scenario!(
    "shards-one-recipient",
    "shards",
    Play::Shared(|fixture, _| shards_one_recipient(fixture).boxed())
);
/// Links of both shards for one recipient, and the first response for each is lost. Neither shard sees the attempts of the
/// other in its cache; still no person has to decide, and nobody is mailed twice.
async fn shards_one_recipient(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    let crowd = Crowd::alike(4);
    let rule = Rule::times(4, Matcher::operation(Call::Share), Fault::commit_then_reset());
    scope.service.plan().push(rule);
    crowd.apply(&scope, 1).await?;
    for number in 0..2 {
        move_to(&scope, number, BLUE).await?;
    }
    start(&mut scope, None).await?;
    start(&mut scope, BLUE).await?;
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(4..=4),
        ..Expect::default()
    };
    let result = crowd::violations(&scope, &crowd, expect).await?;
    scope.stop_all().await?;
    Ok(result)
}
