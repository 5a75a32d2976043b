//! The files that a running system leaves for others: the env file, and beside it one per function
//! with that function's environment, for a process that runs it apart, as `cargo lambda watch` does.
//! The values are those that the host resolved from the template: there is no second list of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use callboard_host::Host;
use callboard_template::Stack;

use crate::env_file::EnvFile;
use crate::error::CliError;

/// The variable of the env file that names the functions' directory.
const DIRECTORY: &str = "CALLBOARD_FUNCTIONS_ENV";

/// What Lambda tells a function, and whatever else runs it must tell it likewise.
const OF_LAMBDA: &str = "AWS_LAMBDA_";

/// What an SDK reads of where services are and who calls.
const OF_SDKS: &str = "AWS_";

/// The env file, and one per function in `<env file>.d`, by the name of its binary. The latter hold
/// secrets (the keys of links). All are there exactly while the system is.
#[derive(Debug)]
pub(crate) struct EnvFiles {
    env_file: PathBuf,
    directory: PathBuf,
    /// Binary by logical id.
    functions: BTreeMap<String, String>,
}

impl EnvFiles {
    /// For the functions of `stack`. What a killed system has left is removed; nothing is written
    /// yet.
    ///
    /// # Errors
    /// [`CliError::Unwritable`] with the path.
    pub(crate) fn clear(env_file: PathBuf, stack: &Stack) -> Result<Self, CliError> {
        let mut name = env_file.clone().into_os_string();
        name.push(".d");
        // Absolute, for whoever reads it may stand elsewhere.
        let directory =
            std::path::absolute(&name).map_err(|source| unwritable(Path::new(&name), source))?;
        let functions = stack
            .functions
            .iter()
            .map(|function| (function.logical_id.clone(), function.binary.clone()))
            .collect();
        let files = Self {
            env_file,
            directory,
            functions,
        };
        files.remove()?;
        Ok(files)
    }

    /// Writes the functions' files, tells `env` where they are, and writes it last: it is what
    /// others wait for.
    ///
    /// # Errors
    /// [`CliError::Unwritable`] with the path.
    pub(crate) fn write(&self, host: &Host, env: &mut EnvFile) -> Result<(), CliError> {
        for (logical_id, binary) in &self.functions {
            let mut file = EnvFile::default();
            for (name, value) in host.environment(logical_id).into_iter().flatten() {
                if !name.starts_with(OF_LAMBDA) {
                    file.set(name, value);
                }
            }
            for (name, value) in &env.variables {
                if name.starts_with(OF_SDKS) {
                    file.set(name, value);
                }
            }
            file.write(&self.directory.join(binary))?;
        }
        env.set(DIRECTORY, self.directory.display().to_string());
        env.write(&self.env_file)
    }

    /// Removes those that are there, and the directory unless it holds something else.
    ///
    /// # Errors
    /// [`CliError::Unwritable`] with the path.
    pub(crate) fn remove(&self) -> Result<(), CliError> {
        remove_file(&self.env_file)?;
        for binary in self.functions.values() {
            remove_file(&self.directory.join(binary))?;
        }
        let kept = [io::ErrorKind::NotFound, io::ErrorKind::DirectoryNotEmpty];
        match fs::remove_dir(&self.directory) {
            Err(source) if !kept.contains(&source.kind()) => {
                Err(unwritable(&self.directory, source))
            }
            _ => Ok(()),
        }
    }
}

/// Removes a file, if it is there.
fn remove_file(path: &Path) -> Result<(), CliError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(unwritable(path, source)),
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, source: io::Error) -> CliError {
    CliError::Unwritable {
        path: path.to_owned(),
        source,
    }
}
