//! Two tenants of one provider with a rate limit, and an operator that is killed while most of their shares wait.

use super::*;
use harness::onetime::{Hold, Stage};
use serde_json::{Value, json};

/// How many shares each tenant has, and the rate that makes them wait.
const CROWD: usize = 30;
const SECOND: usize = 10;
const PER_MINUTE: u64 = 60;

scenario!(
    "two-tenants",
    "tenants",
    Shared(|fixture, _| two_tenants(fixture).boxed())
);
/// A crowd, then a second tenant's shares. The operator is killed when some of both are served: nobody gets a second
/// e-mail, and no share is forgotten.
async fn two_tenants(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    let first = scope.namespace.clone();
    let second = format!("{first}-second");
    cluster::namespace(&scope.client, &second).await?;
    scope.set("--watch-namespaces=", &format!("{first},{second}"));
    for object in surroundings(&scope, &second) {
        cluster::apply_one(&scope.client, object).await?;
    }
    // An e-mail is seen a while before its answer: whoever is killed then does not know of it.
    let late = Fault::Hang(Stage::AfterCommit, Hold::For(Duration::from_millis(300)));
    let creations = Matcher::operation(Call::Share);
    scope.service.plan().push(Rule::always(creations, late));
    let operator = scope.start().await?;
    apply(&scope, &first, 0..CROWD).await?;
    apply(&scope, &second, CROWD..CROWD + SECOND).await?;
    let some = |journal: &harness::onetime::Journal| {
        let mails = |numbers: std::ops::Range<usize>| {
            let mut numbers = numbers;
            numbers.any(|number| !journal.mails_to(&recipient(number)).is_empty())
        };
        mails(0..CROWD) && mails(CROWD..CROWD + SECOND)
    };
    scope
        .service
        .wait_for("e-mail for each tenant", LIMIT, some)
        .await?;
    scope.operator(operator)?.signal(rustix::process::Signal::KILL)?;
    scope.operator(operator)?.wait(Duration::from_secs(30)).await?;
    let before = scope.service.journal().mails.len();
    let mut found = Vec::new();
    if before >= CROWD + SECOND {
        found.push("everybody was served before the operator was killed".to_owned());
    }
    scope.start().await?;
    for number in 0..CROWD + SECOND {
        let namespace = if number < CROWD { &first } else { &second };
        let shares = cluster::shares(&scope.client, namespace);
        let ready = cluster::wait_for(&shares, &crowd::name(number), "ready", LIMIT, cluster::is_ready).await;
        found.extend(ready.err().map(|error| format!("{error:#}")));
    }
    let journal = scope.service.journal();
    for number in 0..CROWD + SECOND {
        let mails = journal.mails_to(&recipient(number)).len();
        if mails != 1 {
            found.push(format!("{mails} e-mails to person {number}"));
        }
    }
    let last = scope.operators.len() - 1;
    let metrics = scope.operator(last)?.metrics().await?;
    println!(
        "scenario/two-tenants: {before} e-mails before the operator was killed, {} in the end, {} links made, {} adopted",
        journal.mails.len(),
        journal.shares.len(),
        resolutions(&metrics, "adopt")
    );
    scope.stop_all().await?;
    Ok((0, found))
}

/// A provider of the cluster for both, and what else the second tenant needs.
fn surroundings(scope: &Scope, second: &str) -> Vec<Value> {
    vec![
        json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider",
            "metadata": {"name": scope.namespace},
            "spec": {
                "url": scope.service.url(), "pollInterval": "1s", "requestsPerMinute": PER_MINUTE,
                "credentialsSecretRef": {"name": "account"},
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"password": "of the second tenant"},
            "metadata": {"name": "value-1", "namespace": second},
        }),
    ]
}

async fn apply(scope: &Scope, namespace: &str, numbers: std::ops::Range<usize>) -> Result<()> {
    for number in numbers {
        let share = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": crowd::name(number), "namespace": namespace},
            "spec": {
                "secretRef": {"name": "value-1", "key": "password"}, "recipient": recipient(number),
                "providerRef": {"kind": "ClusterShareProvider", "name": scope.namespace},
            },
        });
        cluster::apply_one(&scope.client, share).await?;
    }
    Ok(())
}

fn recipient(number: usize) -> String {
    Crowd::new(CROWD + SECOND, true)
        .recipient(number)
        .unwrap_or_default()
}
