//! The calls of the API, one function for each.
//!
//! Owns: paths, limits of size and time, and which error a failed exchange is. Must
//! not: retry, or judge an answer (see `wire::answer`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Uri};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::clock::Deadline;

use super::client_config::ClientConfig;
use super::http::connect::GuardedConnector;
use super::http::exchange::{Failure, Http, Outgoing, Reply, client as connections, exchange};
use super::http::failure::{not_answered, not_created};
use super::http::tls;
use super::wire::answer;
use super::{
    Account, CallError, ClientBuildError, CreateError, Created, Endpoint, GenerateRequest, Generated,
    MetadataKey, Receipt, Recent, ServerStatus, ShareRequest, Transport, Via, request,
};

/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// The largest list of receipts that is read, in bytes: v2 takes 1.8 kB for each
/// (v2-basics.json, v0.26: 2.5 MB for 1392), so this is room for 18,000.
const RECENT_LIMIT: usize = 32 * 1024 * 1024;

/// A client of one installation. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    http: Http,
    request_timeout: Duration,
    user_agent: HeaderValue,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("host", &self.0.endpoint.host())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Builds a client; connects to nothing.
    ///
    /// # Errors
    /// [`ClientBuildError`] names the block of the CA bundle that is wrong.
    pub fn new(config: ClientConfig) -> Result<Self, ClientBuildError> {
        let tls = tls::client_config(config.ca_bundle.as_deref())?;
        let connector = GuardedConnector::new(config.addresses, config.connect_timeout);
        let user_agent =
            HeaderValue::from_str(&config.user_agent).map_err(|_| ClientBuildError::UserAgent)?;
        Ok(Self(Arc::new(Inner {
            http: connections(tls, connector, config.connect_timeout),
            endpoint: config.endpoint,
            request_timeout: config.request_timeout,
            user_agent,
        })))
    }

    /// The installation that this client talks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Puts a secret behind a link: `POST /api/v1/share`. Sent at most once.
    ///
    /// # Errors
    /// [`CreateError`]: only `UnknownOutcome` leaves open whether the share exists.
    pub async fn share(
        &self,
        account: &Account,
        request: &ShareRequest,
        deadline: Deadline,
    ) -> Result<Created, CreateError> {
        let reply = self
            .post(account, "/api/v1/share", request.form(), &deadline)
            .await;
        answer::share(reply.map_err(not_created)?.answer())
    }

    /// Has a secret generated and put behind a link: `POST /api/v1/generate`. Sent at most once.
    ///
    /// # Errors
    /// [`CreateError`]: only `UnknownOutcome` leaves open whether the share exists.
    pub async fn generate(
        &self,
        account: &Account,
        request: &GenerateRequest,
        deadline: Deadline,
    ) -> Result<Generated, CreateError> {
        let reply = self
            .post(account, "/api/v1/generate", request.form(), &deadline)
            .await;
        answer::generate(reply.map_err(not_created)?.answer())
    }

    /// Looks at a receipt: `GET /api/v1/private/KEY`. On v0.23 the first look turns
    /// `new` into `viewed` and gives the value, which is dropped unread and wiped.
    ///
    /// # Errors
    /// [`CallError`]; `Gone` when the receipt has expired, which is after twice the ttl.
    pub async fn receipt(
        &self,
        account: &Account,
        key: &MetadataKey,
        deadline: Deadline,
    ) -> Result<Receipt, CallError> {
        let reply = self
            .get(account, &receipt_path(key), ANSWER_LIMIT, &deadline)
            .await?;
        answer::receipt(reply.answer(), key)
    }

    /// Looks at a receipt and keeps the value, to recover a generated secret whose
    /// answer was lost: v0.26 gives it again for generated secrets (v1-generate.json),
    /// v0.23 on the first look of a shared one only.
    ///
    /// # Errors
    /// As [`Client::receipt`].
    pub async fn receipt_with_value(
        &self,
        account: &Account,
        key: &MetadataKey,
        deadline: Deadline,
    ) -> Result<(Receipt, Option<SecretString>), CallError> {
        let reply = self
            .get(account, &receipt_path(key), ANSWER_LIMIT, &deadline)
            .await?;
        Ok((
            answer::receipt(reply.answer(), key)?,
            answer::value(reply.answer()),
        ))
    }

    /// Burns a secret unread: `POST /api/v1/private/KEY/burn`. May be repeated: burning
    /// what is burned is `Gone`. Works with any account, or none (v1-burn.json).
    ///
    /// # Errors
    /// [`CallError`]; `Gone` when it was read, burned or expired before (the receipt
    /// tells which), `WrongPassphrase` when the share has another passphrase.
    pub async fn burn(
        &self,
        account: &Account,
        key: &MetadataKey,
        passphrase: Option<&SecretString>,
        deadline: Deadline,
    ) -> Result<(), CallError> {
        let path = Zeroizing::new(format!("{}/burn", *receipt_path(key)));
        let reply = self
            .post(account, &path, request::burn_form(passphrase), &deadline)
            .await;
        answer::burn(reply.map_err(not_answered)?.answer(), key)
    }

    /// Lists the account's receipts of the last 30 days: v1, and v2 where v1 is broken.
    ///
    /// # Errors
    /// [`CallError`]; a list that is missing, cut short, over 32 MiB, late or
    /// unreadable in any entry is an error, never an empty list.
    pub async fn recent(&self, account: &Account, deadline: Deadline) -> Result<Recent, CallError> {
        let first = self.recent_via(account, Via::V1, &deadline).await;
        match first {
            Err(error) if error.is_worth_asking_v2() => self.recent_via(account, Via::V2, &deadline).await,
            first => first,
        }
    }

    /// Asks whether the service is up: `GET /api/v1/status`, without credentials.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn status(&self, deadline: Deadline) -> Result<ServerStatus, CallError> {
        let reply = self
            .get(&Account::Anonymous, "/api/v1/status", ANSWER_LIMIT, &deadline)
            .await?;
        answer::status(reply.answer())
    }

    /// Asks whether the credentials are right: `GET /api/v1/authcheck`.
    ///
    /// # Errors
    /// [`CallError`]; always `Unauthorized` for an anonymous account (v1-authcheck.json).
    pub async fn authcheck(&self, account: &Account, deadline: Deadline) -> Result<(), CallError> {
        let reply = self
            .get(account, "/api/v1/authcheck", ANSWER_LIMIT, &deadline)
            .await?;
        answer::authcheck(reply.answer())
    }

    /// Asks for the server's version: `GET /api/v2/version`; none where it is kept back.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn version(&self, account: &Account, deadline: Deadline) -> Result<Option<String>, CallError> {
        let reply = self
            .get(account, "/api/v2/version", ANSWER_LIMIT, &deadline)
            .await?;
        answer::version(reply.answer())
    }

    async fn recent_via(
        &self,
        account: &Account,
        via: Via,
        deadline: &Deadline,
    ) -> Result<Recent, CallError> {
        let path = match via {
            Via::V1 => "/api/v1/private/recent",
            Via::V2 => "/api/v2/private/recent",
        };
        let reply = self.get(account, path, RECENT_LIMIT, deadline).await?;
        answer::recent(reply.answer(), via)
    }

    async fn get(
        &self,
        account: &Account,
        path: &str,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Reply, CallError> {
        self.send(Method::GET, account, path, None, limit, deadline)
            .await
            .map_err(not_answered)
    }

    async fn post(
        &self,
        account: &Account,
        path: &str,
        form: Zeroizing<Vec<u8>>,
        deadline: &Deadline,
    ) -> Result<Reply, Failure> {
        self.send(Method::POST, account, path, Some(form), ANSWER_LIMIT, deadline)
            .await
    }

    async fn send(
        &self,
        method: Method,
        account: &Account,
        path: &str,
        form: Option<Zeroizing<Vec<u8>>>,
        limit: usize,
        deadline: &Deadline,
    ) -> Result<Reply, Failure> {
        let Inner {
            endpoint,
            http,
            request_timeout,
            user_agent,
        } = &*self.0;
        let deadline = &deadline.or_after(*request_timeout);
        let base = endpoint.base().as_str().trim_end_matches('/');
        let url = Bytes::from_owner(Zeroizing::new(format!("{base}{path}").into_bytes()));
        // Endpoints and keys are validated, so this can't fail; if it did, nothing was sent.
        let uri = Uri::from_maybe_shared(url).map_err(|_| Failure::NotSent(Transport::Refused))?;
        let (authorization, user_agent) = (account.authorization(), user_agent.clone());
        let outgoing = Outgoing {
            method,
            uri,
            authorization,
            user_agent,
            form,
            deadline,
            limit,
        };
        exchange(http, outgoing).await
    }
}

fn receipt_path(key: &MetadataKey) -> Zeroizing<String> {
    Zeroizing::new(format!("/api/v1/private/{}", key.expose()))
}
