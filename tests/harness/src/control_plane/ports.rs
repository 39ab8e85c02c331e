//! Ports of the loopback interface that no other test process takes at the same time.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// Below the range from which Linux picks the ports of outgoing connections: otherwise such a connection
/// could take the port of an etcd that a test has killed and wants to start again.
const RANGE: std::ops::Range<u16> = 18_000..30_000;

/// A port that is ours until this is dropped, also while nothing listens on it.
pub(super) struct Port {
    pub(super) number: u16,
    /// The lock on it is what keeps other test processes away.
    _lease: File,
}

impl Port {
    /// Finds a port that is free now and that no other `Port`, in any process of this user, stands for.
    pub(super) fn reserve() -> Result<Self> {
        let leases = std::env::temp_dir().join("onetimeshare-ports");
        fs::create_dir_all(&leases).with_context(|| format!("creating {}", leases.display()))?;
        for _ in 0..1_000 {
            let number = rand::random_range(RANGE);
            // Of another user: not ours to take.
            let Ok(lease) = File::create(leases.join(number.to_string())) else {
                continue;
            };
            if lease.try_lock().is_err() {
                continue;
            }
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self {
                    number,
                    _lease: lease,
                });
            }
        }
        anyhow::bail!(
            "found no free port from {} to {} on 127.0.0.1",
            RANGE.start,
            RANGE.end
        )
    }
}
