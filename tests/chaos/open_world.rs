//! Servers that do not keep to the recordings, and what must be true all the same: nobody gets a second e-mail, and what
//! was made is found again.

use crate::crowd::{self, Crowd, Expect};
use crate::plan::Flavor;
use crate::scenario::{LIMIT, Outcome, Play, Scenario, resolutions};
use crate::scope::{Fixture, Scope};
use Play::Shared;
use anyhow::{Result, ensure};
use futures::FutureExt as _;
use harness::cluster;
use harness::onetime::{Canned, Fault, Matcher, Operation as Call, Rule, Stage};
use serde_json::Value;

/// The site's own minimum, far above what the shares ask for.
const MINIMUM: u64 = 3600 * 50;

scenario!(
    "lost-answers-elsewhere/v26",
    "lost",
    Shared(|fixture, many| lost_answers(fixture, Flavor::Account26, 600, false, many).boxed())
);
scenario!(
    "lost-answers-elsewhere/v23",
    "lost",
    Shared(|fixture, many| lost_answers(fixture, Flavor::Account23, -600, false, many).boxed())
);
scenario!(
    "lost-answers-elsewhere/v26-restart",
    "lost",
    Shared(|fixture, many| lost_answers(fixture, Flavor::Account26, -600, true, many).boxed())
);
scenario!(
    "lost-answers-elsewhere/v23-restart",
    "lost",
    Shared(|fixture, many| lost_answers(fixture, Flavor::Account23, 600, true, many).boxed())
);
/// The first answer for every share is lost after the service stored and mailed it, on a site that grants more than was
/// asked for and whose clock is ten minutes off: each is found.
async fn lost_answers(fixture: &Fixture, flavor: Flavor, skew: i64, restart: bool, many: usize) -> Outcome {
    let mut scope = Scope::new(fixture, flavor, false).await?;
    scope.service.set_clock(skew);
    scope.service.set_ttl_minimum(MINIMUM);
    scope.start().await?;
    let crowd = Crowd::new(many, true);
    for number in 0..many {
        let recipient = crowd.recipient(number).unwrap_or_default();
        let matcher = Matcher::operation(Call::Share).recipient(&recipient);
        let lost = Rule::once(matcher, Fault::commit_then_reset());
        scope.service.plan().push(lost);
    }
    crowd.apply(&scope, 1).await?;
    if restart {
        let half = |journal: &harness::onetime::Journal| journal.shares.len() >= many / 2;
        scope.service.wait_for("half of the shares", LIMIT, half).await?;
        scope.stop(0).await?;
        scope.start().await?;
    }
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(many..=many),
        ..Expect::default()
    };
    let (held, mut found) = crowd::violations(&scope, &crowd, expect).await?;
    let mut adopted = 0;
    for number in scope.alive().collect::<Vec<_>>() {
        adopted += resolutions(&scope.operator(number)?.metrics().await?, "adopt");
    }
    let mails = scope.service.journal().mails.len();
    println!(
        "scenario/lost-answers-elsewhere/{}: {many} shares, clock {skew} s off, minimum {MINIMUM} s, restart {restart}: {adopted} adopted since, {held} held, {mails} e-mails",
        flavor.name()
    );
    if mails != many {
        found.push(format!("{mails} e-mails for {many} shares"));
    }
    scope.stop_all().await?;
    Ok((held, found))
}

scenario!(
    "hold-heals",
    "lost",
    Shared(|fixture, _| hold_heals(fixture).boxed())
);
/// The answer is lost, and the list is unreadable until the share is on hold. When the list is whole again, the link is
/// adopted without a person.
async fn hold_heals(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.start().await?;
    let crowd = Crowd::new(1, true);
    let plan = scope.service.plan();
    plan.once(Call::Share, Fault::commit_then_reset());
    plan.always(Call::Recent, Fault::Answer(Stage::AfterCommit, Canned::WrongJson));
    crowd.apply(&scope, 1).await?;
    crowd.settle(&scope, LIMIT).await?;
    let mut found = Vec::new();
    if !held(&scope).await? {
        found.push("a list that cannot be read was believed".to_owned());
    }
    plan.clear();
    let healed = |share: &Value| cluster::is_ready(share) && share["status"]["state"] == "Shared";
    cluster::wait_for(&scope.shares, "person-0", "healed", LIMIT, healed).await?;
    let expect = Expect {
        links_made: Some(1..=1),
        ..Expect::default()
    };
    let (held, more) = crowd::violations(&scope, &crowd, expect).await?;
    found.extend(more);
    scope.stop(0).await?;
    Ok((held, found))
}

scenario!(
    "late-duplicate",
    "lost",
    Shared(|fixture, _| late_duplicate(fixture).boxed())
);
/// The service stores a share after two looks found no trace of it, and it was sent again: the late link is burned, and
/// the other one lives.
async fn late_duplicate(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.start().await?;
    let crowd = Crowd::new(1, true);
    let gate = harness::onetime::Gate::new();
    let late = harness::onetime::Hold::Until(gate.clone());
    let stored_late = Fault::Hang(Stage::BeforeCommit, late);
    scope.service.plan().once(Call::Share, stored_late);
    crowd.apply(&scope, 1).await?;
    crowd.settle(&scope, LIMIT).await?;
    gate.open();
    let both = |journal: &harness::onetime::Journal| journal.shares.len() == 2;
    scope.service.wait_for("late share", LIMIT, both).await?;
    let burned = |journal: &harness::onetime::Journal| {
        let states = journal.shares.iter().map(|share| share.state);
        states
            .filter(|state| *state == harness::onetime::State::Burned)
            .count()
            == 1
    };
    let mut found = Vec::new();
    if scope
        .service
        .wait_for("burned duplicate", LIMIT, burned)
        .await
        .is_err()
    {
        found.push("the link of a late answer lives beside the other one".to_owned());
    }
    let journal = scope.service.journal();
    let share = cluster::wait_for(&scope.shares, "person-0", "shared", LIMIT, cluster::is_ready).await?;
    let shown = share["status"]["link"].as_str().unwrap_or_default();
    let lives = journal
        .shares
        .iter()
        .any(|share| share.link == shown && share.is_live(scope.service.now_ms()));
    if !lives {
        found.push("the link in the status is not the one that lives".to_owned());
    }
    scope.stop(0).await?;
    Ok((0, found))
}

scenario!(
    "hidden-recipients",
    "lost",
    Shared(|fixture, _| unreadable_lists(fixture, hide_recipients).boxed())
);
scenario!(
    "riddled-recipients",
    "lost",
    Shared(|fixture, _| unreadable_lists(fixture, riddle_recipients).boxed())
);
scenario!(
    "stale-list",
    "lost",
    Shared(|fixture, _| unreadable_lists(fixture, drop_newest).boxed())
);
/// The answer is lost, and the list does not show what is needed to recognise it: nothing is sent again, for as long as it
/// is so. When it does, the link is adopted.
async fn unreadable_lists(fixture: &Fixture, edit: fn(&mut Value)) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.start().await?;
    let crowd = Crowd::new(2, true);
    crowd.apply_some(&scope, 1, 0..1).await?;
    crowd.settle_some(&scope, LIMIT, 0..1).await?;
    let plan = scope.service.plan();
    let recipient = crowd.recipient(1).unwrap_or_default();
    let matcher = Matcher::operation(Call::Share).recipient(&recipient);
    plan.push(Rule::once(matcher, Fault::commit_then_reset()));
    plan.always(Call::Recent, Fault::Edit(edit));
    crowd.apply_some(&scope, 1, 1..2).await?;
    // Long past deadline, slack and both looks.
    let looks = |journal: &harness::onetime::Journal| {
        let lists = journal
            .requests
            .iter()
            .filter(|request| request.operation == Call::Recent);
        lists.count() >= 25
    };
    scope.service.wait_for("many looks", LIMIT, looks).await?;
    let mut found = Vec::new();
    let mails = scope.service.journal().mails_to(&recipient).len();
    if mails != 1 {
        found.push(format!("{mails} e-mails while the list cannot be read"));
    }
    plan.clear();
    let healed = |share: &Value| cluster::is_ready(share) && share["status"]["state"] == "Shared";
    cluster::wait_for(&scope.shares, "person-1", "healed", LIMIT, healed).await?;
    let expect = Expect {
        links_made: Some(2..=2),
        ..Expect::default()
    };
    let (held, more) = crowd::violations(&scope, &crowd, expect).await?;
    found.extend(more);
    scope.stop(0).await?;
    Ok((held, found))
}

fn each_receipt(list: &mut Value, edit: fn(&mut Value)) {
    list.as_array_mut().into_iter().flatten().for_each(edit);
}

fn hide_recipients(list: &mut Value) {
    each_receipt(list, |receipt| {
        receipt["recipient"] = Value::Array(Vec::new());
        receipt["recipients"] = Value::Array(Vec::new());
    });
}

fn riddle_recipients(list: &mut Value) {
    each_receipt(list, |receipt| {
        let riddle = || Value::Array(vec![Value::String("a person at a place".into())]);
        receipt["recipient"] = riddle();
        receipt["recipients"] = riddle();
    });
}

/// As a replica that lags shows it: v1 tells the oldest first.
fn drop_newest(list: &mut Value) {
    if let Some(receipts) = list.as_array_mut() {
        receipts.clear();
    }
}

scenario!(
    "unknown-mask",
    "post",
    Shared(|fixture, _| unknown_mask(fixture).boxed())
);
/// The service obscures the recipient in a form that nobody knows: the link is kept.
async fn unknown_mask(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope
        .service
        .plan()
        .always(Call::Share, Fault::Edit(riddle_recipient));
    scope.start().await?;
    let crowd = Crowd::new(1, true);
    crowd.apply(&scope, 1).await?;
    crowd.settle(&scope, LIMIT).await?;
    let expect = Expect {
        links_made: Some(1..=1),
        ..Expect::default()
    };
    let result = crowd::violations(&scope, &crowd, expect).await?;
    scope.stop(0).await?;
    Ok(result)
}

fn riddle_recipient(answer: &mut Value) {
    answer["recipient"] = Value::Array(vec![Value::String("a…e at e….com".into())]);
    answer["recipients"] = answer["recipient"].clone();
}

async fn held(scope: &Scope) -> Result<bool> {
    let share = scope.shares.get("person-0").await?;
    let share = serde_json::to_value(&share)?;
    ensure!(share["metadata"]["name"] == "person-0", "the share is there");
    Ok(cluster::is(&share, "Stalled", "True", "Uncertain"))
}
