//! The kernel's table of TCP connections: what is still in its buffers.

use anyhow::{Context as _, Result};

/// `TIME_WAIT`, in the kernel's numbers: nothing is left to deliver.
const TIME_WAIT: &str = "06";

/// Which end of a connection is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// That of the clients: the other end has the server's port.
    Client,
    /// That of the server.
    Server,
}

/// What the buffers of one server's connections hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffers {
    /// How many connections have bytes that the other end has not acknowledged.
    pub holding: usize,
    /// How many such bytes there are.
    pub unacknowledged: usize,
    /// How many bytes came that no program has read.
    pub unread: usize,
}

/// Looks at the connections of the server with this port, in the network namespace of a process.
pub fn buffers(process: &str, side: Side, port: u16) -> Result<Buffers> {
    let path = format!("/proc/{process}/net/tcp");
    let table = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let mut found = Buffers::default();
    for line in table.lines().skip(1) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, local, remote, state, queues, ..] = fields[..] else {
            continue;
        };
        let end = if side == Side::Client { remote } else { local };
        if state == TIME_WAIT || !end.ends_with(&format!(":{port:04X}")) {
            continue;
        }
        let (unacknowledged, unread) = queues.split_once(':').context("no queues")?;
        let unacknowledged = usize::from_str_radix(unacknowledged, 16)?;
        found.unread += usize::from_str_radix(unread, 16)?;
        found.unacknowledged += unacknowledged;
        found.holding += usize::from(unacknowledged > 0);
    }
    Ok(found)
}
