//! Only the holder releases a lease.

use super::*;
use serde_json::json;

/// A lease that `leader` holds and does not renew.
async fn held(fixture: &Fixture) -> (Lease, Connection) {
    let (mut lease, connection) = fixture.lease("leader", DURATION);
    lease.acquire(|_| {}).await;
    assert_eq!(fixture.server.holder().as_deref(), Some("leader"));
    (lease, connection)
}

#[test]
fn our_own_lease_is_released() {
    run(async {
        let fixture = Fixture::new();
        let (mut lease, _) = held(&fixture).await;
        lease.release().await;
        assert_eq!(fixture.server.holder(), None);
        assert!(fixture.server.spec().is_some(), "the lease itself stays");
    });
}

#[test]
fn a_lease_of_another_holder_is_not_released() {
    run(async {
        let fixture = Fixture::new();
        let (mut lease, _) = held(&fixture).await;
        fixture
            .server
            .edit(&record("thief", 15, "2001-02-03T04:05:06.000000Z"));
        let version = fixture.server.version();
        lease.release().await;
        assert_eq!(fixture.server.holder().as_deref(), Some("thief"));
        assert_eq!(fixture.server.version(), version, "nothing is written");
    });
}

#[test]
fn a_lease_that_changes_hands_meanwhile_is_not_released() {
    run(async {
        let fixture = Fixture::new();
        let (mut lease, connection) = held(&fixture).await;
        connection.edit_after_read(json!({"spec": {"holderIdentity": "thief"}}));
        lease.release().await;
        assert_eq!(fixture.server.holder().as_deref(), Some("thief"));
    });
}

#[test]
fn a_conflict_over_our_own_lease_does_not_prevent_its_release() {
    run(async {
        let fixture = Fixture::new();
        let (mut lease, connection) = held(&fixture).await;
        connection.edit_after_read(json!({"metadata": {"annotations": {"some": "body"}}}));
        lease.release().await;
        assert_eq!(fixture.server.holder(), None);
    });
}

#[test]
fn a_missing_lease_is_not_created_by_a_release() {
    run(async {
        let fixture = Fixture::new();
        let (mut lease, _) = held(&fixture).await;
        fixture.server.delete();
        lease.release().await;
        assert_eq!(fixture.server.spec(), None);
    });
}

/// The operator is about to exit, and must not wait for an API server that does not respond.
#[test]
fn a_release_that_fails_ends_before_the_lease_expires() {
    run(async {
        for reply in [Reply::Hang, Reply::Refuse(500), Reply::Refuse(409)] {
            let fixture = Fixture::new();
            let (mut lease, connection) = held(&fixture).await;
            connection.fault(reply, reply);
            let from = fixture.clock.now();
            let released = tokio::time::timeout(DURATION * 2, lease.release()).await;
            assert!(released.is_ok(), "{reply:?}: does not end");
            let took = fixture.clock.now() - from;
            assert!(took <= DURATION, "{reply:?}: took {took:?}");
            assert_eq!(fixture.server.holder().as_deref(), Some("leader"));
        }
    });
}
