//! The file that tells a shell, an SDK and `callboard demo` where a running system
//! is: `KEY='value'` lines, readable by `. FILE`, written at once and by one name,
//! so that nobody reads half of it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The variables of a running system, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// Value by name.
    pub variables: BTreeMap<String, String>,
}

impl EnvFile {
    /// The value of a variable, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Adds a variable.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.variables.insert(name.into(), value.into());
    }

    /// The file's text: `export`ed, so that `. FILE` is enough for child processes.
    pub fn render(&self) -> String {
        let mut text = String::from(
            "# Written by `callboard dev`; gone when it stops. Read it with:  . THIS_FILE\n",
        );
        for (name, value) in &self.variables {
            text.push_str(&format!("export {name}={}\n", quote(value)));
        }
        text
    }

    /// Writes the file for its owner alone, under another name first and then
    /// renamed, so that a reader sees all of it or none.
    ///
    /// # Errors
    /// [`CliError::Unwritable`] with the path.
    pub fn write(&self, path: &Path) -> Result<(), CliError> {
        write_private(path, self.render().as_bytes())
    }

    /// Reads a file as [`Self::write`] wrote it (and simple ones by hand).
    ///
    /// # Errors
    /// [`CliError::Unreadable`], or [`CliError::EnvFile`] with the line at fault.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let text = fs::read_to_string(path).map_err(|source| CliError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|detail| CliError::EnvFile {
            path: path.to_owned(),
            detail,
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut file = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line);
            let parsed = line
                .split_once('=')
                .filter(|(name, _)| is_name(name))
                .and_then(|(name, value)| Some((name, unquote(value)?)));
            let (name, value) = parsed.ok_or(format!("line {} is not NAME='value'", index + 1))?;
            file.set(name, value);
        }
        Ok(file)
    }
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// [`CliError::Unwritable`] with the path.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    try_write_private(path, bytes).map_err(|source| CliError::Unwritable {
        path: path.to_owned(),
        source,
    })
}

fn try_write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent)?;
    }
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut draft_name = name.to_owned();
    draft_name.push(format!(".{}.new", std::process::id()));
    let draft: PathBuf = path.with_file_name(draft_name);
    let written = write_draft(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// `CALLBOARD_WAITLIST_CASCADE_QUEUE` for `WaitlistCascadeQueue`.
pub fn variable_name(logical_id: &str) -> String {
    let letters: Vec<char> = logical_id.chars().collect();
    let mut name = String::from("CALLBOARD_");
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(index + 1);
        let word_starts = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if word_starts {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

/// Single quotes keep everything; a single quote itself is `'\''`.
fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Undoes [`quote`]; a value without quotes stands for itself.
fn unquote(value: &str) -> Option<String> {
    if !value.starts_with(['\'', '"']) {
        return Some(value.to_owned());
    }
    let mut plain = String::new();
    let mut rest = value;
    while let Some(mark) = rest.chars().next() {
        if let Some(escaped) = rest.strip_prefix(r"\'") {
            plain.push('\'');
            rest = escaped;
            continue;
        }
        if mark != '\'' && mark != '"' {
            return None;
        }
        let (inside, after) = rest[1..].split_once(mark)?;
        plain.push_str(inside);
        rest = after;
    }
    Some(plain)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    #[test]
    fn logical_ids_become_shell_names() {
        for (id, name) in [
            ("JournalTable", "CALLBOARD_JOURNAL_TABLE"),
            (
                "WaitlistCascadeDeadLetterQueue",
                "CALLBOARD_WAITLIST_CASCADE_DEAD_LETTER_QUEUE",
            ),
            ("EmailDLQ", "CALLBOARD_EMAIL_DLQ"),
            ("HTTPApi", "CALLBOARD_HTTP_API"),
            ("Queue2Go", "CALLBOARD_QUEUE2_GO"),
        ] {
            assert_eq!(variable_name(id), name);
        }
    }

    #[test]
    fn a_shell_reads_back_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/env");
        let mut file = EnvFile::default();
        file.set("CALLBOARD_A", "it's $HOME `x` \"y\" \\ z");
        file.set("CALLBOARD_B", "");
        file.write(&path).unwrap();
        assert_eq!(EnvFile::read(&path).unwrap(), file);
        let shell = std::process::Command::new("sh")
            .args(["-c", ". \"$0\"; printf %s \"$CALLBOARD_A\""])
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(shell.stdout).unwrap(),
            file.variables["CALLBOARD_A"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone_and_leaves_no_draft() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env");
        EnvFile::default().write(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_line_that_is_no_variable_is_named() {
        assert_eq!(
            EnvFile::parse("A='1'\nrm -rf x\n"),
            Err("line 2 is not NAME='value'".into())
        );
        assert_eq!(
            EnvFile::parse("A='1").unwrap_err(),
            "line 1 is not NAME='value'"
        );
        assert_eq!(
            EnvFile::parse("A=plain\n\n# note\n").unwrap().get("A"),
            Some("plain")
        );
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = EnvFile::default().write(&file.join("env")).unwrap_err();
        assert_eq!(error.exit_code(), 4);
    }
}
