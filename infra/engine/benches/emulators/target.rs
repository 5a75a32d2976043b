//! What is measured: a process that answers on a port.

use super::Failure;
use super::client::Aws;
use super::process;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a target may take to answer.
const START_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An emulator. One that was started here ends with this.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) pid: u32,
    child: Option<Child>,
    _directory: Option<TempDir>,
}

impl Target {
    /// One that runs already.
    pub(crate) async fn running(name: &str, port: u16) -> Result<Target, Failure> {
        Ok(Target {
            name: name.to_owned(),
            port,
            pid: process::listening_on(port)?,
            child: None,
            _directory: None,
        })
    }

    /// The engine, by a program that takes a port and, for a state on disk, a directory.
    pub(crate) async fn start(
        name: &str,
        program: &[&str],
        on_disk: bool,
    ) -> Result<Target, Failure> {
        let port = free_port()?;
        let directory = on_disk.then(TempDir::new).transpose()?;
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(port.to_string());
        if let Some(directory) = &directory {
            command.arg(directory.path());
        }
        let child = command.stdout(Stdio::null()).spawn()?;
        let target = Target {
            name: name.to_owned(),
            port,
            pid: child.id(),
            child: Some(child),
            _directory: directory,
        };
        let start = Instant::now();
        while Aws::connect(port).await.is_err() {
            if start.elapsed() > START_MAX {
                return Err(format!("{name} does not answer on port {port}").into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(target)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> Result<u16, Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}
