//! A service that says no, and one that is none: what is sent to them, and when.

use super::{LIMIT, Outcome, Scenario, Shared};
use crate::crowd::{self, Crowd, Expect};
use crate::plan::Flavor;
use crate::scope::{Fixture, Scope};
use anyhow::Result;
use futures::FutureExt as _;
use harness::cluster;
use harness::onetime::{Canned, Fault, Journal, Matcher, Operation as Call, Outcome as Ended, Rule, Stage};
use serde_json::Value;
use std::time::Duration;

/// When each create that had its answer arrived, in milliseconds.
fn answered(journal: &Journal) -> Vec<i64> {
    let posts = journal
        .requests
        .iter()
        .filter(|request| request.operation == Call::Share && matches!(request.outcome, Ended::Answered(_)));
    posts.map(|request| request.at_ms).collect()
}

scenario!(
    "refused",
    "answers",
    Shared(|fixture, _| refused(fixture).boxed())
);
/// Every create is refused, and the share is edited in between: 10 s between any two, and 30 s after the second no in a row.
async fn refused(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Anonymous26, false).await?;
    let body = br#"{"message":"Passphrase must contain at least one symbol"}"#.to_vec();
    let no = Canned::Raw(404, "application/json".to_owned(), body);
    let rule = Rule::always(
        Matcher::operation(Call::Share),
        Fault::Answer(Stage::BeforeCommit, no),
    );
    scope.service.plan().push(rule);
    scope.start().await?;
    let crowd = Crowd::new(1, false);
    crowd.apply(&scope, 1).await?;
    posts(&scope, 1).await?;
    crowd.apply(&scope, 2).await?;
    let times = posts(&scope, 4).await?;
    let mut found = Vec::new();
    for (pair, least) in times.windows(2).zip([10_000, 10_000, 30_000]) {
        let gap = pair[1] - pair[0];
        if gap < least {
            found.push(format!("sent again after {gap} ms, not {least}"));
        }
    }
    scope.stop(0).await?;
    Ok((0, found))
}

async fn posts(scope: &Scope, many: usize) -> Result<Vec<i64>> {
    let enough = |journal: &Journal| answered(journal).len() >= many;
    let journal = scope.service.wait_for("an answer", LIMIT, enough).await?;
    Ok(answered(&journal))
}

scenario!(
    "redirected",
    "answers",
    Shared(|fixture, _| redirected(fixture).boxed())
);
/// The URL redirects everything from the start: nothing is sent. Once the API is there, all go on.
async fn redirected(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    let elsewhere = Canned::Redirect("https://new.example.com/".to_owned());
    let rule = Rule::always(Matcher::any(), Fault::Answer(Stage::BeforeCommit, elsewhere));
    scope.service.plan().push(rule);
    scope.start().await?;
    let crowd = Crowd::new(2, true);
    crowd.apply(&scope, 1).await?;
    let told = |share: &Value| {
        let reason = cluster::condition(share, "Ready").and_then(|ready| ready["reason"].as_str());
        matches!(reason, Some("Unavailable" | "UnexpectedAnswer"))
    };
    for share in ["person-0", "person-1"] {
        cluster::wait_for(&scope.shares, share, "told", LIMIT, told).await?;
    }
    // The time passes without a POST: that is what is hoped for.
    let sent = |journal: &Journal| !answered(journal).is_empty();
    let sent = scope
        .service
        .wait_for("a POST", Duration::from_secs(3), sent)
        .await;
    scope.service.plan().clear();
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(2..=2),
        ..Expect::default()
    };
    let (held, mut found) = crowd::violations(&scope, &crowd, expect).await?;
    if sent.is_ok() {
        found.push("a value went to a redirect".to_owned());
    }
    scope.stop(0).await?;
    Ok((held, found))
}
