//! A v0.23 server that counts each kind of call apart: what is refused pauses, everything else of the provider goes on.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::join_all;
use harness::cluster;
use harness::onetime::{Config, Journal, Operation, State, Version};
use serde_json::{Value, json};

use crate::findings::Findings;
use crate::is_full;
use crate::place::{PATIENCE, Place, SOON, account, configured, merged, through};
use crate::stage::Plane;

/// Before the operator's first pause ends, which lasts 10 s.
const AT_ONCE: Duration = Duration::from_secs(8);

/// What the service allows in one window; 50 e-mails as recorded.
fn limit() -> u32 {
    if is_full() { 50 } else { 3 }
}

const WINDOW: Duration = Duration::from_secs(20 * 60);
/// The longest of the first pauses of the operator, which grow from 10 s.
const PAUSE: Duration = Duration::from_secs(90);

fn config() -> Config {
    let mut config = Config::new(Version::V0_23);
    config.limits.window = WINDOW;
    config
}

/// The e-mails beyond the limit wait, and are told to; links without e-mail go on at once.
pub async fn mails(plane: &Plane) -> Result<()> {
    let (place, [tenant]) = Place::open(plane, "mails", ["here"], &[]).await?;
    let mut config = config();
    config.limits.email = Some(limit());
    let service = configured(config).await?;
    tenant.value("a value").await?;
    tenant.provider("limited", &service, account()).await?;
    let wanted = 2 * usize::try_from(limit())?;
    let people: Vec<String> = (0..wanted)
        .map(|number| format!("person{number}@example.com"))
        .collect();
    for (number, recipient) in people.iter().enumerate() {
        let spec = merged(through("limited"), json!({"recipient": recipient}));
        tenant.share(&format!("mailed-{number}"), spec).await?;
    }
    let sent = |journal: &Journal| journal.mails.len() >= wanted / 2;
    service
        .wait_for("e-mails up to the limit", PATIENCE, sent)
        .await?;
    let refused = |journal: &Journal| posts(journal, true) > wanted / 2;
    service.wait_for("refused e-mail", PATIENCE, refused).await?;

    let mut findings = Findings::default();
    let told = |share: &Value| cluster::is(share, "Ready", "Unknown", "RateLimited");
    let unmailed = (0..3).map(async |number| {
        let name = format!("unmailed-{number}");
        tenant.time_to_link(&name, through("limited"), AT_ONCE).await
    });
    let (all_told, links) = futures::join!(
        tenant.wait_for_many(wanted / 2, "told to wait", SOON, told),
        join_all(unmailed)
    );
    findings.take(all_told.context("the shares whose e-mail is refused"));
    for link in links {
        findings.take(link.context("a share without an e-mail, while e-mails are limited"));
    }
    let journal = service.journal();
    findings.unless(journal.mails.len() == wanted / 2, || {
        format!("{} e-mails, not {}", journal.mails.len(), wanted / 2)
    });

    service.advance(WINDOW);
    let all = (0..wanted).map(async |number| tenant.ready(&format!("mailed-{number}"), PAUSE).await);
    for ready in join_all(all).await {
        findings.take(ready);
    }
    let journal = service.journal();
    for person in &people {
        let mails = journal.mails_to(person).len();
        findings.unless(mails == 1, || format!("{mails} e-mails to {person}"));
    }
    let posts = posts(&journal, true);
    println!(
        "mails: {posts} POSTs for {wanted} e-mails, {} in a window",
        wanted / 2
    );
    // One for each, and what was refused: those under way at the first refusal, and one in each pause.
    findings.unless(posts <= 2 * wanted + 4, || {
        format!("{posts} POSTs with a recipient for {wanted} e-mails: the pause does not hold")
    });
    place.close().await?;
    findings.end()
}

/// A deletion beyond the limit waits; new links go on at once.
pub async fn burns(plane: &Plane) -> Result<()> {
    let (place, [tenant]) = Place::open(plane, "burns", ["here"], &[]).await?;
    let mut config = config();
    config.limits.burn = Some(limit());
    let service = configured(config).await?;
    tenant.value("a value").await?;
    tenant.provider("limited", &service, account()).await?;
    let wanted = 2 * usize::try_from(limit())?;
    for number in 0..wanted {
        tenant
            .share(&format!("gone-{number}"), through("limited"))
            .await?;
    }
    for number in 0..wanted {
        tenant.ready(&format!("gone-{number}"), PATIENCE).await?;
    }
    for number in 0..wanted {
        tenant.delete(&format!("gone-{number}")).await?;
    }
    let limit = wanted / 2;
    let refused = |journal: &Journal| journal.count(Operation::Burn) > limit;
    service.wait_for("refused burn", PATIENCE, refused).await?;

    let mut findings = Findings::default();
    let links = (0..3).map(async |number| {
        let name = format!("new-{number}");
        tenant.time_to_link(&name, through("limited"), AT_ONCE).await
    });
    for link in join_all(links).await {
        findings.take(link.context("a new share, while burns are limited"));
    }
    let burned = |journal: &Journal| {
        let shares = journal.shares.iter();
        shares.filter(|share| share.state == State::Burned).count()
    };
    findings.unless(burned(&service.journal()) == limit, || {
        format!("{} links are burned, not {limit}", burned(&service.journal()))
    });
    service.advance(WINDOW);
    let all = |journal: &Journal| burned(journal) == wanted;
    findings.take(
        service
            .wait_for("link burned for each deleted share", PAUSE, all)
            .await,
    );
    place.close().await?;
    findings.end()
}

/// How many creations were asked for, with or without an e-mail.
fn posts(journal: &Journal, mailed: bool) -> usize {
    let shares = journal
        .requests
        .iter()
        .filter(|request| request.operation == Operation::Share);
    shares
        .filter(|request| request.param("recipient").is_some() == mailed)
        .count()
}
