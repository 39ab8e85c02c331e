//! SIGTERM while the operator starts: it has begun nothing and ends at once.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::api_proxy::{ApiProxy, Fault, Rule, Seen};
use harness::operator::{Launch, Operator};
use rustix::process::Signal;

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::PATIENCE;

integration_test!(stopped_while_starting);
/// Whichever of its lists does not come.
async fn stopped_while_starting(env: &Env) -> Result<()> {
    let lists: [fn(&Seen) -> bool; 4] = [
        |seen| is_list(seen, "/onetimeshares"),
        |seen| is_list(seen, "/shareproviders"),
        |seen| is_list(seen, "/clustershareproviders"),
        |seen| is_list(seen, "/secrets"),
    ];
    for matches in lists {
        let proxy = ApiProxy::start(env.client.clone()).await?;
        proxy.push(Rule {
            matches,
            skip: 0,
            times: 1,
            fault: Fault::Late(PATIENCE),
        });
        let launch = Launch {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_onetimeshare")),
            kubeconfig: proxy.kubeconfig().to_path_buf(),
            args: ["--watch-namespaces=starting", "--leader-elect=false"]
                .map(String::from)
                .into(),
            env: Vec::new(),
        };
        let mut operator = Operator::spawn(&launch).await?;
        asked(&proxy).await?;
        operator.signal(Signal::TERM)?;
        let status = operator.wait(Duration::from_secs(10)).await?;
        ensure!(status.success(), "{status}");
    }
    Ok(())
}

/// The first list of a cache; the check for the definitions asks for one object only.
fn is_list(seen: &Seen, kind: &str) -> bool {
    seen.path.ends_with(kind)
        && !seen.is_watch()
        && !seen.query.contains("limit=1&")
        && !seen.query.ends_with("limit=1")
}

async fn asked(proxy: &ApiProxy) -> Result<()> {
    let wait = async {
        while proxy.hits() == 0 {
            tokio::task::yield_now().await;
        }
    };
    Ok(tokio::time::timeout(PATIENCE, wait).await?)
}
