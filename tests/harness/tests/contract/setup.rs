//! Sets up the fake server for a scenario, and controls it between exchanges.
//!
//! It follows the recordings' `notes`; it must not know the answers, except where Redis was
//! stopped: there a fault plan plays the part.

use harness::onetime::{
    Account, Canned, Config, Fault, MailServer, Matcher, OnetimeServer, Rule, Site, Stage, Version,
};
use serde_json::Value;

use crate::recording::Scenario;
use crate::replay;

const ACCOUNTS: [&str; 2] = ["alice@example.com", "bob@example.com"];

pub fn token(username: &str) -> String {
    format!("token-of-{username}")
}

pub fn accounts(version: Version) -> Config {
    ACCOUNTS.iter().fold(Config::new(version), |config, name| {
        config.account(name, &token(name))
    })
}

pub fn config(scenario: &Scenario) -> Config {
    let mut config = accounts(scenario.version);
    let own_site = Some(Site {
        host: "secrets.example.com".to_owned(),
        ssl: true,
    });
    match scenario.name.as_str() {
        "v0.23.6/v1-auth-disabled" => config.auth_enabled = false,
        "v0.23.6/v1-passphrase-required" => config.passphrase_required = true,
        "v0.23.6/v1-link-form" | "v0.26.6/v1-link-form" => config.site = own_site,
        "v0.23.6/v1-share-domain-registered" => {
            config.site = own_site;
            config.domains = vec!["secrets.example.org".to_owned()];
        }
        "v0.23.6/v1-rate-limit" => {
            config.limits.create = Some(3);
            config.limits.email = Some(1);
            config.limits.look = Some(3);
            config.limits.open = Some(2);
            config.limits.burn = Some(2);
            config.limits.status = Some(3);
        }
        // 1000 in truth; 998 creations between the first two exchanges were not recorded.
        "v0.26.6/v1-rate-limit" => config.limits.create = Some(2),
        "v0.23.6/v1-smtp-down" | "v0.26.6/v1-smtp-down" => config.mail = MailServer::Down,
        "v0.23.6/v1-smtp-stall-blocks-server" => config.mail = stalled(),
        _ => {}
    }
    config
}

fn stalled() -> MailServer {
    MailServer::Stalled {
        held: std::time::Duration::from_millis(50),
    }
}

/// What happened to the server before that exchange.
pub async fn prepare(server: &OnetimeServer, scenario: &Scenario, index: usize, exchange: &Value) {
    match (scenario.name.as_str(), index) {
        ("v0.23.6/v1-smtp-down" | "v0.26.6/v1-smtp-down", 1) => server.set_mail(stalled()),
        // Alice was over her limit and is not any more: the recorder began a new window.
        ("v0.23.6/v1-rate-limit", 17) => server.reset_limits(),
        ("v0.23.6/v1-redis-stopped", 12) => server.wipe(),
        ("v0.23.6/v1-redis-stopped", 15) => recreate_accounts(server),
        ("v0.26.6/v1-redis-stopped", 21) => {
            server.wipe();
            recreate_accounts(server);
        }
        // Lists need a receipt that was received.
        ("v0.26.6/v2-basics", 6) => {
            let form = [("secret", "x"), ("recipient", "dave@example.com")];
            let json = replay::share(server, ACCOUNTS[0], &form).await;
            server.open(json["secret_key"].as_str().unwrap(), None).unwrap();
        }
        _ => {}
    }
    if scenario.name.ends_with("v1-redis-stopped") {
        break_redis(server, exchange);
    }
}

fn recreate_accounts(server: &OnetimeServer) {
    for name in ACCOUNTS {
        server.add_account(Account::new(name, &token(name)));
    }
}

/// These exchanges claim that a planned fault looks as the real one did. With `hincrby` refused
/// the share was stored all the same, and no mail was sent (the file's `notes`).
fn break_redis(server: &OnetimeServer, exchange: &Value) {
    let response = &exchange["response"];
    let refused_late = exchange["note"] == "redis refuses hincrby";
    let stage = if refused_late {
        Stage::AfterCommit
    } else {
        Stage::BeforeCommit
    };
    let canned = if response["status"] == 500 {
        Canned::ServerError
    } else if response["json"]["message"] == "An unexpected error occurred :[" {
        Canned::Unexpected
    } else {
        return;
    };
    server
        .plan()
        .push(Rule::once(Matcher::any(), Fault::Answer(stage, canned)).without_mail());
}
