//! How long the pure parts take, without a cluster: `cargo bench --bench pure`.
//!
//! `decide` for every golden entry, the ledger's codec for one entry with a link, and a list of 10,000 receipts as v0.26
//! tells them.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench, whose functions are made by a macro"
)]

#[allow(dead_code, reason = "a part of the golden tests")]
#[path = "../../golden/entries.rs"]
mod entries;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use entries::{CLUSTER, GENERATION, NAMESPACE, UID, golden, now, request};
use http::{HeaderMap, StatusCode};
use onetimeshare::ledger::{self, Entry, Phase};
use onetimeshare::onetime::Via;
use onetimeshare::onetime::answer::{Answer, recent};
use onetimeshare::share::decide::{Facts, StatusClaim, decide};
use serde_json::{Value, json};

const RECEIPTS: usize = 10_000;

fn decisions(criterion: &mut Criterion) {
    let request = request("1");
    let facts = Facts {
        uid: UID,
        generation: GENERATION,
        request: Ok(&request),
        suspend: false,
        deleting: false,
        burn: None,
        status_claim: StatusClaim::default(),
        live: true,
        cluster: CLUSTER,
        content: None,
        entry_was_known: true,
        vanished: None,
        is_of_older_definition: false,
        attempt_known_for: Duration::from_secs(3600),
        sent_ago: None,
        inputs: None,
        waiting_since: None,
        max_wait: Duration::MAX,
        now: now(),
    };
    let entries = golden();
    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(u64::try_from(entries.len()).unwrap_or(1)));
    group.bench_function("every golden entry", |bencher| {
        bencher.iter(|| {
            for (_, entry) in &entries {
                black_box(decide(black_box(&facts), Some(entry)));
            }
        });
    });
    group.finish();
}

/// An entry as most of a ledger are.
fn settled() -> Entry {
    let mut entries = golden().into_iter().map(|(_, entry)| entry);
    let found = entries.find(|entry| matches!(entry.phase, Phase::Shared(_)));
    found.expect("a golden entry with a link")
}

fn codec(criterion: &mut Criterion) {
    let entry = settled();
    let secret = ledger::encode(&entry, NAMESPACE, None).expect("encodable");
    let mut group = criterion.benchmark_group("ledger");
    group.bench_function("encode an entry", |bencher| {
        bencher.iter(|| ledger::encode(black_box(&entry), NAMESPACE, None));
    });
    group.bench_function("decode an entry", |bencher| {
        bencher.iter(|| ledger::decode(black_box(&secret)));
    });
    group.finish();
}

/// A receipt as in the recording `v1-recent` of v0.26.
fn receipt(number: usize) -> Value {
    let key = format!("{number:062}");
    let url = format!("https://secrets.example.com/receipt/{key}");
    json!({
        "custid": "bob@example.com", "metadata_key": key, "ttl": 3600, "metadata_ttl": 7200, "secret_ttl": null,
        "metadata_url": url, "state": "new", "updated": 1_795_405_516, "created": 1_795_405_516,
        "recipient": ["da*****@e*****.com"], "share_domain": "", "identifier": key,
        "secret_identifier": format!("{:062}", RECEIPTS + number), "recipients": ["da*****@e*****.com"],
        "receipt_ttl": 7200, "receipt_url": url,
    })
}

fn list(criterion: &mut Criterion) {
    let body = Value::from((0..RECEIPTS).map(receipt).collect::<Vec<_>>()).to_string();
    let headers = HeaderMap::new();
    let read = || {
        let answer = Answer {
            status: StatusCode::OK,
            headers: &headers,
            body: body.as_bytes(),
        };
        recent(black_box(answer), Via::V1)
    };
    assert_eq!(
        read().expect("a list").receipts.len(),
        RECEIPTS,
        "the list is read"
    );
    let mut group = criterion.benchmark_group("list");
    group.throughput(Throughput::Bytes(u64::try_from(body.len()).unwrap_or(1)));
    group.sample_size(20);
    group.bench_function("10,000 receipts", |bencher| bencher.iter(read));
    group.finish();
}

criterion_group!(pure, decisions, codec, list);
criterion_main!(pure);
