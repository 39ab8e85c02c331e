//! What a restart costs with all shares settled: nothing may be read, written or sent for them.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use harness::onetime::Operation;
use harness::operator::Operator;
use jiff::Timestamp;

use crate::cases::idle::calls;
use crate::cases::start::said;
use crate::contender;
use crate::options::Run;
use crate::plan::Plan;
use crate::process;
use crate::sample::Recorder;
use crate::stage::{LEDGER, SYSTEM, Stage};

pub(super) async fn run(
    run: &Run,
    plan: &Plan,
    stage: &Stage,
    old: Operator,
    audit: bool,
    record: &mut Recorder<'_>,
) -> Result<Operator> {
    let status = old.stop().await?;
    ensure!(status.success(), "the operator ended with {status}");
    let (since, posts) = (Timestamp::now(), stage.service.journal().count(Operation::Share));
    let begin = Instant::now();
    let operator = Operator::spawn(&contender::launch(run, stage, Vec::new())?).await?;
    // While it waits for the lease it calls itself ready too; what counts is that it works.
    said(&operator, "ready").await?;
    let pid = operator.pid().context("the operator has ended")?;
    record.take("restart: ms until ready", begin.elapsed().as_secs_f64() * 1000.0);
    record.take("restart: s of CPU until ready", process::cpu_seconds(pid)?);
    tokio::time::sleep(plan.after_restart).await;
    record.take("restart: MiB resident", process::resident(pid)?);
    record.take("restart: MiB at most", process::peak(pid)?);
    let posts = stage.service.journal().count(Operation::Share) - posts;
    record.none("restart: POSTs", posts);
    if audit {
        let calls = calls(stage, since).await?;
        let count =
            |wanted: &dyn Fn(&harness::audit::Call) -> bool| calls.iter().filter(|call| wanted(call)).count();
        let reads = |call: &harness::audit::Call| call.resource == "secrets" && call.verb == "get";
        record.none(
            "restart: Secret reads of shares",
            count(&|call| reads(call) && ![LEDGER, SYSTEM].contains(&&*call.namespace)),
        );
        let writes = |call: &harness::audit::Call| !matches!(call.verb.as_str(), "get" | "list");
        let in_ledger = |call: &harness::audit::Call| call.resource == "secrets" && call.namespace == LEDGER;
        record.none(
            "restart: ledger writes",
            count(&|call| in_ledger(call) && writes(call)),
        );
        let of_statuses = |call: &harness::audit::Call| call.resource == "onetimeshares/status";
        record.count("restart: status writes", count(&of_statuses));
        record.count("restart: requests to the API server", calls.len());
    }
    Ok(operator)
}
