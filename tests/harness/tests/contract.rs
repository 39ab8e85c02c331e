//! Proves that the fake server answers as the real servers did: replays every recorded exchange.
//!
//! It must not judge the operator's client, and nothing is left out silently: see [`NOT_CLAIMED`].

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints its count"
)]

#[path = "contract/compare.rs"]
mod compare;
#[path = "contract/controls.rs"]
mod controls;
#[path = "contract/faults.rs"]
mod faults;
#[path = "contract/recording.rs"]
mod recording;
#[path = "contract/replay.rs"]
mod replay;
#[path = "contract/setup.rs"]
mod setup;

use std::collections::BTreeSet;

use recording::Scenario;

/// What is not claimed: a scenario, one exchange (`#index`), or one field of it (`#index:field`).
const NOT_CLAIMED: &[(&str, &str)] = &[
    (
        "v0.23.6/v1-content-types#5",
        "multipart bodies: the client sends forms only",
    ),
    (
        "v0.23.6/v1-content-types#6",
        "reads the secret of the multipart body",
    ),
    ("v0.23.6/v1-content-types#7", "multipart bodies"),
    (
        "v0.26.6/v1-content-types#5",
        "multipart bodies: the client sends forms only",
    ),
    (
        "v0.26.6/v1-content-types#6",
        "reads the secret of the multipart body",
    ),
    ("v0.26.6/v1-content-types#7", "multipart bodies"),
    ("v0.23.6/v1-link-form#2", "v2 conceal: not used"),
    ("v0.23.6/v1-link-form#3", "v2 look at a receipt: not used"),
    (
        "v0.23.6/v1-share-domain-registered#1",
        "v2 look at a receipt: not used",
    ),
    ("v0.23.6/v2-conceal", "v2 conceal, look and reveal: not used"),
    ("v0.23.6/v2-burn-and-recent#0", "v2 conceal: not used"),
    ("v0.23.6/v2-burn-and-recent#1", "v2 burn: not used"),
    ("v0.23.6/v2-burn-and-recent#2", "v2 burn: not used"),
    ("v0.23.6/v2-burn-and-recent#3", "v2 burn: not used"),
    ("v0.23.6/v2-burn-and-recent#4", "v2 look at a receipt: not used"),
    (
        "v0.23.6/v2-burn-and-recent#6",
        "v2 conceal: a v1 share with the same fields takes its place",
    ),
    (
        "v0.23.6/v2-burn-and-recent#7:memo",
        "empty after a v2 conceal, null after a v1 share",
    ),
    (
        "v0.23.6/v2-basics#2:secrets_created",
        "counts what other scenarios did",
    ),
    (
        "v0.23.6/v2-basics#2:secrets_shared",
        "counts what other scenarios did",
    ),
    (
        "v0.26.6/v1-recent#9",
        "lists receipts of other scenarios; #3, #6 and #7 claim the form",
    ),
    ("v0.26.6/v1-recent#10", "lists receipts of other scenarios"),
    ("v0.26.6/v2-basics#4", "v2 conceal: not used"),
    ("v0.26.6/v2-basics#5", "v2 conceal: not used"),
    (
        "v0.26.6/v2-basics#6",
        "v2 conceal: a v1 share with the same fields takes its place",
    ),
    ("v0.26.6/v2-basics#7", "v2 conceal: not used"),
    ("v0.26.6/v2-basics#8", "v2 conceal: not used"),
    ("v0.26.6/v2-basics#11", "v2 generate: not used"),
];

fn not_claimed(name: &str) -> bool {
    NOT_CLAIMED.iter().any(|(entry, _)| *entry == name)
}

#[tokio::test]
async fn the_fake_server_answers_as_recorded() {
    let scenarios = recording::all();
    let (mut replayed, mut exchanges, mut skipped) = (0, 0, 0);
    let mut problems = Vec::new();
    for scenario in &scenarios {
        if not_claimed(&scenario.name) {
            skipped += scenario.exchanges.len();
            continue;
        }
        let result = replay::run(scenario).await;
        replayed += 1;
        exchanges += result.replayed;
        skipped += scenario.exchanges.len() - result.replayed;
        problems.extend(result.problems);
    }
    println!(
        "claimed: {replayed} of {} scenarios, {exchanges} of {} exchanges; not claimed: {skipped}",
        scenarios.len(),
        exchanges + skipped,
    );
    assert!(
        problems.is_empty(),
        "{} differences:\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(exchanges > 0);
}

#[test]
fn the_table_names_only_what_exists() {
    let scenarios = recording::all();
    let exists = |entry: &str| {
        let (name, rest) = entry
            .split_once('#')
            .map_or((entry, None), |(name, rest)| (name, Some(rest)));
        let Some(scenario) = scenarios.iter().find(|s| s.name == name) else {
            return false;
        };
        let Some(rest) = rest else { return true };
        let (index, field) = rest
            .split_once(':')
            .map_or((rest, None), |(index, field)| (index, Some(field)));
        let exchange = index
            .parse()
            .ok()
            .and_then(|index: usize| scenario.exchanges.get(index));
        exchange.is_some_and(|e| {
            field.is_none_or(|f| e["response"]["json"].to_string().contains(&format!("\"{f}\":")))
        })
    };
    let gone: Vec<_> = NOT_CLAIMED.iter().filter(|(entry, _)| !exists(entry)).collect();
    assert!(gone.is_empty(), "no such recording: {gone:?}");
    let distinct: BTreeSet<_> = NOT_CLAIMED.iter().map(|(entry, _)| entry).collect();
    assert_eq!(distinct.len(), NOT_CLAIMED.len(), "an entry twice");
    assert!(NOT_CLAIMED.iter().all(|(_, reason)| !reason.is_empty()));
}

/// `v1-smtp-stall-blocks-server`: v0.23 does one thing at a time, v0.26 does not.
#[tokio::test]
async fn a_stalled_mail_server_blocks_v0_23_only() {
    use harness::onetime::{MailServer, OnetimeServer, Operation, Version};
    use std::time::{Duration, Instant};
    let held = Duration::from_millis(400);
    for (version, blocks) in [(Version::V0_23, true), (Version::V0_26, false)] {
        let mut config = setup::accounts(version);
        config.mail = MailServer::Stalled { held };
        let server = OnetimeServer::start(config).await.unwrap();
        let share = replay::share(
            &server,
            "alice@example.com",
            &[("secret", "x"), ("recipient", "d@example.com")],
        );
        let status = async {
            server
                .wait_for("share", Duration::from_secs(5), |j| j.shares.len() == 1)
                .await
                .unwrap();
            let start = Instant::now();
            replay::get(&server, "/api/v1/status").await;
            start.elapsed()
        };
        let (_, waited) = tokio::join!(share, status);
        assert_eq!(waited >= held / 2, blocks, "{version:?} waited {waited:?}");
        assert_eq!(server.journal().count(Operation::Status), 1);
        assert!(server.journal().mails.is_empty());
    }
}

/// A file that is neither replayed nor in the table cannot be: all of them are listed here.
#[test]
fn every_file_is_read() {
    let names: Vec<String> = recording::all()
        .into_iter()
        .map(|Scenario { name, .. }| name)
        .collect();
    assert_eq!(names.len(), recording::count_files(), "{names:?}");
    assert!(
        names.iter().any(|n| n.starts_with("v0.23.6/")) && names.iter().any(|n| n.starts_with("v0.26.6/"))
    );
}
