//! The life of the pod: whether it takes part in an election, and how long it may take to end.

use anyhow::{Context as _, Result, ensure};

use crate::helm::{of_kind, template};

pub fn election() -> Result<()> {
    for (values, wanted) in [(&[][..], "true"), (&["leaderElect=false"], "false")] {
        let pod = pod(values)?;
        let args = pod["containers"][0]["args"].to_string();
        ensure!(args.contains(&format!("\"--leader-elect={wanted}\"")), "{args}");
    }
    Ok(())
}

/// What was begun has the time that it may take, whatever the values say.
pub fn grace_period() -> Result<()> {
    let rows: [(&[&str], i64); 6] = [
        (&[], 60),
        (&["terminationGracePeriodSeconds=120"], 120),
        (&["terminationGracePeriodSeconds=0"], 60),
        (&["attemptDeadline=45s"], 75),
        (&["attemptDeadline=1h1m1s"], 3691),
        (&["requestTimeout=2m"], 150),
    ];
    for (values, wanted) in rows {
        let found = &pod(values)?["terminationGracePeriodSeconds"];
        ensure!(*found == wanted, "{values:?}: {found}, not {wanted}");
    }
    Ok(())
}

fn pod(values: &[&str]) -> Result<serde_json::Value> {
    let objects = template(values)?;
    let deployment = of_kind(&objects, "Deployment").pop().context("a Deployment")?;
    Ok(deployment["spec"]["template"]["spec"].clone())
}
