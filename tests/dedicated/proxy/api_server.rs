//! An API server that only the proxy reaches: through `proxy-url` of the kubeconfig, or the environment as kubectl reads it.

use anyhow::{Context as _, Result, ensure};
use harness::operator::Operator;
use serde_json::json;

use super::{API, Behind, no_password_in};
use crate::scope::Scope;

pub async fn run() -> Result<()> {
    let mut behind = Behind::start().await?;
    a_wrong_variable_ends_it(&mut behind).await?;
    through_proxy_url(&mut behind).await?;
    through_the_environment(&mut behind).await?;
    past_the_proxy(&mut behind).await?;
    behind.fixture.end().await
}

/// With the reason in the log, which is all that a container leaves.
async fn fails_to_start(behind: &Behind, word: &str) -> Result<()> {
    let said = match Operator::spawn(&behind.fixture.launch).await {
        Err(error) => format!("{error:#}"),
        Ok(mut operator) => {
            let status = operator.wait(crate::scope::PATIENCE).await?;
            ensure!(!status.success(), "it ended with {status}");
            operator.log()
        }
    };
    ensure!(said.contains(word), "{said}");
    no_password_in("the log", &said)
}

async fn a_wrong_variable_ends_it(behind: &mut Behind) -> Result<()> {
    let wrong = behind.url.replace("http://", "socks5://");
    behind.set_env(&[("https_proxy", &wrong)]);
    fails_to_start(behind, "https_proxy is not a usable proxy URL").await
}

/// Even when NO_PROXY names the proxy, or everything.
async fn through_proxy_url(behind: &mut Behind) -> Result<()> {
    behind.hide_the_api_server(true)?;
    let nobody = "http://127.0.0.1:1";
    let all = [("HTTPS_PROXY", nobody), ("HTTP_PROXY", nobody), ("NO_PROXY", "*")];
    behind.set_env(&all);
    behind.fixture.start_operator(&[]).await?;
    let scope = Scope::open(&behind.fixture, "proxied").await?;
    scope.share("alice", json!({})).await?;
    scope.all_ready(1).await?;
    ensure!(behind.asked(API)? > 0, "nothing went through the proxy");
    let others = behind.proxy.journal();
    let others: Vec<_> = others.iter().filter(|asked| asked.target != API).collect();
    ensure!(
        others.is_empty(),
        "a service on loopback goes past every proxy: {others:?}"
    );
    behind.no_password_was_shown().await?;
    behind.stop_operator().await
}

async fn through_the_environment(behind: &mut Behind) -> Result<()> {
    behind.hide_the_api_server(false)?;
    let url = behind.url.clone();
    // kube would fail on the empty item, and Go ignores it.
    behind.set_env(&[("HTTPS_PROXY", &url), ("NO_PROXY", "127.0.0.1,")]);
    let before = behind.asked(API)?;
    behind.fixture.start_operator(&[]).await?;
    ensure!(behind.asked(API)? > before, "nothing went through the proxy");
    behind.no_password_was_shown().await?;
    let operator = behind.fixture.operator()?;
    let told = operator
        .log()
        .lines()
        .any(|line| line.contains("reached through a proxy"));
    ensure!(told, "the log does not tell of the proxy");
    behind.stop_operator().await
}

/// NO_PROXY names the API server. Its name leads nowhere else, so the operator cannot start, and the proxy is not asked.
async fn past_the_proxy(behind: &mut Behind) -> Result<()> {
    let (url, before) = (behind.url.clone(), behind.asked(API)?);
    behind.set_env(&[("HTTPS_PROXY", &url), ("NO_PROXY", "kubernetes.test")]);
    fails_to_start(behind, "kube-system").await?;
    ensure!(behind.asked(API)? == before, "NO_PROXY names the API server");
    behind.set_env(&[]);
    behind.fixture.launch.kubeconfig = behind.fixture.kubeconfig_with(&json!({}))?;
    behind
        .fixture
        .start_operator(&[])
        .await
        .context("without any proxy")
}
