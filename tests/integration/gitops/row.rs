//! A live object and what Argo CD and Flux should make of it.

use anyhow::{Result, bail, ensure};
use kube::Api;
use kube::api::{DynamicObject, PostParams};
use serde_json::Value;

use super::engine::{Engine, Verdict};

/// An object, what it is called when it is judged wrongly, and what it should be.
pub struct Row {
    what: &'static str,
    pub object: Value,
    pub health: &'static str,
    /// What the message of the health must say.
    pub says: &'static str,
    kstatus: &'static str,
    offered: &'static [&'static str],
}

pub fn row(
    what: &'static str,
    object: Value,
    health: &'static str,
    says: &'static str,
    kstatus: &'static str,
) -> Row {
    Row {
        what,
        object,
        health,
        says,
        kstatus,
        offered: &[],
    }
}

impl Row {
    pub fn offering(mut self, offered: &'static [&'static str]) -> Self {
        self.offered = offered;
        self
    }

    fn check(&self, verdict: &Verdict, secrets: &[String]) -> Result<()> {
        let Verdict { health, kstatus, .. } = verdict;
        ensure!(
            health.status == self.health,
            "health is {health:?}, not {}",
            self.health
        );
        ensure!(
            health.message.contains(self.says),
            "{health:?} does not say {:?}",
            self.says
        );
        ensure!(
            kstatus.status == self.kstatus,
            "kstatus is {kstatus:?}, not {}",
            self.kstatus
        );
        let offered = verdict.offered()?;
        ensure!(
            offered == self.offered,
            "{offered:?} are offered, not {:?}",
            self.offered
        );
        for message in [&health.message, &kstatus.message] {
            ensure!(!message.is_empty(), "it says nothing");
            let leaks = secrets.iter().any(|secret| message.contains(secret.as_str()));
            ensure!(!leaks, "a message shows a link or a key");
        }
        Ok(())
    }
}

/// As the API server answers the request that creates it: the operator cannot have seen it.
pub async fn fresh(api: &Api<DynamicObject>, object: Value, kstatus: &'static str) -> Result<Row> {
    let object = api
        .create(&PostParams::default(), &serde_json::from_value(object)?)
        .await?;
    let object = serde_json::to_value(object)?;
    ensure!(
        object["status"]["conditions"].is_null(),
        "somebody was very quick: {:#}",
        object["status"]
    );
    Ok(row(
        "fresh",
        object,
        "Progressing",
        "waiting for the operator",
        kstatus,
    ))
}

/// Judges all of them at once, and says all that is wrong.
pub async fn compare(engine: &Engine, rows: &[Row]) -> Result<()> {
    let objects: Vec<Value> = rows.iter().map(|row| row.object.clone()).collect();
    let secrets: Vec<String> = objects
        .iter()
        .flat_map(|object| ["link", "secretKey", "attempt"].map(|field| object["status"][field].as_str()))
        .flatten()
        .map(str::to_owned)
        .collect();
    let mut wrong = Vec::new();
    for (row, verdict) in rows.iter().zip(engine.judge(&objects).await?) {
        if let Err(error) = row.check(&verdict, &secrets) {
            wrong.push(format!("{}: {error:#}", row.what));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}
