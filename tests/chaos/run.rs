//! One plan from its first object to its verdict.

use crate::api_faults::ApiFault;
use crate::faults::ServiceFault;
use crate::judge::{self, Evidence};
use crate::objects::ttl_seconds;
use crate::plan::{Crash, Fault, Operation, Plan};
use crate::scope::{Fixture, Scope};
use crate::settle::{self, Settled};
use anyhow::{Context as _, Result, bail};
use harness::onetime::{Canned, Fault as Loss, Matcher, Operation as Call, Rule, Stage};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How long the parts of a plan may take.
const LIMIT: Duration = Duration::from_secs(90);

/// How long a plan may take to settle.
fn limit(plan: &Plan) -> Duration {
    match plan.fault {
        // A rate limit pauses the provider for a minute.
        Fault::Service(fault) if fault.is_slow() => 3 * LIMIT,
        // Old attempts are looked for once a minute.
        _ if plan.operation == Operation::HeldEdit => 3 * LIMIT,
        _ => LIMIT,
    }
}

/// What came of a plan.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub held: bool,
    pub violations: Vec<String>,
    pub time: Duration,
}

/// Runs a plan. What goes wrong with the run itself is a violation too: nothing is passed over.
pub async fn run(fixture: &Fixture, plan: &Plan) -> Verdict {
    let start = Instant::now();
    let (held, violations) = match play(fixture, plan).await {
        Ok(result) => result,
        Err(error) => (false, vec![format!("{error:#}")]),
    };
    Verdict {
        held,
        violations,
        time: start.elapsed(),
    }
}

async fn play(fixture: &Fixture, plan: &Plan) -> Result<(bool, Vec<String>)> {
    let mut scope = Box::pin(Scope::new(
        fixture,
        plan.flavor,
        matches!(plan.fault, Fault::Api(_)),
    ))
    .await
    .context("setting up")?;
    let result = Box::pin(acts(&mut scope, plan)).await;
    if let Err(error) = &result {
        keep_log(&scope, plan, error);
    }
    let (settled, missed) = result?;
    let held = matches!(settled, Settled::Held);
    let mut evidence = Evidence::gather(&scope, plan, settled).await?;
    let mut violations = judge::violations(&evidence);
    if violations.is_empty() {
        violations.extend(take_back(&scope, &evidence).await);
    }
    scope.stop_all().await?;
    // The logs are complete when the operators have ended.
    evidence.add_logs(&scope);
    judge::leaks(&evidence, &mut violations);
    violations.extend(missed.then(|| "what should go wrong did not: nothing was tried".to_owned()));
    if !violations.is_empty() {
        keep_log(&scope, plan, &anyhow::anyhow!("{}", violations.join("; ")));
    }
    Ok((held, violations))
}

/// Whatever went wrong before: a share that is deleted takes its link with it.
async fn take_back(scope: &Scope, evidence: &Evidence) -> Option<String> {
    if !evidence.can_be_deleted() {
        return None;
    }
    let deleted = async {
        scope.delete().await?;
        settle::gone(scope, LIMIT).await
    };
    let deleted = deleted.await.context("deleting in the end").err();
    let deleted = deleted.map(|error| format!("{error:#}"));
    deleted.or_else(|| {
        let works = evidence.still_works(scope);
        works.then(|| "the link of a deleted share still works".to_owned())
    })
}

/// How it settled, and whether the fault struck nothing: then the plan shows nothing.
async fn acts(scope: &mut Scope, plan: &Plan) -> Result<(Settled, bool)> {
    if plan.operation.is_prepared() {
        Box::pin(prepare(scope, plan)).await.context("preparing")?;
    } else {
        arm_losses(scope, plan);
        if !matches!(plan.fault, Fault::Crash(..)) {
            scope.start().await?;
        }
    }
    match plan.fault {
        Fault::Crash(point, nth, crash) => Box::pin(crashes(scope, plan, point, nth, crash)).await,
        Fault::Service(fault) => Box::pin(service_fails(scope, plan, fault)).await,
        Fault::Api(fault) => Box::pin(api_fails(scope, plan, fault)).await,
        Fault::Twins => {
            scope.start().await?;
            act(scope, plan).await?;
            come_back(scope, plan).await?;
            Ok((settle_for_good(scope, plan).await?, false))
        }
        Fault::Nothing => {
            act(scope, plan).await?;
            if plan.operation == Operation::HeldEdit {
                answer_lists_once_sent(scope, plan).await?;
            }
            come_back(scope, plan).await?;
            Ok((settle_for_good(scope, plan).await?, false))
        }
    }
}

async fn settle_for_good(scope: &Scope, plan: &Plan) -> Result<Settled> {
    Box::pin(settle::for_good(scope, plan, limit(plan))).await
}

async fn crashes(
    scope: &mut Scope,
    plan: &Plan,
    point: &str,
    nth: u32,
    crash: Crash,
) -> Result<(Settled, bool)> {
    let failpoint = format!("{point}={}@{nth}", crash.action());
    // What is prepared changes while nobody runs, so that the next operator meets it at its start.
    let armed = if plan.operation.is_prepared() {
        scope.stop(0).await?;
        act(scope, plan).await?;
        scope.start_armed(&failpoint).await?
    } else {
        let armed = scope.start_armed(&failpoint).await?;
        act(scope, plan).await?;
        armed
    };
    let struck = Box::pin(strike(scope, plan, armed, crash)).await?;
    Ok((settle_for_good(scope, plan).await?, !struck))
}

async fn service_fails(scope: &Scope, plan: &Plan, fault: ServiceFault) -> Result<(Settled, bool)> {
    let is_lost = plan.operation.loses() && !plan.operation.is_prepared();
    let before = scope.service.plan().hits() + u64::from(is_lost);
    fault.arm(&scope.service);
    act(scope, plan).await?;
    come_back(scope, plan).await?;
    let settled = settle_for_good(scope, plan).await?;
    Ok((settled, scope.service.plan().hits() <= before))
}

async fn api_fails(scope: &Scope, plan: &Plan, fault: ApiFault) -> Result<(Settled, bool)> {
    let proxy = scope.proxy.as_ref().context("a proxy")?;
    if let Some(also) = fault.also() {
        proxy.push(also);
        proxy.cut_watches();
    }
    let hits = proxy.push(fault.rule());
    act(scope, plan).await?;
    come_back(scope, plan).await?;
    // Watches that are open go on as they are: let them begin anew.
    proxy.cut_watches();
    let settled = tokio::select! {
        settled = settle_for_good(scope, plan) => settled?,
        () = cut_again_and_again(proxy, fault.cuts) => bail!("cutting watches ended"),
    };
    Ok((settled, hits.count() == 0 && !fault.cuts))
}

/// Brings the share to where the fault finds it.
async fn prepare(scope: &mut Scope, plan: &Plan) -> Result<()> {
    scope.start().await?;
    if plan.operation == Operation::HeldEdit {
        arm_losses(scope, plan);
        for call in [Call::Recent, Call::RecentV2] {
            let garbage = Loss::Answer(Stage::AfterCommit, Canned::WrongJson);
            scope.service.plan().always(call, garbage);
        }
        scope.apply(plan, 1).await?;
        settle::held(scope, LIMIT).await?;
        // Where nothing else goes wrong, the edit is to meet a hold that no list has healed.
        if !matches!(plan.fault, Fault::Nothing) {
            scope.service.plan().clear();
        }
        return Ok(());
    }
    scope.apply(plan, 1).await?;
    settle::ready(scope, LIMIT).await?;
    if plan.operation == Operation::EditFinished {
        open(scope, plan)?;
        settle::received(scope, LIMIT).await?;
    }
    if plan.operation == Operation::Recreate {
        scope.delete().await?;
        settle::gone(scope, LIMIT).await?;
    }
    Ok(())
}

/// The lists answer again when the edit was sent: the old attempt is then superseded, not adopted.
async fn answer_lists_once_sent(scope: &Scope, plan: &Plan) -> Result<()> {
    let both = |journal: &harness::onetime::Journal| journal.shares.len() == 2;
    scope
        .service
        .wait_for("the share of the edit", limit(plan), both)
        .await?;
    scope.service.plan().clear();
    Ok(())
}

fn arm_losses(scope: &Scope, plan: &Plan) {
    if plan.operation.loses() {
        for call in [Call::Share, Call::Generate] {
            let rule = Rule::once(Matcher::operation(call), Loss::commit_then_reset());
            scope.service.plan().push(rule);
        }
    }
}

/// What the user, or the recipient, does.
async fn act(scope: &Scope, plan: &Plan) -> Result<()> {
    match plan.operation {
        Operation::PollOpened => open(scope, plan),
        Operation::EditFinished => scope.apply(plan, 2).await,
        Operation::PollExpired => {
            scope.service.advance(Duration::from_secs(ttl_seconds(1) + 1));
            Ok(())
        }
        Operation::DeletePlain | Operation::DeleteMailing | Operation::DeleteReturn => scope.delete().await,
        _ if plan.operation.edits() => scope.apply(plan, 2).await,
        Operation::LostDelete => {
            scope.apply(plan, 1).await?;
            let stored = |journal: &harness::onetime::Journal| !journal.shares.is_empty();
            scope.service.wait_for("share", LIMIT, stored).await?;
            scope.delete().await
        }
        _ => scope.apply(plan, 1).await,
    }
}

/// The recipient opens the link.
fn open(scope: &Scope, plan: &Plan) -> Result<()> {
    let history = scope.watches.now();
    let key = history
        .share()
        .and_then(|share| share["status"]["secretKey"].as_str().map(str::to_owned));
    let passphrase = plan.passphrase.then_some(crate::objects::PASSPHRASE);
    let opened = scope.service.open(&key.context("a link to open")?, passphrase);
    opened.context("the link does not open").map(drop)
}

/// A share that was deleted is created again as soon as its link is marked to be burned.
async fn come_back(scope: &Scope, plan: &Plan) -> Result<()> {
    if plan.operation == Operation::DeleteReturn {
        settle::burning(scope, LIMIT).await?;
        scope.apply(plan, 1).await?;
    }
    Ok(())
}

/// Follows an operator that does something to itself, and starts the one that comes after it.
/// False when it never came to the point.
async fn strike(scope: &mut Scope, plan: &Plan, armed: usize, crash: Crash) -> Result<bool> {
    if scope.reached(armed, LIMIT).await.is_err() {
        return Ok(false);
    }
    let operator = scope.operator(armed)?;
    match crash {
        Crash::Kill | Crash::Term => {
            let status = operator.wait(Duration::from_secs(40)).await?;
            if crash == Crash::Term && !status.success() {
                bail!("the operator ended with {status} after SIGTERM");
            }
            return_now(scope, plan).await?;
            scope.start().await?;
        }
        Crash::Nap => {
            frozen(operator).await?;
            return_now(scope, plan).await?;
            let operator = scope.operator(armed)?;
            tokio::time::sleep(Duration::from_secs(3)).await;
            operator.signal(Signal::CONT)?;
        }
        Crash::Stop => {
            frozen(operator).await?;
            return_now(scope, plan).await?;
            scope.start().await?;
            // Deadline and slack are over, and the other operator has acted.
            tokio::time::sleep(Duration::from_secs(15)).await;
            scope.operator(armed)?.signal(Signal::CONT)?;
        }
        Crash::Coma => {
            frozen(operator).await?;
            return_now(scope, plan).await?;
            scope.start().await?;
            settle_for_good(scope, plan).await?;
            scope.operator(armed)?.signal(Signal::CONT)?;
        }
    }
    Ok(true)
}

/// Created again while the operator is dead or frozen.
async fn return_now(scope: &Scope, plan: &Plan) -> Result<()> {
    match plan.operation {
        Operation::DeleteReturn => scope.apply(plan, 1).await,
        _ => Ok(()),
    }
}

async fn cut_again_and_again(proxy: &harness::api_proxy::ApiProxy, cuts: bool) {
    for _ in 0..if cuts { 30 } else { 0 } {
        proxy.cut_watches();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    std::future::pending::<()>().await;
}

/// Waits until every thread of an operator stands still.
async fn frozen(operator: &harness::operator::Operator) -> Result<()> {
    let pid = operator.pid().context("the operator has ended")?;
    let stat = format!("/proc/{pid}/stat");
    let poll = async {
        loop {
            let text = tokio::fs::read_to_string(&stat).await?;
            // The state follows the program's name in brackets.
            if text
                .rsplit(')')
                .next()
                .is_some_and(|rest| rest.trim_start().starts_with('T'))
            {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), poll)
        .await
        .context("the operator does not freeze")?
}

/// The logs of a failing plan stay in a folder, to be read.
fn keep_log(scope: &Scope, plan: &Plan, error: &anyhow::Error) {
    let folder = std::env::temp_dir().join("onetimeshare-chaos");
    let mut text = format!("{}\n{error:#}\n", plan.name());
    for (number, operator) in scope.operators.iter().enumerate() {
        text.push_str(&format!("--- operator {number}\n{}", operator.log()));
    }
    text.push_str("--- requests at the service\n");
    for request in scope.service.requests() {
        let line = format!(
            "{} {} {} {:?} {:?}\n",
            request.order, request.method, request.path, request.operation, request.outcome
        );
        text.push_str(&line);
    }
    text.push_str("--- shares at the service\n");
    for share in &scope.service.journal().shares {
        text.push_str(&format!("{share:?}\n"));
    }
    let history = scope.watches.now();
    text.push_str("--- the share's history\n");
    for version in &history.shares {
        text.push_str(&format!("{} deleted={}\n", version.object, version.deleted));
    }
    text.push_str("--- the ledger's history\n");
    for entry in history.entries() {
        text.push_str(&format!("{entry}\n"));
    }
    let name = plan.name().replace(['/', ':', '@'], "_");
    // A log that cannot be kept must not hide the failure.
    let _ = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), text));
}
