//! What a template may do, what it is told, and that no value is ever told.

use super::*;
use proptest::prelude::*;
use secrecy::ExposeSecret;

fn data(pairs: &[(&str, &[u8])]) -> BTreeMap<String, ByteString> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())))
        .collect()
}

fn alice() -> BTreeMap<String, ByteString> {
    data(&[
        ("username", b"alice"),
        ("password", b"Tr0ub4dor&3<\">"),
        ("tls.crt", b"CERT"),
        ("raw", b"\xff\xfe"),
    ])
}

fn rendered(text: &str) -> String {
    match render(text, "s", &alice()) {
        Ok(rendered) => rendered.expose_secret().to_owned(),
        Err(problem) => panic!("{}", problem.message),
    }
}

fn refused(text: &str) -> Problem {
    render(text, "s", &alice()).expect_err(text)
}

#[test]
fn values_arrive_as_they_are() {
    assert_eq!(
        rendered("Login: {{ username }}\nPassword: {{ password }}\n"),
        "Login: alice\nPassword: Tr0ub4dor&3<\">\n"
    );
    assert_eq!(rendered("{{ secret['tls.crt'] }}"), "CERT");
    assert_eq!(rendered("{{ password | b64encode }}"), "VHIwdWI0ZG9yJjM8Ij4=");
    assert_eq!(
        rendered("{% if phone is defined %}{{ phone }}{% else %}none{% endif %}"),
        "none"
    );
    assert_eq!(rendered("{{ phone | default('none') }}"), "none");
    assert_eq!(
        rendered("{% for key in secret %}{{ key }} {% endfor %}"),
        "password raw tls.crt username "
    );
}

#[test]
fn a_key_named_secret_is_the_key() {
    let found = render("{{ secret }}", "s", &data(&[("secret", b"x")])).expect("rendered");
    assert_eq!(found.expose_secret(), "x");
}

#[test]
fn a_missing_key_is_named_with_its_line() {
    for text in [
        "{{ username }}\n{{ pasword }}",
        "\n{{ secret.pasword }}",
        "\n{{ secret['pasword'] }}",
    ] {
        let problem = refused(text);
        assert_eq!(problem.reason, Reason::SecretKeyNotFound, "{}", problem.message);
        assert!(
            problem.message.contains("line 2") && problem.message.contains("\"pasword\""),
            "{}",
            problem.message
        );
        assert!(!problem.remedy.needs_person(), "the key may still appear");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_are_used() {
    let problem = refused("{{ username }}{{ raw }}");
    assert_eq!(problem.reason, Reason::SecretNotUtf8, "{}", problem.message);
    assert!(problem.message.contains("\"raw\""), "{}", problem.message);
    assert_eq!(rendered("{{ username }}"), "alice");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_line() {
    for text in [
        "ok\n{{ username",
        "ok\n{% if %}",
        "ok\n{% include '/etc/passwd' %}",
        "ok\n{% import 'x' as y %}",
        "ok\n{{ username | nonsense }}",
    ] {
        let problem = refused(text);
        assert_eq!(problem.reason, Reason::TemplateInvalid, "{}", problem.message);
        assert!(problem.message.contains("line 2"), "{}", problem.message);
    }
    assert!(check("{{ username").is_err());
    assert!(check("{{ nobody_knows_yet }}").is_ok(), "there is no Secret yet");
}

/// Each of these would take gigabytes or forever.
#[test]
fn work_and_memory_are_bounded() {
    let doubled = format!("{{% set x = 'xxxxxxxx' %}}{}", "{% set x = x ~ x %}".repeat(200));
    let nested = format!(
        "{}{}{}",
        "{% for x in range(1000) %}".repeat(5),
        "y",
        "{% endfor %}".repeat(5)
    );
    for text in [
        doubled.as_str(),
        nested.as_str(),
        "{{ 'x' * 100000000 }}",
        "{{ ('x' * 90000000) | upper }}",
    ] {
        let problem = refused(text);
        assert_eq!(problem.reason, Reason::TemplateInvalid, "{}", problem.message);
    }
}

#[test]
fn no_message_shows_a_value() {
    for text in [
        "{{ password.nothing }}",
        "{{ password + 1 }}",
        "{{ password / username }}",
        "{{ password() }}",
        "{{ password | round }}",
        "{{ secret[password] }}",
        "{{ password.upper(1) }}",
        "{% for a, b in password %}{% endfor %}",
    ] {
        let message = refused(text).message;
        assert!(
            !message.contains("Tr0ub4dor") && !message.contains("alice"),
            "{text}: {message}"
        );
    }
}

proptest! {
    #[test]
    fn text_without_marks_is_kept(text in "[^{}#%]{0,200}") {
        prop_assume!(!text.contains('\r'));
        let same = render(&text, "s", &BTreeMap::new()).expect("rendered");
        prop_assert_eq!(same.expose_secret(), text);
    }

    #[test]
    fn a_value_is_never_changed(value in "\\PC{0,200}") {
        let whole = render("{{ v }}", "s", &data(&[("v", value.as_bytes())])).expect("rendered");
        prop_assert_eq!(whole.expose_secret(), value);
    }
}
