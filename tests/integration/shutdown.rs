//! SIGTERM: what was begun is brought to its end, then the operator ends without an error.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::onetime::{Fault, Hold, Operation, Stage, Version};
use serde_json::json;

use crate::env::Env;
use crate::registry::{Phase, integration_test};
use crate::scope::Scope;

integration_test!(graceful_shutdown, Phase::Shutdown);
async fn graceful_shutdown(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "shutdown", Version::V0_26).await?;
    // The link exists and its answer is late: an operator that gave up now would lose it.
    let late = Fault::Hang(Stage::AfterCommit, Hold::For(Duration::from_secs(3)));
    scope.service.plan().once(Operation::Share, late);
    scope.secret("late").await?;
    scope.share("late", json!({})).await?;
    let journal = scope
        .journal("share", |journal| journal.shares.len() == 1)
        .await?;

    env.shut_down().await?;
    let share = scope.ready("late").await?;
    ensure!(
        share["status"]["link"] == journal.shares[0].link,
        "the link reached the status"
    );
    Ok(())
}
