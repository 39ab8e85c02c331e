//! What is counted, as /metrics shows it.

use super::*;
use crate::api::provider::ProviderStatus;
use crate::api::share::ProviderKind;

fn not_ready(reason: Reason) -> ProviderStatus {
    let condition = serde_json::json!({
        "type": "Ready", "status": "False", "reason": reason.as_str(), "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    ProviderStatus {
        conditions: vec![serde_json::from_value(condition).expect("a condition")],
        ..ProviderStatus::default()
    }
}

fn lines(metrics: &Metrics, start: &str) -> Vec<String> {
    let text = metrics.encode().expect("text");
    let lines = text.lines().filter(|line| line.starts_with(start));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_request_is_counted_with_its_time() {
    let metrics = Metrics::default();
    metrics.service_request("share").ended("ok");
    assert_eq!(
        lines(&metrics, "onetimeshare_service_requests_total"),
        ["onetimeshare_service_requests_total{operation=\"share\",outcome=\"ok\"} 1"]
    );
    assert_eq!(
        lines(&metrics, "onetimeshare_service_request_duration_seconds_count"),
        ["onetimeshare_service_request_duration_seconds_count{operation=\"share\"} 1"]
    );
}

#[test]
fn a_link_is_shown_once() {
    let metrics = Metrics::default();
    let shown = |metrics: &Metrics| {
        metrics.shown("nonce", || Duration::from_secs(3));
        lines(metrics, "onetimeshare_time_to_link_seconds_count")
    };
    let count = |count: u32| [format!("onetimeshare_time_to_link_seconds_count {count}")];
    assert_eq!(shown(&metrics), count(0), "another process made it");
    let created = || Transition::Created {
        attempt: "nonce".into(),
        mail: None,
    };
    metrics.count(created());
    assert_eq!(shown(&metrics), count(1));
    assert_eq!(shown(&metrics), count(1), "written again");
    metrics.count(created());
    metrics.count(Transition::Over {
        attempt: "nonce".into(),
    });
    assert_eq!(shown(&metrics), count(1), "over before it was shown");
    assert!(metrics.unshown().is_empty());
}

#[test]
fn only_the_leader_tells_what_there_is() {
    let metrics = Metrics::default();
    let mut inventory = Inventory::default();
    inventory.provider(ProviderKind::ShareProvider, Some(&ProviderStatus::default()));
    inventory.provider(ProviderKind::ShareProvider, Some(&not_ready(Reason::SecretEmpty)));
    let told = |metrics: &Metrics| {
        [
            "onetimeshare_shares",
            "onetimeshare_ledger_entries",
            "onetimeshare_providers",
            "onetimeshare_providers_not_ready",
        ]
        .map(|name| lines(metrics, &format!("{name}{{")).len())
    };
    metrics.inventory(&inventory);
    assert_eq!(told(&metrics), [0, 0, 0, 0]);
    metrics.leading(true);
    metrics.inventory(&inventory);
    metrics.quarantined(3);
    assert_eq!(told(&metrics), [6, 6, 6, 8]);
    let empty = "onetimeshare_providers_not_ready{reason=\"SecretEmpty\"}";
    assert_eq!(lines(&metrics, empty), [format!("{empty} 1")]);
    metrics.inventory(&Inventory::default());
    assert!(lines(&metrics, empty).is_empty(), "nobody has it any more");
    metrics.inventory(&inventory);
    let unknown = "onetimeshare_providers{kind=\"ShareProvider\",ready=\"Unknown\"}";
    assert_eq!(lines(&metrics, unknown), [format!("{unknown} 1")]);
    metrics.leading(false);
    metrics.inventory(&inventory);
    assert_eq!(told(&metrics), [0, 0, 0, 0]);
    for name in ["onetimeshare_quarantined_links", "onetimeshare_leader"] {
        assert_eq!(lines(&metrics, name), [format!("{name} 0")]);
    }
}
