//! Every form of NO_PROXY, as Go understands it.

use super::NoProxy;
use url::Url;

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
        let no_proxy = NoProxy::parse(list);
        for (urls, wanted) in [(through, false), (past, true)] {
            for text in *urls {
                let url = Url::parse(text).unwrap();
                let (host, port) = (url.host().unwrap(), url.port_or_known_default().unwrap());
                assert_eq!(no_proxy.exempts(&host, port), wanted, "{list:?}: {text}");
            }
        }
    }
}
