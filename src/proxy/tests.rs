//! Which variables count, and what an error says.

use super::{Proxies, ProxyUrl};
use url::Url;

const PASSWORD: &str = "c4nary%2Fp4ss";

fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, super::ProxyError> {
    Proxies::from_env(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name)?;
        Some(found.1.to_owned())
    })
}

#[test]
fn each_scheme_has_its_own_proxy() {
    let at = |proxies: &Proxies, url: &str| {
        let url = Url::parse(url).unwrap();
        proxies.for_url(&url).map(ToString::to_string)
    };
    let both = proxies(&[("HTTP_PROXY", "plain:3128"), ("HTTPS_PROXY", "https://safe")]).unwrap();
    assert_eq!(at(&both, "http://x.example").unwrap(), "http://plain:3128");
    assert_eq!(at(&both, "https://x.example").unwrap(), "https://safe");
    assert_eq!(at(&both, "ftp://x.example"), None);
    for name in ["NO_PROXY", "no_proxy"] {
        let exempt = proxies(&[("HTTP_PROXY", "plain"), (name, "x.example")]).unwrap();
        assert_eq!(at(&exempt, "http://x.example"), None, "{name}");
        assert!(at(&exempt, "http://y.example").is_some(), "{name}");
    }
    let one = proxies(&[("HTTP_PROXY", "plain:3128")]).unwrap();
    assert_eq!(at(&one, "https://x.example"), None);
    assert_eq!(at(&proxies(&[]).unwrap(), "http://x.example"), None);

    let upper_first = [("https_proxy", "lower"), ("HTTPS_PROXY", "upper")];
    assert_eq!(
        at(&proxies(&upper_first).unwrap(), "https://x.example").unwrap(),
        "http://upper"
    );
    let empty_is_absent = [("https_proxy", "lower"), ("HTTPS_PROXY", "")];
    assert_eq!(
        at(&proxies(&empty_is_absent).unwrap(), "https://x.example").unwrap(),
        "http://lower"
    );
}

#[test]
fn urls_of_proxies() {
    for (text, shown, whole) in [
        ("http://proxy:3128", "http://proxy:3128", "http://proxy:3128/"),
        (
            "HTTP://Proxy.Example:80/",
            "http://proxy.example",
            "http://proxy.example/",
        ),
        ("proxy:3128", "http://proxy:3128", "http://proxy:3128/"),
        ("localhost", "http://localhost", "http://localhost/"),
        (
            " 10.0.0.1:8080\n",
            "http://10.0.0.1:8080",
            "http://10.0.0.1:8080/",
        ),
        (
            "[2001:db8::1]:3128",
            "http://[2001:db8::1]:3128",
            "http://[2001:db8::1]:3128/",
        ),
        ("https://proxy", "https://proxy", "https://proxy/"),
        (
            "http://me:p%40ss@proxy:3128",
            "http://proxy:3128",
            "http://me:p%40ss@proxy:3128/",
        ),
        (
            "me:p%40ss@proxy:3128",
            "http://proxy:3128",
            "http://me:p%40ss@proxy:3128/",
        ),
        ("http://me@proxy", "http://proxy", "http://me@proxy/"),
    ] {
        let proxy = ProxyUrl::parse("HTTPS_PROXY", text).unwrap();
        assert_eq!(proxy.to_string(), shown, "{text}");
        assert_eq!(format!("{proxy:?}"), shown, "{text}");
        assert_eq!(proxy.url().as_str(), whole, "{text}");
    }
}

#[test]
fn an_error_names_the_variable_and_no_password() {
    for (text, remedy) in [
        ("http://", "http://HOST:PORT"),
        ("http://me:PASSWORD@", "http://HOST:PORT"),
        ("http://me:PASSWORD@proxy:port", "http://HOST:PORT"),
        ("http://me:PASSWORD@proxy:99999", "http://HOST:PORT"),
        ("http://me:PASSWORD@two words:3128", "http://HOST:PORT"),
        ("http://me:PASSWORD/rest@proxy:3128", "percent-encode"),
        ("http://me:12/PASSWORD@proxy:3128", "%2F"),
        ("http://me:12?PASSWORD@proxy:3128", "%3F"),
        ("http://me:12#PASSWORD@proxy:3128", "%23"),
        (
            "http://me:PASSWORD@proxy:3128/path",
            "remove everything after the port",
        ),
        ("socks5://me:PASSWORD@proxy:1080", "socks5"),
        ("ftp://me:PASSWORD@proxy", "http or https"),
    ] {
        let text = text.replace("PASSWORD", PASSWORD);
        let error = proxies(&[("https_proxy", &text)]).unwrap_err();
        let (said, debug) = (error.to_string(), format!("{error:?}"));
        assert!(
            said.starts_with("https_proxy is not") && said.contains(remedy),
            "{text}: {said}"
        );
        for shown in [said, debug] {
            assert!(!shown.contains("c4nary") && !shown.contains("me:"), "{shown}");
        }
    }
    let whole = proxies(&[
        ("HTTP_PROXY", &format!("http://me:{PASSWORD}@proxy")),
        ("NO_PROXY", "x.example"),
    ])
    .unwrap();
    let debug = format!("{whole:?}");
    assert!(
        debug.contains("http://proxy") && !debug.contains("c4nary"),
        "{debug}"
    );
}
