//! What every recorded answer must be parsed to: the recorded values, all of them.

use onetimeshare::onetime::answer::{self, Answer};
use onetimeshare::onetime::{Created, MetadataKey, Receipt, Recent, State, Via};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::meaning::{call_error, create_error, meaning};
use crate::recordings::{Call, Exchange};

pub fn check(call: &Call, exchange: &Exchange) {
    let (name, answer, json) = (&exchange.name, exchange.answer(), &exchange.json);
    let ok = exchange.status.is_success();
    match call {
        Call::Share => match answer::share(answer) {
            Ok(created) if ok => check_created(name, json, &created),
            Err(error) if !ok => check_error(exchange, &create_error(meaning(exchange)), &error),
            other => panic!("{name}: {other:?}"),
        },
        Call::Generate => match answer::generate(answer) {
            Ok(generated) if ok => {
                check_created(name, json, &generated.created);
                assert_eq!(
                    generated.value.expose_secret(),
                    json["value"].as_str().unwrap(),
                    "{name}"
                );
                assert!(
                    !format!("{generated:?}").contains(generated.value.expose_secret()),
                    "{name}"
                );
            }
            Err(error) if !ok => check_error(exchange, &create_error(meaning(exchange)), &error),
            other => panic!("{name}: {other:?}"),
        },
        Call::Receipt(key) => match answer::receipt(answer, &key_of(key)) {
            Ok(receipt) if ok => check_receipt(name, json, &receipt, answer),
            Err(error) if !ok => check_error(exchange, &call_error(meaning(exchange)), &error),
            other => panic!("{name}: {other:?}"),
        },
        Call::Burn(key) => {
            let want = if ok {
                Ok(())
            } else {
                Err(call_error(meaning(exchange)))
            };
            assert_eq!(answer::burn(answer, &key_of(key)), want, "{name}");
        }
        Call::RecentV1 | Call::RecentV2 => {
            let via = if *call == Call::RecentV1 { Via::V1 } else { Via::V2 };
            match answer::recent(answer, via) {
                Ok(recent) if ok => check_recent(name, json, &recent),
                Err(error) if !ok => check_error(exchange, &call_error(meaning(exchange)), &error),
                other => panic!("{name}: {other:?}"),
            }
        }
        Call::Status => {
            let want = if ok {
                Ok(true)
            } else {
                Err(call_error(meaning(exchange)))
            };
            assert_eq!(
                answer::status(answer).map(|status| status.nominal),
                want,
                "{name}"
            );
        }
        Call::Authcheck => {
            let want = if ok {
                Ok(())
            } else {
                Err(call_error(meaning(exchange)))
            };
            assert_eq!(answer::authcheck(answer), want, "{name}");
        }
        Call::Version => {
            let want = ok.then(|| "0.23.6".to_owned());
            assert_eq!(answer::version(answer), Ok(want), "{name}");
        }
    }
}

fn key_of(text: &str) -> MetadataKey {
    MetadataKey::parse(text).unwrap()
}

/// The right error, in our own words.
fn check_error<E: std::error::Error + PartialEq>(exchange: &Exchange, want: &E, got: &E) {
    let name = &exchange.name;
    assert_eq!(got, want, "{name}");
    let words = format!("{got} {got:?}");
    for theirs in [
        "dave",
        "example",
        "Cripes",
        "unexpected error occurred",
        "shrimp",
        "email address:",
    ] {
        assert!(!words.contains(theirs), "{name}: {words}");
    }
}

fn seconds(json: &Value) -> Option<u64> {
    json.as_u64()
}

pub fn texts(json: &Value) -> Vec<String> {
    json.as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// Empty, null and missing are the same.
fn filled(json: &Value) -> Option<&str> {
    json.as_str().filter(|text| !text.is_empty())
}

fn state(json: &Value) -> State {
    match json.as_str().unwrap() {
        "new" => State::New,
        "viewed" => State::Viewed,
        "received" | "revealed" => State::Received,
        "burned" => State::Burned,
        "expired" => State::Expired,
        other => panic!("a state that is not in the table: {other}"),
    }
}

fn check_created(name: &str, json: &Value, created: &Created) {
    assert_eq!(created.custid, json["custid"].as_str().unwrap(), "{name}");
    assert_eq!(
        created.metadata_key.expose(),
        json["metadata_key"].as_str().unwrap(),
        "{name}"
    );
    assert_eq!(
        created.secret_key.expose(),
        json["secret_key"].as_str().unwrap(),
        "{name}"
    );
    assert_eq!(created.ttl_seconds, Some(json["ttl"].as_u64().unwrap()), "{name}");
    assert_eq!(
        created.metadata_ttl_seconds,
        Some(json["metadata_ttl"].as_u64().unwrap()),
        "{name}"
    );
    assert_eq!(
        created.secret_ttl_seconds,
        Some(json["secret_ttl"].as_u64().unwrap()),
        "{name}"
    );
    assert_eq!(created.recipient, texts(&json["recipient"]), "{name}");
    assert_eq!(
        created.created_at.map(|at| at.as_second()),
        json["created"].as_i64(),
        "{name}"
    );
    assert_eq!(
        created.updated_at.map(|at| at.as_second()),
        json["updated"].as_i64(),
        "{name}"
    );
    assert_eq!(
        created.passphrase_required,
        json["passphrase_required"].as_bool().unwrap(),
        "{name}"
    );
    assert_eq!(
        created.share_domain.as_deref(),
        filled(&json["share_domain"]),
        "{name}"
    );
    // v0.23 shows a generated secret as viewed by its maker.
    assert_eq!(created.state, state(&json["state"]), "{name}");
    let debug = format!("{created:?}");
    assert!(!debug.contains(created.secret_key.expose()), "{name}");
    assert!(!debug.contains(created.metadata_key.expose()), "{name}");
}

fn check_receipt(name: &str, json: &Value, receipt: &Receipt, answer: Answer<'_>) {
    assert_eq!(receipt.custid, json["custid"].as_str().unwrap(), "{name}");
    assert_eq!(
        receipt.metadata_key.expose(),
        json["metadata_key"].as_str().unwrap(),
        "{name}"
    );
    let secret_key = receipt.secret_key.as_ref().map(|key| key.expose());
    assert_eq!(secret_key, filled(&json["secret_key"]), "{name}");
    assert_eq!(receipt.state, state(&json["state"]), "{name}");
    assert_eq!(receipt.ttl_seconds, seconds(&json["ttl"]), "{name}");
    assert_eq!(
        receipt.metadata_ttl_seconds,
        seconds(&json["metadata_ttl"]),
        "{name}"
    );
    assert_eq!(receipt.secret_ttl_seconds, seconds(&json["secret_ttl"]), "{name}");
    assert_eq!(receipt.recipient, texts(&json["recipient"]), "{name}");
    assert_eq!(
        receipt.created_at.map(|at| at.as_second()),
        json["created"].as_i64(),
        "{name}"
    );
    assert_eq!(
        receipt.updated_at.map(|at| at.as_second()),
        json["updated"].as_i64(),
        "{name}"
    );
    assert_eq!(
        receipt.received_at.map(|at| at.as_second()),
        json["received"].as_i64(),
        "{name}"
    );
    assert_eq!(
        receipt.passphrase_required,
        json["passphrase_required"].as_bool(),
        "{name}"
    );
    assert_eq!(
        receipt.share_domain.as_deref(),
        filled(&json["share_domain"]),
        "{name}"
    );
    let value = answer::value(answer);
    assert_eq!(
        value.as_ref().map(|value| value.expose_secret()),
        filled(&json["value"]),
        "{name}"
    );
    if let Some(value) = value {
        assert!(!format!("{receipt:?}").contains(value.expose_secret()), "{name}");
    }
}

fn check_recent(name: &str, json: &Value, recent: &Recent) {
    let (list, v2) = match recent.via {
        Via::V1 => (json.as_array().unwrap(), false),
        Via::V2 => (json["records"].as_array().unwrap(), true),
    };
    assert_eq!(recent.receipts.len(), list.len(), "{name}");
    // v0.23's v2 sends numbers as strings, v0.26's fractions.
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<i64>().ok(),
        value => value.as_f64().map(|number| number as i64),
    };
    for (receipt, json) in recent.receipts.iter().zip(list) {
        let (key, ttl) = if v2 {
            ("key", "secret_ttl")
        } else {
            ("metadata_key", "ttl")
        };
        assert_eq!(
            receipt.metadata_key.expose(),
            json[key].as_str().unwrap(),
            "{name}"
        );
        let secret_key = receipt.secret_key.as_ref().map(|key| key.expose());
        assert_eq!(secret_key, filled(&json["secret_identifier"]), "{name}");
        assert_eq!(receipt.state, state(&json["state"]), "{name}");
        assert_eq!(
            receipt.ttl_seconds.map(|ttl| i64::try_from(ttl).unwrap()),
            number(&json[ttl]),
            "{name}"
        );
        let masks = if v2 {
            filled(&json["recipients"])
                .map(str::to_owned)
                .into_iter()
                .collect()
        } else {
            texts(&json["recipient"])
        };
        assert_eq!(receipt.recipient, masks, "{name}");
        assert_eq!(
            Some(receipt.created_at.as_second()),
            number(&json["created"]),
            "{name}"
        );
        assert_eq!(
            receipt.updated_at.map(|at| at.as_second()),
            number(&json["updated"]),
            "{name}"
        );
        assert_eq!(
            receipt.received_at.map(|at| at.as_second()),
            number(&json["received"]),
            "{name}"
        );
        assert_eq!(
            receipt.burned_at.map(|at| at.as_second()),
            number(&json["burned"]),
            "{name}"
        );
        assert_eq!(
            receipt.passphrase_required,
            json["has_passphrase"].as_bool(),
            "{name}"
        );
        assert_eq!(
            receipt.share_domain.as_deref(),
            filled(&json["share_domain"]),
            "{name}"
        );
        assert!(
            !format!("{receipt:?}").contains(receipt.metadata_key.expose()),
            "{name}"
        );
    }
}
