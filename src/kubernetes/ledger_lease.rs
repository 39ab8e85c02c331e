//! The Lease that says which ledger a namespace belongs to. It is created once and never changed, renewed or deleted here:
//! `lease` is another thing, the election between the replicas of one operator.

use super::CALL_DEADLINE;
use crate::kubernetes::ApiError;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

/// The name of the Lease in every namespace with shares.
pub const LEDGER_LEASE: &str = "onetimeshare-ledger";

/// Whose a namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This operator's ledger.
    Ours,
    /// Another ledger, or one that the Lease does not name.
    Another,
}

/// Why it is not known whose a namespace is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// The namespace is being deleted, and nothing can be created in it any more.
    #[error("the namespace is being deleted")]
    Terminating,
    /// The API server.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// Creates the Lease of a namespace for the ledger with this uid, or reads whose it is when there is one.
///
/// # Errors
/// [`HoldError`] when neither is possible.
pub async fn hold(client: &Client, namespace: &str, ledger_uid: &str) -> Result<Holder, HoldError> {
    let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let lease = Lease {
        metadata: ObjectMeta {
            name: Some(LEDGER_LEASE.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(ledger_uid.to_owned()),
            ..LeaseSpec::default()
        }),
    };
    let params = PostParams::default();
    let refusal = match limited(api.create(&params, &lease)).await {
        Ok(_) => return Ok(Holder::Ours),
        // The client repeats a create after a 504: the Lease that is in the way may be our own.
        Err(HoldError::Api(error)) if error.is_conflict() => None,
        // Somebody with the right may have created it for this operator.
        Err(HoldError::Api(error)) if error.is_forbidden() => Some(error),
        Err(error) => return Err(error),
    };
    if mutant!("lease-conflict-won") && refusal.is_none() {
        return Ok(Holder::Ours);
    }
    match (limited(api.get(LEDGER_LEASE)).await, refusal) {
        (Ok(found), _) => Ok(holder(&found, ledger_uid)),
        (Err(_), Some(refusal)) => Err(refusal.into()),
        (Err(error), None) => Err(error),
    }
}

fn holder(lease: &Lease, ledger_uid: &str) -> Holder {
    let named = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref());
    match named {
        Some(named) if named == ledger_uid => Holder::Ours,
        _ => Holder::Another,
    }
}

async fn limited<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, HoldError> {
    match tokio::time::timeout(CALL_DEADLINE, call).await {
        Ok(Err(kube::Error::Api(status))) if status.code == 403 && is_terminating(&status) => {
            Err(HoldError::Terminating)
        }
        Ok(result) => result.map_err(|error| HoldError::Api(error.into())),
        Err(_) => Err(HoldError::Api(ApiError::Deadline)),
    }
}

fn is_terminating(status: &kube::core::Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .into_iter()
        .any(|cause| cause.reason == "NamespaceTerminating")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};

    /// An API server that answers a create and a get with these codes and bodies, and notes what it was asked.
    #[derive(Clone)]
    struct ApiServer {
        create: (u16, Value),
        get: (u16, Value),
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl tower_service::Service<Request<Body>> for ApiServer {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            let what = format!("{} {}", request.method(), request.uri().path());
            let (code, body) = if request.method() == http::Method::POST {
                &self.create
            } else {
                &self.get
            };
            self.asked.lock().expect("no panic").push(what);
            let response = Response::builder()
                .status(*code)
                .body(Body::from(body.to_string().into_bytes()));
            std::future::ready(Ok(response.expect("a response")))
        }
    }

    fn lease(holder: &Value) -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": LEDGER_LEASE, "namespace": "team"}, "spec": {"holderIdentity": holder},
        })
    }

    fn failure(code: u16, reason: &str, causes: &Value) -> (u16, Value) {
        let status = json!({
            "apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "", "code": code, "reason": reason,
            "details": {"name": LEDGER_LEASE, "kind": "leases", "causes": causes},
        });
        (code, status)
    }

    async fn asked(create: (u16, Value), get: (u16, Value)) -> (Result<Holder, HoldError>, usize) {
        let server = ApiServer {
            create,
            get,
            asked: Arc::default(),
        };
        let client = Client::new(server.clone(), "default");
        let found = hold(&client, "team", "ours").await;
        let asked = server.asked.lock().expect("no panic").clone();
        let path = "/apis/coordination.k8s.io/v1/namespaces/team/leases";
        assert_eq!(asked[0], format!("POST {path}"));
        assert!(
            asked[1..]
                .iter()
                .all(|get| *get == format!("GET {path}/{LEDGER_LEASE}"))
        );
        (found, asked.len())
    }

    #[tokio::test]
    async fn whoever_creates_it_holds_it() {
        let there = || failure(409, "AlreadyExists", &json!([]));
        let refused = || failure(403, "Forbidden", &json!([]));
        let other = || (200, lease(&json!("theirs")));
        let ours = || (200, lease(&json!("ours")));
        let terminating = || failure(403, "Forbidden", &json!([{"reason": "NamespaceTerminating"}]));
        let forbidden = || {
            HoldError::Api(ApiError::Status {
                code: 403,
                reason: "Forbidden".into(),
            })
        };
        for (create, get, found, requests) in [
            ((201, lease(&json!("ours"))), refused(), Ok(Holder::Ours), 1),
            (there(), ours(), Ok(Holder::Ours), 2),
            (there(), other(), Ok(Holder::Another), 2),
            (there(), (200, lease(&json!(""))), Ok(Holder::Another), 2),
            (there(), (200, lease(&json!(null))), Ok(Holder::Another), 2),
            (there(), refused(), Err(forbidden()), 2),
            (refused(), ours(), Ok(Holder::Ours), 2),
            (refused(), other(), Ok(Holder::Another), 2),
            (
                refused(),
                failure(404, "NotFound", &json!([])),
                Err(forbidden()),
                2,
            ),
            (terminating(), ours(), Err(HoldError::Terminating), 1),
        ] {
            assert_eq!(
                asked(create.clone(), get.clone()).await,
                (found, requests),
                "{create:?} {get:?}"
            );
        }
    }
}
