//! Lists in pieces of any size, and lists that are not to be believed.

use super::*;
use proptest::prelude::*;

const KEYS: [&str; 3] = [
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "ccccccccccccccccccccccccccccccc",
];

fn entry(via: Via, key: &str) -> String {
    match via {
        Via::V1 => format!(
            r#"{{"metadata_key":"{key}","state":"new","created":1790000000,"recipient":["a, ] }} \" [ \\"]}}"#
        ),
        Via::V2 => format!(
            r#"{{"key":"{key}","state":"new","created":1790000000,"records":[{{"x":[1,2]}}],"memo":"]}}"}}"#
        ),
    }
}

fn list(via: Via, count: usize) -> String {
    let entries: Vec<String> = KEYS[..count].iter().map(|key| entry(via, key)).collect();
    let entries = entries.join(" ,\n");
    match via {
        Via::V1 => format!(" [{entries}] \n"),
        Via::V2 => format!(
            r#"{{"success":true,"shrimp":"x[","records":[{entries}],"count":{count},"details":{{"now":1790000001,"received":[{entries}],"notreceived":[]}}}}"#
        ),
    }
}

fn read(via: Via, pieces: &[&[u8]]) -> Result<Recent, CallError> {
    let mut reader = ListReader::new(via);
    for piece in pieces {
        reader.take(piece).map_err(CallError::Malformed)?;
    }
    reader.finish()
}

fn keys(recent: &Recent) -> Vec<&str> {
    recent
        .receipts
        .iter()
        .map(|receipt| receipt.metadata_key.expose())
        .collect()
}

proptest! {
    #[test]
    fn any_pieces_make_the_same_list(first in 0usize..600, second in 0usize..600, count in 0usize..=3) {
        for via in [Via::V1, Via::V2] {
            let text = list(via, count);
            let bytes = text.as_bytes();
            let (a, b) = (first.min(bytes.len()), second.min(bytes.len()));
            let (a, b) = (a.min(b), a.max(b));
            let recent = read(via, &[&bytes[..a], &bytes[a..b], &bytes[b..]]).expect("a list");
            prop_assert_eq!(keys(&recent), &KEYS[..count]);
        }
    }

    /// A proxy may cut an answer anywhere: less than the whole is never a list.
    #[test]
    fn a_list_that_is_cut_short_is_never_believed(at in 0usize..2000, count in 0usize..=3) {
        for via in [Via::V1, Via::V2] {
            let whole = list(via, count);
            let text = whole.trim_end();
            let at = at % text.len();
            prop_assert!(read(via, &[&text.as_bytes()[..at]]).is_err(), "{}", &text[..at]);
        }
    }

    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for via in [Via::V1, Via::V2] {
            let _ = read(via, &[&bytes]);
        }
    }
}

#[test]
fn what_is_no_list_is_refused() {
    let one = entry(Via::V1, KEYS[0]);
    for bad in [
        String::new(),
        "null".into(),
        "<html>[]</html>".into(),
        format!("[{one},]"),
        format!("[,{one}]"),
        format!("[{one} {one}]"),
        format!("[{one}]]"),
        format!("[{one}][{one}]"),
        format!("[{one}]x"),
        "[null]".into(),
        "[[]]".into(),
        format!("{{\"records\":[{one}]}}"),
    ] {
        assert!(read(Via::V1, &[bad.as_bytes()]).is_err(), "{bad}");
    }
    let one = entry(Via::V2, KEYS[0]);
    for bad in [
        format!("[{one}]"),
        format!(r#"{{"success":true,"count":1,"record":[{one}]}}"#),
        format!(r#"{{"success":false,"count":1,"records":[{one}]}}"#),
        format!(r#"{{"success":true,"count":2,"records":[{one}]}}"#),
        format!(r#"{{"success":true,"count":2,"records":[{one}],"records":[{one}]}}"#),
        format!(r#"{{"success":true,"count":1,"details":{{"records":[{one}]}}}}"#),
    ] {
        assert!(read(Via::V2, &[bad.as_bytes()]).is_err(), "{bad}");
    }
}

/// v2 tells every record twice: in `records`, and sorted in `details`.
#[test]
fn a_long_list_of_v2_is_read() {
    let one = entry(Via::V2, KEYS[0]);
    let padded = one.replace("\"memo\":\"", &format!("\"memo\":\"{}", "x".repeat(1800)));
    let entries = vec![padded; 1000].join(",");
    let text = format!(
        r#"{{"success":true,"records":[{entries}],"count":1000,"details":{{"now":1,"received":[{entries}]}}}}"#
    );
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(16 * 1024).collect();
    assert_eq!(read(Via::V2, &pieces).expect("a list").receipts.len(), 1000);
}

fn clock(via: Via, text: &str) -> Option<i64> {
    let recent = read(via, &[text.as_bytes()]).expect("a list");
    recent.now.map(Timestamp::as_second)
}

/// As recorded in v1-recent (v0.26): `metadata_ttl` counts down from twice the ttl.
#[test]
fn v1_tells_the_clock_by_the_time_that_is_left() {
    let one = |ttl: &str, left: &str, created: u64| {
        let key = KEYS[0];
        format!(
            r#"{{"metadata_key":"{key}","state":"new","created":{created},"ttl":{ttl},"metadata_ttl":{left}}}"#
        )
    };
    let list = |entries: &[String]| format!("[{}]", entries.join(","));
    let first = one("3600", "6965", 1_795_405_281);
    assert_eq!(
        clock(Via::V1, &list(std::slice::from_ref(&first))),
        Some(1_795_405_516)
    );
    let agrees = one("60", "\"18\"", 1_795_405_416);
    assert_eq!(
        clock(Via::V1, &list(&[first.clone(), agrees])),
        Some(1_795_405_518)
    );
    let differs = one("60", "17", 1_795_405_416);
    assert_eq!(clock(Via::V1, &list(&[first.clone(), differs])), None);
    let silent = one("60", "null", 1_795_405_416);
    assert_eq!(
        clock(Via::V1, &list(&[first, silent.clone()])),
        Some(1_795_405_516),
        "one that tells nothing does not contradict"
    );
    assert_eq!(clock(Via::V1, &list(&[silent])), None);
    assert_eq!(clock(Via::V1, "[]"), None);
}

/// As recorded in v2-basics (v0.26) and v2-burn-and-recent (v0.23).
#[test]
fn v2_tells_the_clock_in_its_details() {
    for (details, want) in [
        (r#"{"now":1795409771.9}"#, Some(1_795_409_771)),
        (r#"{"now":"2026-11-23 03:31:14 +0000"}"#, Some(1_795_404_674)),
        (r#"{"now":"2026-11-23 04:31:14 +0100"}"#, Some(1_795_404_674)),
        (r#"{"now":"today"}"#, None),
        (r#"{"now":null}"#, None),
        ("{}", None),
        ("null", None),
        ("[]", None),
    ] {
        let text = format!(r#"{{"success":true,"records":[],"count":0,"details":{details}}}"#);
        assert_eq!(clock(Via::V2, &text), want, "{details}");
    }
}

#[test]
fn limits_hold() {
    let large = format!(r#"[{{"metadata_key":"{}"}}]"#, "a".repeat(ENTRY_LIMIT));
    assert_eq!(
        read(Via::V1, &[large.as_bytes()]).expect_err("large"),
        CallError::Malformed(Flaw::TooLarge)
    );
    let page = "x".repeat(ENVELOPE_LIMIT + 1);
    assert_eq!(
        read(Via::V1, &[page.as_bytes()]).expect_err("a page"),
        CallError::Malformed(Flaw::TooLarge)
    );
    let mut reader = ListReader::new(Via::V1);
    reader.take(b"[").expect("a list");
    let one = format!("{},", entry(Via::V1, KEYS[0]));
    let many = one.repeat(1000);
    let error = std::iter::repeat_with(|| reader.take(many.as_bytes())).find_map(Result::err);
    assert_eq!(error, Some(Flaw::TooLarge));
    assert_eq!(reader.receipts.len(), RECEIPTS_LIMIT);
}

/// The poll asks less often for one that is over 32 MiB, and must be able to read it.
#[test]
fn a_large_list_is_read_and_tells_its_size() {
    let mut reader = ListReader::new(Via::V1);
    let mut bytes = 1;
    reader.take(b"[").expect("a list");
    let one = format!("{}{}", entry(Via::V1, KEYS[0]), " ".repeat(ENTRY_LIMIT - 1024));
    while bytes <= 32 * 1024 * 1024 {
        let text = if bytes > 1 { format!(",{one}") } else { one.clone() };
        reader.take(text.as_bytes()).expect("an entry");
        bytes += text.len();
    }
    reader.take(b"]").expect("the end");
    assert_eq!(reader.finish().expect("a list").bytes, bytes + 1);
}
