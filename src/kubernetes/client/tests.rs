//! The proxy of the API server, as kubectl chooses it, and what kube 5.0.0 makes of it.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    Proxies::from_env(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name)?;
        Some(found.1.to_owned())
    })
    .expect("good variables")
}

fn kubeconfig(cluster: &serde_json::Value) -> Kubeconfig {
    let file = serde_json::json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": "a token"}}],
        "contexts": [{"name": "now", "context": {"cluster": "here", "user": "me", "namespace": "team"}}],
        "current-context": "now",
    });
    Kubeconfig::from_yaml(&file.to_string()).expect("a kubeconfig")
}

fn config(cluster: &serde_json::Value, proxies: &Proxies) -> Result<Config, ClientError> {
    of_kubeconfig(Selected::of(&kubeconfig(cluster)).expect("complete"), proxies)
}

#[test]
fn the_proxy_is_the_one_that_kubectl_uses() {
    const SERVER: &str = "https://api.corp.example:6443";
    const OWN: &str = "http://own.corp.example:3128";
    const FROM_ENV: (&str, &str) = ("HTTPS_PROXY", "http://me:p%40ss@env.corp.example:3128");
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let table: &[(&str, Option<&str>, Variables<'_>, Option<&str>)] = &[
        (SERVER, None, &[], None),
        (
            SERVER,
            None,
            &[FROM_ENV],
            Some("http://me:p%40ss@env.corp.example:3128/"),
        ),
        (
            SERVER,
            Some(""),
            &[FROM_ENV],
            Some("http://me:p%40ss@env.corp.example:3128/"),
        ),
        (SERVER, None, &[("HTTP_PROXY", "http://plain")], None),
        (
            "http://api.corp.example",
            None,
            &[("HTTP_PROXY", "http://plain")],
            Some("http://plain/"),
        ),
        (SERVER, None, &[FROM_ENV, ("NO_PROXY", "api.corp.example")], None),
        (
            SERVER,
            None,
            &[FROM_ENV, ("NO_PROXY", "api.corp.example:6443,")],
            None,
        ),
        (
            SERVER,
            None,
            &[FROM_ENV, ("NO_PROXY", "env.corp.example")],
            Some("http://me:p%40ss@env.corp.example:3128/"),
        ),
        (
            SERVER,
            Some(OWN),
            &[FROM_ENV],
            Some("http://own.corp.example:3128/"),
        ),
        (
            SERVER,
            Some(OWN),
            &[("NO_PROXY", "own.corp.example")],
            Some("http://own.corp.example:3128/"),
        ),
        (
            SERVER,
            Some(OWN),
            &[("NO_PROXY", "*")],
            Some("http://own.corp.example:3128/"),
        ),
        (
            SERVER,
            Some("https://own.corp.example"),
            &[],
            Some("https://own.corp.example/"),
        ),
        ("https://127.0.0.1:6443", None, &[FROM_ENV], None),
        (
            "https://127.0.0.1:6443",
            Some(OWN),
            &[],
            Some("http://own.corp.example:3128/"),
        ),
    ];
    for (server, own, variables, wanted) in table {
        let mut cluster = serde_json::json!({"server": server});
        if let Some(own) = own {
            cluster["proxy-url"] = (*own).into();
        }
        let found = config(&cluster, &proxies(variables)).expect("usable").proxy_url;
        let found = found.map(|uri| uri.to_string());
        assert_eq!(found.as_deref(), *wanted, "{server} {own:?} {variables:?}");
    }
}

#[test]
fn a_wrong_proxy_is_named_without_its_password() {
    for url in ["socks5://me:c4nary@proxy:1080", "http://me:c4nary@proxy:port"] {
        let cluster = serde_json::json!({"server": "https://api.corp.example", "proxy-url": url});
        let error = config(&cluster, &Proxies::default()).expect_err("wrong");
        let said = format!("{error} {error:?}");
        assert!(
            said.contains("proxy-url in the kubeconfig") && !said.contains("c4nary"),
            "{said}"
        );
    }
}

/// What kube's own function makes of the same file, apart from the proxy.
#[tokio::test]
async fn the_rest_is_as_kube_reads_it() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::default()
        .self_signed(&key)
        .expect("a certificate");
    let pem = format!("a comment\n{}", certificate.pem().repeat(2));
    let cluster = serde_json::json!({
        "server": "https://api.corp.example:6443/prefix", "tls-server-name": "kubernetes",
        "certificate-authority-data": STANDARD.encode(&pem),
        "insecure-skip-tls-verify": true, "disable-compression": true,
    });
    let ours = config(&cluster, &Proxies::default()).expect("usable");
    let options = kube::config::KubeConfigOptions::default();
    let mut theirs = Config::from_custom_kubeconfig(kubeconfig(&cluster), &options)
        .await
        .expect("usable");
    // The environment of this test may name one.
    theirs.proxy_url = None;
    assert_eq!(ours.root_cert.as_ref().map(Vec::len), Some(2));
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    Client::try_from(ours).expect("a client");
}

#[test]
fn a_kubeconfig_that_lacks_something_says_what() {
    let whole = kubeconfig(&serde_json::json!({"server": "https://api.corp.example"}));
    type Spoil = fn(&mut Kubeconfig);
    let table: [(Spoil, &str); 4] = [
        (|file| file.current_context = None, "current context"),
        (|file| file.contexts.clear(), "current context: now"),
        (|file| file.clusters.clear(), "cluster of context: here"),
        (
            |file| file.clusters[0].cluster.as_mut().expect("one").server = None,
            "cluster url is missing",
        ),
    ];
    for (spoil, word) in table {
        let mut file = whole.clone();
        spoil(&mut file);
        let said = Selected::of(&file)
            .map(drop)
            .expect_err("lacks something")
            .to_string();
        assert!(said.contains(word), "{said}");
    }
    let cluster = serde_json::json!({"server": "https://x", "certificate-authority-data": STANDARD.encode("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")});
    assert!(matches!(
        config(&cluster, &Proxies::default()),
        Err(ClientError::Authority)
    ));
}
