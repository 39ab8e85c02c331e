//! Runs the fake Onetime Secret server as a program, for developers: `--help` lists the options.
//!
//! It must not do anything that the library cannot.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use harness::onetime::{Config, OnetimeServer, Version};

const HELP: &str = "\
onetime-fake: Onetime Secret in memory, as recorded

  --version v0.23|v0.26     the imitated version (v0.26)
  --listen ADDRESS:PORT     where to listen (127.0.0.1:0, a free port)
  --account USER:TOKEN      an account; may be given many times
  --domain HOST             a registered share domain; may be given many times
  --ca FILE                 serve TLS, and write the CA to trust to FILE
";

struct Options {
    config: Config,
    ca: Option<PathBuf>,
}

#[tokio::main]
#[allow(clippy::print_stdout, reason = "a program for the terminal")]
async fn main() -> Result<()> {
    let Some(Options { config, ca }) = options(std::env::args().skip(1))? else {
        print!("{HELP}");
        return Ok(());
    };
    let server = OnetimeServer::start(config).await?;
    if let (Some(file), Some(pem)) = (ca, server.ca_pem()) {
        tokio::fs::write(&file, pem)
            .await
            .with_context(|| format!("writing {}", file.display()))?;
    }
    println!("{}", server.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// None when help was asked for.
fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>> {
    let mut options = Options {
        config: Config::new(Version::V0_26),
        ca: None,
    };
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "--help" | "-h") {
            return Ok(None);
        }
        let value = words.next().with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--version" => options.config.version = version(&value)?,
            "--listen" => options.config.listen = value.parse().context("--listen")?,
            "--account" => {
                let (username, token) = value.rsplit_once(':').context("--account wants USER:TOKEN")?;
                options.config = options.config.account(username, token);
            }
            "--domain" => options.config.domains.push(value),
            "--ca" => {
                options.config.tls = true;
                options.ca = Some(value.into());
            }
            _ => bail!("unknown option {word}\n\n{HELP}"),
        }
    }
    Ok(Some(options))
}

fn version(text: &str) -> Result<Version> {
    match text.trim_start_matches('v') {
        "0.23" | "0.23.6" => Ok(Version::V0_23),
        "0.26" | "0.26.6" => Ok(Version::V0_26),
        _ => bail!("--version wants v0.23 or v0.26"),
    }
}
