//! The calls of the API, one function for each.
//!
//! Owns: paths, and which answer belongs to which call. Must not: retry, or judge an answer (see `wire::answer`).

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::clock::Deadline;

use super::call::Caller;
use super::client_config::ClientConfig;
use super::http::failure::{not_answered, not_created};
use super::wire::answer;
use super::wire::list::ListReader;
use super::{
    Account, CallError, ClientBuildError, CreateError, Created, Endpoint, GenerateRequest, Generated,
    MetadataKey, Receipt, Recent, ServerStatus, ShareRequest, Via, request,
};

/// A client of one installation. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Client(Arc<Caller>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("host", &self.0.endpoint().host())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Builds a client; connects to nothing.
    ///
    /// # Errors
    /// [`ClientBuildError`] names the block of the CA bundle that is wrong.
    pub fn new(config: ClientConfig) -> Result<Self, ClientBuildError> {
        Ok(Self(Arc::new(Caller::new(config)?)))
    }

    /// The installation that this client talks to.
    pub fn endpoint(&self) -> &Endpoint {
        self.0.endpoint()
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
            .0
            .post(
                account,
                "/api/v1/share",
                request.form(),
                request.recipient.is_some(),
                &deadline,
            )
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
            .0
            .post(
                account,
                "/api/v1/generate",
                request.form(),
                request.recipient.is_some(),
                &deadline,
            )
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
        let reply = self.0.get(account, &receipt_path(key), &deadline).await?;
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
        let reply = self.0.get(account, &receipt_path(key), &deadline).await?;
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
            .0
            .post(account, &path, request::burn_form(passphrase), false, &deadline)
            .await;
        answer::burn(reply.map_err(not_answered)?.answer(), key)
    }

    /// Lists the account's receipts of the last 30 days: v1, and v2 where v1 is broken.
    ///
    /// # Errors
    /// [`CallError`]; a list that is missing, cut short, too large (128 MiB, 50,000 receipts), late or
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
            .0
            .get(&Account::Anonymous, "/api/v1/status", &deadline)
            .await?;
        answer::status(reply.answer())
    }

    /// Asks whether the credentials are right: `GET /api/v1/authcheck`.
    ///
    /// # Errors
    /// [`CallError`]; always `Unauthorized` for an anonymous account (v1-authcheck.json).
    pub async fn authcheck(&self, account: &Account, deadline: Deadline) -> Result<(), CallError> {
        let reply = self.0.get(account, "/api/v1/authcheck", &deadline).await?;
        answer::authcheck(reply.answer())
    }

    /// Asks for the server's version: `GET /api/v2/version`; none where it is kept back.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn version(&self, account: &Account, deadline: Deadline) -> Result<Option<String>, CallError> {
        let reply = self.0.get(account, "/api/v2/version", &deadline).await?;
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
        let mut list = ListReader::new(via);
        let reply = self.0.list(account, path, &mut list, deadline).await?;
        answer::listed(reply.answer(), list)
    }
}

fn receipt_path(key: &MetadataKey) -> Zeroizing<String> {
    Zeroizing::new(format!("/api/v1/private/{}", key.expose()))
}
