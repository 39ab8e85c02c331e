//! How every watch of ours is asked for: so that one that a proxy forgot is noticed within a minute.
//!
//! A connection can stay open and carry nothing, for example when a proxy or NAT forgot the other side of it. Only the
//! lack of data tells. So the API server is asked to end each watch soon, and kube 5.0 gives up one that stays silent for
//! 5 s longer than that; both go on from the last resourceVersion, without a list. That costs a request per watch and
//! minute or so.

use kube::runtime::watcher::Config;
use sha2::{Digest, Sha256};

/// The shortest time after which a watch is to end, in seconds.
const SHORTEST: u32 = 40;

/// By so many seconds the times of the watches differ at most, so that many do not begin again together.
const SPREAD: u8 = 10;

/// The settings of the watch of a kind in a namespace, or in all of them. `kind` and `namespace` only spread the times.
#[must_use]
pub fn config(kind: &str, namespace: Option<&str>) -> Config {
    let hash = Sha256::digest(format!("{kind}/{}", namespace.unwrap_or_default()));
    let extra = hash.first().map_or(0, |byte| u32::from(byte % (SPREAD + 1)));
    Config::default().timeout(SHORTEST + extra)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kube adds before it gives up a silent watch: `WATCH_IDLE_TIMEOUT_MARGIN`.
    const MARGIN: u32 = 5;

    #[test]
    fn a_silent_watch_is_given_up_within_a_minute_and_not_all_at_once() {
        let times: Vec<u32> = (0..200)
            .filter_map(|number| config("onetimeshares", Some(&format!("team-{number}"))).timeout)
            .collect();
        assert_eq!(times.len(), 200);
        assert!(times.iter().all(|time| time + MARGIN < 60), "{times:?}");
        let first = times.iter().filter(|time| **time == times[0]).count();
        assert!(first < 60, "{first} of 200 begin again together");
        assert_eq!(config("a", None), config("a", None));
    }
}
