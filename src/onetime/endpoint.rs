//! Which installation of the service is spoken to, and the links to its secrets.
//!
//! Owns: validation of base URLs and share domains. Must not: resolve names or
//! connect (see `http/resolver.rs`).

use url::{Host, Url};

use super::keys::{Link, SecretKey};

/// A region of onetimesecret.com: an installation of its own with its own accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    /// `us.onetimesecret.com`
    Us,
    /// `eu.onetimesecret.com`
    Eu,
    /// `ca.onetimesecret.com`
    Ca,
    /// `nz.onetimesecret.com`
    Nz,
    /// `uk.onetimesecret.com`
    Uk,
}

impl Region {
    /// The host of the region.
    pub fn host(self) -> &'static str {
        match self {
            Self::Us => "us.onetimesecret.com",
            Self::Eu => "eu.onetimesecret.com",
            Self::Ca => "ca.onetimesecret.com",
            Self::Nz => "nz.onetimesecret.com",
            Self::Uk => "uk.onetimesecret.com",
        }
    }
}

/// Why a URL can't be an endpoint; each message says the remedy and never repeats the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is no absolute URL with a host.
    #[error("not a URL with a host: write it as https://HOST or https://HOST:PORT")]
    NotAUrl,
    /// The scheme is neither https nor http.
    #[error("unsupported scheme: write it as https://HOST")]
    Scheme,
    /// http to another machine.
    #[error("http would send credentials and secrets in the clear: use https (http is for localhost only)")]
    Insecure,
    /// A user or password stands in the URL.
    #[error("the URL holds a user or password: remove it and reference a Secret with credentials instead")]
    UserInfo,
    /// A path stands behind the host.
    #[error("the URL has a path: remove everything behind the host, the API is always at /api")]
    Path,
    /// A query or fragment stands in the URL.
    #[error("the URL has a query or fragment: remove everything behind the host")]
    QueryOrFragment,
}

/// The validated base URL of one installation: scheme, lowercased host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    base: Url,
    host: String,
}

impl Endpoint {
    /// The endpoint of a region.
    pub fn region(region: Region) -> Self {
        let host = region.host();
        // The hosts above are literals; a table test parses every one of them.
        #[allow(clippy::expect_used)]
        Self::parse(&format!("https://{host}"), false).expect("region hosts are valid")
    }

    /// Takes a base URL such as `https://secrets.example.com:8443`.
    ///
    /// http is taken for `localhost` and loopback addresses only, unless
    /// `allow_http` says otherwise.
    ///
    /// # Errors
    /// [`EndpointError`] says what to change.
    pub fn parse(url: &str, allow_http: bool) -> Result<Self, EndpointError> {
        let base = Url::parse(url.trim()).map_err(|_| EndpointError::NotAUrl)?;
        if !matches!(base.scheme(), "https" | "http") {
            return Err(EndpointError::Scheme);
        }
        let host = base.host().ok_or(EndpointError::NotAUrl)?;
        if base.scheme() == "http" && !allow_http && !is_loopback(&host) {
            return Err(EndpointError::Insecure);
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(EndpointError::UserInfo);
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(EndpointError::QueryOrFragment);
        }
        if base.path() != "/" {
            return Err(EndpointError::Path);
        }
        let host = match base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        Ok(Self { base, host })
    }

    /// The base URL, with the path `/`.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// `HOST` or `HOST:PORT`, without a default port; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The link to a secret.
    ///
    /// Its host is the share domain when there is one, with https
    /// (v1-share-domain-registered.json: the mailed link is
    /// `https://secrets.example.org/secret/KEY`), else this endpoint
    /// (v1-link-form.json, both versions). The caller decides whether the domain of
    /// an answer is trusted; one that is no plain `host[:port]` is not used at all.
    pub fn link(&self, share_domain: Option<&str>, key: &SecretKey) -> Link {
        let key = key.expose();
        match share_domain.and_then(plain_host) {
            Some(domain) => Link::new(format!("https://{domain}/secret/{key}")),
            None => Link::new(format!("{}://{}/secret/{key}", self.base.scheme(), self.host)),
        }
    }
}

/// The lowercased domain when it is a plain host with an optional port.
pub(super) fn plain_host(domain: &str) -> Option<String> {
    let domain = domain.trim().to_ascii_lowercase();
    let (host, port) = domain
        .split_once(':')
        .map_or((domain.as_str(), None), |(h, p)| (h, Some(p)));
    let host_fits = !host.is_empty()
        && host.len() <= 253
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && host.split('.').all(|label| !label.is_empty());
    let port_fits = port.is_none_or(|p| p.parse::<u16>().is_ok());
    (host_fits && port_fits).then_some(domain)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_valid() {
        for region in [Region::Us, Region::Eu, Region::Ca, Region::Nz, Region::Uk] {
            let endpoint = Endpoint::region(region);
            assert_eq!(endpoint.base().as_str(), format!("https://{}/", region.host()));
        }
    }

    #[test]
    fn urls_are_checked() {
        use EndpointError::*;
        let table = [
            ("secrets.example.com", Err(NotAUrl)),
            ("https://", Err(NotAUrl)),
            ("ftp://example.com", Err(Scheme)),
            ("http://example.com", Err(Insecure)),
            ("http://localhost.example.com", Err(Insecure)),
            ("https://u:p@example.com", Err(UserInfo)),
            ("https://example.com/base", Err(Path)),
            ("https://example.com//", Err(Path)),
            ("https://example.com/?a", Err(QueryOrFragment)),
            ("https://example.com/#a", Err(QueryOrFragment)),
            ("https://EXAMPLE.com:443/", Ok("example.com")),
            ("https://example.com:8443", Ok("example.com:8443")),
            ("http://localhost:7143", Ok("localhost:7143")),
            ("http://127.0.0.1:7143", Ok("127.0.0.1:7143")),
            ("http://[::1]:7143", Ok("[::1]:7143")),
        ];
        for (url, want) in table {
            let got = Endpoint::parse(url, false);
            assert_eq!(got.as_ref().map(Endpoint::host).map_err(|e| *e), want, "{url}");
        }
        assert!(Endpoint::parse("http://example.com", true).is_ok());
    }

    #[test]
    fn link_forms() {
        let key = SecretKey::parse("3zrt7inskylvt4j20bzd0un12bnp25s").unwrap();
        let endpoint = Endpoint::parse("https://secrets.example.com", false).unwrap();
        let link = |domain| endpoint.link(domain, &key).expose().to_owned();
        let own = format!("https://secrets.example.com/secret/{}", key.expose());
        assert_eq!(link(None), own);
        assert_eq!(link(Some("")), own);
        assert_eq!(link(Some("evil.example/x")), own);
        assert_eq!(link(Some("user@evil.example")), own);
        assert_eq!(
            link(Some("Go.Example.org")),
            format!("https://go.example.org/secret/{}", key.expose())
        );
        let local = Endpoint::parse("http://127.0.0.1:7143", false).unwrap();
        let want = format!("http://127.0.0.1:7143/secret/{}", key.expose());
        assert_eq!(local.link(None, &key).expose(), want);
    }
}
