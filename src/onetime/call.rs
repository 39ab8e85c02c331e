//! From a path, an account and a form to a request, and from a failed exchange to an error. Knows no call by name.

use super::client_config::ClientConfig;
use super::endpoint::Endpoint;
use super::error::{CallError, Transport};
use super::http::connections::Connections;
use super::http::exchange::{Outgoing, Reply, exchange};
use super::http::failure::{Failure, not_answered};
use super::http::tls::{self, ClientBuildError};
use super::request::Account;
use super::wire::list::ListReader;
use crate::clock::Deadline;
use http::{HeaderValue, Method};
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// What every call goes through.
pub(super) struct Caller {
    endpoint: Endpoint,
    connections: Connections,
    request_timeout: Duration,
    user_agent: HeaderValue,
}

/// One call, before it is a request.
struct Call<'a> {
    method: Method,
    account: &'a Account,
    path: &'a str,
    form: Option<Zeroizing<Vec<u8>>>,
    fresh: bool,
}

impl<'a> Call<'a> {
    fn get(account: &'a Account, path: &'a str) -> Self {
        Self {
            method: Method::GET,
            account,
            path,
            form: None,
            fresh: false,
        }
    }
}

impl Caller {
    /// Connects to nothing yet.
    pub(super) fn new(config: ClientConfig) -> Result<Self, ClientBuildError> {
        let tls = tls::client_config(config.ca_bundle.as_deref())?;
        let user_agent =
            HeaderValue::from_str(&config.user_agent).map_err(|_| ClientBuildError::UserAgent)?;
        // The TLS configuration has its certificates by now, and its text may be long.
        let config = ClientConfig {
            ca_bundle: None,
            ..config
        };
        Ok(Self {
            endpoint: config.endpoint.clone(),
            request_timeout: config.request_timeout,
            user_agent,
            connections: Connections::new(config, tls).map_err(|_| ClientBuildError::Tls)?,
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A GET whose answer a list reader takes.
    pub(super) async fn list(
        &self,
        account: &Account,
        path: &str,
        list: &mut ListReader,
        deadline: &Deadline,
    ) -> Result<Reply, CallError> {
        let call = Call::get(account, path);
        self.send(call, deadline, Some(list)).await.map_err(not_answered)
    }

    pub(super) async fn get(
        &self,
        account: &Account,
        path: &str,
        deadline: &Deadline,
    ) -> Result<Reply, CallError> {
        let call = Call::get(account, path);
        self.send(call, deadline, None).await.map_err(not_answered)
    }

    /// `fresh`: only over a connection that is new or was used a moment ago.
    pub(super) async fn post(
        &self,
        account: &Account,
        path: &str,
        form: Zeroizing<Vec<u8>>,
        fresh: bool,
        deadline: &Deadline,
    ) -> Result<Reply, Failure> {
        let call = Call {
            method: Method::POST,
            account,
            path,
            form: Some(form),
            fresh,
        };
        self.send(call, deadline, None).await
    }

    async fn send(
        &self,
        call: Call<'_>,
        deadline: &Deadline,
        list: Option<&mut ListReader>,
    ) -> Result<Reply, Failure> {
        let Self {
            endpoint,
            connections,
            request_timeout,
            user_agent,
        } = self;
        let deadline = &deadline.or_after(*request_timeout);
        let base = endpoint.base().as_str().trim_end_matches('/');
        let url = Zeroizing::new(format!("{base}{}", call.path));
        // A key in the path is not wiped: reqwest keeps a Url of its own. Endpoints and keys are validated, so this can't
        // fail; if it did, nothing was sent.
        let url = Url::parse(&url).map_err(|_| Failure::NotSent(Transport::Refused))?;
        let outgoing = Outgoing {
            method: call.method,
            url,
            authorization: call.account.authorization(),
            user_agent: user_agent.clone(),
            form: call.form,
            deadline,
            fresh: call.fresh,
        };
        exchange(connections, outgoing, list).await
    }
}
