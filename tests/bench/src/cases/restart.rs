//! What a restart costs with all shares settled: nothing may be read, written or sent for them.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use harness::audit::Call;
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
        asked(&calls(stage, since).await?, record);
    }
    Ok(operator)
}

/// What the new process asked the API server for.
fn asked(calls: &[Call], record: &mut Recorder<'_>) {
    let count = |wanted: &dyn Fn(&Call) -> bool| calls.iter().filter(|call| wanted(call)).count();
    let of_secrets = |call: &Call| call.resource == "secrets";
    let of_shares = |call: &Call| of_secrets(call) && ![LEDGER, SYSTEM].contains(&&*call.namespace);
    let reads = |call: &Call| call.verb == "get" && of_shares(call);
    record.none("restart: Secret reads of shares", count(&reads));
    let changes = |call: &Call| !matches!(call.verb.as_str(), "get" | "list");
    let writes = |call: &Call| of_secrets(call) && call.namespace == LEDGER && changes(call);
    record.none("restart: ledger writes", count(&writes));
    let statuses = |call: &Call| call.resource == "onetimeshares/status";
    record.count("restart: status writes", count(&statuses));
    record.count("restart: requests to the API server", calls.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::about::About;
    use crate::sample::Results;

    fn call(verb: &str, resource: &str, namespace: &str) -> Call {
        Call {
            user: String::new(),
            verb: verb.into(),
            resource: resource.into(),
            namespace: namespace.into(),
            name: String::new(),
            code: 200,
            at: Timestamp::UNIX_EPOCH,
            uri: String::new(),
        }
    }

    #[test]
    fn what_a_restart_must_not_do_is_counted() {
        let calls = [
            call("list", "secrets", LEDGER),
            call("get", "secrets", LEDGER),
            call("update", "secrets", LEDGER),
            call("create", "secrets", LEDGER),
            call("get", "secrets", SYSTEM),
            call("get", "secrets", "leaving"),
            call("patch", "onetimeshares/status", "tenant-1"),
        ];
        let mut results = Results::new(About::default());
        asked(&calls, &mut results.recorder("settled", 10, "onetimeshare", 1));
        let figures: Vec<f64> = results.samples.iter().map(|sample| sample.value).collect();
        assert_eq!(figures, [1.0, 2.0, 1.0, 7.0]);
        assert_eq!(results.failures.len(), 2);
    }
}
