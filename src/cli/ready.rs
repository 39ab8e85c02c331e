//! `onetimeshare ready`: asks a running operator whether it is ready. What `helm test` runs in the cluster.

use anyhow::{Context as _, ensure};
use http::{StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
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
    let (status, said) = tokio::time::timeout(PATIENCE, get(url))
        .await
        .with_context(|| format!("{url} did not answer within {} s", PATIENCE.as_secs()))?
        .with_context(|| format!("{url} cannot be asked"))?;
    ensure!(status.is_success(), "{url} answers {status}: {}", said.trim());
    Ok(())
}

async fn get(url: &Uri) -> anyhow::Result<(StatusCode, String)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(url.clone()).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    let body = body.map_err(|_| anyhow::anyhow!("the answer breaks off, or is not an operator's"))?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let readiness = Readiness::default();
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
        readiness.set(true);
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
