//! SIGTERM: what was begun is brought to its end, then the operator ends without an error.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::onetime::{Fault, Hold, Operation, Stage, Version};
use serde_json::json;

use crate::env::Env;
use crate::registry::{Phase, integration_test};
use crate::space::Space;

integration_test!(graceful_shutdown, Phase::Shutdown);
async fn graceful_shutdown(env: &Env) -> Result<()> {
    let space = Space::anonymous(env, "shutdown", Version::V0_26).await?;
    // The link exists and its answer is late: an operator that gave up now would lose it.
    let late = Fault::Hang(Stage::AfterCommit, Hold::For(Duration::from_secs(3)));
    space.service.plan().once(Operation::Share, late);
    space.secret("late").await?;
    space.share("late", json!({})).await?;
    let journal = space
        .journal("share", |journal| journal.shares.len() == 1)
        .await?;

    env.shut_down().await?;
    let share = space.ready("late").await?;
    ensure!(
        share["status"]["link"] == journal.shares[0].link,
        "the link reached the status"
    );
    Ok(())
}
