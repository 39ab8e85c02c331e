//! Answers that were not recorded: broken, odd and hostile ones.

use super::*;
use crate::onetime::unknown::Unknown;

const KEY: &str = "3zrt7inskylvt4j20bzd0un12bnp25s";

fn ok(body: &str) -> Answer<'_> {
    static HEADERS: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    Answer {
        status: StatusCode::OK,
        headers: &HEADERS,
        body: body.as_bytes(),
    }
}

#[test]
fn a_success_without_keys_is_an_unknown_outcome() {
    let unknown = CreateError::UnknownOutcome(Why::Malformed(Unknown {
        status: 200,
        page: false,
        words: None,
    }));
    let bad = [
        String::new(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        format!(r#"{{"metadata_key":"{KEY}"}}"#),
        format!(r#"{{"secret_key":"{KEY}"}}"#),
        format!(r#"{{"metadata_key":"{KEY}","secret_key":""}}"#),
        format!(r#"{{"metadata_key":"{KEY}","secret_key":"../../{KEY}"}}"#),
        format!(r#"{{"metadata_key":"{KEY}","secret_key":"{KEY}\r\nx"}}"#),
        format!(r#"{{"metadata_key":"{KEY}","secret_key":"{KEY}""#),
        format!(r#"{{"metadata_key":"{KEY}","secret_key":"{KEY}"}}trailing"#),
        format!(r#"{{"metadata_key":"{KEY}","secret_key":"{KEY}","secret_key":"{KEY}"}}"#),
    ];
    for body in bad {
        assert_eq!(share(ok(&body)).unwrap_err(), unknown, "{body}");
    }
    let without_value = format!(r#"{{"metadata_key":"{KEY}","secret_key":"{KEY}"}}"#);
    assert_eq!(generate(ok(&without_value)).unwrap_err(), unknown);
    let created = share(ok(&without_value)).unwrap();
    assert_eq!(
        (created.ttl_seconds, created.created_at, created.share_domain),
        (None, None, None)
    );
}

#[test]
fn odd_types_are_tolerated_and_odd_texts_dropped() {
    let body = format!(
        r#"{{"metadata_key":"{KEY}","secret_key":"{KEY}","ttl":"3600","metadata_ttl":7199.6,"secret_ttl":-1,
        "created":"1795404380","updated":1795404381.9,"passphrase_required":"true","custid":"a\nb","new":{{"a":[1]}},
        "recipient":["da***@e***.com",7,null,"a\u0000b"],"share_domain":"evil.example/x","state":"<b>"}}"#
    );
    let created = share(ok(&body)).unwrap();
    assert_eq!(created.ttl_seconds, Some(3600));
    assert_eq!(created.metadata_ttl_seconds, Some(7199));
    assert_eq!(created.secret_ttl_seconds, None);
    assert_eq!(created.created_at.unwrap().as_second(), 1795404380);
    assert_eq!(created.updated_at.unwrap().as_second(), 1795404381);
    assert!(created.passphrase_required);
    assert_eq!((created.custid.as_str(), created.share_domain), ("", None));
    assert_eq!(created.recipient, ["da***@e***.com"]);
    assert_eq!(created.state, crate::onetime::State::Other("unreadable".into()));
}

#[test]
fn a_list_that_is_not_whole_is_an_error() {
    let one = format!(r#"{{"metadata_key":"{KEY}","state":"new","created":1795404380}}"#);
    assert_eq!(
        recent(ok(&format!("[{one}]")), Via::V1).unwrap().receipts.len(),
        1
    );
    assert_eq!(recent(ok("[]"), Via::V1).unwrap().receipts.len(), 0);
    let odd = format!(r#"[{one},{{"metadata_key":"{KEY}","state":"new"}}]"#);
    for bad in [
        "",
        "null",
        "{}",
        &format!("[{one}"),
        &format!("[{one},null]"),
        &format!("[{one},7]"),
        &odd,
    ] {
        assert_eq!(
            recent(ok(bad), Via::V1).unwrap_err(),
            CallError::Malformed(Flaw::Shape),
            "{bad}"
        );
    }
    let one = format!(r#"{{"key":"{KEY}","state":"new","created":"1795404380"}}"#);
    let list = |count: usize| format!(r#"{{"success":true,"count":{count},"records":[{one}]}}"#);
    assert_eq!(recent(ok(&list(1)), Via::V2).unwrap().receipts.len(), 1);
    assert_eq!(
        recent(ok(&list(2)), Via::V2).unwrap_err(),
        CallError::Malformed(Flaw::Count)
    );
    for bad in [
        r#"{"success":true,"count":0}"#.to_owned(),
        r#"{"success":true,"count":0,"records":null}"#.to_owned(),
        r#"{"success":false,"count":0,"records":[]}"#.to_owned(),
        format!(r#"{{"success":true,"count":1,"records":[{{"key":"{KEY}"}}]}}"#),
        "[]".to_owned(),
    ] {
        assert_eq!(
            recent(ok(&bad), Via::V2).unwrap_err(),
            CallError::Malformed(Flaw::Shape),
            "{bad}"
        );
    }
}

#[test]
fn an_answer_about_another_receipt_is_no_answer() {
    let asked = MetadataKey::parse(&"a".repeat(31)).unwrap();
    let other = format!(r#"{{"metadata_key":"{KEY}","state":"received"}}"#);
    let flaw = CallError::Malformed(Flaw::OtherReceipt);
    assert_eq!(receipt(ok(&other), &asked).unwrap_err(), flaw);
    assert_eq!(
        burn(ok(&format!(r#"{{"state":{other}}}"#)), &asked).unwrap_err(),
        flaw
    );
    assert_eq!(
        burn(ok("{}"), &asked).unwrap_err(),
        CallError::Malformed(Flaw::Shape)
    );
}

#[test]
fn a_page_of_somebody_else_is_not_a_status() {
    assert_eq!(
        authcheck(ok("<html>ok</html>")),
        Err(CallError::Malformed(Flaw::Shape))
    );
    assert_eq!(
        authcheck(ok(r#"{"status":"ok"}"#)),
        Err(CallError::Unavailable(Unavailable::ServerFault))
    );
    assert_eq!(
        version(ok(r#"{"version":["0","26","6"]}"#)),
        Ok(Some("0.26.6".into()))
    );
    assert_eq!(
        version(ok(r#"{"version":"0.26.6-rc1"}"#)),
        Ok(Some("0.26.6-rc1".into()))
    );
    assert_eq!(version(ok(r#"{"version":["<b>"]}"#)), Ok(None));
}
