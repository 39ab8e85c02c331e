//! Shares wait for their turn, and some of them change meanwhile: what is sent is right, and nobody waits behind those
//! that left.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::join_all;
use harness::cluster;
use harness::onetime::{Fault, Gate, Hold, Journal, OnetimeServer, Operation, Stage, Version};
use serde_json::{Value, json};

use crate::findings::Findings;
use crate::place::{PATIENCE, Place, SOON, Tenant, account, merged, service, through};
use crate::stage::Plane;
use crate::status::tells_to_wait;

const COUNT: usize = 30;
/// They would be the next ones.
const DELETED: std::ops::Range<usize> = 0..5;
const SUSPENDED: std::ops::Range<usize> = 5..10;
const CORRECTED: usize = 10;
const ROTATED: usize = 11;
/// How long it takes to serve those who stayed. A place that is kept for one who left costs 10 s, and ten left.
const ON_TIME: Duration = Duration::from_secs(30);

pub async fn run(plane: &Plane) -> Result<()> {
    // The server holds the first request for as long as the others are changed.
    let (place, [tenant]) = Place::open(plane, "leaving", ["here"], &["--attempt-deadline=90s"]).await?;
    let service = service(Version::V0_26).await?;
    let spec = merged(account(), json!({"maxConcurrentRequests": 1}));
    tenant.provider("slow", &service, spec).await?;
    let gate = held(&tenant, &service).await?;
    let mut findings = Findings::default();
    for number in 0..COUNT {
        let name = name(number);
        tenant
            .secret(&name, json!({"value": format!("value of {name}")}))
            .await?;
        tenant.share(&name, spec_of(&name, &recipient(number))).await?;
    }
    let told = tenant.wait_for_many(COUNT, "told to wait", SOON, tells_to_wait);
    findings.take(told.await);

    change(&tenant).await?;
    let suspended = SUSPENDED.map(async |number| {
        let told = |share: &Value| {
            cluster::condition(share, "Ready").is_some_and(|ready| ready["reason"] == "Suspended")
        };
        tenant
            .wait(&name(number), "told to be suspended", SOON, told)
            .await
    });
    for told in join_all(suspended).await {
        findings.take(told);
    }
    tenant.secret("next", json!({"value": "value of next"})).await?;
    tenant.share("next", spec_of("next", "next@example.com")).await?;
    gate.open();
    served_on_time(&tenant, &mut findings).await;
    right_ones(&service.journal(), &mut findings);
    place.close().await?;
    findings.end()
}

/// Applies a share whose request the server holds until the gate opens: everybody else waits.
pub async fn held(tenant: &Tenant, service: &OnetimeServer) -> Result<Gate> {
    tenant.value("value of the first").await?;
    let gate = Gate::new();
    let hang = Fault::Hang(Stage::BeforeCommit, Hold::Until(gate.clone()));
    service.plan().once(Operation::Share, hang);
    tenant.share("held", through("slow")).await?;
    let asked = |journal: &Journal| journal.count(Operation::Share) == 1;
    service.wait_for("request to hold", PATIENCE, asked).await?;
    Ok(gate)
}

async fn change(tenant: &Tenant) -> Result<()> {
    for number in DELETED {
        tenant.delete(&name(number)).await?;
    }
    for number in SUSPENDED {
        tenant
            .edit(&name(number), json!({"spec": {"suspend": true}}))
            .await?;
    }
    tenant
        .edit(
            &name(CORRECTED),
            json!({"spec": {"recipient": "corrected@example.org"}}),
        )
        .await?;
    tenant.secret(&name(ROTATED), json!({"value": "rotated"})).await
}

async fn served_on_time(tenant: &Tenant, findings: &mut Findings) {
    let begin = Instant::now();
    let stayed = (SUSPENDED.end..COUNT).map(name).chain(["next".to_owned()]);
    let ready = stayed.map(async |name| tenant.ready(&name, PATIENCE).await.map(|_| begin.elapsed()));
    let times: Vec<_> = join_all(ready)
        .await
        .into_iter()
        .filter_map(|time| findings.take(time))
        .collect();
    let last = times.into_iter().max().unwrap_or_default();
    println!(
        "leaving: the last of {} was served after {last:?}",
        COUNT - SUSPENDED.end + 1
    );
    findings.unless(last < ON_TIME, || {
        format!(
            "those who stayed in the queue were served only after {last:?}: they wait behind those who left"
        )
    });
}

/// One e-mail to each who stayed, nothing for anybody else.
fn right_ones(journal: &Journal, findings: &mut Findings) {
    let mut wanted: Vec<(String, String)> = (SUSPENDED.end..COUNT)
        .map(|number| match number {
            CORRECTED => (
                "corrected@example.org".to_owned(),
                format!("value of {}", name(number)),
            ),
            ROTATED => (recipient(number), "rotated".to_owned()),
            _ => (recipient(number), format!("value of {}", name(number))),
        })
        .chain([("next@example.com".to_owned(), "value of next".to_owned())])
        .collect();
    let mails = journal.mails.iter().map(|mail| {
        let share = journal.by_secret(&mail.secret_key);
        let value = share.map(|share| String::from_utf8_lossy(&share.value).into_owned());
        (mail.to.clone(), value.unwrap_or_default())
    });
    let mut mails: Vec<_> = mails.collect();
    mails.sort();
    wanted.sort();
    let beside: Vec<_> = mails.iter().filter(|mail| !wanted.contains(mail)).collect();
    let without: Vec<_> = wanted.iter().filter(|mail| !mails.contains(mail)).collect();
    findings.unless(beside.is_empty(), || {
        format!("e-mails that nobody wants any more: {beside:?}")
    });
    findings.unless(without.is_empty(), || {
        format!("e-mails that are missing: {without:?}")
    });
    findings.unless(mails.len() <= wanted.len(), || {
        format!("{} e-mails for {} shares", mails.len(), wanted.len())
    });
    let links = journal.shares.len();
    findings.unless(links <= wanted.len() + 1, || {
        format!("{links} links were made for {} shares", wanted.len() + 1)
    });
}

pub fn name(number: usize) -> String {
    format!("person-{number}")
}

/// No two look alike where only some letters are shown.
fn recipient(number: usize) -> String {
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap_or_default());
    format!("{}{}.person@example.com", letter(number / 26), letter(number))
}

fn spec_of(secret: &str, recipient: &str) -> Value {
    let spec = json!({"secretRef": {"name": secret}, "recipient": recipient});
    merged(through("slow"), spec)
}
