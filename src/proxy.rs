//! Forward proxies, as the environment names them.
//!
//! Owns: which URL goes through which proxy, decided exactly as Go's package `httpproxy` does, and therefore as kubectl
//! does. PURE: the environment is passed in. Must not: connect, or show the credentials of a proxy.

mod no_proxy;

use no_proxy::NoProxy;
use std::fmt;
use url::Url;

/// Why a text is not the URL of a proxy. Repeats nothing of it: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{named_by} is not a usable proxy URL: {flaw}")]
pub struct ProxyError {
    named_by: String,
    flaw: Flaw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Flaw {
    #[error(
        "write it as http://HOST:PORT, and percent-encode special characters of a user name and password (@ is %40)"
    )]
    Syntax,
    #[error("use an http or https proxy; other kinds, such as socks5, are not supported")]
    Scheme,
    #[error(
        "remove everything after the port, or percent-encode / ? and # of a user name and password (%2F, %3F and %23)"
    )]
    Rest,
}

/// The URL of a proxy, perhaps with a user name and password, which are never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// Reads the value of a variable or field, whose name the error repeats. Without a scheme it is an http proxy.
    ///
    /// # Errors
    /// [`ProxyError`] names the variable or field and the remedy.
    pub fn parse(named_by: &str, text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let parsed = if text.contains("://") {
            Url::parse(text)
        } else {
            Url::parse(&format!("http://{text}"))
        };
        let flawed = |flaw| ProxyError {
            named_by: named_by.to_owned(),
            flaw,
        };
        let url = parsed.map_err(|_| flawed(Flaw::Syntax))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(flawed(Flaw::Scheme));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(flawed(Flaw::Rest));
        }
        Ok(Self(url))
    }

    /// All of it, for the client that connects: user name and password too, percent-encoded as in the text.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}",
            self.0.scheme(),
            self.0.host_str().unwrap_or_default()
        )?;
        match self.0.port() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The proxies for http and https, and what goes past them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    no_proxy: NoProxy,
}

impl Proxies {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. Upper case goes before lower case; empty counts as absent.
    ///
    /// # Errors
    /// [`ProxyError`] names the variable and the remedy.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ProxyError> {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                let value = variable(name).filter(|value| !value.is_empty())?;
                Some((name, value))
            })
        };
        let proxy = |names| {
            first(names)
                .map(|(name, value)| ProxyUrl::parse(name, &value))
                .transpose()
        };
        let no_proxy = first(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, list)| list);
        Ok(Self {
            http: proxy(["HTTP_PROXY", "http_proxy"])?,
            https: proxy(["HTTPS_PROXY", "https_proxy"])?,
            no_proxy: NoProxy::parse(&no_proxy),
        })
    }

    /// The proxy for https. None when there is none.
    #[must_use]
    pub fn https(&self) -> Option<&ProxyUrl> {
        self.https.as_ref()
    }

    /// The proxy for http. None when there is none.
    #[must_use]
    pub fn http(&self) -> Option<&ProxyUrl> {
        self.http.as_ref()
    }

    /// The proxy that a URL goes through. Without one the connection is direct.
    #[must_use]
    pub fn for_url(&self, url: &Url) -> Option<&ProxyUrl> {
        let proxy = match url.scheme() {
            "https" => self.https.as_ref(),
            "http" => self.http.as_ref(),
            _ => None,
        }?;
        let (host, port) = (url.host()?, url.port_or_known_default()?);
        (!self.no_proxy.exempts(&host, port)).then_some(proxy)
    }
}

#[cfg(test)]
mod tests;
