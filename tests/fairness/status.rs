//! What the status of a share says.

use harness::cluster;
use serde_json::Value;

/// Ready, and the status speaks of the newest spec.
pub fn is_ready_now(share: &Value) -> bool {
    cluster::is_ready(share) && share["status"]["observedGeneration"] == share["metadata"]["generation"]
}

/// Whether the status tells that the share waits for its turn or for the end of a pause.
pub fn tells_to_wait(share: &Value) -> bool {
    ["InProgress", "RateLimited"]
        .iter()
        .any(|reason| cluster::is(share, "Ready", "Unknown", reason))
}

/// The message of the condition Ready.
pub fn message(share: &Value) -> String {
    let ready = cluster::condition(share, "Ready");
    let message = ready.and_then(|ready| ready["message"].as_str());
    message.unwrap_or_default().to_owned()
}

/// A share in one line: its name, and what its condition Ready says.
pub fn brief(share: &Value) -> String {
    let name = share["metadata"]["name"].as_str().unwrap_or_default();
    let Some(ready) = cluster::condition(share, "Ready") else {
        return format!("{name} has no condition Ready");
    };
    let word = |field: &str| ready[field].as_str().unwrap_or_default();
    let (status, reason, message) = (word("status"), word("reason"), word("message"));
    format!("{name} has Ready={status}/{reason} {message:?}")
}
