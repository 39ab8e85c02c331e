use super::{Proxies, ProxyUrl};
use url::Url;

const PASSWORD: &str = "c4nary%2Fp4ss";

fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, super::ProxyError> {
    Proxies::from_env(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name)?;
        Some(found.1.to_owned())
    })
}

/// `NO_PROXY`, then URLs that go through the proxy, then URLs that do not. Go's httpproxy says the same of each: it was
/// asked about every row.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    (
        "",
        &[
            "http://example.com",
            "https://10.0.0.1",
            "https://[2001:db8::1]",
            "http://127.0.0.1.nip.example",
            "http://localhost.example",
            "http://a.localhost",
            "http://localhost.",
        ],
        &[
            "http://localhost",
            "https://localhost:6443",
            "http://LOCALHOST",
            "http://127.0.0.1",
            "https://127.9.8.7:6443",
            "http://[::1]:80",
            "http://[::ffff:127.0.0.1]",
        ],
    ),
    (
        "*",
        &[],
        &[
            "http://example.com",
            "https://10.0.0.1:6443",
            "https://[2001:db8::1]",
        ],
    ),
    (
        "a.example, * ,b.example",
        &[],
        &["http://example.com", "https://10.0.0.1:6443"],
    ),
    (
        "example.com",
        &[
            "http://badexample.com",
            "http://example.com.evil.example",
            "http://com",
            "http://example.com.",
            "http://10.0.0.1",
        ],
        &[
            "http://example.com",
            "https://example.com:8443",
            "http://a.example.com",
            "http://a.b.example.com",
            "http://EXAMPLE.com",
        ],
    ),
    (
        "EXAMPLE.Com",
        &["http://example.org"],
        &["http://example.com", "http://a.example.com"],
    ),
    (
        ".example.com",
        &["http://example.com", "http://badexample.com"],
        &["http://a.example.com", "http://a.b.example.com:81"],
    ),
    (
        "*.example.com",
        &["http://example.com", "http://badexample.com"],
        &["http://a.example.com", "http://a.b.example.com"],
    ),
    (
        "*example.com",
        &[
            "http://example.com",
            "http://badexample.com",
            "http://a.example.com",
        ],
        &[],
    ),
    ("a.*.example.com", &["http://a.b.example.com"], &[]),
    (
        "example.com.",
        &["http://example.com", "http://a.example.com"],
        &["http://example.com.", "http://a.example.com."],
    ),
    (
        "example.com:8443",
        &[
            "http://example.com",
            "https://example.com",
            "http://example.com:84",
        ],
        &["https://example.com:8443", "http://a.example.com:8443"],
    ),
    (
        ".example.com:81",
        &["http://example.com:81", "http://a.example.com"],
        &["http://a.example.com:81"],
    ),
    (
        "*.example.com:443",
        &["http://a.example.com", "https://example.com"],
        &["https://a.example.com", "http://a.example.com:443"],
    ),
    (
        "example.com:",
        &["http://example.org"],
        &["http://example.com", "https://example.com:8443"],
    ),
    ("example.com:https", &["https://example.com"], &[]),
    (
        "https://example.com",
        &["https://example.com", "http://example.com"],
        &[],
    ),
    ("example.com/", &["http://example.com"], &[]),
    (
        "example.com b.example",
        &["http://example.com", "http://b.example"],
        &[],
    ),
    (
        " a.example ,,  b.example\t, ",
        &["http://c.example", "http://x"],
        &["http://a.example", "http://b.example"],
    ),
    (":80", &["http://example.com"], &[]),
    (".", &["http://example.com"], &["http://example.com."]),
    (
        "10.0.0.1",
        &["http://10.0.0.2", "http://10.0.0.1.example"],
        &[
            "http://10.0.0.1",
            "https://10.0.0.1:6443",
            "http://[::ffff:10.0.0.1]",
        ],
    ),
    ("10.0.0", &["http://10.0.0.1"], &[]),
    ("010.0.0.1", &["http://10.0.0.1"], &[]),
    (".0.0.1", &["http://10.0.0.1"], &[]),
    (
        "10.0.0.1:6443",
        &["https://10.0.0.1"],
        &["https://10.0.0.1:6443", "http://[::ffff:10.0.0.1]:6443"],
    ),
    (
        "::ffff:10.0.0.1",
        &["http://10.0.0.2"],
        &["http://10.0.0.1", "http://[::ffff:a00:1]"],
    ),
    (
        "10.0.0.0/8",
        &["http://11.0.0.1", "http://[2001:db8::1]", "http://10.example"],
        &[
            "http://10.0.0.1",
            "https://10.255.255.255:6443",
            "http://[::ffff:10.1.2.3]",
        ],
    ),
    ("10.1.2.3/8", &["http://11.0.0.1"], &["http://10.0.0.1"]),
    ("10.0.0.0/30", &["http://10.0.0.4"], &["http://10.0.0.3"]),
    ("10.0.0.1/32", &["http://10.0.0.2"], &["http://10.0.0.1"]),
    (
        "0.0.0.0/0",
        &["http://example.com", "http://[2001:db8::1]"],
        &["http://10.0.0.1", "http://[::ffff:10.1.2.3]"],
    ),
    ("10.0.0.0/33", &["http://10.0.0.0"], &[]),
    ("10.0.0.0/", &["http://10.0.0.0"], &[]),
    ("10.0.0.0/+8", &["http://10.0.0.0"], &[]),
    ("10.0.0.0/8:80", &["http://10.0.0.0"], &[]),
    (
        "2001:db8::1",
        &["http://[2001:db8::2]", "http://10.0.0.1"],
        &["http://[2001:db8::1]", "https://[2001:DB8:0::1]:6443"],
    ),
    (
        "[2001:db8::1]:6443",
        &["https://[2001:db8::1]"],
        &["https://[2001:db8::1]:6443"],
    ),
    ("[2001:db8::1]", &["https://[2001:db8::1]"], &[]),
    (
        "2001:db8::/32",
        &["http://[2001:db9::1]", "http://10.0.0.1"],
        &["http://[2001:db8:1::1]:81"],
    ),
    (
        "::/0",
        &[
            "http://10.0.0.1",
            "http://example.com",
            "http://[::ffff:10.0.0.1]",
        ],
        &["http://[2001:db8::1]"],
    ),
    (
        "::ffff:10.0.0.0/104",
        &["http://11.0.0.1", "http://[2001:db8::1]"],
        &["http://10.1.2.3", "http://[::ffff:10.1.2.3]"],
    ),
    (
        "::ffff:10.0.0.0/90",
        &["http://10.1.2.3", "http://[2001:db8::1]"],
        &[],
    ),
    ("2001:db8::/129", &["http://[2001:db8::]"], &[]),
    (
        "bücher.example",
        &["http://example"],
        &["http://xn--bcher-kva.example", "http://a.bücher.example"],
    ),
    (
        ".BÜCHER.example",
        &["http://bücher.example"],
        &["http://a.xn--bcher-kva.example"],
    ),
    ("xn--bcher-kva.example", &[], &["http://bücher.example"]),
    ("localhost", &["http://example.com"], &["http://a.localhost"]),
];

#[test]
fn the_list_means_what_it_means_to_kubectl() {
    for (list, through, past) in TABLE {
        for scheme in ["NO_PROXY", "no_proxy"] {
            let variables = [
                ("HTTP_PROXY", "http://p"),
                ("HTTPS_PROXY", "http://s"),
                (scheme, *list),
            ];
            let proxies = proxies(&variables).unwrap();
            for (urls, wanted) in [(through, true), (past, false)] {
                for text in *urls {
                    let url = Url::parse(text).unwrap();
                    assert_eq!(proxies.for_url(&url).is_some(), wanted, "{list:?}: {text}");
                }
            }
        }
    }
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
            "remove what follows the port",
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
