//! A scenario: two operators, each with its own ledger, over one namespace.

use crate::crowd::{self, Crowd, Expect};
use crate::history::History;
use crate::plan::Flavor;
use crate::scenario::{LIMIT, Outcome, Play, Scenario};
use crate::scope::{Fixture, Scope};
use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use harness::cluster;
use serde_json::Value;
use std::collections::BTreeMap;

scenario!(
    "two-ledgers",
    "ledgers",
    Play::Shared(|fixture, _| two_ledgers(fixture).boxed())
);
/// Exactly one of them sends, whichever was there first, and the other one writes over nothing that the first one wrote.
async fn two_ledgers(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    let crowd = Crowd::new(20, true);
    // Both find new shares, and neither has the namespace.
    crowd.apply_some(&scope, 1, 0..10).await?;
    let first = scope.start().await?;
    let ledger = format!("{}-another", scope.namespace);
    scope.another_ledger(&ledger).await?;
    let second = scope.start().await?;
    crowd.apply_some(&scope, 1, 10..20).await?;
    crowd.settle(&scope, LIMIT).await?;
    one_stood_back(&scope, [first, second]).await?;
    crowd.apply_some(&scope, 2, 0..10).await?;
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(30..=30),
        edited: 0..10,
        ..Expect::default()
    };
    let (held, mut found) = crowd::violations(&scope, &crowd, expect).await?;
    found.extend(contradictions(&scope.watches.now()));
    scope.stop_all().await?;
    Ok((held, found))
}

/// Waits until one of them has learned that the namespace is the other's. Both have when neither asks.
async fn one_stood_back(scope: &Scope, operators: [usize; 2]) -> Result<()> {
    let stood_back = |number: usize| {
        let log = scope.operators.get(number).map(harness::operator::Operator::log);
        log.is_some_and(|log| log.contains("another operator, with another ledger"))
    };
    let posts = || scope.service.journal().shares.len();
    let wait = async {
        while !operators.into_iter().any(stood_back) && posts() <= 20 {
            // A log can only be asked for.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait)
        .await
        .context("what should go wrong did not: nobody stood back")
}

/// A status that somebody wrote for a generation, and that then tells of another operator for the same one.
fn contradictions(history: &History) -> Vec<String> {
    let mut told = BTreeMap::<(String, String), bool>::new();
    let mut found = Vec::new();
    for version in &history.shares {
        let (meta, observed) = (
            &version.object["metadata"],
            &version.object["status"]["observedGeneration"],
        );
        if observed.as_i64().is_none_or(|observed| observed < 0) {
            continue;
        }
        let another = is_another(&version.object);
        let before = told.insert((meta["name"].to_string(), observed.to_string()), another);
        if another && before == Some(false) {
            found.push("the status that one operator wrote was written over by the other".to_owned());
        }
    }
    found
}

fn is_another(share: &Value) -> bool {
    cluster::is(share, "Stalled", "True", "OtherOperator")
}
