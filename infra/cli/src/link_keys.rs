//! The keys that sign links in mails: made once per state directory, so that links
//! in mails from before a restart stay good.

use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_runtime::token::Keys;
use uuid::Uuid;

use crate::env_file::write_private;
use crate::error::CliError;

/// Name of the file in the state directory.
const FILE: &str = "link-keys";

/// Reads the directory's keys, or makes them at the first start.
///
/// # Errors
/// [`CliError::Unwritable`], or [`CliError::Damaged`] if the file holds no keys.
pub(crate) fn of_directory(directory: &Path) -> Result<String, CliError> {
    let path = directory.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let text = text.trim().to_owned();
            Keys::parse(&text).map_err(|error| CliError::Damaged {
                path,
                detail: error.to_string(),
            })?;
            Ok(text)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let keys = generate();
            write_private(&path, keys.as_bytes())?;
            Ok(keys)
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory
            ) =>
        {
            Err(CliError::Damaged {
                path,
                detail: error.to_string(),
            })
        }
        Err(source) => Err(CliError::Unwritable { path, source }),
    }
}

/// A new key under a random id: 48 bytes from the system's generator, of which
/// version and variant bits of three UUIDs are fixed, leaving 366 bits.
pub(crate) fn generate() -> String {
    let secret = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()]
        .map(Uuid::into_bytes)
        .concat();
    let id = Uuid::new_v4().simple().to_string();
    format!("dev-{}:{}", &id[..6], URL_SAFE_NO_PAD.encode(secret))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_can_be_used() {
        let directory = tempfile::tempdir().unwrap();
        let first = of_directory(directory.path()).unwrap();
        assert!(Keys::parse(&first).is_ok());
        assert_eq!(of_directory(directory.path()).unwrap(), first);
        assert_ne!(generate(), generate());
    }

    #[test]
    fn a_file_without_keys_is_called_damaged_and_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "secret nonsense").unwrap();
        let error = of_directory(directory.path()).unwrap_err();
        assert_eq!(error.exit_code(), 5);
        assert!(!error.to_string().contains("secret nonsense"));
        fs::write(directory.path().join(FILE), [0xff, 0xfe]).unwrap();
        assert_eq!(of_directory(directory.path()).unwrap_err().exit_code(), 5);
    }
}
