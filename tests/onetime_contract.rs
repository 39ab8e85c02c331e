//! The contract: every recorded exchange of the two real servers against our client.
//!
//! Owns: the tests. What each recorded answer must mean is written down in the files
//! of `onetime_contract/`, apart from the client; a recorded error that is not in their
//! table fails the test. Must not: use the network.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, outside of #[test]"
)]

#[path = "onetime_contract/checks.rs"]
mod checks;
#[path = "onetime_contract/forms.rs"]
mod forms;
#[path = "onetime_contract/meaning.rs"]
mod meaning;
#[path = "onetime_contract/recordings.rs"]
mod recordings;

use std::collections::BTreeMap;

use onetimeshare::onetime::answer::{self, Answer};
use onetimeshare::onetime::{CallError, Flaw, Via, mask_forms};

use checks::{check, texts};
use forms::{generate_form, share_form};
use recordings::{Call, recorded};

#[test]
fn every_recorded_answer_means_what_it_meant() {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut skipped = 0;
    for exchange in recorded() {
        let Some(call) = Call::of(&exchange.request) else {
            skipped += 1;
            continue;
        };
        let outcome = if exchange.status.is_success() {
            "ok"
        } else {
            "error"
        };
        *counts.entry((call.name(), outcome)).or_default() += 1;
        check(&call, &exchange);
    }
    for ((call, outcome), count) in &counts {
        println!("{call:10} {outcome:6} {count}");
    }
    println!("{skipped} exchanges of calls that the client does not have");
    let total: usize = counts.values().sum();
    assert!(
        total > 400,
        "only {total} exchanges: are the recordings complete?"
    );
    for call in [
        "share",
        "generate",
        "receipt",
        "burn",
        "recent v1",
        "recent v2",
        "status",
        "authcheck",
        "version",
    ] {
        assert!(
            counts.keys().any(|(name, _)| *name == call),
            "no recorded exchange of {call}"
        );
    }
}

/// A list that lost its end, or an entry, is an error wherever it is cut.
#[test]
fn a_recorded_list_that_is_cut_short_is_an_error() {
    let mut lists = 0;
    for exchange in recorded() {
        let via = match Call::of(&exchange.request) {
            Some(Call::RecentV1) if exchange.status.is_success() => Via::V1,
            Some(Call::RecentV2) if exchange.status.is_success() => Via::V2,
            _ => continue,
        };
        lists += 1;
        for end in (0..exchange.body.len()).step_by(97) {
            let cut = Answer {
                body: &exchange.body[..end],
                ..exchange.answer()
            };
            assert_eq!(
                answer::recent(cut, via),
                Err(CallError::Malformed(Flaw::Shape)),
                "{} {end}",
                exchange.name
            );
        }
    }
    assert!(lists >= 8, "{lists}");
}

/// Our encoding of every recorded request says the same as what was sent.
#[test]
fn our_forms_say_what_the_recorded_requests_said() {
    let (mut same, mut other) = (0, 0);
    for exchange in recorded() {
        let (Some(form), Some(body)) = (
            exchange.request["form"].as_object(),
            exchange.request["body"].as_str(),
        ) else {
            continue;
        };
        let encoded = match Call::of(&exchange.request) {
            Some(Call::Share) => share_form(form),
            Some(Call::Generate) => generate_form(form),
            _ => continue,
        };
        let Some(encoded) = encoded else {
            other += 1;
            continue;
        };
        let pairs = |body: &[u8]| -> BTreeMap<String, String> {
            url::form_urlencoded::parse(body).into_owned().collect()
        };
        assert_eq!(pairs(&encoded), pairs(body.as_bytes()), "{}", exchange.name);
        same += 1;
    }
    println!("{same} forms are the same; {other} hold what our requests can't say (bad ttl, other fields)");
    assert!(same > 200, "{same}");
}

/// Every recipient that a recorded share was mailed to as a whole is recognised.
#[test]
fn recorded_masks_are_recognised() {
    let mut recognised = 0;
    for exchange in recorded() {
        let recipient = exchange.request["form"]["recipient"].as_str().unwrap_or_default();
        let one_address = recipient.contains('@') && !recipient.contains([' ', ',', '\r']);
        if !exchange.status.is_success() || !one_address {
            continue;
        }
        for mask in texts(&exchange.json["recipient"]) {
            assert!(mask_forms(recipient).contains(&mask), "{}: {mask}", exchange.name);
            recognised += 1;
        }
    }
    println!("{recognised} masks recognised");
    assert!(recognised > 20, "{recognised}");
}
