//! What the system says of a process: CPU time and memory, from `/proc` where there is one.

use std::fs;
use std::time::Duration;

/// Clock ticks per second in `/proc/PID/stat`: 100 on every Linux architecture that Rust has
/// (`USER_HZ`; `sysconf(_SC_CLK_TCK)` would need unsafe code).
const TICKS_PER_S: f64 = 100.0;

/// Bytes of a page in `/proc/PID/statm`, where `/proc/PID/smaps` does not say.
const PAGE_BYTES: u64 = 4_096;

/// A process by id; `None` is this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process(pub(super) Option<u32>);

impl Process {
    fn read(self, file: &str) -> Option<String> {
        let process = self
            .0
            .map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        fs::read_to_string(format!("/proc/{process}/{file}")).ok()
    }

    /// CPU time of all its threads so far, user and system.
    pub(super) fn cpu(self) -> Option<Duration> {
        let stat = self.read("stat")?;
        // The second field is the name in parentheses and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // utime and stime are fields 14 and 15 (man proc_pid_stat), so 11 and 12 after the name.
        let ticks: u64 =
            fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_secs_f64(ticks as f64 / TICKS_PER_S))
    }

    /// Resident memory in bytes.
    pub(super) fn resident(self) -> Option<u64> {
        let status = self.read("status");
        let from_status = status.as_deref().and_then(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * 1_024)
        });
        from_status.or_else(|| {
            let statm = self.read("statm")?;
            let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
            Some(pages * PAGE_BYTES)
        })
    }
}

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How this binary was built.
pub(super) const fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_used_time_and_memory() {
        let this = Process(None);
        assert!(this.cpu().is_some());
        assert!(this.resident().is_some_and(|bytes| bytes > 1_000_000));
    }
}
