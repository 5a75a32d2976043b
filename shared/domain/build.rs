//! Lists the data files under `events/` and embeds them, so that a new event type or a new
//! wording needs no line of Rust.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let crate_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let events = crate_dir.join("../../events").canonicalize()?;
    let foreign = events.join("foreign");
    let notifications = events.join("notifications");
    let replies = events.join("replies");

    let mut table = String::new();
    write_table(&mut table, "FOREIGN", &foreign, &files_in(&foreign)?)?;
    write_table(&mut table, "REPLIES", &replies, &files_in(&replies)?)?;
    let mut wordings = Vec::new();
    for folder in entries_of(&notifications)? {
        if folder.is_dir() {
            wordings.extend(files_in(&folder)?);
        }
    }
    write_table(&mut table, "NOTIFICATIONS", &notifications, &wordings)?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("data.rs"), table)?;

    println!("cargo::rerun-if-changed=build.rs");
    // Cargo looks into a folder's files and sub-folders for changes.
    println!("cargo::rerun-if-changed={}", foreign.display());
    println!("cargo::rerun-if-changed={}", notifications.display());
    println!("cargo::rerun-if-changed={}", replies.display());
    Ok(())
}

/// The files of a folder by name, without hidden ones and editors' copies.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = entries_of(folder)?;
    files.retain(|path| path.is_file());
    Ok(files)
}

fn entries_of(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| !name.starts_with('.') && !name.ends_with('~')) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn write_table(
    out: &mut String,
    name: &str,
    base: &Path,
    files: &[PathBuf],
) -> Result<(), Box<dyn Error>> {
    writeln!(out, "pub(super) static {name}: &[(&str, &str)] = &[")?;
    for file in files {
        let label = file
            .strip_prefix(base)?
            .to_string_lossy()
            .replace('\\', "/");
        writeln!(
            out,
            "    ({label:?}, include_str!({:?})),",
            file.display().to_string()
        )?;
    }
    writeln!(out, "];")?;
    Ok(())
}
