//! Two operators that share the work: the default shard and the shard `blue`, with one ledger.

mod alone;

pub use alone::{behind, part_of_a_rate};

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Fault, Gate, Hold, Journal, Matcher, Operation, Rule, Stage};
use harness::operator::Operator;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use onetimeshare::api::ShareProvider;
use onetimeshare::ledger::Owner;
use onetimeshare::shard::LABEL;
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::{PATIENCE, Scope};

/// So that a lost answer is settled in seconds.
const QUICK: [&str; 4] = [
    "--attempt-deadline=5s",
    "--settling-time=1s",
    "--request-timeout=2s",
    "--shards=2",
];

const BLUE: Option<&str> = Some("blue");

struct Shards {
    fixture: Fixture,
    scope: Scope,
}

pub async fn run() -> Result<()> {
    let fixture = Fixture::start(false).await?;
    let scope = Scope::open(&fixture, "team").await?;
    let shards = Shards { fixture, scope };
    let blue = shards.start(BLUE).await?;
    shards.its_own_and_no_other().await?;
    let default = shards.start(None).await?;
    shards.both_work().await?;
    shards.moved_at_rest().await?;
    shards.moved_before_it_can_be_sent().await?;
    shards.moved_while_its_post_hangs(&blue).await?;
    shards.moved_while_in_doubt().await?;
    shards.of_nobody().await?;
    ensure!(default.stop().await?.success());
    shards.the_new_shard_follows_up().await?;
    ensure!(blue.stop().await?.success());
    shards.given_away().await?;
    let journal = shards.scope.service.journal();
    let (posts, mails) = (journal.count(Operation::Share), journal.mails.len());
    ensure!(
        posts == 8 && mails == 8,
        "{posts} POSTs and {mails} e-mails for eight requests"
    );
    Ok(())
}

/// How many entries an operator took from another shard.
fn taken(log: &str) -> usize {
    log.matches("its ledger entry was taken").count()
}

impl Shards {
    async fn start(&self, shard: Option<&str>) -> Result<Operator> {
        let mut launch = self.fixture.launch.clone();
        launch.args.retain(|arg| !arg.starts_with("--leader-elect"));
        launch.args.extend(QUICK.map(String::from));
        launch.args.push(match shard {
            Some(name) => format!("--watch-label-selector={LABEL}={name}"),
            None => format!("--watch-label-selector=!{LABEL}"),
        });
        Operator::start(&launch).await
    }

    /// Applies a share that is mailed to a person of its name, with the label of a shard.
    async fn share(&self, name: &str, shard: Option<&str>, secret: &str) -> Result<()> {
        let object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {
                "name": name, "namespace": self.scope.name, "labels": shard.map(|shard| json!({LABEL: shard})),
            },
            "spec": {
                "secretRef": {"name": secret}, "providerRef": {"kind": "ShareProvider", "name": "here"},
                "recipient": format!("{name}@example.com"),
            },
        });
        cluster::apply_one(&self.fixture.client, object).await.map(drop)
    }

    async fn move_to(&self, name: &str, shard: Option<&str>) -> Result<()> {
        let label = Patch::Merge(json!({"metadata": {"labels": {LABEL: shard}}}));
        let shares = &self.scope.shares;
        shares.patch(name, &PatchParams::default(), &label).await?;
        Ok(())
    }

    async fn ready(&self, name: &str) -> Result<String> {
        let share = self.scope.wait(name, "ready", cluster::is_ready).await?;
        let link = share["status"]["link"].as_str().context("a link")?;
        Ok(link.to_owned())
    }

    fn entries(&self) -> Api<Secret> {
        Api::namespaced(self.fixture.client.clone(), "onetimeshare-ledger")
    }

    fn entry_name(&self, share: &str) -> String {
        let owner = Owner {
            namespace: self.scope.name.to_owned(),
            name: share.to_owned(),
        };
        owner.entry_name()
    }

    /// Waits until the entry of a share is this shard's.
    async fn entry_is_of(&self, name: &str, shard: Option<&str>) -> Result<()> {
        let (entries, entry_name) = (self.entries(), self.entry_name(name));
        until(&format!("the entry of {name} is that of {shard:?}"), async || {
            let entry = entries.get_opt(&entry_name).await?;
            let label = |entry: &Secret| entry.metadata.labels.as_ref()?.get(LABEL).cloned();
            Ok(entry.is_some_and(|entry| label(&entry).as_deref() == shard))
        })
        .await
    }

    async fn mailed(&self, name: &str) -> Result<()> {
        let address = format!("{name}@example.com");
        let mailed = |journal: &Journal| !journal.mails_to(&address).is_empty();
        let service = &self.scope.service;
        service.wait_for("e-mail", PATIENCE, mailed).await.map(drop)
    }

    fn one_mail(&self, name: &str) -> Result<()> {
        let journal = self.scope.service.journal();
        let mails = journal.mails_to(&format!("{name}@example.com")).len();
        ensure!(mails == 1, "{mails} e-mails to {name}");
        Ok(())
    }

    async fn provider_is_told_of(&self) -> Result<bool> {
        let providers: Api<ShareProvider> = Api::namespaced(self.fixture.client.clone(), self.scope.name);
        Ok(is_told_of(&serde_json::to_value(providers.get("here").await?)?))
    }

    /// Blue alone sends what is blue's, and neither sends nor says anything else.
    async fn its_own_and_no_other(&self) -> Result<()> {
        self.share("plain", None, "value").await?;
        self.share("first", BLUE, "value").await?;
        self.ready("first").await?;
        self.entry_is_of("first", BLUE).await?;
        ensure!(
            !self.provider_is_told_of().await?,
            "only the default shard tells of providers"
        );
        let plain = self.scope.shares.get("plain").await?;
        ensure!(!is_told_of(&plain.data), "another shard's share");
        let posts = self.scope.service.journal().count(Operation::Share);
        ensure!(posts == 1, "nothing of the other shard is sent");
        Ok(())
    }

    /// Each has its own lease, and the default shard tells of the provider.
    async fn both_work(&self) -> Result<()> {
        self.ready("plain").await?;
        self.entry_is_of("plain", None).await?;
        self.share("second", BLUE, "value").await?;
        self.ready("second").await?;
        let leases: Api<Lease> = Api::namespaced(self.fixture.client.clone(), "onetimeshare-system");
        for name in ["onetimeshare", "onetimeshare-blue"] {
            leases.get(name).await.with_context(|| name.to_owned())?;
        }
        until("somebody tells of the provider", async || {
            self.provider_is_told_of().await
        })
        .await
    }

    /// Nothing is sent, and the entry goes with the share, there and back again.
    async fn moved_at_rest(&self) -> Result<()> {
        let link = self.ready("plain").await?;
        for shard in [BLUE, None, BLUE] {
            self.move_to("plain", shard).await?;
            self.entry_is_of("plain", shard).await?;
        }
        ensure!(self.ready("plain").await? == link, "the same link");
        self.one_mail("plain")
    }

    /// The share waits for its Secret with one shard, and is sent by the other.
    async fn moved_before_it_can_be_sent(&self) -> Result<()> {
        self.share("waits", None, "late").await?;
        let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "SecretNotFound");
        self.scope.wait("waits", "waiting", waits).await?;
        self.move_to("waits", BLUE).await?;
        let late = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late", "namespace": self.scope.name},
            "stringData": {"value": "a value"},
        });
        cluster::apply_one(&self.fixture.client, late).await?;
        self.ready("waits").await?;
        self.entry_is_of("waits", BLUE).await?;
        self.one_mail("waits")
    }

    /// The outcome that the old shard writes is the new one's link.
    async fn moved_while_its_post_hangs(&self, blue: &Operator) -> Result<()> {
        let gate = Gate::new();
        let hang = Fault::Hang(Stage::AfterCommit, Hold::Until(gate.clone()));
        let matcher = Matcher::operation(Operation::Share).recipient("hangs@example.com");
        self.scope.service.plan().push(Rule::once(matcher, hang));
        let before = taken(&blue.log());
        self.share("hangs", None, "value").await?;
        self.mailed("hangs").await?;
        self.move_to("hangs", BLUE).await?;
        blue.wait_for_log(PATIENCE, |log| taken(log) > before).await?;
        gate.open();
        self.ready("hangs").await?;
        self.entry_is_of("hangs", BLUE).await?;
        self.one_mail("hangs")
    }

    /// The new shard waits until the old one certainly sends no more, and adopts the link.
    async fn moved_while_in_doubt(&self) -> Result<()> {
        let matcher = Matcher::operation(Operation::Share).recipient("doubt@example.com");
        let lost = Rule::once(matcher, Fault::commit_then_reset());
        self.scope.service.plan().push(lost);
        self.share("doubt", None, "value").await?;
        self.mailed("doubt").await?;
        self.move_to("doubt", BLUE).await?;
        self.ready("doubt").await?;
        self.entry_is_of("doubt", BLUE).await?;
        self.one_mail("doubt")
    }

    /// A share whose label names a shard without an operator waits, and goes on when it is moved.
    async fn of_nobody(&self) -> Result<()> {
        self.share("nobody", Some("green"), "value").await?;
        self.share("probe", None, "value").await?;
        self.ready("probe").await?;
        let nobody = self.scope.shares.get("nobody").await?;
        ensure!(!is_told_of(&nobody.data), "nobody works on it");
        self.move_to("nobody", None).await?;
        self.ready("nobody").await?;
        self.entry_is_of("nobody", None).await
    }

    /// The old shard is gone: what was moved is polled and burned by the new one.
    async fn the_new_shard_follows_up(&self) -> Result<()> {
        let service = &self.scope.service;
        let plain = self.scope.shares.get("plain").await?;
        let key = plain.data["status"]["secretKey"].as_str().context("a key")?;
        service.open(key, None).context("the link works")?;
        let received = |share: &Value| share["status"]["state"] == "Received";
        self.scope.wait("plain", "received", received).await?;
        for name in ["hangs", "doubt"] {
            self.scope.shares.delete(name, &DeleteParams::default()).await?;
        }
        self.scope.burned(2).await
    }

    /// A shard is removed as docs/scale.md says: the default shard follows up the entry of a share that is gone.
    async fn given_away(&self) -> Result<()> {
        self.scope
            .shares
            .delete("second", &DeleteParams::default())
            .await?;
        let default = self.start(None).await?;
        let name = self.entry_name("second");
        let mut entry = self.entries().get(&name).await?;
        let label = entry
            .metadata
            .labels
            .as_mut()
            .and_then(|labels| labels.remove(LABEL));
        ensure!(label.as_deref() == BLUE, "it was blue's: {label:?}");
        self.entries()
            .replace(&name, &PostParams::default(), &entry)
            .await?;
        self.scope.burned(3).await?;
        ensure!(default.stop().await?.success());
        Ok(())
    }
}

/// Whether somebody wrote a status: the API server gives a new object one that says of no generation.
fn is_told_of(object: &Value) -> bool {
    object["status"]["observedGeneration"]
        .as_i64()
        .is_some_and(|generation| generation >= 0)
}

/// Waits for a condition that can only be asked for.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let wait = async {
        while !condition().await? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .with_context(|| format!("{what}: not within {PATIENCE:?}"))?
}
