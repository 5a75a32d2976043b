//! What a command that looks prints: to where it was told, and not an error if nobody reads on.

use std::io::Write;

use serde::Serialize;

use crate::error::CliError;

/// A value as indented JSON.
///
/// # Errors
/// [`CliError::Io`] when it cannot be written.
pub(crate) fn json_to(out: &mut impl Write, value: &impl Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(value).map_err(unmade)?;
    text.push('\n');
    text_to(out, &text)
}

/// A value as one line of JSON.
///
/// # Errors
/// [`CliError::Io`] when it cannot be written.
pub(crate) fn json_line_to(out: &mut impl Write, value: &impl Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string(value).map_err(unmade)?;
    text.push('\n');
    text_to(out, &text)
}

fn unmade(error: serde_json::Error) -> CliError {
    CliError::Io {
        what: "the JSON cannot be made",
        source: error.into(),
    }
}

/// A text as it is.
///
/// # Errors
/// [`CliError::Io`] when it cannot be written.
pub(crate) fn text_to(out: &mut impl Write, text: &str) -> Result<(), CliError> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| CliError::Io {
        what: "the output cannot be written",
        source,
    })
}
