//! What Linux tells of a process: its memory, its processor time, which one listens on a port.

use super::Failure;
use std::fs;
use std::time::Instant;

/// Ticks a second of `/proc/PID/stat` (proc(5): `sysconf(_SC_CLK_TCK)`, 100 on every Linux we know).
const TICKS_PER_S: f64 = 100.0;
/// A listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// Resident memory, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or("no VmRSS")?
        .parse()?;
    Ok(kib / 1024.0)
}

/// Processor time that a server and this process, its client, had used at some time.
#[derive(Debug)]
pub(crate) struct Busy {
    pid: u32,
    server_s: f64,
    client_s: f64,
    at: Instant,
}

impl Busy {
    pub(crate) fn now(pid: u32) -> Result<Busy, Failure> {
        Ok(Busy {
            pid,
            server_s: cpu_s(pid)?,
            client_s: cpu_s(std::process::id())?,
            at: Instant::now(),
        })
    }

    /// What server and client have used since, in microseconds for each of so many a second.
    pub(crate) fn us_each(&self, rate: f64) -> Result<(f64, f64), Failure> {
        let now = Busy::now(self.pid)?;
        let each = 1e6 / (rate * (now.at - self.at).as_secs_f64());
        Ok((
            (now.server_s - self.server_s) * each,
            (now.client_s - self.client_s) * each,
        ))
    }
}

/// Processor time used so far, user's and system's, in seconds.
fn cpu_s(pid: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold blanks.
    let after = stat.rsplit_once(')').ok_or("no name in stat")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |index: usize| -> Result<f64, Failure> {
        Ok(fields.get(index).ok_or("stat is short")?.parse::<f64>()?)
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

/// The process that listens on a port of this machine.
pub(crate) fn listening_on(port: u16) -> Result<u32, Failure> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|sockets| {
            sockets
                .lines()
                .filter_map(|line| inode_of(line, port))
                .collect::<Vec<_>>()
        })
        .collect();
    for process in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|it| it.parse().ok()) else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut links = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        if links.any(|link| {
            inodes
                .iter()
                .any(|inode| link.as_os_str() == inode.as_str())
        }) {
            return Ok(pid);
        }
    }
    Err(format!("nothing listens on port {port}").into())
}

/// The name, among a process's files, of the socket in this line, if it listens on `port`.
fn inode_of(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let listens = *fields.get(3)? == LISTENING && fields.get(1)?.ends_with(&format!(":{port:04X}"));
    listens.then(|| format!("socket:[{}]", fields.get(9).unwrap_or(&"")))
}
