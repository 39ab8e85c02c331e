//! Error answers that were not recorded.

use super::*;

type Headers = &'static [(&'static str, &'static str)];

fn judged(status: u16, headers: Headers, body: &str) -> ErrorReply {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    error_reply(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
}

/// The recorded messages are in `tests/onetime_contract.rs`; here is what was not recorded.
#[test]
fn what_no_recording_has() {
    use ErrorReply::*;
    let limited = |retry_after_seconds| RateLimited { retry_after_seconds };
    let unknown = |status, page, words| {
        Unrecognised(Unknown {
            status,
            page,
            words: Words::of(words),
        })
    };
    let to = |status, target: Option<(bool, &str)>| {
        Redirected(Redirect {
            status,
            target: target.map(|(https, host)| Target {
                https,
                host: host.to_owned(),
            }),
        })
    };
    let fault = r#"{"message":"An unexpected error occurred :["}"#;
    let table: &[(u16, Headers, &str, ErrorReply)] = &[
        // Redirects and faults, whatever they say.
        (
            302,
            &[("location", "https://elsewhere/")],
            r#"{"message":"Not authorized"}"#,
            to(302, Some((true, "elsewhere"))),
        ),
        (308, &[], "", to(308, None)),
        // Nothing but scheme and host is told, and nothing of what is no address of a server.
        (
            301,
            &[("location", "http://me:word@New.example.com:81/secret/key?q=1#f")],
            "",
            to(301, Some((false, "new.example.com"))),
        ),
        (301, &[("location", "/secret/key")], "", to(301, None)),
        (301, &[("location", "mailto:amy@example.com")], "", to(301, None)),
        (500, &[], r#"{"message":"Not authorized"}"#, Fault),
        (502, &[], "<html>", Fault),
        (503, &[("retry-after", "30")], "", Fault),
        // A fault under any client error, and a hint of one.
        (400, &[], fault, Fault),
        (422, &[], fault, Fault),
        (404, &[("x-ots-intended-status", "500")], "", Fault),
        // Rate limits of a front.
        (429, &[], "", limited(None)),
        (429, &[("retry-after", "17")], "<html>", limited(Some(17))),
        (
            429,
            &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")],
            "",
            limited(None),
        ),
        (404, &[("x-ots-intended-status", "429")], "", limited(None)),
        // Refusals by status alone.
        (401, &[], "", Unauthorized),
        (403, &[], "<html>", Refused(Refusal::Forbidden)),
        (403, &[], r#"{"message":"Not authorized"}"#, Unauthorized),
        (413, &[], "", Refused(Refusal::TooLarge { max_bytes: None })),
        (405, &[], "", Refused(Refusal::BadRequest)),
        (400, &[], "", Refused(Refusal::BadRequest)),
        // What could be a fault under a page of somebody else.
        (404, &[], "", unknown(404, false, "")),
        (404, &[], "<html>Not Found</html>", unknown(404, true, "")),
        (
            404,
            &[("content-type", "text/html; charset=utf-8")],
            "",
            unknown(404, true, ""),
        ),
        (
            404,
            &[],
            r#"{"message":"Something new"}"#,
            unknown(404, false, ""),
        ),
        (
            404,
            &[],
            r#"{"message":"No secret word"}"#,
            unknown(404, false, "No secret …"),
        ),
        (
            404,
            &[],
            r#"{"message":"Something new","error":"Not Found"}"#,
            unknown(404, false, ""),
        ),
        (
            404,
            &[("x-ots-intended-status", "400")],
            r#"{"message":"Something new"}"#,
            unknown(404, false, ""),
        ),
        (
            400,
            &[],
            r#"{"message":"Something new"}"#,
            unknown(400, false, ""),
        ),
        (408, &[], "", unknown(408, false, "")),
        (
            404,
            &[],
            r#"{"message":["Not authorized"]}"#,
            unknown(404, false, ""),
        ),
        (404, &[], r#"{"message":"Not authorized"#, unknown(404, false, "")),
        (404, &[], "null", unknown(404, false, "")),
        // What other releases and settings say.
        (
            404,
            &[],
            r#"{"message":"Passphrase must contain at least one uppercase letter, number, symbol"}"#,
            Refused(Refusal::PassphraseTooSimple(Words::of(
                "Passphrase must contain at least one uppercase letter, number, symbol",
            ))),
        ),
        (
            404,
            &[],
            r#"{"message":"You do not have permission to use domain: links.example.com"}"#,
            Refused(Refusal::ShareDomainNotPermitted),
        ),
        (
            404,
            &[],
            r#"{"message":"Custom domain is not verified: links.example.com"}"#,
            Refused(Refusal::ShareDomainNotVerified),
        ),
        (
            404,
            &[],
            r#"{"message":"Public sharing disabled for domain: links.example.com"}"#,
            Refused(Refusal::ShareDomainNotPublic),
        ),
        (
            400,
            &[],
            r#"{"message":"The secret has a maximum size of 10000 characters"}"#,
            Refused(Refusal::TooLong { max: Some(10_000) }),
        ),
        (
            400,
            &[],
            r#"{"message":"maximum size of hunter2 characters"}"#,
            unknown(400, false, "maximum size of hunter2 characters"),
        ),
        // Limits with an odd number.
        (
            404,
            &[],
            r#"{"message":"Passphrase must be at least x characters long"}"#,
            Refused(Refusal::PassphraseTooShort { min: None }),
        ),
        (
            404,
            &[],
            r#"{"message":"Passphrase must be at least 99999999999 characters long"}"#,
            Refused(Refusal::PassphraseTooShort { min: None }),
        ),
    ];
    for (status, headers, body, want) in table {
        assert_eq!(
            judged(*status, headers, body),
            *want,
            "{status} {headers:?} {body}"
        );
    }
}
