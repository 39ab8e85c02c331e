//! Problems of the provider, its credentials, and the service.

use std::time::Duration;

use harness::onetime::{Canned, Fault, Operation, Stage, Version};
use serde_json::json;

use super::Act::{Account, Anonymous, Another, App, ComeUp, Credentials, GoDown, Service, Spec};
use super::Heals::{ByItself, ByPerson};
use super::{Case, run};
use crate::registry::integration_cases;
use crate::scope::username;

integration_cases!("problem_", cases(), run);

fn cases() -> Vec<Case> {
    [providers(), credentials(), service()]
        .into_iter()
        .flatten()
        .collect()
}

fn providers() -> Vec<Case> {
    vec![
        Case::new(
            "unknown_provider",
            "ProviderNotFound",
            ByItself,
            &[
                "ClusterShareProvider",
                "problem-unknown-provider-2",
                "create it",
                "spec.providerRef",
            ],
        )
        .setup([App])
        .spec(json!({"providerRef": {"name": "problem-unknown-provider-2"}}))
        .cure([Another("-2")]),
        Case::new(
            "namespace_left_out",
            "NamespaceNotAllowed",
            ByPerson,
            &["\"{scope}\"", "spec.namespaceSelector", "spec.providerRef"],
        )
        .setup([
            App,
            Anonymous(json!({"namespaceSelector": {"matchLabels": {"team": "a"}}})),
        ])
        .cure([Anonymous(
            json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}}),
        )]),
        Case::new(
            "provider_with_bad_ca",
            "ProviderInvalid",
            ByPerson,
            &["\"{scope}\"", "spec.caBundle"],
        )
        .setup([App, Anonymous(json!({"caBundle": "no certificate"}))])
        .cure([Anonymous(json!({}))]),
        Case::new(
            "provider_without_tls",
            "ProviderInvalid",
            ByPerson,
            &["\"{scope}\"", "spec.url", "https"],
        )
        .setup([App, Anonymous(json!({"url": "http://secrets.example.com"}))])
        .cure([Anonymous(json!({}))]),
    ]
}

fn credentials() -> Vec<Case> {
    let wrong = "a token that the service does not know";
    vec![
        Case::new(
            "missing_credentials",
            "CredentialsNotFound",
            ByItself,
            &["ClusterShareProvider \"{scope}\"", "onetimeshare-system", "create it"],
        )
        .setup([App, Account(json!({}))])
        .cure([Credentials(None)]),
        Case::new(
            "missing_credentials_key",
            "CredentialsNotFound",
            ByItself,
            &["ClusterShareProvider \"{scope}\"", "\"apiToken\"", "add it"],
        )
        .setup([
            App,
            Credentials(None),
            Account(json!({"credentialsSecretRef": {"name": "problem-missing-credentials-key", "tokenKey": "apiToken"}})),
        ])
        .cure([Account(json!({}))]),
        Case::new(
            "wrong_token",
            "Unauthorized",
            ByPerson,
            &["ClusterShareProvider \"{scope}\"", "\"username\"", "\"token\"", "region"],
        )
        .setup([App, Credentials(Some(wrong)), Account(json!({}))])
        .cure([Credentials(None)]),
        // The service refuses what it took a moment ago: the POST itself finds out.
        Case::new("rotated_token", "Unauthorized", ByPerson, &["ClusterShareProvider \"{scope}\""])
            .setup([
                App,
                Credentials(None),
                Account(json!({})),
                Service(|service| service.rotate_token(&username("problem-rotated-token"), "another token")),
            ])
            .cure([Credentials(Some("another token"))]),
    ]
}

fn service() -> Vec<Case> {
    vec![
        Case::new(
            "unknown_share_domain",
            "ShareDomainRefused",
            ByPerson,
            &["register the domain", "spec.shareDomain"],
        )
        .at(Version::V0_26, |config| {
            config.domains.push("known.example.com".to_owned());
        })
        .setup([App, Anonymous(json!({}))])
        .spec(json!({"shareDomain": "links.example.com"}))
        .cure([Service(|service| service.add_domain("links.example.com"))]),
        Case::new(
            "unknown_share_domain_edited",
            "ShareDomainRefused",
            ByPerson,
            &["spec.shareDomain"],
        )
        .at(Version::V0_23, |config| {
            config.domains.push("known.example.com".to_owned());
        })
        .setup([App, Anonymous(json!({}))])
        .spec(json!({"shareDomain": "links.example.com"}))
        .cure([Spec(json!({"shareDomain": "known.example.com"}))]),
        // Accounts are switched off at the site (v1-auth-disabled).
        Case::new(
            "accounts_switched_off",
            "Refused",
            ByPerson,
            &["\"{scope}\"", "share anonymously"],
        )
        .at(Version::V0_23, |config| config.auth_enabled = false)
        .setup([App, Credentials(None), Account(json!({}))])
        .cure([Anonymous(json!({}))]),
        Case::new(
            "unreachable",
            "Unavailable",
            ByItself,
            &["\"{scope}\"", "cannot be reached", "automatically"],
        )
        .setup([App, Anonymous(json!({})), GoDown])
        .cure([ComeUp]),
        // A proxy says when to come again.
        Case::new(
            "limited_by_a_proxy",
            "RateLimited",
            ByItself,
            &["\"{scope}\"", "rate", "automatically"],
        )
        .setup([
            App,
            Service(|service| limit(service, Canned::TooManyRequests)),
            Anonymous(json!({})),
        ]),
        // The service itself does not: a minute is waited.
        Case::new(
            "limited_by_the_service",
            "RateLimited",
            ByItself,
            &["\"{scope}\"", "rate", "automatically"],
        )
        .setup([
            App,
            Service(|service| limit(service, Canned::RateLimited)),
            Anonymous(json!({})),
        ])
        .within(Duration::from_secs(90)),
    ]
}

fn limit(service: &harness::onetime::OnetimeServer, answer: Canned) {
    service
        .plan()
        .once(Operation::Share, Fault::Answer(Stage::BeforeCommit, answer));
}
