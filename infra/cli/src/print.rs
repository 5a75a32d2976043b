//! What a command that looks prints: to where it was told, and not an error if nobody reads on.

use std::io::Write;

use serde::Serialize;

use crate::error::CliError;

/// A value as indented JSON.
///
/// # Errors
/// [`CliError::Io`] when it cannot be written.
pub(crate) fn json_to(out: &mut impl Write, value: &impl Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| CliError::Io {
        what: "the JSON cannot be made",
        source: error.into(),
    })?;
    text.push('\n');
    text_to(out, &text)
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
