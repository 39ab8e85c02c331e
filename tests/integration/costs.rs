//! The requests that a share costs, counted in the API server's audit log and the fake server's journal.

use anyhow::{Result, ensure};
use harness::onetime::{Operation, Version};
use serde_json::json;

use crate::env::{Env, USER};
use crate::registry::{Phase, integration_test};
use crate::scope::Scope;

// Alone: work that takes more than two seconds is shown in the status, which costs a write.
integration_test!(plain_share_costs, Phase::Quiet(1));
async fn plain_share_costs(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "costs", Version::V0_26).await?;
    // Looks at the link are counted apart: none in the time of this test.
    scope.provider(json!({"pollInterval": "1h"})).await?;
    scope.secret("plain").await?;
    scope.share("plain", json!({})).await?;
    let share = scope.ready("plain").await?;
    scope.event("plain", "Normal", "Shared").await?;

    let entry = [scope.entry_name("plain")];
    let calls = env.audit.calls_of(USER).await?;
    let concerned: Vec<String> = calls
        .iter()
        .filter(|call| scope.concerns(call, &entry) || call.uri.contains(&entry[0]))
        .filter(|call| call.resource != "events")
        .map(|call| format!("{} {}", call.what(), call.code))
        .collect();
    let wanted = [
        // Once for the namespace: whose it is.
        "create leases 201",
        "get secrets 200",
        "create secrets 201",
        "update secrets 200",
        "patch onetimeshares/status 200",
    ];
    ensure!(
        concerned == wanted,
        "1 read and 3 writes, in the order of the promise, after the first share of a namespace had it: {concerned:#?}"
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
