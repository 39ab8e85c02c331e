//! The requests that a share costs, counted in the API server's audit log and the fake server's journal.

use anyhow::{Result, ensure};
use harness::onetime::{Operation, Version};
use jiff::Timestamp;
use serde_json::json;

use crate::env::{Env, LEDGER, USER};
use crate::registry::{Phase, integration_test};
use crate::scope::Scope;

// Alone: work that takes more than two seconds is shown in the status, which costs a write.
integration_test!(plain_share_costs, Phase::Quiet(1));
async fn plain_share_costs(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "costs", Version::V0_26).await?;
    // Looks at the link are counted apart: none in the time of this test.
    scope.provider(json!({"pollInterval": "1h"})).await?;
    let since = Timestamp::now();
    scope.secret("plain").await?;
    scope.share("plain", json!({})).await?;
    let share = scope.ready("plain").await?;
    scope.event("plain", "Normal", "Shared").await?;

    let plain = calls(&scope, "plain", since).await?;
    ensure!(
        plain == COSTS,
        "1 read and 3 writes, in the order of the promise, after the first share of a namespace had it: {plain:#?}"
    );

    let journal = scope.service.journal();
    ensure!(journal.count(Operation::Share) == 1, "exactly one POST");
    ensure!(journal.count(Operation::Look) == 0, "no look at the link");
    let posted = journal
        .requests
        .iter()
        .find(|request| request.operation == Operation::Share);
    let posted = posted.map(|request| format!("{} {}", request.method, request.path));
    ensure!(
        posted.as_deref() == Some("POST /api/v1/share"),
        "it is the documented call: {posted:?}"
    );
    ensure!(
        share["status"]["link"] == journal.shares[0].link,
        "the status has that link"
    );
    Ok(())
}

// Alone, as above.
integration_test!(mailed_share_costs_no_more, Phase::Quiet(1));
async fn mailed_share_costs_no_more(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "costs-mailed", Version::V0_26).await?;
    let mut account = scope.account_spec();
    account["pollInterval"] = json!("1h");
    scope.provider(account).await?;
    let since = Timestamp::now();
    scope.secret("mailed").await?;
    let recipient = "alice@example.com";
    scope.share("mailed", json!({"recipient": recipient})).await?;
    scope.ready("mailed").await?;
    scope.event("mailed", "Normal", "Shared").await?;

    let mailed = calls(&scope, "mailed", since).await?;
    ensure!(
        mailed == COSTS,
        "that its lane is free is told by the watch of the ledger, without a request: {mailed:#?}"
    );
    ensure!(scope.service.journal().mails.len() == 1, "exactly one e-mail");
    Ok(())
}

/// What a share costs, the first of its namespace.
const COSTS: [&str; 5] = [
    // Once for the namespace: whose it is.
    "create leases 201",
    "get secrets 200",
    "create secrets 201",
    "update secrets 200",
    "patch onetimeshares/status 200",
];

/// The calls of the operator that concern a share, but for those of its provider: of its namespace, of its entry, and lists of
/// all entries since then.
async fn calls(scope: &Scope<'_>, share: &str, since: Timestamp) -> Result<Vec<String>> {
    let entry = [scope.entry_name(share)];
    let calls = scope.env.audit.calls_of(USER).await?;
    let concerned = calls.iter().filter(|call| {
        scope.concerns(call, &entry)
            || call.uri.contains(&entry[0])
            || is_list_of_lanes(call) && call.at >= since
    });
    Ok(concerned
        .filter(|call| call.resource != "events")
        .map(|call| format!("{} {}", call.what(), call.code))
        .collect())
}

fn is_list_of_lanes(call: &harness::audit::Call) -> bool {
    call.namespace == LEDGER && call.verb == "list" && call.uri.contains("labelSelector")
}
