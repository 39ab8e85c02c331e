//! `onetimeshare ready`: asks a running operator whether it is ready. What `helm test` runs in the cluster.

use anyhow::{Context as _, bail, ensure};
use http::{StatusCode, Uri};
use rustls::RootCertStore;
use std::sync::Arc;
use std::time::Duration;

/// For connecting, asking and the answer together.
const PATIENCE: Duration = Duration::from_secs(10);

/// No answer of the operator is longer, in bytes.
const LONGEST: usize = 4096;

/// Asks once.
///
/// # Errors
/// When there is no answer within ten seconds, or the operator says that it is not ready.
pub async fn ask(url: &Uri) -> anyhow::Result<()> {
    let (status, text) = tokio::time::timeout(PATIENCE, get(url))
        .await
        .with_context(|| format!("{url} did not answer within {} s", PATIENCE.as_secs()))?
        .with_context(|| format!("{url} cannot be asked"))?;
    ensure!(status.is_success(), "{url} answers {status}: {}", text.trim());
    Ok(())
}

async fn get(url: &Uri) -> anyhow::Result<(StatusCode, String)> {
    ensure!(url.scheme_str() == Some("http"), "the operator serves http only");
    let mut answer = client()?.get(url.to_string()).send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            bail!("the response is not from an operator");
        }
    }
    Ok((answer.status(), String::from_utf8_lossy(&body).into_owned()))
}

/// TLS is never used, but reqwest wants to know the crypto provider: it ends the program when there is none.
fn client() -> anyhow::Result<reqwest::Client> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::kubernetes::pulse::Pulse;
    use crate::telemetry::{Metrics, Readiness, serve};
    use std::sync::Arc;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_operator_is_ready_when_it_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let url = |path: &str| {
            format!("http://{address}{path}")
                .parse::<Uri>()
                .expect("an address")
        };
        let readiness = Readiness::new(Pulse::new(Clock::boot()));
        readiness.waits_for(["OneTimeShares"]);
        let serving = serve(
            listener,
            Arc::new(Metrics::default()),
            readiness.clone(),
            std::future::pending(),
        );
        let serving = tokio::spawn(serving);
        let said = ask(&url("/readyz")).await.expect_err("not yet").to_string();
        assert!(
            said.contains("503") && said.contains("caches are not filled"),
            "{said}"
        );
        readiness.filled("OneTimeShares");
        ask(&url("/readyz")).await.expect("ready");
        ask(&url("/nowhere")).await.expect_err("no such path");
        serving.abort();
        let _ = serving.await;
        ask(&url("/readyz")).await.expect_err("nobody listens");
    }

    #[tokio::test]
    async fn only_http_is_asked() {
        let url = Uri::from_static("https://localhost/readyz");
        let said = format!("{:#}", ask(&url).await.expect_err("https"));
        assert!(said.contains("cannot be asked"), "{said}");
    }
}
