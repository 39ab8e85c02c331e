//! Where a case takes place: the server here and the sender in a network namespace, joined by a path that can be cut; or
//! both on loopback.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What there is to stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Network namespaces.
    Namespaces,
    /// Only loopback.
    Loopback,
}

/// Why network namespaces cannot be made here, if so.
pub fn no_namespaces() -> Option<String> {
    let made = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--", "true"])
        .output();
    match made {
        Err(error) => Some(format!("unshare: {error}")),
        Ok(made) if !made.status.success() => Some(String::from_utf8_lossy(&made.stderr).trim().to_owned()),
        Ok(_) => None,
    }
}

/// Fails where the program `ip` is missing.
pub fn need_ip() -> Result<()> {
    std::process::Command::new("ip")
        .arg("-V")
        .output()
        .context("ip is missing: install iproute2, for instance with apt-get install iproute2")?;
    Ok(())
}

/// Runs `ip` in this namespace.
pub async fn ip(arguments: &[&str]) -> Result<()> {
    succeed(Command::new("ip").args(arguments)).await
}

async fn succeed(command: &mut Command) -> Result<()> {
    let done = command.kill_on_drop(true).output().await;
    let done = done.with_context(|| format!("{:?}", command.as_std()))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("{:?}: {}", command.as_std(), said.trim());
    }
    Ok(())
}

/// The place of one case. What it made ends with it.
pub struct Place {
    number: usize,
    /// The process that holds the sender's namespace, which ends when its input does.
    holder: Option<Child>,
}

impl Place {
    /// Makes the place of the case with this number, from 1 to 254; `rto` in ms.
    pub async fn make(ground: Ground, number: usize, rto: u32) -> Result<Self> {
        let holder = match ground {
            Ground::Loopback => None,
            Ground::Namespaces => Some(hold().await?),
        };
        let place = Self { number, holder };
        if place.holder.is_some() {
            place.join(rto).await?;
        }
        Ok(place)
    }

    /// Joins the two namespaces with a pair of interfaces: s1 here and c1 there, for the first case.
    async fn join(&self, rto: u32) -> Result<()> {
        let (number, process) = (self.number, self.process());
        let (here, there) = (format!("s{number}"), format!("c{number}"));
        let macs = [1, 2].map(|end| format!("02:00:00:00:{number:02x}:0{end}"));
        let subnet = format!("198.18.{number}.0/24");
        let add = ["link", "add", &here, "address", &macs[0], "type", "veth"];
        let peer = ["peer", "name", &there, "address", &macs[1], "netns", &process];
        ip(&[&add[..], &peer[..]].concat()).await?;
        ip(&["link", "set", &here, "up"]).await?;
        ip(&["addr", "add", &self.here(), "dev", &here]).await?;
        let address = format!("{}/24", self.host(2));
        self.ip_there(&["addr", "add", &address, "dev", &there]).await?;
        self.ip_there(&["link", "set", &there, "up"]).await?;
        let rto = format!("{rto}ms");
        self.ip_there(&["route", "replace", &subnet, "dev", &there, "rto_min", &rto])
            .await?;
        // As behind a gateway, whose neighbour goes on answering when the path behind it is cut.
        let server = ["neigh", "replace", &self.host(1), "lladdr", &macs[0]];
        self.ip_there(&[&server[..], &["dev", &there, "nud", "permanent"]].concat())
            .await
    }

    fn host(&self, end: u8) -> String {
        format!("198.18.{}.{end}", self.number)
    }

    fn here(&self) -> String {
        format!("{}/24", self.host(1))
    }

    async fn ip_there(&self, arguments: &[&str]) -> Result<()> {
        succeed(self.there("ip").args(arguments)).await
    }

    /// The process whose table of connections has the sender's.
    pub fn process(&self) -> String {
        match self.holder.as_ref().and_then(Child::id) {
            Some(id) => id.to_string(),
            None => "self".to_owned(),
        }
    }

    /// Where a sender finds the server.
    pub fn address(&self, port: u16) -> String {
        match self.holder {
            Some(_) => format!("{}:{port}", self.host(1)),
            None => format!("127.0.0.1:{port}"),
        }
    }

    /// A command that runs where the sender is to be.
    pub fn there(&self, program: impl AsRef<OsStr>) -> Command {
        if self.holder.is_none() {
            return Command::new(program);
        }
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.process(), "--net", "--"])
            .arg(program);
        command
    }

    /// Cuts the path: the server loses its address, so that what comes for it is dropped without a word, and so that
    /// nothing is sent from it. Its connections stay.
    pub async fn cut(&self) -> Result<()> {
        self.server_address("del").await
    }

    /// Heals the path.
    pub async fn heal(&self) -> Result<()> {
        self.server_address("add").await
    }

    async fn server_address(&self, what: &str) -> Result<()> {
        let interface = format!("s{}", self.number);
        ip(&["addr", what, &self.here(), "dev", &interface]).await
    }

    /// Makes the path slow, in kbit/s; false where that cannot be had: on loopback, or without `tc` or its `tbf`.
    pub async fn slow(&self, rate: u32) -> bool {
        if self.holder.is_none() {
            return false;
        }
        let (interface, rate) = (format!("c{}", self.number), format!("{rate}kbit"));
        let shape = [
            "qdisc", "replace", "dev", &interface, "root", "tbf", "rate", &rate,
        ];
        let mut tc = self.there("tc");
        succeed(tc.args(shape).args(["burst", "3000", "limit", "4000000"]))
            .await
            .is_ok()
    }
}

/// Starts a process in a network namespace of its own.
async fn hold() -> Result<Child> {
    let holder = Command::new("unshare")
        .args(["--net", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("unshare")?;
    let id = holder.id().context("the holder ended")?;
    let ours = std::fs::read_link("/proc/self/ns/net")?;
    let made = async {
        while std::fs::read_link(format!("/proc/{id}/ns/net"))? == ours {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(10), made)
        .await
        .context("no network namespace after 10 s")??;
    Ok(holder)
}
