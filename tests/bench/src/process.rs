//! What the kernel says of a process: memory and processor time.

use anyhow::{Context as _, Result};

/// The kernel counts a process's time in these on every architecture that Rust knows.
const TICKS_PER_SECOND: f64 = 100.0;

/// MiB that are in memory now.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    memory(pid, "VmRSS")
}

/// MiB that were in memory at most.
pub(crate) fn peak(pid: u32) -> Result<f64> {
    memory(pid, "VmHWM")
}

/// Seconds of processor time so far, the kernel's on its behalf included.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended")?;
    ticks(&text)
        .map(|ticks| ticks / TICKS_PER_SECOND)
        .context("/proc/PID/stat has another form")
}

fn memory(pid: u32, line: &str) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    kibibytes(&text, line)
        .map(|kibibytes| kibibytes / 1024.0)
        .with_context(|| format!("/proc/PID/status has no {line}"))
}

fn kibibytes(status: &str, line: &str) -> Option<f64> {
    let value = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// `utime` and `stime`. The name of the program, in parentheses, may contain anything.
fn ticks(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 6 7 20 0 9 0 100 200 300";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_found_by_its_whole_name() {
        let status = "Name:\tbench\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(kibibytes(status, "VmRSS"), Some(1024.0));
        assert_eq!(kibibytes(status, "VmHWM"), Some(2048.0));
        assert_eq!(kibibytes(status, "Vm"), None);
    }

    #[test]
    fn this_process_has_both() {
        let own = std::process::id();
        assert!(resident(own).expect("memory") > 0.0);
        assert!(peak(own).expect("memory") >= resident(own).expect("memory") * 0.5);
        assert!(cpu_seconds(own).is_ok());
    }
}
