//! Requests for the unit tests of a share, and the ledger entries that belong to them.

pub(super) use crate::ledger::fixtures::*;

use crate::ledger::RequestKey;
use crate::share::inputs::request::{FINGERPRINT_VERSION, Request};

pub(super) fn request(id: &str) -> Request {
    let spec = serde_json::json!({"secretRef": {"name": "alice"}, "requestID": id});
    Request::parse(&serde_json::from_value(spec).expect("a spec")).expect("a valid spec")
}

pub(super) fn key(id: &str, epoch: u64) -> RequestKey {
    RequestKey {
        version: FINGERPRINT_VERSION,
        fingerprint: request(id).fingerprint(FINGERPRINT_VERSION).expect("known"),
        epoch,
    }
}

/// The entries of the ledger's fixtures are of the request "1".
#[test]
fn entries_and_requests_belong_together() {
    assert_eq!(key("1", EPOCH).fingerprint, FINGERPRINT);
}
