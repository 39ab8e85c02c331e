//! What kube gets wrong about proxies, so that `src/kubernetes/client.rs` goes its own way. Red when kube is mended.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, outside of #[test]"
)]

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::process::Command;

/// Set in the process that asks kube: kube reads the environment, and a test must not change its own.
const ASKED: &str = "ONETIMESHARE_TEST_PROXY_URL";

const MENDED: &str =
    "kube is mended: see whether `of_kubeconfig` in src/kubernetes/client.rs can go, and this test";

/// What kube says of a server `https://api.corp.example`: the proxy, `none`, or the error.
fn kube_says(own: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "--nocapture", "asked"]).env(ASKED, own);
    for name in [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(name);
    }
    let output = command
        .envs(variables.iter().copied())
        .output()
        .expect("this program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said
        .split("kube says ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    line.unwrap_or_else(|| panic!("no answer: {said}")).to_owned()
}

#[tokio::test]
async fn asked() {
    let Ok(own) = std::env::var(ASKED) else { return };
    let file = serde_json::json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://api.corp.example", "proxy-url": own}}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "current-context": "c",
    });
    let file = Kubeconfig::from_yaml(&file.to_string()).expect("a kubeconfig");
    let said = match Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await {
        Ok(config) => config.proxy_url.map_or("none".to_owned(), |uri| uri.to_string()),
        Err(error) => error.to_string(),
    };
    println!("kube says {said}");
}

#[test]
fn kube_asks_about_the_proxy_whether_it_needs_a_proxy() {
    const PROXY: &str = "http://proxy.corp.example:3128";
    let with_slash = format!("{PROXY}/");
    // That the way of asking works:
    assert_eq!(kube_says(PROXY, &[]), with_slash);
    assert_eq!(kube_says("", &[("HTTPS_PROXY", PROXY)]), with_slash);
    assert_eq!(kube_says("", &[]), "none");

    let past_the_server = [("HTTPS_PROXY", PROXY), ("NO_PROXY", "api.corp.example")];
    assert_eq!(kube_says("", &past_the_server), with_slash, "{MENDED}");
    let past_the_proxy = [("NO_PROXY", "10.0.0.0/8")];
    assert_eq!(
        kube_says("http://10.1.2.3:3128", &past_the_proxy),
        "none",
        "{MENDED}"
    );
    let empty_item = [("HTTPS_PROXY", PROXY), ("NO_PROXY", "other.example,")];
    assert!(kube_says("", &empty_item).contains("NO_PROXY"), "{MENDED}");
}
