//! Every attribute of the service's answer that the status has a place for is there, as the service said it.

use anyhow::{Context as _, Result, ensure};
use harness::onetime::{Config, Version};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::{Scope, merged, username};

const DOMAIN: &str = "links.example.com";

integration_test!(answer_with_an_account);
/// An e-mail, a passphrase, a domain: everything that can be asked for.
async fn answer_with_an_account(env: &Env) -> Result<()> {
    for (name, version, mask) in [
        ("answer-23", Version::V0_23, "da*****@e*****.com"),
        ("answer-26", Version::V0_26, "da***@e***.com"),
    ] {
        let mut config = Config::new(version);
        config.domains.push(DOMAIN.to_owned());
        let scope = Scope::open(env, name, config).await?;
        scope.credentials(&scope.token).await?;
        scope.provider(scope.account_spec()).await?;
        let value = scope.secret("dave").await?;
        let phrase = env.canary("passphrase");
        scope.secret_with("phrase", json!({"phrase": phrase})).await?;
        let asked = json!({
            "ttl": "90m", "recipient": "dave@example.com", "shareDomain": DOMAIN,
            "passphraseSecretRef": {"name": "phrase", "key": "phrase"},
        });
        scope.share("dave", asked).await?;
        let status = &scope.ready("dave").await?["status"];
        let said = json!({
            "custid": username(name), "recipient": mask, "shareDomain": DOMAIN,
            "passphraseRequired": true, "ttlSeconds": 5400, "state": "Shared",
        });
        check(&scope, status, &said)?;

        // What was asked of the service is what the spec says, and nothing else.
        let journal = scope.service.journal();
        let post = journal
            .requests
            .iter()
            .find(|r| r.path == "/api/v1/share")
            .context("a POST")?;
        let mut params: Vec<(&str, &[u8])> = post
            .params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        params.sort_unstable();
        let wanted: [(&str, &[u8]); 5] = [
            ("passphrase", phrase.as_bytes()),
            ("recipient", b"dave@example.com"),
            ("secret", value.as_bytes()),
            ("share_domain", DOMAIN.as_bytes()),
            ("ttl", b"5400"),
        ];
        ensure!(
            params == wanted,
            "the parameters {:?}",
            params.iter().map(|p| p.0).collect::<Vec<_>>()
        );
        ensure!(
            post.account.as_deref() == Some(&*username(name)),
            "as the account"
        );
    }
    Ok(())
}

integration_test!(answer_without_an_account);
/// Nothing but a value, and the provider's domain.
async fn answer_without_an_account(env: &Env) -> Result<()> {
    for (name, version) in [
        ("answer-anonymous-23", Version::V0_23),
        ("answer-anonymous-26", Version::V0_26),
    ] {
        let mut config = Config::new(version);
        config.domains.push(DOMAIN.to_owned());
        let scope = Scope::open(env, name, config).await?;
        scope.provider(json!({})).await?;
        scope.secret("plain").await?;
        scope.share("plain", json!({})).await?;
        let said = json!({
            "custid": "anon", "recipient": null, "shareDomain": null,
            "passphraseRequired": false, "ttlSeconds": 86400, "state": "Shared",
        });
        check(&scope, &scope.ready("plain").await?["status"], &said)?;

        scope.provider(json!({"shareDomain": DOMAIN})).await?;
        scope.secret("branded").await?;
        scope.share("branded", json!({})).await?;
        let said = merged(said, json!({"shareDomain": DOMAIN}));
        check(&scope, &scope.ready("branded").await?["status"], &said)?;
    }
    Ok(())
}

/// Compares a status with what the service stored.
fn check(scope: &Scope<'_>, status: &Value, said: &Value) -> Result<()> {
    for (field, value) in said.as_object().context("an object")? {
        ensure!(status[field] == *value, "{field} is not {value}: {status:#}");
    }
    let key = status["secretKey"].as_str().context("a key")?;
    let journal = scope.service.journal();
    let stored = journal.by_secret(key).context("a share in the journal")?;
    // A link on a custom domain is always https, even though the fake server serves http on loopback.
    let link = match status["shareDomain"].as_str() {
        Some(domain) => format!("https://{domain}/secret/{key}"),
        None => stored.link.clone(),
    };
    ensure!(status["link"] == link, "{status:#}, not {link}");
    let time = |field: &str| -> Result<Timestamp> { Ok(status[field].as_str().context("a time")?.parse()?) };
    ensure!(
        time("createdAt")?.as_second() == stored.created_ms / 1000,
        "{status:#}"
    );
    let expires = stored.created_ms / 1000 + i64::try_from(stored.ttl)?;
    ensure!(time("expiresAt")?.as_second() == expires, "{status:#}");
    ensure!(status["finishedAt"].is_null(), "{status:#}");
    Ok(())
}
