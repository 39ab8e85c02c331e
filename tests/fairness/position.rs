//! A share that waits for its turn tells its position, once.

use anyhow::Result;
use futures::future::join_all;
use harness::onetime::Version;
use serde_json::{Value, json};

use crate::findings::Findings;
use crate::leaving::held;
use crate::place::{PATIENCE, Place, SOON, account, merged, service, through};
use crate::stage::Plane;
use crate::status::{message, tells_to_wait};

const NAMES: [&str; 3] = ["first", "second", "third"];

pub async fn run(plane: &Plane) -> Result<()> {
    let (place, [tenant]) = Place::open(plane, "position", ["here"], &["--attempt-deadline=90s"]).await?;
    let service = service(Version::V0_26).await?;
    let spec = merged(account(), json!({"maxConcurrentRequests": 1}));
    tenant.provider("slow", &service, spec).await?;
    let gate = held(&tenant, &service).await?;
    let mut findings = Findings::default();
    let mut positions = Vec::new();
    for name in NAMES {
        tenant.share(name, through("slow")).await?;
        // One by one, so that they come in this order.
        let told = |share: &Value| tells_to_wait(share) && position(&message(share)).is_some();
        let told = tenant.wait(name, "told its position", SOON, told).await;
        let Some(share) = findings.take(told) else {
            continue;
        };
        positions.extend(position(&message(&share)));
    }
    println!("position: {positions:?}");
    findings.unless(positions.is_sorted_by(|one, next| one < next), || {
        format!("the positions of those who came one after the other are {positions:?}")
    });
    gate.open();
    for ready in join_all(NAMES.map(|name| tenant.ready(name, PATIENCE))).await {
        findings.take(ready);
    }
    let calls = place.calls().await?;
    for name in NAMES {
        // One that comes too late is refused and counts for nothing.
        let writes = calls.iter().filter(|call| {
            call.namespace == tenant.namespace
                && call.name == name
                && call.what() == "patch onetimeshares/status"
                && call.code == 200
        });
        let times: Vec<_> = writes.map(|call| call.at.to_string()).collect();
        findings.unless(times.len() <= 2, || {
            format!("the status of {name} was written at {times:?}: to wait, and the link, makes two")
        });
    }
    place.close().await?;
    findings.end()
}

/// The first number in a message.
fn position(message: &str) -> Option<usize> {
    let digits = message.split(|letter: char| !letter.is_ascii_digit());
    digits
        .filter(|digits| !digits.is_empty())
        .find_map(|digits| digits.parse().ok())
}
